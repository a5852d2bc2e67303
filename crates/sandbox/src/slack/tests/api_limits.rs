use serde_json::json;

use super::*;

#[tokio::test]
async fn a_post_that_no_correct_app_sends_is_a_violation() {
    let slack = workspace().await;
    let reply = {
        let root = slack.post_as(ANNA, CHANNEL, None, "root").await;
        slack.post_as(ANNA, CHANNEL, Some(&root), "reply").await
    };
    for (arguments, error, violation) in [
        (
            json!({"channel": CHANNEL, "text": "", "blocks": []}),
            "no_text",
            "no_text",
        ),
        (
            json!({"text": "hi"}),
            "channel_not_found",
            "missing required field: channel",
        ),
        (
            json!({"channel": CHANNEL, "text": 5}),
            "invalid_arguments",
            "must be a string",
        ),
        (
            json!({"channel": CHANNEL, "text": "hi", "colour": "red"}),
            "",
            "unknown argument `colour`",
        ),
        (
            json!({"channel": CHANNEL, "text": "hi", "thread_ts": "1700000000.1"}),
            "invalid_thread_ts",
            "invalid_thread_ts",
        ),
        (
            json!({"channel": CHANNEL, "text": "hi", "thread_ts": reply}),
            "",
            "names a reply",
        ),
        (
            json!({"channel": CHANNEL, "text": "hi", "metadata": {"event_type": "x"}}),
            "invalid_metadata_format",
            "invalid_metadata_format",
        ),
    ] {
        expect_violation(&slack, "chat.postMessage", arguments, error, violation).await;
    }
}

#[tokio::test]
async fn malformed_blocks_are_a_violation() {
    let slack = workspace().await;
    let long = "x".repeat(3001);
    for (blocks, violation) in [
        (
            json!([{"type": "section", "text": {"type": "mrkdwn", "text": long}}]),
            "at most 3000",
        ),
        (json!(vec![json!({"type": "divider"}); 51]), "more than 50"),
        (
            json!([{"type": "actions", "elements": [{"type": "button", "text": {"type": "mrkdwn", "text": "x"}, "action_id": "a"}]}]),
            "plain_text",
        ),
        (
            json!([{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}]}]),
            "longer than 0",
        ),
    ] {
        let arguments = json!({"channel": CHANNEL, "blocks": blocks});
        let error = "invalid_blocks";
        expect_violation(&slack, "chat.postMessage", arguments, error, violation).await;
    }
}

#[tokio::test]
async fn what_no_correct_app_asks_of_other_methods_is_a_violation() {
    let slack = workspace().await;
    let ts = slack.post_as(ANNA, CHANNEL, None, "root").await;
    for (method, arguments, error, violation) in [
        (
            "chat.postMassage",
            json!({}),
            "unknown_method",
            "chat.postMassage: unknown method",
        ),
        (
            "reactions.add",
            json!({"channel": CHANNEL, "timestamp": ts, "name": ":lock:"}),
            "invalid_name",
            "invalid_name",
        ),
        (
            "reactions.add",
            json!({"channel": CHANNEL, "timestamp": "5", "name": "lock"}),
            "bad_timestamp",
            "bad_timestamp",
        ),
        (
            "conversations.history",
            json!({"channel": CHANNEL}),
            "invalid_arguments",
            "does not take JSON",
        ),
        (
            "chat.postEphemeral",
            json!({"channel": CHANNEL, "user": ANNA, "text": "x".repeat(4001)}),
            "msg_too_long",
            "msg_too_long",
        ),
        (
            "views.open",
            json!({"trigger_id": "made.up", "view": {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": []}}),
            "invalid_trigger_id",
            "invalid_trigger_id",
        ),
        (
            "files.getUploadURLExternal",
            json!({"filename": "x", "length": 1}),
            "invalid_arguments",
            "does not take JSON",
        ),
    ] {
        expect_violation(&slack, method, arguments, error, violation).await;
    }
}

/// Calls the method, and expects this error (`""` for none) and a violation with these words.
async fn expect_violation(
    slack: &SlackStandIn,
    method: &str,
    arguments: Value,
    error: &str,
    violation: &str,
) {
    let answer = call(slack, method, arguments).await;
    assert_eq!(
        answer["error"].as_str().unwrap_or_default(),
        error,
        "{method} {answer}"
    );
    let violations = slack.take_violations().join("; ");
    assert!(violations.contains(violation), "{method}: {violations}");
}

#[tokio::test]
async fn the_token_counts_in_the_header_only() {
    let slack = workspace().await;
    let address = slack.url() + "auth.test";
    for (request, error) in [
        (http().post(&address), "not_authed"),
        (
            http().post(format!("{address}?token=xoxb-not-a-real-token")),
            "not_authed",
        ),
        (
            http().post(&address).bearer_auth("xoxb-another"),
            "invalid_auth",
        ),
    ] {
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["error"], error);
        assert_eq!(slack.take_violations().len(), 1);
    }
    let response = http()
        .post(&address)
        .bearer_auth("xoxb-not-a-real-token")
        .send()
        .await
        .unwrap();
    let scopes = response.headers()["x-oauth-scopes"].to_str().unwrap();
    assert!(scopes.contains("chat:write,"), "{scopes}");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["bot_id"], "B0QDN");
}

#[tokio::test]
async fn a_channel_takes_a_small_burst_and_then_says_429() {
    let slack = workspace().await;
    slack.set_rate_limit(true);
    let client = http();
    let post = || {
        client
            .post(slack.url() + "chat.postMessage")
            .bearer_auth("xoxb-not-a-real-token")
            .json(&json!({"channel": CHANNEL, "text": "hi"}))
            .send()
    };
    for _ in 0..3 {
        assert_eq!(post().await.unwrap().status(), 200);
    }
    let refused = post().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(slack.roots(CHANNEL).len(), 3);
    assert_eq!(slack.rate_limited(), 1);
}

#[tokio::test]
async fn texts_over_forty_thousand_characters_are_cut_off() {
    let slack = workspace().await;
    let text = "é".repeat(40_001);
    call(
        &slack,
        "chat.postMessage",
        json!({"channel": CHANNEL, "text": text}),
    )
    .await;
    assert_eq!(slack.roots(CHANNEL)[0].text.chars().count(), 40_000);
}
