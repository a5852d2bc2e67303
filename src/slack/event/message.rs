//! A message in events and in a channel's history.

use serde_json::Value;

use crate::slack::{ChannelId, MessageTs, TeamId, UserId, lenient};

/// A `message` event (<https://docs.slack.dev/reference/events/message>).
#[derive(Clone, PartialEq)]
pub struct MessageEvent {
    /// The channel that it is in.
    pub channel: ChannelId,
    /// The author; absent for some bots.
    pub user: Option<UserId>,
    /// Set on every message of a bot, including our own.
    pub bot_id: Option<String>,
    /// The app that `bot_id` belongs to.
    pub app_id: Option<String>,
    /// The kind of message; a plain message has none.
    pub subtype: Option<String>,
    /// The text in Slack's markup; empty if there is none.
    pub text: String,
    /// The message's ID. For a change or a deletion it is the ID of that event, not of the affected message.
    pub ts: MessageTs,
    /// The `ts` of the thread's parent message, if it is in a thread.
    pub thread_ts: Option<MessageTs>,
    /// The attached files.
    pub files: Vec<File>,
    /// Whether Slack hides it, as it does with changes and deletions.
    pub hidden: bool,
    /// The last edit, if any.
    pub edited: Option<Edited>,
    /// The workspace in which it was written.
    pub team: Option<TeamId>,
    /// The author's workspace, if it differs (Slack Connect).
    pub user_team: Option<TeamId>,
    /// The workspace that sent it, if it differs (Slack Connect).
    pub source_team: Option<TeamId>,
    /// For `message_changed`: the message after the change.
    pub message: Option<Box<MessageEvent>>,
    /// For `message_changed` and `message_deleted`: the message before.
    pub previous_message: Option<Box<MessageEvent>>,
    /// For `message_deleted`: the `ts` of the deleted message.
    pub deleted_ts: Option<MessageTs>,
}

/// The last edit of a message: its author and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    pub user: Option<UserId>,
    pub ts: Option<MessageTs>,
}

/// A file attached to a message (<https://docs.slack.dev/reference/objects/file-object>).
#[derive(Clone, PartialEq)]
pub struct File {
    pub id: String,
    /// The file's name; absent until `files.info` returns it.
    pub name: Option<String>,
    /// The MIME type, such as `image/jpeg`.
    pub mimetype: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
    /// The URL of the file, which takes the bot's token.
    pub url_private: Option<String>,
    /// The URL that always serves the file as a download; it takes the bot's token.
    pub url_private_download: Option<String>,
    /// `hosted` for a file at Slack, `external` for one elsewhere, `tombstone` for a deleted one.
    pub mode: Option<String>,
    /// `check_file_info` if `files.info` has to return everything but the ID (Slack Connect).
    pub file_access: Option<String>,
}

impl MessageEvent {
    /// Parses a message; `None` if it has no channel or no valid `ts`.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Self::read_in(value, lenient::channel(value, "channel")?)
    }

    /// Parses a message of `channel`, which nested JSON does not repeat.
    fn read_in(value: &Value, channel: ChannelId) -> Option<Self> {
        let inner = |key: &str| {
            let message = Self::read_in(value.get(key)?, channel.clone())?;
            Some(Box::new(message))
        };
        Some(Self {
            ts: lenient::ts(value, "ts")?,
            message: inner("message"),
            previous_message: inner("previous_message"),
            user: lenient::user(value, "user"),
            bot_id: lenient::word(value, "bot_id"),
            app_id: lenient::word(value, "app_id"),
            subtype: lenient::word(value, "subtype"),
            text: lenient::text(value, "text").unwrap_or_default(),
            thread_ts: lenient::ts(value, "thread_ts"),
            files: File::read_all(value),
            hidden: lenient::flag(value, "hidden"),
            edited: Edited::read_in(value),
            team: lenient::team(value, "team"),
            user_team: lenient::team(value, "user_team"),
            source_team: lenient::team(value, "source_team"),
            deleted_ts: lenient::ts(value, "deleted_ts"),
            channel,
        })
    }
}

impl Edited {
    /// Parses the `edited` field of a message.
    pub(crate) fn read_in(message: &Value) -> Option<Self> {
        let value = message.get("edited").filter(|edited| edited.is_object())?;
        Some(Self {
            user: lenient::user(value, "user"),
            ts: lenient::ts(value, "ts"),
        })
    }
}

impl File {
    /// Parses the `files` of a message; leaves out files without an ID.
    pub(crate) fn read_all(message: &Value) -> Vec<Self> {
        lenient::list(message, "files")
            .iter()
            .filter_map(Self::read)
            .collect()
    }

    /// Whether the file was deleted or is hidden from this workspace.
    pub fn is_gone(&self) -> bool {
        matches!(self.mode.as_deref(), Some("tombstone" | "hidden_by_limit"))
    }

    pub(crate) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: lenient::word(value, "id")?,
            name: lenient::word(value, "name"),
            mimetype: lenient::word(value, "mimetype"),
            size: value.get("size").and_then(Value::as_u64),
            url_private: lenient::word(value, "url_private"),
            url_private_download: lenient::word(value, "url_private_download"),
            mode: lenient::word(value, "mode"),
            file_access: lenient::word(value, "file_access"),
        })
    }
}

// A text never reaches a log, so it is never in a Debug output either.
impl std::fmt::Debug for MessageEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageEvent")
            .field("channel", &self.channel)
            .field("ts", &self.ts)
            .field("thread_ts", &self.thread_ts)
            .field("user", &self.user)
            .field("bot_id", &self.bot_id)
            .field("subtype", &self.subtype)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

// Nor a file's name or address.
impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File")
            .field("id", &self.id)
            .field("mimetype", &self.mimetype)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ts(text: &str) -> MessageTs {
        MessageTs::parse(text).unwrap()
    }

    #[test]
    fn a_reply_in_a_thread() {
        let reply = MessageEvent::read(&json!({
            "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "text": "on my way",
            "ts": "1531420700.000300", "thread_ts": "1531420618.000200", "parent_user_id": "UBOT",
            "client_msg_id": "00000000-0000-4000-8000-000000000000", "team": "T1", "event_ts": "1531420700.000300",
            "blocks": [{"type": "rich_text"}],
        }))
        .unwrap();
        assert_eq!(reply.user, Some(UserId::new("U1")));
        assert_eq!(reply.text, "on my way");
        assert_eq!(reply.ts, ts("1531420700.000300"));
        assert_eq!(reply.thread_ts, Some(ts("1531420618.000200")));
        assert_eq!((reply.subtype, reply.bot_id), (None, None));
        assert!(!reply.hidden);
    }

    #[test]
    fn a_change_carries_both_messages_in_its_channel() {
        let changed = MessageEvent::read(&json!({
            "subtype": "message_changed", "hidden": true, "channel": "C1", "ts": "1531420800.000400",
            "message": {"user": "U1", "text": "new", "ts": "1531420700.000300", "thread_ts": "1531420618.000200",
                        "edited": {"user": "U1", "ts": "1531420800.000000"}},
            "previous_message": {"user": "U1", "text": "old", "ts": "1531420700.000300"},
        }))
        .unwrap();
        assert!(changed.hidden);
        let now = changed.message.unwrap();
        assert_eq!((now.channel.as_str(), now.text.as_str()), ("C1", "new"));
        assert_eq!(now.edited.unwrap().user, Some(UserId::new("U1")));
        assert_eq!(changed.previous_message.unwrap().text, "old");
    }

    #[test]
    fn a_deletion_says_which() {
        let deleted = MessageEvent::read(&json!({
            "subtype": "message_deleted", "hidden": true, "channel": "C1", "ts": "1531420800.000400",
            "deleted_ts": "1531420700.000300", "previous_message": {"ts": "1531420700.000300"},
        }))
        .unwrap();
        assert_eq!(deleted.deleted_ts, Some(ts("1531420700.000300")));
    }

    #[test]
    fn files_come_along() {
        let shared = MessageEvent::read(&json!({
            "subtype": "file_share", "channel": "C1", "ts": "1531420800.000400", "text": "",
            "files": [
                {"id": "F1", "name": "gate.jpg", "mimetype": "image/jpeg", "size": 1024, "url_private": "https://files.slack.com/f"},
                {"id": "F2", "file_access": "check_file_info"},
                {"name": "nameless"},
            ],
        }))
        .unwrap();
        assert_eq!(shared.files.len(), 2);
        assert_eq!(shared.files[0].size, Some(1024));
        assert_eq!(
            shared.files[1].file_access.as_deref(),
            Some("check_file_info")
        );
    }

    /// Sets every field but the four required ones to every odd value: the message must be parsed all the same.
    #[test]
    fn a_message_never_loses_its_text_because_of_another_field() {
        let fields = [
            "user",
            "bot_id",
            "app_id",
            "subtype",
            "thread_ts",
            "files",
            "hidden",
            "edited",
            "team",
            "user_team",
            "source_team",
            "message",
            "previous_message",
            "deleted_ts",
            "metadata",
            "attachments",
            "blocks",
            "reactions",
        ];
        let odd = [
            json!(null),
            json!(7),
            json!(1.5e300),
            json!(true),
            json!(""),
            json!([[]]),
            json!({"id": {"id": []}, "event_payload": {"n": 1, "deep": {"er": []}}}),
        ];
        for field in fields {
            for value in &odd {
                let mut message = json!({"type": "message", "channel": "C1", "ts": "1531420700.000300", "text": "hold the gate"});
                message[field] = value.clone();
                let read = MessageEvent::read(&message)
                    .unwrap_or_else(|| panic!("lost with {field}: {value}"));
                assert_eq!(read.text, "hold the gate", "{field}: {value}");
            }
        }
    }

    #[test]
    fn debug_output_has_no_text() {
        let message = MessageEvent::read(&json!({
            "channel": "C1", "ts": "1531420700.000300", "text": "gate code 4711", "files": [{"id": "F1", "name": "4711.jpg"}],
        }));
        assert!(!format!("{message:?}").contains("4711"));
    }
}
