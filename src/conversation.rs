//! What a conversation makes of things: what counts as a reply, when a thread is too old, which mark a reply bears.

pub(crate) mod auto_reply;
pub(crate) mod colleague;
pub(crate) mod opt_out;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::slack::event::MessageEvent;
use crate::slack::{MessageTs, TeamId, UserId, mrkdwn};
use crate::store::outbox::State;
use crate::twilio::message::MessageState;

/// Something a person of ours wrote in a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) user: UserId,
    /// The thread's root.
    pub(crate) root: MessageTs,
    pub(crate) kind: Kind,
}

/// For whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For the caller.
    Reply,
    /// It stays inside, because its writer said so.
    Note,
    /// It begins with a colleague's name: most likely not for the caller.
    ToColleague,
    /// It begins with `/`: most likely a command that was typed into a thread, where Slack knows none.
    Command,
}

impl Kind {
    /// Whether its writer is asked before it leaves, whatever else it says.
    pub(crate) fn is_doubtful(self) -> bool {
        matches!(self, Kind::ToColleague | Kind::Command)
    }
}

/// The subtypes of message that a person writes in a thread; others are Slack's own or a bot's.
const BY_PEOPLE: [&str; 3] = ["thread_broadcast", "me_message", "file_share"];

/// Reads a message that Slack reports, or says why it has nothing to do with a caller. `app_id` is ours, as the
/// event's envelope names it.
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

/// What a note begins with. People are taught `note:`, since Slack's own client takes what begins with `/` for a command.
const NOTE_SIGNS: [&str; 4] = ["//", "／／", ";;", "；；"];

/// The same in words, before a colon.
const NOTE_WORDS: [&str; 2] = ["note", "private"];

/// Whether the writer keeps this inside, whatever stands before the sign of it in formatting.
fn is_note(text: &str) -> bool {
    let words = mrkdwn::beginning(text);
    let is_word = |word: &&str| {
        let begins = words.get(..word.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(word))
            && words[word.len()..].starts_with([':', '：'])
    };
    NOTE_SIGNS.iter().any(|sign| words.starts_with(sign)) || NOTE_WORDS.iter().any(is_word)
}

/// Whether nothing has come or gone in a conversation for this long.
pub(crate) fn is_idle(last_at: Timestamp, now: Timestamp, after: Duration) -> bool {
    let idle = now.duration_since(last_at);
    SignedDuration::try_from(after).is_ok_and(|after| idle >= after)
}

/// What became of one part of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where its delivery stands.
    pub(crate) state: State,
    /// The carrier's last word, and when it was heard; `None` while Twilio has not named the SMS.
    pub(crate) heard: Option<(MessageState, Timestamp)>,
}

/// The mark on a dispatcher's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing is known yet.
    None,
    Delivered,
    Failed,
    NotConfirmed,
    KeptInside,
}

impl Mark {
    /// Those that can take each other's place: a lock stays.
    pub(crate) const OF_REPLIES: [Mark; 3] = [Mark::Delivered, Mark::Failed, Mark::NotConfirmed];

    /// Every mark there is, by Slack's name for the emoji.
    pub(crate) fn emoji(self) -> &'static str {
        match self {
            Mark::None => "",
            Mark::Delivered => "white_check_mark",
            Mark::Failed => "x",
            Mark::NotConfirmed => "grey_question",
            Mark::KeptInside => "lock",
        }
    }
}

/// How long a text that Twilio handed to the carrier waits for the carrier's report. Carriers that report at all do
/// so within seconds; many report nothing.
pub(crate) const CARRIER_SILENCE: SignedDuration = SignedDuration::from_secs(120);

/// The mark for a reply in these parts, and when it should be looked at again if nothing is heard.
///
/// The worst part decides: one lost part makes a text that the caller cannot understand.
pub(crate) fn mark_of(parts: &[Part], now: Timestamp) -> (Mark, Option<Timestamp>) {
    if parts.is_empty() {
        return (Mark::None, None);
    }
    let marks: Vec<(Mark, Option<Timestamp>)> =
        parts.iter().map(|part| mark_of_part(part, now)).collect();
    let worst = [Mark::Failed, Mark::NotConfirmed, Mark::None]
        .into_iter()
        .find(|mark| marks.iter().any(|(of_part, _)| of_part == mark))
        .unwrap_or(Mark::Delivered);
    (worst, marks.iter().filter_map(|(_, again)| *again).min())
}

fn mark_of_part(part: &Part, now: Timestamp) -> (Mark, Option<Timestamp>) {
    match part.state {
        State::Refused => return (Mark::Failed, None),
        State::Unknown | State::Undecided | State::Dropped => return (Mark::NotConfirmed, None),
        State::Waiting | State::Sending | State::Held | State::Asked => {
            return (Mark::None, None);
        }
        State::Delivered => {}
    }
    match &part.heard {
        // A person said that it arrived.
        None => (Mark::Delivered, None),
        Some((MessageState::Delivered | MessageState::Read, _)) => (Mark::Delivered, None),
        Some((MessageState::Failed | MessageState::Undelivered | MessageState::Canceled, _)) => {
            (Mark::Failed, None)
        }
        Some((MessageState::Sent, at)) => match at.checked_add(CARRIER_SILENCE) {
            Ok(silent_at) if now < silent_at => (Mark::None, Some(silent_at)),
            _ => (Mark::Delivered, None),
        },
        Some(_) => (Mark::None, None),
    }
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

    #[test]
    fn the_worst_part_decides_the_mark() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let part = |state, heard: Option<&str>| Part {
            state,
            heard: heard.map(|word| (MessageState::parse(word), at(1_000))),
        };
        let delivered = || part(State::Delivered, Some("delivered"));
        let now = at(1_010);
        for (parts, mark) in [
            (vec![], Mark::None),
            (vec![part(State::Waiting, None)], Mark::None),
            (vec![part(State::Delivered, Some("queued"))], Mark::None),
            (vec![part(State::Delivered, Some("sent"))], Mark::None),
            (vec![delivered()], Mark::Delivered),
            (vec![part(State::Delivered, Some("read"))], Mark::Delivered),
            (
                vec![part(State::Delivered, Some("undelivered"))],
                Mark::Failed,
            ),
            (vec![part(State::Delivered, Some("failed"))], Mark::Failed),
            (vec![part(State::Refused, None)], Mark::Failed),
            (vec![part(State::Unknown, None)], Mark::NotConfirmed),
            (vec![part(State::Undecided, None)], Mark::NotConfirmed),
            (vec![part(State::Asked, None)], Mark::None),
            (vec![delivered(), part(State::Waiting, None)], Mark::None),
            (
                vec![delivered(), part(State::Unknown, None)],
                Mark::NotConfirmed,
            ),
            (
                vec![
                    part(State::Refused, None),
                    part(State::Unknown, None),
                    delivered(),
                ],
                Mark::Failed,
            ),
            (vec![delivered(), delivered()], Mark::Delivered),
        ] {
            assert_eq!(mark_of(&parts, now).0, mark, "{parts:?}");
        }
    }

    #[test]
    fn a_silent_carrier_counts_as_delivered_after_a_while() {
        let sent_at = Timestamp::from_second(1_000).unwrap();
        let parts = [Part {
            state: State::Delivered,
            heard: Some((MessageState::Sent, sent_at)),
        }];
        let silent_at = sent_at.checked_add(CARRIER_SILENCE).unwrap();
        assert_eq!(mark_of(&parts, sent_at), (Mark::None, Some(silent_at)));
        assert_eq!(mark_of(&parts, silent_at), (Mark::Delivered, None));
    }

    #[test]
    fn a_long_idle_conversation_begins_a_new_thread() {
        let last = Timestamp::from_second(1_000).unwrap();
        let day = Duration::from_secs(86_400);
        assert!(!is_idle(
            last,
            Timestamp::from_second(1_000 + 86_399).unwrap(),
            day
        ));
        assert!(is_idle(
            last,
            Timestamp::from_second(1_000 + 86_400).unwrap(),
            day
        ));
    }
}
