//! The methods that only read. An incomplete list is an error: half a thread would wrongly prove that a message does not
//! exist.

use std::fmt;

use serde_json::Value;

use super::{Client, Metadata, unreadable};
use crate::remote::Failure;
use crate::slack::event::{Edited, File};
use crate::slack::{ChannelId, MessageTs, TeamId, UserId, lenient};

/// The page size. Slack recommends at most 200.
const PAGE: &str = "200";

/// The most pages that are read: 20,000 messages, channels or members. A longer list is an error.
const MAX_PAGES: usize = 100;

/// A message in the history of a thread or a channel.
#[derive(Clone, PartialEq)]
pub struct ThreadMessage {
    pub ts: MessageTs,
    /// The `ts` of the thread's parent message. The parent itself has it once there are replies.
    pub thread_ts: Option<MessageTs>,
    pub user: Option<UserId>,
    pub bot_id: Option<String>,
    pub app_id: Option<String>,
    pub subtype: Option<String>,
    /// The text, in Slack's markup.
    pub text: String,
    pub files: Vec<File>,
    /// The last edit, if any.
    pub edited: Option<Edited>,
    pub metadata: Option<Metadata>,
    /// The `ts` of the last reply; only on a parent message.
    pub latest_reply: Option<MessageTs>,
    /// The author's workspace, if it differs (Slack Connect).
    pub user_team: Option<TeamId>,
    /// The workspace in which it was written.
    pub team: Option<TeamId>,
}

/// A person or a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    pub id: UserId,
    /// The workspace that the user belongs to.
    pub team_id: Option<TeamId>,
    /// The display name, else the real name, else the user name, else the ID.
    pub name: String,
    /// The display name and the real name, without empty ones.
    pub names: Vec<String>,
    pub deleted: bool,
    pub is_bot: bool,
    /// Whether the user is a multi-channel guest.
    pub is_restricted: bool,
    /// Whether the user is a single-channel guest.
    pub is_ultra_restricted: bool,
    /// Whether the user is of another workspace and shares no channel with the bot.
    pub is_stranger: bool,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    pub id: ChannelId,
    /// The name without `#`; empty for direct messages.
    pub name: String,
    /// Whether the bot is a member.
    pub is_member: bool,
    pub is_archived: bool,
    pub is_private: bool,
    /// Whether it is shared with another organization.
    pub is_ext_shared: bool,
}

impl Client {
    /// `conversations.replies`: returns a thread's messages, oldest first, always with the parent. `oldest` limits the replies.
    pub async fn replies(
        &self,
        channel: &ChannelId,
        ts: &MessageTs,
        oldest: Option<&MessageTs>,
    ) -> Result<Vec<ThreadMessage>, Failure> {
        let arguments = [
            ("channel", Some(channel.as_str())),
            ("ts", Some(ts.as_str())),
            ("oldest", oldest.map(MessageTs::as_str)),
            ("include_all_metadata", Some("true")),
        ];
        self.pages(
            "conversations.replies",
            &arguments,
            "messages",
            ThreadMessage::read,
        )
        .await
    }

    /// `conversations.history`: returns a channel's messages after `oldest` and before `latest`, newest first, without replies
    /// in threads.
    pub async fn history(
        &self,
        channel: &ChannelId,
        oldest: Option<&MessageTs>,
        latest: Option<&MessageTs>,
    ) -> Result<Vec<ThreadMessage>, Failure> {
        let arguments = [
            ("channel", Some(channel.as_str())),
            ("oldest", oldest.map(MessageTs::as_str)),
            ("latest", latest.map(MessageTs::as_str)),
            ("include_all_metadata", Some("true")),
        ];
        self.pages(
            "conversations.history",
            &arguments,
            "messages",
            ThreadMessage::read,
        )
        .await
    }

    /// `users.info`: fetches a user.
    pub async fn user_info(&self, user: &UserId) -> Result<UserInfo, Failure> {
        let answer = self
            .read("users.info", &[("user", Some(user.as_str()))])
            .await?;
        answer
            .get("user")
            .and_then(UserInfo::read)
            .ok_or_else(|| unreadable("users.info without user"))
    }

    /// Returns the name that people know this user by; see [`UserInfo::name`].
    pub async fn user_name(&self, user: &UserId) -> Result<String, Failure> {
        Ok(self.user_info(user).await?.name)
    }

    /// `conversations.info`: fetches a channel.
    pub async fn channel(&self, channel: &ChannelId) -> Result<ChannelInfo, Failure> {
        let answer = self
            .read("conversations.info", &[("channel", Some(channel.as_str()))])
            .await?;
        answer
            .get("channel")
            .and_then(ChannelInfo::read)
            .ok_or_else(|| unreadable("conversations.info without channel"))
    }

    /// `conversations.list`: finds a channel by name, with or without `#`, among the public channels and the private ones that
    /// the bot is in.
    pub async fn find_channel(&self, name: &str) -> Result<Option<ChannelInfo>, Failure> {
        let name = name.trim().trim_start_matches('#').to_lowercase();
        let arguments = [
            ("types", Some("public_channel,private_channel")),
            ("exclude_archived", Some("false")),
        ];
        let channels = self
            .pages(
                "conversations.list",
                &arguments,
                "channels",
                ChannelInfo::read,
            )
            .await?;
        // An archived channel can have the name of an active one. Prefer the active one.
        Ok(channels
            .into_iter()
            .filter(|channel| channel.name == name)
            .min_by_key(|channel| channel.is_archived))
    }

    /// `conversations.members`: returns the members of a channel, including bots.
    pub async fn members(&self, channel: &ChannelId) -> Result<Vec<UserId>, Failure> {
        let arguments = [("channel", Some(channel.as_str()))];
        let read = |value: &Value| value.as_str().map(UserId::new);
        self.pages("conversations.members", &arguments, "members", read)
            .await
    }

    /// `chat.getPermalink`: returns the URL of a message.
    pub async fn permalink(&self, channel: &ChannelId, ts: &MessageTs) -> Result<String, Failure> {
        let arguments = [
            ("channel", Some(channel.as_str())),
            ("message_ts", Some(ts.as_str())),
        ];
        let answer = self.read("chat.getPermalink", &arguments).await?;
        lenient::word(&answer, "permalink")
            .ok_or_else(|| unreadable("chat.getPermalink without permalink"))
    }

    /// Reads all pages of a list. A missing page, an unreadable element or a repeated cursor is an error.
    async fn pages<T>(
        &self,
        method: &str,
        arguments: &[(&str, Option<&str>)],
        field: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut arguments = arguments.to_vec();
            arguments.push(("limit", Some(PAGE)));
            arguments.push(("cursor", cursor.as_deref()));
            let answer = self.read(method, &arguments).await?;
            let page = answer
                .get(field)
                .and_then(Value::as_array)
                .ok_or_else(|| unreadable(&format!("{method} without {field}")))?;
            for item in page {
                let item = read(item)
                    .ok_or_else(|| unreadable(&format!("{method} with a strange member")))?;
                all.push(item);
            }
            let next = answer
                .get("response_metadata")
                .and_then(|metadata| lenient::word(metadata, "next_cursor"));
            // Slack ends a list with an empty cursor. Anything else that looks like an end is an incomplete list.
            match next {
                Some(next) if cursor.as_ref() == Some(&next) => {
                    return Err(unreadable(&format!("{method} goes in a circle")));
                }
                Some(next) => cursor = Some(next),
                None if lenient::flag(&answer, "has_more") => {
                    return Err(unreadable(&format!("{method} has more but says not where")));
                }
                None => return Ok(all),
            }
        }
        Err(unreadable(&format!("{method} does not end")))
    }
}

impl ThreadMessage {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            ts: lenient::ts(value, "ts")?,
            thread_ts: lenient::ts(value, "thread_ts"),
            user: lenient::user(value, "user"),
            bot_id: lenient::word(value, "bot_id"),
            app_id: lenient::word(value, "app_id"),
            subtype: lenient::word(value, "subtype"),
            text: lenient::text(value, "text").unwrap_or_default(),
            files: File::read_all(value),
            edited: Edited::read_in(value),
            metadata: Metadata::read(value),
            latest_reply: lenient::ts(value, "latest_reply"),
            user_team: lenient::team(value, "user_team"),
            team: lenient::team(value, "team"),
        })
    }
}

impl UserInfo {
    fn read(value: &Value) -> Option<Self> {
        let id = lenient::user(value, "id")?;
        let profile = value.get("profile").unwrap_or(&Value::Null);
        let name = [
            lenient::word(profile, "display_name"),
            lenient::word(profile, "real_name"),
            lenient::word(value, "real_name"),
            lenient::word(value, "name"),
        ];
        let mut names: Vec<String> = name[..3]
            .iter()
            .flatten()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        names.dedup();
        Some(Self {
            names,
            name: name
                .into_iter()
                .flatten()
                .map(|name| name.trim().to_owned())
                .find(|name| !name.is_empty())
                .unwrap_or_else(|| id.to_string()),
            id,
            team_id: lenient::team(value, "team_id"),
            deleted: lenient::flag(value, "deleted"),
            is_bot: lenient::flag(value, "is_bot"),
            is_restricted: lenient::flag(value, "is_restricted"),
            is_ultra_restricted: lenient::flag(value, "is_ultra_restricted"),
            is_stranger: lenient::flag(value, "is_stranger"),
        })
    }
}

impl ChannelInfo {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: lenient::channel(value, "id")?,
            name: lenient::text(value, "name").unwrap_or_default(),
            is_member: lenient::flag(value, "is_member"),
            is_archived: lenient::flag(value, "is_archived"),
            is_private: lenient::flag(value, "is_private"),
            is_ext_shared: lenient::flag(value, "is_ext_shared"),
        })
    }
}

// Leaves out the text, which must not reach a log.
impl fmt::Debug for ThreadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadMessage")
            .field("ts", &self.ts)
            .field("thread_ts", &self.thread_ts)
            .field("user", &self.user)
            .field("bot_id", &self.bot_id)
            .field("subtype", &self.subtype)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
