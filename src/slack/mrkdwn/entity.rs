//! The entities in angle brackets: mentions, links, dates.

use super::{Names, char_at_start, emoji_at_start};
use crate::slack::{ChannelId, UserId};

/// One `<…>` of Slack's markup. The label is the text after the bar, if there is any.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entity<'a> {
    /// `<@U…>`
    User { id: &'a str, label: Option<&'a str> },
    /// `<#C…>`
    Channel { id: &'a str, label: Option<&'a str> },
    /// `<!here>`, `<!subteam^S…>`, `<!date^…>`
    Special {
        word: &'a str,
        label: Option<&'a str>,
    },
    /// `<https://…>`, `<mailto:…>`
    Link {
        url: &'a str,
        label: Option<&'a str>,
    },
}

impl<'a> Entity<'a> {
    /// Returns the entity that a text starts with, and the rest.
    pub(super) fn at_start(text: &'a str) -> Option<(Self, &'a str)> {
        let inside = text.strip_prefix('<')?;
        // A second opening bracket before the closing one means that the first does not open an entity.
        let end = inside.find(['<', '>', '\n'])?;
        let after = inside[end..].strip_prefix('>')?;
        let content = &inside[..end];
        let (target, label) = match content.split_once('|') {
            Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
            None => (content, None),
        };
        let id_after = |mark| target.strip_prefix(mark).filter(|id| is_id(id));
        let entity = if let Some(id) = id_after('@') {
            Self::User { id, label }
        } else if let Some(id) = id_after('#') {
            Self::Channel { id, label }
        } else if let Some(word) = target.strip_prefix('!') {
            Self::Special { word, label }
        } else if target.is_empty() || target.starts_with(char::is_whitespace) {
            return None;
        } else {
            Self::Link { url: target, label }
        };
        Some((entity, after))
    }

    /// Returns the plain text to send to a phone.
    pub(super) fn plain_text(&self, names: &Names) -> String {
        match self {
            Self::User { id, label } => match names.users.get(&UserId::new(*id)) {
                Some(name) => format!("@{}", name.trim_start_matches('@')),
                None => named('@', *label, "someone"),
            },
            Self::Channel { id, label } => match names.channels.get(&ChannelId::new(*id)) {
                Some(name) => format!("#{}", name.trim_start_matches('#')),
                None => named('#', *label, "channel"),
            },
            Self::Special { word, label } => special(word, *label),
            Self::Link { url, label } => link(&words(url, false), *label),
        }
    }
}

/// Whether the text can be an ID: Slack's IDs consist of letters and digits.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn named(mark: char, label: Option<&str>, otherwise: &str) -> String {
    let name = label.map_or_else(|| otherwise.to_owned(), |label| words(label, true));
    format!("{mark}{}", name.trim_start_matches(mark))
}

fn special(word: &str, label: Option<&str>) -> String {
    match word.split('^').next().unwrap_or_default() {
        // Slack requires a fallback text in a date, for readers that cannot format it.
        "date" => label.map(|label| words(label, true)).unwrap_or_default(),
        "subteam" => named('@', label, "group"),
        "here" | "channel" | "everyone" => format!("@{word}"),
        _ => label.map_or_else(|| format!("@{word}"), |label| words(label, true)),
    }
}

/// Returns a link as text. Shows the URL in addition to the label, unless both say the same.
fn link(url: &str, label: Option<&str>) -> String {
    let address = ["mailto:", "tel:"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let bare = address.unwrap_or_else(|| {
        let scheme = ["https://", "http://"]
            .iter()
            .find(|scheme| url.starts_with(**scheme));
        &url[scheme.map_or(0, |scheme| scheme.len())..]
    });
    let shown = address.unwrap_or(url);
    let Some(label) = label.map(|label| words(label, true)) else {
        return shown.to_owned();
    };
    let trim = |text: &str| text.trim().trim_end_matches('/').to_lowercase();
    if trim(&label) == trim(bare) || trim(&label) == trim(url) {
        shown.to_owned()
    } else if url.starts_with("tel:") && same_number(&label, bare) {
        label
    } else {
        format!("{label} ({shown})")
    }
}

/// Whether the label is the number, apart from punctuation and the country code.
fn same_number(label: &str, number: &str) -> bool {
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let (label, number) = (digits(label), digits(number));
    label.len() >= 7 && number.ends_with(&label)
}

/// Unescapes a label or a URL; replaces emoji names if `with_emoji`, as in a label.
fn words(text: &str, with_emoji: bool) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let found = if with_emoji {
            emoji_at_start(rest, plain.chars().next_back())
        } else {
            None
        };
        rest = if let Some((emoji, after)) = found {
            plain.push_str(&emoji);
            after
        } else {
            let (char, after) = char_at_start(rest);
            plain.extend(char);
            after
        };
    }
    plain
}
