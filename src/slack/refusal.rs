//! What a refusal of Slack's says: where the trouble lies that it names.

/// Refusals of whatever stands between us and Slack, which lie with the way and not with the message.
pub(crate) fn is_on_the_way(code: &str) -> bool {
    matches!(code, "http 401" | "http 403" | "http 404" | "http 407")
}

/// Slack's refusals that lie with one thread: it is gone, locked, or takes no replies.
pub(crate) fn is_about_thread(code: &str) -> bool {
    matches!(
        code,
        "thread_not_found"
            | "message_not_found"
            | "cannot_reply_to_message"
            | "restricted_action_thread_locked"
    )
}

/// Slack's refusals that lie with the words or blocks themselves.
pub(crate) fn is_about_content(code: &str) -> bool {
    code.contains("blocks")
        || matches!(
            code,
            "msg_too_long" | "no_text" | "metadata_too_large" | "too_many_attachments"
        )
}

/// Slack's refusals that lie with the channel, the token or the workspace: mended, the same request passes.
pub(crate) fn is_about_channel(code: &str) -> bool {
    const MENDABLE: [&str; 16] = [
        "access_denied",
        "accesslimited",
        "account_inactive",
        "channel_not_found",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "is_archived",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "not_in_channel",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    ];
    MENDABLE.contains(&code) || (code.starts_with("restricted_action") && !is_about_thread(code))
}

/// Those of them that say nothing of other channels: the bot is not in this one, or nothing is written there any more.
pub(crate) fn is_about_one_channel(code: &str) -> bool {
    matches!(code, "channel_not_found" | "is_archived" | "not_in_channel")
        || (code.starts_with("restricted_action") && code != "restricted_action")
}
