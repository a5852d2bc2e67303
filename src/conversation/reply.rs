//! Decides which messages in a thread are replies to the caller.

use crate::slack::event::MessageEvent;
use crate::slack::{MessageTs, TeamId, UserId, mrkdwn};

/// A message that a person of our workspace wrote in a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) user: UserId,
    /// The `ts` of the thread's parent message.
    pub(crate) root: MessageTs,
    pub(crate) kind: Kind,
}

/// Whom a message in a thread is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is for the caller.
    Reply,
    /// It begins with a sign such as `note:`, so it is not sent.
    Note,
    /// It begins with a colleague's name or a mention, so it is probably not for the caller.
    ToColleague,
    /// It begins with `/`, so it is probably a command: Slack has no slash commands in threads.
    Command,
}

impl Kind {
    /// Whether the writer is asked before it is sent.
    pub(crate) fn is_doubtful(self) -> bool {
        matches!(self, Kind::ToColleague | Kind::Command)
    }
}

/// The message subtypes that people write in a thread. All others are Slack's or a bot's.
const BY_PEOPLE: [&str; 3] = ["thread_broadcast", "me_message", "file_share"];

/// Classifies a message. The error is the reason why it is not a person's message in a thread. `app_id` is our app's ID, as
/// in the event's envelope.
pub(crate) fn read(
    message: &MessageEvent,
    team: &TeamId,
    app_id: Option<&str>,
) -> Result<Written, &'static str> {
    if message.hidden
        || message
            .subtype
            .as_deref()
            .is_some_and(|subtype| !BY_PEOPLE.contains(&subtype))
    {
        return Err("not written by a person");
    }
    if message.bot_id.is_some() || (message.app_id.is_some() && message.app_id.as_deref() == app_id)
    {
        return Err("written by a bot");
    }
    let user = message.user.clone().ok_or("nobody wrote it")?;
    // Guests of Slack Connect write in our channels, but must not text our callers.
    let foreign = |of: &Option<TeamId>| of.as_ref().is_some_and(|of| of != team);
    if foreign(&message.team) || foreign(&message.user_team) || foreign(&message.source_team) {
        return Err("its writer belongs to another workspace");
    }
    let root = message
        .thread_ts
        .clone()
        .filter(|root| *root != message.ts)
        .ok_or("not in a thread")?;
    let kind = if is_note(&message.text) {
        Kind::Note
    } else if mrkdwn::starts_with_mention(&message.text) {
        Kind::ToColleague
    } else if mrkdwn::beginning(&message.text).starts_with('/') {
        Kind::Command
    } else {
        Kind::Reply
    };
    Ok(Written { user, root, kind })
}

/// The signs that begin a note. People are taught `note:`, since Slack's client treats text that begins with `/` as a command.
const NOTE_SIGNS: [&str; 4] = ["//", "／／", ";;", "；；"];

/// The words that begin a note if a colon follows.
const NOTE_WORDS: [&str; 2] = ["note", "private"];

/// Whether the text is a note. Ignores formatting before its sign.
fn is_note(text: &str) -> bool {
    let words = mrkdwn::beginning(text);
    let is_word = |word: &&str| {
        let begins = words.get(..word.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(word))
            && words[word.len()..].starts_with([':', '：'])
    };
    NOTE_SIGNS.iter().any(|sign| words.starts_with(sign)) || NOTE_WORDS.iter().any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::event::{Envelope, Event};

    const TEAM: &str = "T0QDN";

    fn message(fields: &str) -> MessageEvent {
        let body = format!(
            r#"{{"type":"event_callback","team_id":"{TEAM}","api_app_id":"A0QDN","event_id":"Ev1",
               "event":{{"type":"message","channel":"C1","ts":"1700000002.000100",{fields}}}}}"#
        );
        match Envelope::parse(body.as_bytes()).unwrap() {
            Envelope::EventCallback(callback) => match callback.event {
                Event::Message(message) => *message,
                other => panic!("not a message: {other:?}"),
            },
            other => panic!("not a callback: {other:?}"),
        }
    }

    fn reading(fields: &str) -> &'static str {
        match read(&message(fields), &TeamId::new(TEAM), Some("A0QDN")).map(|written| written.kind)
        {
            Ok(Kind::Reply) => "reply",
            Ok(Kind::Note) => "note",
            Ok(Kind::ToColleague) => "colleague",
            Ok(Kind::Command) => "command",
            Err(_) => "ignored",
        }
    }

    #[test]
    fn only_what_a_person_of_ours_writes_in_a_thread_is_a_reply() {
        let thread = r#""thread_ts":"1700000001.000100""#;
        for (fields, expected) in [
            (
                format!(r#""user":"U1","text":"on our way",{thread}"#),
                "reply",
            ),
            (
                format!(r#""user":"U1","text":"on our way","team":"{TEAM}",{thread}"#),
                "reply",
            ),
            (
                format!(r#""user":"U1","text":"hi","subtype":"thread_broadcast",{thread}"#),
                "reply",
            ),
            (
                format!(r#""user":"U1","text":"waves","subtype":"me_message",{thread}"#),
                "reply",
            ),
            (
                format!(
                    r#""user":"U1","text":"","subtype":"file_share","files":[{{"id":"F1"}}],{thread}"#
                ),
                "reply",
            ),
            (
                r#""user":"U1","text":"in the channel""#.to_owned(),
                "ignored",
            ),
            (
                r#""user":"U1","text":"a root","thread_ts":"1700000002.000100""#.to_owned(),
                "ignored",
            ),
            (
                format!(r#""user":"U1","text":"hi","bot_id":"B1",{thread}"#),
                "ignored",
            ),
            (
                format!(r#""user":"U1","text":"hi","app_id":"A0QDN",{thread}"#),
                "ignored",
            ),
            (
                format!(r#""text":"hi","subtype":"bot_message",{thread}"#),
                "ignored",
            ),
            (format!(r#""text":"hi",{thread}"#), "ignored"),
            (
                format!(r#""user":"U1","text":"hi","subtype":"channel_join",{thread}"#),
                "ignored",
            ),
            (
                format!(r#""user":"U1","text":"hi","subtype":"message_changed",{thread}"#),
                "ignored",
            ),
            (
                format!(r#""user":"U1","text":"hi","hidden":true,{thread}"#),
                "ignored",
            ),
            (
                format!(r#""user":"U1","text":"hi","user_team":"T0OTHER",{thread}"#),
                "ignored",
            ),
            (
                format!(r#""user":"U1","text":"hi","source_team":"T0OTHER",{thread}"#),
                "ignored",
            ),
        ] {
            assert_eq!(reading(&fields), expected, "{fields}");
        }
    }

    #[test]
    fn notes_and_words_to_colleagues_stay_inside() {
        for (text, expected) in [
            ("// ask Sergio first", "note"),
            ("//ask", "note"),
            ("  // indented", "note"),
            ("*//* bold slashes", "note"),
            ("_// all in italics_", "note"),
            ("&gt; // quoted", "note"),
            ("note: he is drunk", "note"),
            ("NOTE: shouting", "note"),
            ("*Note:* bold", "note"),
            ("&gt; *//* quoted and bold", "note"),
            ("&gt;&gt;&gt; // quoted to the end", "note"),
            ("\u{200B}// behind something invisible", "note"),
            ("\u{FEFF}note: likewise", "note"),
            ("• // in a list", "note"),
            ("note：with a wide colon", "note"),
            ("<!here> can someone take this?", "colleague"),
            ("<!channel> all hands", "colleague"),
            ("<!subteam^S1|@night> yours", "colleague"),
            ("&gt; <@U2> quoted", "colleague"),
            ("<@U2> can you take it?", "colleague"),
            ("*<@U2>* can you take it?", "colleague"),
            ("notebook is ready", "reply"),
            ("note that we close at 5", "reply"),
            ("http://x.example // see", "reply"),
            ("ask <@U2>", "reply"),
            ("private: he sounds drunk", "note"),
            ("*PRIVATE:* bold", "note"),
            ("private matters are none of ours", "reply"),
            (";; he sounds drunk", "note"),
            ("; a slip", "reply"),
            ("/ / no", "command"),
            ("/qdn away 30m", "command"),
            ("*/qdn* who", "command"),
            ("1/2 an hour", "reply"),
        ] {
            let fields = format!(
                r#""user":"U1","text":{},"thread_ts":"1700000001.000100""#,
                serde_json::json!(text)
            );
            assert_eq!(reading(&fields), expected, "{text}");
        }
    }
}
