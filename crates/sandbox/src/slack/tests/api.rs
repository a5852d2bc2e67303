use serde_json::json;

use super::*;
use crate::faults::Effect;

#[tokio::test]
async fn a_post_and_its_replies_are_read_back_with_their_metadata_only_when_asked() {
    let slack = workspace().await;
    let metadata = json!({"event_type": "qdn", "event_payload": {"id": "1"}});
    let root = call(
        &slack,
        "chat.postMessage",
        json!({"channel": CHANNEL, "text": "hi", "metadata": metadata}),
    )
    .await;
    let root_ts = root["ts"].as_str().unwrap();
    assert!(root["message"]["thread_ts"].is_null());
    let reply = call(
        &slack,
        "chat.postMessage",
        json!({"channel": CHANNEL, "text": "there", "thread_ts": root_ts}),
    )
    .await;
    assert_eq!(reply["message"]["thread_ts"], root_ts);

    let plain = query(
        &slack,
        "conversations.replies",
        &[("channel", CHANNEL), ("ts", root_ts)],
    )
    .await;
    assert!(plain["messages"][0]["metadata"].is_null());
    assert_eq!(plain["messages"][0]["reply_count"], 1);
    assert_eq!(plain["messages"][1]["text"], "there");
    let full = [
        ("channel", CHANNEL),
        ("ts", root_ts),
        ("include_all_metadata", "true"),
    ];
    let full = query(&slack, "conversations.replies", &full).await;
    assert_eq!(full["messages"][0]["metadata"], metadata);
    let history = query(&slack, "conversations.history", &[("channel", CHANNEL)]).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    assert_eq!(slack.posts().len(), 2);
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn pages_follow_one_another_without_a_gap() {
    let slack = workspace().await;
    let root = slack.post_as(ANNA, CHANNEL, None, "root").await;
    for n in 0..7 {
        slack
            .post_as(ANNA, CHANNEL, Some(&root), &format!("reply {n}"))
            .await;
        slack
            .post_as(ANNA, CHANNEL, None, &format!("other {n}"))
            .await;
    }
    for (method, first, last, count) in [
        ("conversations.replies", "root", "reply 6", 8),
        ("conversations.history", "other 6", "root", 8),
    ] {
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let arguments = [
                ("channel", CHANNEL),
                ("ts", &root),
                ("limit", "3"),
                ("cursor", &cursor),
            ];
            let arguments: Vec<_> = arguments
                .into_iter()
                .filter(|(key, _)| *key != "ts" || method == "conversations.replies")
                .collect();
            let page = query(&slack, method, &arguments).await;
            for message in page["messages"].as_array().unwrap() {
                seen.push(message["text"].as_str().unwrap().to_owned());
            }
            if page["has_more"] == false {
                break;
            }
            cursor = page["response_metadata"]["next_cursor"]
                .as_str()
                .unwrap()
                .to_owned();
        }
        assert_eq!(seen.first().unwrap(), first);
        assert_eq!(seen.last().unwrap(), last);
        assert_eq!(seen.len(), count);
    }
}

#[tokio::test]
async fn oldest_and_latest_are_exclusive_unless_inclusive() {
    let slack = workspace().await;
    let mut ts = Vec::new();
    for n in 0..3 {
        ts.push(slack.post_as(ANNA, CHANNEL, None, &n.to_string()).await);
    }
    for (inclusive, count) in [("false", 1), ("true", 3)] {
        let arguments = [
            ("channel", CHANNEL),
            ("oldest", &ts[0]),
            ("latest", &ts[2]),
            ("inclusive", inclusive),
        ];
        let answer = query(&slack, "conversations.history", &arguments).await;
        assert_eq!(
            answer["messages"].as_array().unwrap().len(),
            count,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_reply_to_a_deleted_root_stands_in_the_channel_and_nothing_says_so() {
    let slack = workspace().await;
    let root = slack.post_as(ANNA, CHANNEL, None, "root").await;
    slack.delete_message(CHANNEL, &root);
    let reply = json!({"channel": CHANNEL, "text": "lost?", "thread_ts": root});
    let posted = call(&slack, "chat.postMessage", reply).await;
    assert_eq!(posted["ok"], true);
    assert!(posted["message"]["thread_ts"].is_null());
    assert_eq!(slack.roots(CHANNEL).len(), 1);
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_workspace_says_no_in_slacks_words() {
    let slack = workspace().await;
    slack.add_channel("C0SECRET", "secret", true);
    slack.add_channel("C0OTHER", "other", false);
    let post = |channel: &str| json!({"channel": channel, "text": "hi"});
    let method = "chat.postMessage";
    for (channel, error) in [
        ("C0NOWHERE", "channel_not_found"),
        ("C0SECRET", "channel_not_found"),
        ("C0OTHER", "not_in_channel"),
    ] {
        assert_eq!(call(&slack, method, post(channel)).await["error"], error);
    }
    slack.set_archived(CHANNEL, true);
    assert_eq!(
        call(&slack, method, post(CHANNEL)).await["error"],
        "is_archived"
    );
    slack.set_archived(CHANNEL, false);
    slack.kick_bot(CHANNEL);
    assert_eq!(
        call(&slack, method, post(CHANNEL)).await["error"],
        "not_in_channel"
    );
    slack.invite_bot(CHANNEL);
    slack.set_scopes(&["channels:read"]);
    let refused = call(&slack, method, post(CHANNEL)).await;
    assert_eq!(refused["error"], "missing_scope");
    assert_eq!(refused["needed"], "chat:write");
    assert_eq!(refused["provided"], "channels:read");
    slack.set_token_revoked(true);
    assert_eq!(
        call(&slack, method, post(CHANNEL)).await["error"],
        "token_revoked"
    );
    assert_eq!(slack.violations(), Vec::<String>::new());
    assert!(slack.roots(CHANNEL).is_empty());
}

#[tokio::test]
async fn only_the_app_s_own_messages_can_be_changed_and_deleted() {
    let slack = workspace().await;
    let theirs = slack.post_as(ANNA, CHANNEL, None, "mine").await;
    let own = call(
        &slack,
        "chat.postMessage",
        json!({"channel": CHANNEL, "text": "a"}),
    )
    .await;
    let own = own["ts"].as_str().unwrap();
    let change = |ts: &str| json!({"channel": CHANNEL, "ts": ts, "text": "b"});
    let answer = call(&slack, "chat.update", change(&theirs)).await;
    assert_eq!(answer["error"], "cant_update_message");
    let answer = call(&slack, "chat.update", change(own)).await;
    assert_eq!(answer["text"], "b");
    assert_eq!(slack.message(CHANNEL, own).unwrap().text, "b");
    let answer = call(
        &slack,
        "chat.delete",
        json!({"channel": CHANNEL, "ts": own}),
    )
    .await;
    assert_eq!(answer["ok"], true);
    assert!(slack.message(CHANNEL, own).is_none());
    assert_eq!(
        slack.take_violations(),
        ["chat.update: cant_update_message"]
    );
}

#[tokio::test]
async fn reactions_come_once_and_go_once() {
    let slack = workspace().await;
    let ts = slack.post_as(ANNA, CHANNEL, None, "hi").await;
    let mark = json!({"channel": CHANNEL, "timestamp": ts, "name": "white_check_mark"});
    assert_eq!(
        call(&slack, "reactions.add", mark.clone()).await["ok"],
        true
    );
    let again = call(&slack, "reactions.add", mark.clone()).await;
    assert_eq!(again["error"], "already_reacted");
    assert_eq!(slack.reactions(CHANNEL, &ts), ["white_check_mark"]);
    assert_eq!(
        call(&slack, "reactions.remove", mark.clone()).await["ok"],
        true
    );
    let again = call(&slack, "reactions.remove", mark).await;
    assert_eq!(again["error"], "no_reaction");
    assert!(slack.reactions(CHANNEL, &ts).is_empty());
}

#[tokio::test]
async fn a_file_is_uploaded_once_and_downloaded_with_the_token_only() {
    let slack = workspace().await;
    let wanted = [("filename", "voicemail 1.mp3"), ("length", "5")];
    let given = query(&slack, "files.getUploadURLExternal", &wanted).await;
    let address = given["upload_url"].as_str().unwrap();
    let sent = http().post(address).body("hello").send().await.unwrap();
    assert_eq!(sent.text().await.unwrap(), "OK - 5");
    let complete =
        json!({"files": [{"id": given["file_id"], "title": "t"}], "channel_id": CHANNEL});
    let done = call(&slack, "files.completeUploadExternal", complete.clone()).await;
    assert_eq!(done["ok"], true, "{done}");
    let again = call(&slack, "files.completeUploadExternal", complete).await;
    assert_eq!(again["error"], "file_not_found");
    assert_eq!(slack.roots(CHANNEL).len(), 1);

    let address = done["files"][0]["url_private"].as_str().unwrap();
    let bytes = http().get(address).bearer_auth("xoxb-not-a-real-token");
    assert_eq!(bytes.send().await.unwrap().text().await.unwrap(), "hello");
    assert_eq!(slack.violations(), Vec::<String>::new());
    let page = http().get(address).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("Sign in"));
    assert_eq!(slack.take_violations().len(), 1);
}

#[tokio::test]
async fn a_fault_hides_what_was_accepted_and_what_was_not() {
    let slack = workspace().await;
    let post = || {
        http()
            .post(slack.url() + "chat.postMessage")
            .bearer_auth("xoxb-not-a-real-token")
            .json(&json!({"channel": CHANNEL, "text": "hi"}))
    };
    slack
        .faults()
        .push("chat.postMessage", Effect::Reset.accepted());
    assert!(post().send().await.is_err());
    assert_eq!(slack.roots(CHANNEL).len(), 1);
    slack
        .faults()
        .push("chat.postMessage", Effect::Status(503).not_accepted());
    assert_eq!(post().send().await.unwrap().status(), 503);
    assert_eq!(slack.roots(CHANNEL).len(), 1);
    slack.faults().push(
        "chat.postMessage",
        Effect::Error("fatal_error".into()).accepted(),
    );
    let answer: Value = post().send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], "fatal_error");
    assert_eq!(slack.roots(CHANNEL).len(), 2);
    slack.down().await;
    assert!(post().send().await.is_err_and(|error| error.is_connect()));
    slack.up().await.unwrap();
    assert!(post().send().await.is_ok());
}
