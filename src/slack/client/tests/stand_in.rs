//! The client against the stand-in for Slack, although neither knows the other's code.

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::{self, SlackStandIn};
use secrecy::SecretString;

use super::*;
use crate::remote::Failure;
use crate::slack::{UserId, blocks};

const CHANNEL: &str = "C0DISPATCH";
const ANNA: &str = "U0ANNA";

/// A workspace with one channel, the app and one dispatcher in it.
async fn workspace() -> SlackStandIn {
    let slack = SlackStandIn::start(slack::Settings::default());
    let slack = slack.await.unwrap();
    slack.add_user(ANNA, "Anna");
    slack.add_channel(CHANNEL, "qdn-dispatch", false);
    slack.invite_bot(CHANNEL);
    slack.join(CHANNEL, ANNA);
    slack
}

fn client_of(slack: &SlackStandIn) -> Client {
    Client::new(Settings {
        api_url: slack.url(),
        bot_token: SecretString::from("xoxb-not-a-real-token"),
        request_timeout: Duration::from_secs(2),
    })
    .unwrap()
}

fn said(text: &str, thread_ts: Option<MessageTs>) -> Post {
    let payload = [("outbox".to_owned(), "7".to_owned())];
    Post {
        channel: ChannelId::new(CHANNEL),
        thread_ts,
        text: text.to_owned(),
        blocks: Some(json!([{"type": "divider"}])),
        reply_broadcast: false,
        metadata: Some(Metadata {
            event_type: "qdn".to_owned(),
            event_payload: payload.into_iter().collect(),
        }),
    }
}

#[tokio::test]
async fn everything_the_client_can_say_is_said_as_slack_wants_it() {
    let slack = workspace().await;
    let client = client_of(&slack);
    let (channel, anna) = (ChannelId::new(CHANNEL), UserId::new(ANNA));
    let identity = client.auth_test().await.unwrap();
    assert_eq!(identity.user_id.as_str(), "U0QDNBOT");
    assert!(identity.scopes.unwrap().contains(&"chat:write".to_owned()));

    let root = client.post_message(&said("root", None)).await.unwrap();
    assert_eq!(root.thread_ts, None);
    let reply = said("reply", Some(root.ts.clone()));
    let reply = client.post_message(&reply).await.unwrap();
    assert_eq!(reply.thread_ts.as_ref(), Some(&root.ts));
    client
        .update_message(&channel, &reply.ts, "better", None)
        .await
        .unwrap();
    for _ in 0..2 {
        client
            .add_reaction(&channel, &root.ts, "lock")
            .await
            .unwrap();
    }
    for _ in 0..2 {
        client
            .remove_reaction(&channel, &root.ts, "lock")
            .await
            .unwrap();
    }
    client
        .post_ephemeral(&Ephemeral {
            channel: channel.clone(),
            user: anna.clone(),
            thread_ts: Some(root.ts.clone()),
            text: "psst",
            blocks: None,
        })
        .await
        .unwrap();

    let thread = client.replies(&channel, &root.ts, None).await.unwrap();
    assert_eq!(thread.len(), 2);
    let metadata = thread[0].metadata.as_ref().unwrap();
    assert_eq!(metadata.event_payload["outbox"], "7");
    assert_eq!(thread[1].text, "better");
    let history = client.history(&channel, None, None).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(client.user_name(&anna).await.unwrap(), "Anna");
    assert!(client.channel(&channel).await.unwrap().is_member);
    let found = client.find_channel("#qdn-dispatch").await.unwrap().unwrap();
    assert_eq!(found.id, channel);
    assert_eq!(client.members(&channel).await.unwrap().len(), 2);
    let link = client.permalink(&channel, &reply.ts).await.unwrap();
    assert!(link.contains("thread_ts="), "{link}");
    client.delete_message(&channel, &reply.ts).await.unwrap();
    let home = json!({"type": "home", "blocks": [{"type": "divider"}]});
    client.publish_view(&anna, &home).await.unwrap();
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn blocks_are_shown_as_written_and_notify_nobody() {
    let slack = workspace().await;
    let client = client_of(&slack);
    let confirm = blocks::Confirm {
        title: "Sure?".to_owned(),
        text: "It cannot be taken back.".to_owned(),
        confirm: "Drop it".to_owned(),
        deny: "Keep it".to_owned(),
    };
    let drop = blocks::Button::new("drop", "Drop", "7").style(blocks::Style::Danger);
    let text = "<!channel> *not bold* @here :lock: ".repeat(100);
    let shown = [
        blocks::literal(&text),
        blocks::section("*Rosa* &lt;3"),
        blocks::context("how to answer"),
        blocks::divider(),
        blocks::actions("doors", &[drop.confirm(confirm)]),
    ];
    let literal = Post {
        blocks: Some(blocks::message(shown)),
        ..said(&crate::slack::mrkdwn::escape(&text), None)
    };
    let literal = client.post_message(&literal).await.unwrap();
    let literal = slack.message(CHANNEL, literal.ts.as_str()).unwrap();
    assert_eq!(literal.pings(), Vec::<String>::new());
    assert!(slack.rendered(&literal).starts_with(&text));
    assert_eq!(literal.buttons(), ["drop"]);
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn long_threads_are_read_to_their_end_or_not_at_all() {
    let slack = workspace().await;
    let client = client_of(&slack);
    let root = slack.post_as(ANNA, CHANNEL, None, "root").await;
    for n in 0..450 {
        slack
            .post_as(ANNA, CHANNEL, Some(&root), &n.to_string())
            .await;
    }
    let (channel, root) = (ChannelId::new(CHANNEL), MessageTs::parse(&root).unwrap());
    let thread = client.replies(&channel, &root, None).await.unwrap();
    assert_eq!(thread.len(), 451);
    let fault = Effect::Error("internal_error".to_owned()).not_accepted();
    slack.faults().push(
        "conversations.replies",
        Effect::Slow(Duration::ZERO).accepted(),
    );
    slack.faults().push("conversations.replies", fault);
    let broken = client.replies(&channel, &root, None).await;
    assert!(matches!(broken, Err(Failure::Unknown { .. })), "{broken:?}");
    assert_eq!(slack.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_client_takes_every_fault_for_what_it_is() {
    let slack = workspace().await;
    let client = client_of(&slack);
    let retry_after = Some(3);
    for (effect, expected) in [
        (Effect::Hang, "unknown"),
        (Effect::Reset, "unknown"),
        (Effect::CutShort, "unknown"),
        (Effect::Status(502), "unknown"),
        (Effect::Empty, "unknown"),
        (Effect::Garbage, "unknown"),
        (Effect::Error("fatal_error".to_owned()), "unknown"),
        (Effect::Error("is_archived".to_owned()), "refused"),
        (Effect::RateLimited { retry_after }, "rate limited"),
    ] {
        slack
            .faults()
            .push("chat.postMessage", effect.clone().accepted());
        let failure = client.post_message(&said("hi", None)).await.unwrap_err();
        assert!(
            failure.to_string().starts_with(expected),
            "{effect:?}: {failure}"
        );
    }
    assert_eq!(slack.posts().len(), 9);
    slack.down().await;
    let failure = client.post_message(&said("hi", None)).await.unwrap_err();
    assert!(matches!(failure, Failure::NotSent { .. }), "{failure}");
    slack.up().await.unwrap();
    client.post_message(&said("hi", None)).await.unwrap();
    assert_eq!(slack.violations(), Vec::<String>::new());
}
