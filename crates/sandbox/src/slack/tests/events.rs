use serde_json::json;

use super::*;

#[tokio::test]
async fn a_message_by_a_person_is_a_signed_event_of_its_channel() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let root = slack.post_as(ANNA, CHANNEL, None, "hi").await;
    let ts = slack.post_as(ANNA, CHANNEL, Some(&root), "on my way").await;

    let (path, headers, body) = relay.requests().pop().unwrap();
    assert_eq!(path, "/api/slack/events");
    assert_eq!(headers["host"], "desk.example");
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let timestamp = header("x-slack-request-timestamp");
    let expected = signature::sign(SIGNING_SECRET, &timestamp, body.as_bytes());
    assert_eq!(header("x-slack-signature"), expected);
    let envelope = relay.events().pop().unwrap();
    assert_eq!(envelope["type"], "event_callback");
    assert_eq!(envelope["team_id"], "T0QDN");
    let event = &envelope["event"];
    assert_eq!(event["channel"], CHANNEL);
    assert_eq!(event["channel_type"], "channel");
    assert_eq!(event["ts"], ts);
    assert_eq!(event["thread_ts"], root);
    assert_eq!(event["parent_user_id"], ANNA);
    assert_eq!(event["text"], "on my way");
    assert!(event["subtype"].is_null() && event["bot_id"].is_null());
}

#[tokio::test]
async fn the_app_hears_of_its_own_posts_edits_and_deletions() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let own = call(
        &slack,
        "chat.postMessage",
        json!({"channel": CHANNEL, "text": "a"}),
    )
    .await;
    let place = |more: Value| {
        let mut place = json!({"channel": CHANNEL, "ts": own["ts"]});
        if let Some(text) = more.as_str() {
            place["text"] = json!(text);
        }
        place
    };
    assert!(slack.wait_until_delivered(SOON).await);
    call(&slack, "chat.update", place(json!("b"))).await;
    assert!(slack.wait_until_delivered(SOON).await);
    call(&slack, "chat.delete", place(Value::Null)).await;
    assert!(slack.wait_until_delivered(SOON).await);
    let events: Vec<Value> = relay
        .events()
        .into_iter()
        .map(|e| e["event"].clone())
        .collect();
    assert_eq!(events[0]["bot_id"], "B0QDN");
    assert_eq!(events[0]["user"], "U0QDNBOT");
    assert!(events[0]["subtype"].is_null());
    assert_eq!(events[1]["subtype"], "message_changed");
    assert_eq!(events[1]["message"]["text"], "b");
    assert_eq!(events[2]["subtype"], "message_deleted");
}

#[tokio::test]
async fn an_event_that_is_not_accepted_comes_again_three_times() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    slack.set_retry_delays([Duration::ZERO; 3]);
    let error = || StatusCode::INTERNAL_SERVER_ERROR.into_response();
    relay.will_answer([error(), error(), error(), error(), error()]);
    slack.post_as(ANNA, CHANNEL, None, "hi").await;
    assert!(slack.wait_until_delivered(SOON).await);
    let deliveries = slack.deliveries();
    assert_eq!(
        deliveries.iter().map(|d| d.retry).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert!(
        deliveries
            .iter()
            .all(|d| d.event_id == deliveries[0].event_id)
    );
    let (_, headers, _) = relay.requests().pop().unwrap();
    assert_eq!(headers["x-slack-retry-num"], "3");
    assert_eq!(headers["x-slack-retry-reason"], "http_error");

    relay.will_answer([(
        StatusCode::INTERNAL_SERVER_ERROR,
        [("x-slack-no-retry", "1")],
    )
        .into_response()]);
    slack.post_as(ANNA, CHANNEL, None, "once").await;
    assert!(slack.wait_until_delivered(SOON).await);
    assert_eq!(slack.deliveries().len(), 5);
}

#[tokio::test]
async fn events_can_be_doubled_withheld_and_forged() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let quiet = slack.say(ANNA, CHANNEL, "quiet").withheld().send().await;
    assert!(relay.events().is_empty());
    slack.deliver_message(CHANNEL, &quiet).await;
    assert_eq!(relay.events()[0]["event"]["text"], "quiet");
    slack
        .say(ANNA, CHANNEL, "many")
        .repeated(5, true)
        .send()
        .await;
    let ids: std::collections::HashSet<String> = relay
        .events()
        .iter()
        .map(|event| event["event_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 6);
    let roots = slack.roots(CHANNEL).len();
    for forgery in [
        Forgery::Unsigned,
        Forgery::WrongSecret,
        Forgery::Tampered,
        Forgery::Aged(301),
    ] {
        slack
            .say(ANNA, CHANNEL, "not me")
            .forged(forgery)
            .send()
            .await;
        let (_, headers, body) = relay.requests().pop().unwrap();
        let text = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let timestamp = text("x-slack-request-timestamp").unwrap();
        let valid = signature::sign(SIGNING_SECRET, &timestamp, body.as_bytes());
        let is_valid = text("x-slack-signature") == Some(valid);
        assert_eq!(is_valid, forgery == Forgery::Aged(301));
    }
    assert_eq!(slack.roots(CHANNEL).len(), roots);
}

#[tokio::test]
async fn nothing_is_heard_of_channels_the_app_is_not_in_and_of_events_it_did_not_ask_for() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    slack.add_channel("C0OTHER", "other", false);
    slack.post_as(ANNA, "C0OTHER", None, "hi").await;
    slack.set_subscriptions(&["message.groups"]);
    slack.post_as(ANNA, CHANNEL, None, "hi").await;
    assert!(slack.wait_until_delivered(SOON).await);
    assert!(relay.events().is_empty());
}

#[tokio::test]
async fn files_guests_and_deleted_heads_look_as_slack_shows_them() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    slack.put_user(User {
        id: "U0GUEST".into(),
        display_name: "Gast".into(),
        real_name: String::new(),
        team_id: "T0OTHER".into(),
        restricted: false,
        stranger: true,
        bot: false,
    });
    let root = slack.post_as("U0GUEST", CHANNEL, None, "hi").await;
    slack
        .say(ANNA, CHANNEL, "")
        .with_file("gate.png", "image/png", b"png")
        .in_thread(&root)
        .send()
        .await;
    slack.delete_message(CHANNEL, &root);
    assert!(slack.wait_until_delivered(SOON).await);
    let events: Vec<Value> = relay
        .events()
        .into_iter()
        .map(|e| e["event"].clone())
        .collect();
    assert_eq!(events[0]["user_team"], "T0OTHER");
    assert_eq!(events[1]["subtype"], "file_share");
    assert_eq!(events[1]["files"][0]["name"], "gate.png");
    assert_eq!(events[2]["message"]["subtype"], "tombstone");
    let info = query(&slack, "users.info", &[("user", "U0GUEST")]).await;
    assert_eq!(info["user"]["is_stranger"], true);
}
