//! Looks up emoji by Slack's short names, as in `:wave:` and `:wave::skin-tone-3:`.

use super::emoji_table::SHORT_NAMES;

/// Returns the emoji of a short name without colons; `None` for a workspace's custom emoji and unknown names.
pub fn unicode(short_name: &str) -> Option<&'static str> {
    find(short_name).map(|(_, emoji, _)| *emoji)
}

/// Returns the emoji of a short name with a skin tone, 2 to 6 as Slack counts them, or without if it takes none.
pub fn unicode_with_tone(short_name: &str, tone: u8) -> Option<String> {
    let (_, emoji, takes_tone) = find(short_name)?;
    let mut chars = emoji.chars();
    match (tone_modifier(tone), chars.next()) {
        // In every emoji with tones, the modifier follows the first character and replaces a variation selector there.
        (Some(modifier), Some(first)) if *takes_tone => {
            let rest = chars.as_str();
            let rest = rest.strip_prefix('\u{FE0F}').unwrap_or(rest);
            Some(format!("{first}{modifier}{rest}"))
        }
        _ => Some((*emoji).to_owned()),
    }
}

fn find(short_name: &str) -> Option<&'static (&'static str, &'static str, bool)> {
    let at = SHORT_NAMES
        .binary_search_by(|(name, _, _)| name.cmp(&short_name))
        .ok()?;
    SHORT_NAMES.get(at)
}

/// Returns the Fitzpatrick modifier for `skin-tone-2` to `skin-tone-6`.
fn tone_modifier(tone: u8) -> Option<char> {
    char::from_u32(0x1F3FB + u32::from(tone.checked_sub(2)?)).filter(|_| tone <= 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_found() {
        for (name, emoji) in [
            ("wave", "👋"),
            ("+1", "👍"),
            ("thumbsup", "👍"),
            ("tada", "🎉"),
            ("flag-us", "🇺🇸"),
            ("us", "🇺🇸"),
            ("heart", "❤️"),
            ("white_check_mark", "✅"),
            ("100", "💯"),
            ("man-woman-girl-boy", "👨‍👩‍👧‍👦"),
            ("skin-tone-3", "🏼"),
            ("non-potable_water", "🚱"),
            ("zzz", "💤"),
        ] {
            assert_eq!(unicode(name), Some(emoji), "{name}");
        }
        for name in ["", "qdn", "Wave", ":wave:", "wave "] {
            assert_eq!(unicode(name), None, "{name:?}");
        }
    }

    #[test]
    fn skin_tones_go_where_unicode_wants_them() {
        for (name, tone, emoji) in [
            ("wave", 2, "👋🏻"),
            ("wave", 6, "👋🏿"),
            ("male-firefighter", 4, "👨🏽‍🚒"),
            ("v", 3, "✌🏼"),
            ("tada", 3, "🎉"),
            ("wave", 7, "👋"),
            ("wave", 0, "👋"),
        ] {
            assert_eq!(
                unicode_with_tone(name, tone).as_deref(),
                Some(emoji),
                "{name} {tone}"
            );
        }
        assert_eq!(unicode_with_tone("qdn", 3), None);
    }

    #[test]
    fn the_table_is_sorted_and_whole() {
        assert!(SHORT_NAMES.is_sorted_by(|a, b| a.0 < b.0));
        for (name, emoji, _) in &SHORT_NAMES {
            assert_eq!(unicode(name), Some(*emoji));
            assert!(!emoji.is_empty() && !emoji.contains(':'), "{name}");
        }
    }
}
