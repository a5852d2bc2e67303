//! `files.*`: uploads in three steps, and `files.info`.

use serde_json::{Value, json};

use super::chat::{may_post, thread_of};
use super::{Outcome, Refusal, required};
use crate::slack::arguments::Arguments;
use crate::slack::message::Message;
use crate::slack::world::{StoredFile, World};

pub(super) fn upload_url(world: &mut World, arguments: &Arguments) -> Outcome {
    let name = required(arguments, "filename", "invalid_arguments")?.to_owned();
    let length = arguments
        .number("length")?
        .filter(|length| *length > 0)
        .ok_or_else(|| Refusal::malformed("invalid_arguments"))?;
    let id = world.next_id("F");
    let url = format!(
        "{}/upload/v1/{id}",
        world.base_url.trim_end_matches("/api/")
    );
    let file = StoredFile {
        id: id.clone(),
        mimetype: mimetype(&name).to_owned(),
        name,
        bytes: Vec::new(),
        user: world.settings.bot_user_id.clone(),
        expected: Some(usize::try_from(length).unwrap_or(usize::MAX)),
        completed: false,
    };
    world.files.insert(id.clone(), file);
    Ok(json!({"ok": true, "upload_url": url, "file_id": id}))
}

pub(super) fn complete_upload(world: &mut World, arguments: &Arguments) -> Outcome {
    let list = arguments
        .structure("files")?
        .and_then(|files| files.as_array().cloned())
        .filter(|files| !files.is_empty())
        .ok_or_else(|| Refusal::malformed("invalid_arguments"))?;
    let mut ids = Vec::new();
    for entry in &list {
        let id = entry["id"]
            .as_str()
            .ok_or_else(|| Refusal::malformed("invalid_arguments"))?;
        // The bytes must have arrived, and a second completion is refused.
        world
            .files
            .get(id)
            .filter(|file| file.expected.is_none() && !file.completed)
            .ok_or_else(|| Refusal::state("file_not_found"))?;
        ids.push(id.to_owned());
    }
    let channel_id = arguments.text("channel_id").map(str::to_owned);
    let thread_ts = match (&channel_id, arguments.text("thread_ts")) {
        (Some(channel), asked) => {
            may_post(world, channel)?;
            match asked {
                Some(asked) => thread_of(world, channel, asked)?,
                None => None,
            }
        }
        (None, _) => None,
    };
    for id in &ids {
        if let Some(file) = world.files.get_mut(id) {
            file.completed = true;
        }
    }
    if let Some(channel) = channel_id {
        let message = Message {
            thread_ts,
            subtype: Some("file_share".to_owned()),
            text: arguments.text("initial_comment").unwrap_or("").to_owned(),
            files: ids.clone(),
            // A shared upload names the bot's user and need not name the bot.
            bot_id: None,
            app_id: None,
            ..world.app_message()
        };
        world.add_message(&channel, message);
    }
    let files: Vec<Value> = ids.iter().map(|id| world.file_json(id)).collect();
    Ok(json!({"ok": true, "files": files}))
}

pub(super) fn info(world: &mut World, arguments: &Arguments) -> Outcome {
    let id = required(arguments, "file", "file_not_found")?;
    if world
        .files
        .get(id)
        .is_none_or(|file| file.expected.is_some())
    {
        let known = world.files.contains_key(id);
        let error = if known {
            "file_not_found"
        } else {
            "file_deleted"
        };
        return Err(Refusal::state(error));
    }
    Ok(json!({"ok": true, "file": world.file_json(id)}))
}

/// The MIME type by the file name's ending. Slack looks into the bytes.
fn mimetype(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "mp3" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        _ => "application/octet-stream",
    }
}
