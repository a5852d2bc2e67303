//! Splits a long text into message bodies (<https://www.twilio.com/docs/messaging/api/message-resource>).

use unicode_segmentation::UnicodeSegmentation;

/// The longest `Body` that Twilio accepts; a longer one is error 21617. We count UTF-16 code units, the strictest reading
/// of Twilio's "characters", so that an emoji never makes a body too long.
const BODY_LIMIT: usize = 1_600;

/// Splits a text into bodies that Twilio accepts, in order. Breaks at white space if there is any, and never inside a
/// grapheme. Returns an empty list for a blank text.
pub fn split(text: &str) -> Vec<String> {
    split_at(text, BODY_LIMIT)
}

fn split_at(text: &str, limit: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = body_end(rest, limit);
        bodies.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    bodies
}

/// Returns the byte offset at which the first body of `text` ends.
fn body_end(text: &str, limit: usize) -> usize {
    let mut units = 0;
    let mut last_space = None;
    for (at, grapheme) in text.grapheme_indices(true) {
        let size: usize = grapheme.encode_utf16().count();
        if grapheme.chars().all(char::is_whitespace) {
            last_space = Some(at);
        }
        if units + size > limit {
            // A single grapheme longer than the limit is cut inside, or the loop would never advance.
            return last_space.filter(|at| *at > 0).unwrap_or(if at > 0 {
                at
            } else {
                cut_inside(text, limit)
            });
        }
        units += size;
    }
    text.len()
}

fn cut_inside(text: &str, limit: usize) -> usize {
    let mut units = 0;
    text.char_indices()
        .find(|(_, letter)| {
            units += letter.len_utf16();
            units > limit
        })
        .map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_text_breaks_at_words() {
        for (text, bodies) in [
            ("", vec![]),
            ("   ", vec![]),
            ("short", vec!["short"]),
            ("exactly 10", vec!["exactly 10"]),
            ("one two three four", vec!["one two", "three four"]),
            ("abcdefghijklmno", vec!["abcdefghij", "klmno"]),
            ("abcdefghij klm", vec!["abcdefghij", "klm"]),
            ("line one\nline two", vec!["line one", "line two"]),
            ("123456789👍 ok", vec!["123456789", "👍 ok"]),
        ] {
            assert_eq!(split_at(text, 10), bodies, "{text:?}");
        }
    }

    #[test]
    fn a_family_of_emoji_stays_together() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(split_at(&format!("12{family}"), 12), ["12", family]);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_body_is_too_long(text in "\\PC{0,200}", limit in 4usize..40) {
            let bodies = split_at(&text, limit);
            for body in &bodies {
                prop_assert!(body.encode_utf16().count() <= limit);
                prop_assert!(!body.is_empty());
            }
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&bodies.concat()), letters(&text));
        }
    }
}
