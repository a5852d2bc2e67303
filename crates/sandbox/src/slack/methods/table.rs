//! The table of methods.

use super::{Method, Run, Scope, chat, conversations, files, reactions, users, views};

const fn reads(name: &'static str, scope: Scope, arguments: &'static str, run: Run) -> Method {
    Method {
        name,
        scope,
        arguments,
        json: false,
        writes: false,
        run,
    }
}

const fn writes(name: &'static str, scope: Scope, arguments: &'static str, run: Run) -> Method {
    Method {
        json: true,
        writes: true,
        ..reads(name, scope, arguments, run)
    }
}

const CHAT: Scope = Scope::Of("chat:write");
const REACTIONS: Scope = Scope::Of("reactions:write");
const HISTORY: Scope = Scope::ByChannel("history");
const READ: Scope = Scope::ByChannel("read");
const FILES: Scope = Scope::Of("files:write");

const METHODS: &[Method] = &[
    Method {
        json: true,
        ..reads("auth.test", Scope::None, "", users::auth_test)
    },
    writes(
        "chat.postMessage",
        CHAT,
        "channel text blocks thread_ts reply_broadcast unfurl_links unfurl_media mrkdwn parse link_names metadata",
        chat::post_message,
    ),
    writes(
        "chat.update",
        CHAT,
        "channel ts text blocks parse link_names metadata reply_broadcast",
        chat::update,
    ),
    writes("chat.delete", CHAT, "channel ts", chat::delete),
    writes(
        "chat.postEphemeral",
        CHAT,
        "channel user text blocks thread_ts parse link_names",
        chat::post_ephemeral,
    ),
    reads(
        "chat.getPermalink",
        Scope::None,
        "channel message_ts",
        chat::permalink,
    ),
    writes(
        "reactions.add",
        REACTIONS,
        "channel name timestamp",
        reactions::add,
    ),
    writes(
        "reactions.remove",
        REACTIONS,
        "channel name timestamp",
        reactions::remove,
    ),
    reads(
        "conversations.replies",
        HISTORY,
        "channel ts cursor oldest latest inclusive limit include_all_metadata",
        conversations::replies,
    ),
    reads(
        "conversations.history",
        HISTORY,
        "channel cursor oldest latest inclusive limit include_all_metadata",
        conversations::history,
    ),
    reads(
        "conversations.info",
        READ,
        "channel include_locale include_num_members",
        conversations::info,
    ),
    reads(
        "conversations.list",
        Scope::None,
        "types exclude_archived limit cursor",
        conversations::list,
    ),
    reads(
        "conversations.members",
        READ,
        "channel limit cursor",
        conversations::members,
    ),
    writes(
        "conversations.join",
        Scope::Of("channels:join"),
        "channel",
        conversations::join,
    ),
    reads(
        "users.info",
        Scope::Of("users:read"),
        "user include_locale",
        users::info,
    ),
    writes("views.open", Scope::None, "trigger_id view", views::open),
    writes(
        "views.publish",
        Scope::None,
        "user_id view hash",
        views::publish,
    ),
    writes(
        "views.update",
        Scope::None,
        "view_id external_id view hash",
        views::update,
    ),
    reads(
        "files.getUploadURLExternal",
        FILES,
        "filename length alt_txt snippet_type",
        files::upload_url,
    ),
    writes(
        "files.completeUploadExternal",
        FILES,
        "files channel_id thread_ts initial_comment",
        files::complete_upload,
    ),
    reads(
        "files.info",
        Scope::Of("files:read"),
        "file cursor limit",
        files::info,
    ),
];

/// The method of this name.
pub(in crate::slack) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// The scopes that a method may want, by the documentation; `None` for an unknown method.
pub(in crate::slack) fn scopes_of(name: &str) -> Option<Vec<String>> {
    let method = find(name)?;
    let kinds = |what: &str| vec![format!("channels:{what}"), format!("groups:{what}")];
    Some(match method.scope {
        // By the kinds of channel that are asked for.
        Scope::None if name == "conversations.list" => kinds("read"),
        Scope::None => Vec::new(),
        Scope::Of(scope) => vec![scope.to_owned()],
        Scope::ByChannel(what) => kinds(what),
    })
}
