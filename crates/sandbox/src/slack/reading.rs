//! Whom a message notifies, and what people see of it.
//!
//! Source: <https://docs.slack.dev/messaging/formatting-message-text>. Written for tests and the demo page; it reads only what the app
//! sent, so it also shows what the app forgot to escape.

mod rendered;

use serde_json::Value;

use super::message::{Ephemeral, Message};

/// A piece of mrkdwn: words, or an entity between `<` and `>`.
enum Piece<'a> {
    Words(&'a str),
    Entity {
        target: &'a str,
        label: Option<&'a str>,
    },
}

/// Splits mrkdwn as Slack documents it: everything between `<` and the next `>` is an entity.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((inner, tail)) = after.split_once('>') else {
            break;
        };
        if inner.is_empty() || inner.contains('<') {
            // `<>` and a stray `<` are words.
            let end = before.len() + 1;
            found.push(Piece::Words(&rest[..end]));
            rest = &rest[end..];
            continue;
        }
        found.push(Piece::Words(before));
        found.push(match inner.split_once('|') {
            Some((target, label)) => Piece::Entity {
                target,
                label: Some(label),
            },
            None => Piece::Entity {
                target: inner,
                label: None,
            },
        });
        rest = tail;
    }
    found.push(Piece::Words(rest));
    found
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Adds whom mrkdwn notifies: `@channel`, `@U…`, `@S…`.
fn pings_in(text: &str, bare_names: bool, found: &mut Vec<String>) {
    for piece in pieces(text) {
        match piece {
            Piece::Entity { target, .. } => {
                if let Some(special) = target.strip_prefix('!') {
                    let name = special.strip_prefix("subteam^").unwrap_or(special);
                    if !special.starts_with("date^") {
                        found.push(format!("@{name}"));
                    }
                } else if target.starts_with("@U") || target.starts_with("@W") {
                    found.push(target.to_owned());
                }
            }
            Piece::Words(words) if bare_names => {
                for name in ["@here", "@channel", "@everyone"] {
                    if words.contains(name) {
                        found.push(name.to_owned());
                    }
                }
            }
            Piece::Words(_) => {}
        }
    }
}

/// Adds whom blocks notify. Mrkdwn objects without `verbatim` also turn bare names into mentions.
fn pings_in_blocks(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| pings_in_blocks(value, found)),
        Value::Object(map) => {
            let text_of = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
            match text_of("type") {
                "mrkdwn" => {
                    let verbatim = map.get("verbatim") == Some(&Value::Bool(true));
                    pings_in(text_of("text"), !verbatim, found);
                }
                "plain_text" => {}
                "user" => found.push(format!("@{}", text_of("user_id"))),
                "usergroup" => found.push(format!("@{}", text_of("usergroup_id"))),
                "broadcast" => found.push(format!("@{}", text_of("range"))),
                _ => map.values().for_each(|value| pings_in_blocks(value, found)),
            }
        }
        _ => {}
    }
}

impl Message {
    /// Whom the message notifies by its text and its blocks.
    pub fn pings(&self) -> Vec<String> {
        let mut found = Vec::new();
        pings_in(&self.text, self.parse_names, &mut found);
        if let Some(blocks) = &self.blocks {
            pings_in_blocks(blocks, &mut found);
        }
        found
    }

    /// The `action_id`s of its buttons.
    pub fn buttons(&self) -> Vec<String> {
        self.blocks.as_ref().map(buttons).unwrap_or_default()
    }
}

impl Ephemeral {
    /// The `action_id`s of its buttons.
    pub fn buttons(&self) -> Vec<String> {
        self.blocks.as_ref().map(buttons).unwrap_or_default()
    }
}

/// The `action_id`s of all buttons in blocks.
pub fn buttons(blocks: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for block in blocks.as_array().into_iter().flatten() {
        let elements = block["elements"].as_array().into_iter().flatten();
        for element in elements.chain([&block["accessory"]]) {
            if element["type"] == "button" {
                found.extend(element["action_id"].as_str().map(str::to_owned));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::slack::{Channel, Settings, World};

    fn world() -> World {
        let mut world = World::new(Settings::default(), String::new());
        world.put_channel(Channel {
            id: "C1".into(),
            name: "desk".into(),
            ..Channel::default()
        });
        world
    }

    #[test]
    fn whatever_slack_would_act_on_rings() {
        for (text, pings) in [
            ("hello", Vec::<&str>::new()),
            ("<!channel> now", vec!["@channel"]),
            ("<!here|@here>", vec!["@here"]),
            ("<!subteam^S1|@crew>", vec!["@S1"]),
            ("<@U1> and <@W2|two>", vec!["@U1", "@W2"]),
            ("&lt;!channel&gt; @here", vec![]),
            ("<https://example.com|<@U1>", vec!["@U1"]),
            ("<!date^0^{date}|then>", vec![]),
        ] {
            let message = Message {
                text: text.to_owned(),
                ..Message::default()
            };
            assert_eq!(message.pings(), pings, "{text}");
        }
        let linked = Message {
            text: "@here".into(),
            parse_names: true,
            ..Message::default()
        };
        assert_eq!(linked.pings(), ["@here"]);
    }

    #[test]
    fn blocks_ring_unless_they_are_literal() {
        let section = |text: &str, verbatim: bool| json!([{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": verbatim}}]);
        let literal = json!([{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "<!channel> @here"},
        ]}]}]);
        for (blocks, count) in [
            (section("<!channel>", true), 1),
            (section("@here", false), 1),
            (section("@here", true), 0),
            (literal, 0),
        ] {
            let message = Message {
                blocks: Some(blocks.clone()),
                ..Message::default()
            };
            assert_eq!(message.pings().len(), count, "{blocks}");
        }
    }

    #[test]
    fn people_see_text_without_its_markup() {
        let world = world();
        for (text, shown) in [
            ("a &amp; b &lt;c&gt; &amp;lt;", "a & b <c> &lt;"),
            ("<@U0QDNBOT> in <#C1|desk>", "@qdn in #desk"),
            (
                "<https://example.com|here> <https://example.org>",
                "here https://example.org",
            ),
            (
                "*bold <@U0QDNBOT>* _it_ ~no~ `code`",
                "bold @qdn it no code",
            ),
            ("2*3*4 a_b_c *open", "2*3*4 a_b_c *open"),
            (":lock: 10:30:15", "(emoji lock) 10:30:15"),
            ("&gt; quoted", "quoted"),
            // What Slack makes of an app that did not escape.
            ("a < b > c", "a  b  c"),
        ] {
            assert_eq!(world.rendered_mrkdwn(text), shown, "{text}");
        }
    }

    #[test]
    fn literal_blocks_are_seen_as_they_were_written() {
        let world = world();
        let text = "*not bold* :lock: <!channel> &amp;";
        let blocks = json!([{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": text},
        ]}]}]);
        assert_eq!(world.rendered_blocks(&blocks), text);
    }
}
