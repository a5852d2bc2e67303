use axum::Json;
use serde_json::json;

use super::*;

fn button(action_id: &str) -> Value {
    let text = json!({"type": "plain_text", "text": "Press"});
    let button = json!({"type": "button", "text": text, "action_id": action_id, "value": "42"});
    json!([{"type": "actions", "elements": [button]}])
}

#[tokio::test]
async fn a_command_s_answer_is_for_its_writer_alone_unless_it_says_otherwise() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    relay.will_answer([
        Json(json!({"text": "noted"})).into_response(),
        Json(json!({"response_type": "in_channel", "text": "for all"})).into_response(),
        "plain".into_response(),
    ]);
    assert_eq!(
        slack.command(ANNA, CHANNEL, "/qdn", "away 30m").await.text,
        "noted"
    );
    slack.command(ANNA, CHANNEL, "/qdn", "status").await;
    slack.command(ANNA, CHANNEL, "/qdn", "help").await;
    let (path, _, body) = relay.requests().remove(0);
    assert_eq!(path, "/api/slack/commands");
    assert!(body.contains("command=%2Fqdn&text=away+30m"), "{body}");
    let ephemerals: Vec<String> = slack.ephemerals(ANNA).into_iter().map(|e| e.text).collect();
    assert_eq!(ephemerals, ["noted", "plain"]);
    assert_eq!(slack.roots(CHANNEL)[0].text, "for all");
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_command_that_is_refused_or_not_answered_is_a_violation() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    relay.will_answer([StatusCode::FORBIDDEN.into_response()]);
    slack.command(ANNA, CHANNEL, "/qdn", "help").await;
    assert_eq!(slack.take_violations(), ["/qdn help: answered with 403"]);
    slack.set_relay("http://127.0.0.1:1", None);
    assert_eq!(slack.command(ANNA, CHANNEL, "/qdn", "help").await.status, 0);
    assert_eq!(
        slack.take_violations(),
        ["/qdn help: no answer (connection_failed)"]
    );
}

#[tokio::test]
async fn a_press_carries_its_value_and_an_address_for_the_answer() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let post = json!({"channel": CHANNEL, "text": "t", "blocks": button("take")});
    let posted = call(&slack, "chat.postMessage", post).await;
    let ts = posted["ts"].as_str().unwrap();
    assert_eq!(slack.press(ANNA, CHANNEL, ts, "take").await.status, 200);
    let payload = relay.interactions().pop().unwrap();
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(payload["actions"][0]["value"], "42");
    assert_eq!(payload["container"]["message_ts"], ts);
    assert_eq!(payload["message"]["text"], "t");

    let address = payload["response_url"].as_str().unwrap();
    let answer = |body: Value| http().post(address).json(&body).send();
    assert_eq!(
        answer(json!({"text": "only you"}))
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "ok"
    );
    assert_eq!(slack.ephemerals(ANNA)[0].text, "only you");
    answer(json!({"text": "done", "replace_original": true}))
        .await
        .unwrap();
    assert_eq!(slack.message(CHANNEL, ts).unwrap().text, "done");
    for _ in 0..3 {
        answer(json!({"text": "again"})).await.unwrap();
    }
    assert_eq!(
        answer(json!({"text": "once too often"}))
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(slack.take_violations(), ["response_url: used_url"]);
    assert_eq!(slack.press(ANNA, CHANNEL, ts, "take").await.status, 0);
    assert_eq!(slack.take_violations().len(), 1);
}

#[tokio::test]
async fn a_press_can_be_told_apart_by_its_block_and_sent_again_later() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let mut blocks = [button("take"), button("take")].map(|b| b[0].clone());
    blocks[0]["block_id"] = json!("first");
    blocks[1]["block_id"] = json!("second");
    let post = json!({"channel": CHANNEL, "text": "t", "blocks": blocks});
    let posted = call(&slack, "chat.postMessage", post).await;
    let ts = posted["ts"].as_str().unwrap();
    slack
        .press_in(ANNA, CHANNEL, ts, Some("second"), "take")
        .await;
    let payload = slack.press_payload(ANNA, CHANNEL, ts, "take").unwrap();
    slack.delete_message(CHANNEL, ts);
    let reply = slack.send_interaction(&payload, Forgery::Genuine).await;
    assert_eq!(reply.unwrap().status, 200);
    let pressed: Vec<Value> = relay
        .interactions()
        .iter()
        .map(|press| press["actions"][0]["block_id"].clone())
        .collect();
    assert_eq!(pressed, ["second", "first"]);
}

#[tokio::test]
async fn buttons_on_an_ephemeral_message_can_be_pressed_by_its_reader_only() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let post = json!({"channel": CHANNEL, "user": ANNA, "text": "t", "blocks": button("send")});
    let posted = call(&slack, "chat.postEphemeral", post).await;
    let ts = posted["message_ts"].as_str().unwrap();
    slack.press(ANNA, CHANNEL, ts, "send").await;
    let payload = relay.interactions().pop().unwrap();
    assert_eq!(payload["container"]["is_ephemeral"], true);
    assert!(payload["message"].is_null());
    slack.press("U0OTHER", CHANNEL, ts, "send").await;
    assert_eq!(slack.take_violations().len(), 1);
}

#[tokio::test]
async fn a_modal_is_opened_once_per_trigger_filled_in_and_closed() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    slack.shortcut(ANNA, "new_text").await;
    let trigger = relay.interactions().pop().unwrap()["trigger_id"].clone();
    let text = |text: &str| json!({"type": "plain_text", "text": text});
    let view = json!({
        "type": "modal",
        "callback_id": "new_text",
        "title": text("New text"),
        "submit": text("Send"),
        "blocks": [{
            "type": "input",
            "block_id": "to",
            "label": text("To"),
            "element": {"type": "plain_text_input", "action_id": "number"},
        }],
    });
    let open = json!({"trigger_id": trigger, "view": view});
    assert_eq!(call(&slack, "views.open", open.clone()).await["ok"], true);
    let again = call(&slack, "views.open", open).await;
    assert_eq!(again["error"], "exchanged_trigger_id");
    slack.take_violations();

    let errors = json!({"response_action": "errors", "errors": {"to": "not a number"}});
    relay.will_answer([Json(errors).into_response()]);
    slack.submit_view(ANNA, &[("to", "x")]).await;
    assert!(slack.read(|world| world.modal(ANNA).is_some()));
    slack.submit_view(ANNA, &[("to", "+16195550142")]).await;
    assert!(slack.read(|world| world.modal(ANNA).is_none()));
    let payload = relay.interactions().pop().unwrap();
    assert_eq!(payload["view"]["callback_id"], "new_text");
    let value = &payload["view"]["state"]["values"]["to"]["number"]["value"];
    assert_eq!(value, "+16195550142");
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_home_tab_is_published_and_its_buttons_work() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    slack.open_home(ANNA).await;
    assert_eq!(relay.events()[0]["event"]["type"], "app_home_opened");
    let view = json!({"type": "home", "blocks": button("away")});
    let shown = call(
        &slack,
        "views.publish",
        json!({"user_id": ANNA, "view": view}),
    )
    .await;
    let id = shown["view"]["id"].as_str().unwrap();
    slack.press_in_view(ANNA, id, None, "away").await;
    assert_eq!(relay.interactions()[0]["view"]["id"], id);
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn choosing_from_a_menu_says_which_option() {
    let slack = workspace().await;
    let relay = Recorder::start(&slack).await;
    let option =
        |value: &str| json!({"text": {"type": "plain_text", "text": value}, "value": value});
    let menu = json!({"type": "overflow", "action_id": "more", "options": [option("close"), option("name")]});
    let blocks = json!([{"type": "actions", "elements": [menu]}]);
    let post = json!({"channel": CHANNEL, "text": "t", "blocks": blocks});
    let posted = call(&slack, "chat.postMessage", post).await;
    let ts = posted["ts"].as_str().unwrap();
    slack
        .choose_in(ANNA, CHANNEL, ts, None, "more", "name")
        .await;
    let payload = relay.interactions().pop().unwrap();
    assert_eq!(payload["actions"][0]["selected_option"]["value"], "name");
    let none = slack
        .choose_in(ANNA, CHANNEL, ts, None, "more", "nothing")
        .await;
    assert_eq!(none.status, 0);
    assert_eq!(slack.take_violations().len(), 1);
}
