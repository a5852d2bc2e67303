//! Messages and files as the Web API and the events show them.

use serde_json::{Value, json};

use super::form;
use super::message::Message;
use super::world::{Channel, World};

impl World {
    pub(super) fn file_json(&self, id: &str) -> Value {
        let Some(file) = self.files.get(id) else {
            return json!({"id": id, "mode": "tombstone"});
        };
        let base = self.base_url.trim_end_matches("/api/");
        let path = format!("{}-{}", self.settings.team_id, file.id);
        json!({
            "id": file.id,
            "created": self.now().as_second(),
            "timestamp": self.now().as_second(),
            "name": file.name,
            "title": file.name,
            "mimetype": file.mimetype,
            "filetype": file.name.rsplit('.').next().unwrap_or("binary"),
            "user": file.user,
            "mode": "hosted",
            "size": file.bytes.len(),
            "is_external": false,
            "is_public": true,
            "url_private": format!("{base}/files-pri/{path}/{}", form::encode(&file.name)),
            "url_private_download": format!("{base}/files-pri/{path}/download/{}", form::encode(&file.name)),
            "permalink": format!("https://{}.slack.com/files/{}/{}/x", self.settings.team_domain, file.user, file.id),
            "file_access": "visible",
        })
    }

    pub(super) fn message_json(&self, message: &Message, with_metadata: bool) -> Value {
        let mut value = message.to_json(&self.settings, with_metadata);
        if !message.files.is_empty() {
            value["files"] = message.files.iter().map(|id| self.file_json(id)).collect();
        }
        value
    }

    /// A message as `conversations.history` and `.replies` show it: a parent has the fields about its thread.
    pub(super) fn parent_json(
        &self,
        channel: &Channel,
        message: &Message,
        with_metadata: bool,
    ) -> Value {
        let mut value = self.message_json(message, with_metadata);
        if message.is_reply() {
            return value;
        }
        let replies: Vec<&Message> = channel.replies(&message.ts).collect();
        if let Some(latest) = replies.last() {
            let mut users: Vec<&str> = Vec::new();
            for user in replies.iter().filter_map(|reply| reply.user.as_deref()) {
                if !users.contains(&user) {
                    users.push(user);
                }
            }
            value["thread_ts"] = json!(message.ts);
            value["reply_count"] = json!(replies.len());
            value["reply_users_count"] = json!(users.len());
            value["reply_users"] = json!(users);
            value["latest_reply"] = json!(latest.ts);
        }
        value
    }
}
