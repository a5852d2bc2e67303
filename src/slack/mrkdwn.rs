//! Converts Slack's markup to plain text, and escapes plain text for Slack's markup
//! (<https://docs.slack.dev/messaging/formatting-message-text>).
//!
//! Slack escapes each `&`, `<` and `>` that a person types, so text in angle brackets is Slack's own: a mention, a link, a
//! date. [`plain_text`] replaces these first. Then it replaces emoji names and removes formatting marks, but only where
//! Slack would have interpreted them, since anybody can type a colon or an asterisk. Code keeps its characters.

mod entity;
mod marks;

use std::collections::{BTreeSet, HashMap};

use super::{ChannelId, UserId, emoji};
use entity::Entity;
use marks::Token;

/// The longest emoji name that is recognized, in bytes. Slack allows 100 characters for a custom emoji.
const MAX_EMOJI_NAME: usize = 400;

/// The names of users and channels, of which Slack's markup only has the IDs.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub users: HashMap<UserId, String>,
    pub channels: HashMap<ChannelId, String>,
}

/// The IDs in a text whose names [`plain_text`] needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    pub users: BTreeSet<UserId>,
    pub channels: BTreeSet<ChannelId>,
}

/// Escapes a text for Slack's markup, so that no part of it can be a mention or a link.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Converts a text in Slack's markup to the plain text to send to a phone.
pub fn plain_text(text: &str, names: &Names) -> String {
    marks::join(tokens(text, names))
}

/// Returns the users and channels that a text mentions, to look up their names before [`plain_text`].
pub fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let Some((entity, after)) = Entity::at_start(rest) else {
            rest = &rest[1..];
            continue;
        };
        match entity {
            Entity::User { id, .. } => {
                found.users.insert(UserId::new(id));
            }
            Entity::Channel { id, label: None } => {
                found.channels.insert(ChannelId::new(id));
            }
            _ => {}
        }
        rest = after;
    }
    found
}

/// Returns the text from its first word on, without leading blanks, invisible characters, quote marks, bullets and
/// formatting.
pub fn beginning(text: &str) -> &str {
    let mut rest = text;
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(|c: char| {
            c.is_whitespace() || marks::is_mark(c) || INVISIBLE.contains(&c) || BULLETS.contains(&c)
        });
        rest = rest.strip_prefix("&gt;").unwrap_or(rest);
        if rest.len() == before {
            return rest;
        }
    }
}

/// Invisible characters: zero-width spaces and joiners, direction marks, the byte order mark, the soft hyphen.
const INVISIBLE: [char; 8] = [
    '\u{200B}', '\u{200C}', '\u{200D}', '\u{200E}', '\u{200F}', '\u{2060}', '\u{FEFF}', '\u{00AD}',
];

/// The bullets that Slack puts before list items, and the quote mark.
const BULLETS: [char; 4] = ['•', '◦', '▪', '>'];

/// Whether a text begins with a mention of a person, a group or everybody.
pub fn starts_with_mention(text: &str) -> bool {
    match Entity::at_start(beginning(text)) {
        Some((Entity::User { .. }, _)) => true,
        _ => ["<!here", "<!channel", "<!everyone", "<!subteam^"]
            .iter()
            .any(|addressed| beginning(text).starts_with(addressed)),
    }
}

/// Splits a text into characters, which may be formatting marks, and converted pieces, which contain none.
fn tokens(text: &str, names: &Names) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut before = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let piece = match c {
            '`' => code(rest, before).map(|(code, after)| (unformatted(code, names), after)),
            '<' => Entity::at_start(rest).map(|(entity, after)| (entity.plain_text(names), after)),
            ':' => emoji_at_start(rest, before),
            _ => None,
        };
        let after = if let Some((piece, after)) = piece {
            tokens.push(Token::Piece(piece));
            after
        } else {
            let (char, after) = char_at_start(rest);
            tokens.extend(char.map(Token::Char));
            after
        };
        before = rest[..rest.len() - after.len()].chars().next_back();
        rest = after;
    }
    tokens
}

/// Converts code: replaces entities and escapes, but leaves formatting marks and colons.
fn unformatted(text: &str, names: &Names) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        rest = if let Some((entity, after)) = Entity::at_start(rest) {
            plain.push_str(&entity.plain_text(names));
            after
        } else {
            let (char, after) = char_at_start(rest);
            plain.extend(char);
            after
        };
    }
    plain
}

/// Returns the first character of a text, unescaped, and the rest. The character is `None` for a `<` that has to go.
fn char_at_start(text: &str) -> (Option<char>, &str) {
    for (escaped, c) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&')] {
        if let Some(after) = text.strip_prefix(escaped) {
            return (Some(c), after);
        }
    }
    let mut chars = text.chars();
    let c = chars.next();
    let after = chars.as_str();
    // Slack escapes what people type, so a bare bracket is damaged markup. Keep it where it reads as "less than", and drop it
    // where it would make the next word look like a mention or a link.
    let harmless =
        |next: char| next.is_whitespace() || next.is_ascii_digit() || "=-".contains(next);
    if c == Some('<') && !after.chars().next().is_some_and(harmless) {
        return (None, after);
    }
    (c, after)
}

/// Returns the code that a text starts with, without its backticks, and the rest: a block, or a span within one line.
fn code(text: &str, before: Option<char>) -> Option<(&str, &str)> {
    if let Some(inside) = text.strip_prefix("```") {
        let end = inside.find("```").filter(|end| *end > 0)?;
        let code = &inside[..end];
        let code = code.strip_prefix('\n').unwrap_or(code);
        return Some((code.strip_suffix('\n').unwrap_or(code), &inside[end + 3..]));
    }
    let inside = text.strip_prefix('`')?;
    let line = inside.split('\n').next().unwrap_or_default();
    let end = line.find('`').filter(|end| *end > 0)?;
    let after = &inside[end + 1..];
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '`');
    (apart(before) && apart(after.chars().next())).then_some((&inside[..end], after))
}

/// Returns the emoji that a text starts with, and the rest. For an unknown name returns the name with its first colon only:
/// the second may begin the next emoji.
fn emoji_at_start(text: &str, before: Option<char>) -> Option<(String, &str)> {
    let (name, after) = name_in_colons(text)?;
    // "10:100:30" does not contain the emoji `:100:`.
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let is_number = name.bytes().all(|b| b.is_ascii_digit());
    if is_number && (is_digit(before) || is_digit(after.chars().next())) {
        return None;
    }
    let Some(plain) = emoji::unicode(name) else {
        return Some((format!(":{name}"), &text[1 + name.len()..]));
    };
    let tone = name_in_colons(after)
        .and_then(|(tone, after)| Some((tone.strip_prefix("skin-tone-")?, after)));
    match tone {
        Some((tone, after)) => {
            let toned = tone
                .parse()
                .ok()
                .and_then(|tone| emoji::unicode_with_tone(name, tone));
            Some((toned.unwrap_or_else(|| plain.to_owned()), after))
        }
        None => Some((plain.to_owned(), after)),
    }
}

fn name_in_colons(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix(':')?.split_once(':')?;
    let of_names = |c: char| c.is_alphanumeric() && !c.is_uppercase() || "_+-'".contains(c);
    let well_formed =
        !name.starts_with('_') && name.len() <= MAX_EMOJI_NAME && name.chars().all(of_names);
    (!name.is_empty() && well_formed).then_some((name, after))
}

#[cfg(test)]
mod tests;
