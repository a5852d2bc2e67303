//! This machine's clock is wrong, or is set while something waits: nothing is lost, nothing is sent twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::World;
use qdn_sandbox::twilio::Callbacks;

use crate::desk::{ALICE, BOB, Builder, CHANNEL, DORA, Database, Desk, LINE, PATIENCE};

stories! {
    an_hour_ahead_loses_nothing,
    an_hour_behind_loses_nothing,
    a_step_forward_opens_no_resend_early,
    a_step_back_holds_nothing_up,
    a_clock_put_right_while_the_service_is_stopped_holds_nothing_up,
    a_stop_from_a_clock_that_was_ahead_can_be_taken_back,
}

const HOUR: i64 = 3_600_000;

/// A clock that the story sets.
struct Clock {
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Clock {
    fn off_by(millis: i64) -> Clock {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock {
            file: folder.path().join("clock"),
            _folder: folder,
        };
        clock.set(millis);
        clock
    }

    /// In one step, so that nobody reads half of it.
    fn set(&self, millis: i64) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, millis.to_string()).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }

    fn path(&self) -> &Path {
        &self.file
    }
}

fn desk(database: Database, clock: &Clock) -> Builder {
    Desk::on(database).variable("QDN_FAULT_CLOCK", clock.path().to_str().unwrap())
}

fn carriers_are_silent(desk: &Desk) {
    desk.twilio.set_callbacks(Callbacks {
        copies: 0,
        ..Callbacks::automatic(Duration::from_millis(30))
    });
}

async fn an_hour_ahead_loses_nothing(database: Database) {
    off_by_an_hour(database, HOUR).await;
}

async fn an_hour_behind_loses_nothing(database: Database) {
    off_by_an_hour(database, -HOUR).await;
}

async fn off_by_an_hour(database: Database, millis: i64) {
    let clock = Clock::off_by(millis);
    let mut desk = desk(database, &clock).start().await;
    desk.expect_error("this machine's clock is off");
    desk.relay()
        .wait_for_log(|line| line.to_string().contains("this machine's clock is off"))
        .await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    desk.twilio
        .inbound(ALICE, LINE, "whose webhook is lost")
        .withhold_webhook()
        .send()
        .await;
    desk.expect_words_in_thread(&root.ts, "whose webhook is lost")
        .await;
    // Slack's events look an hour old or young, and are refused: the reply is found by looking.
    desk.slack
        .say(DORA, CHANNEL, "On our way")
        .in_thread(&root.ts)
        .send()
        .await;
    desk.expect_texted(ALICE, &["On our way"]).await;
    // Lost answers of both vendors are still settled by what they date.
    desk.twilio
        .faults()
        .push("Messages.create", Effect::Reset.accepted());
    desk.slack
        .faults()
        .push("chat.postMessage", Effect::Reset.accepted());
    desk.twilio.text(ALICE, LINE, "Posted once").await;
    desk.slack
        .say(DORA, CHANNEL, "Sent once")
        .in_thread(&root.ts)
        .send()
        .await;
    desk.expect_texted(ALICE, &["On our way", "Sent once"])
        .await;
    desk.expect_words_in_thread(&root.ts, "Posted once").await;
    // When the clock is right again, what is written reaches us at once, and nothing comes again.
    clock.set(0);
    desk.expect_error("this machine's clock was set");
    desk.slack
        .say(DORA, CHANNEL, "And now")
        .in_thread(&root.ts)
        .send()
        .await;
    desk.expect_texted(ALICE, &["On our way", "Sent once", "And now"])
        .await;
    desk.expect_quiet().await;
    let posted_once = desk
        .replies(&root.ts)
        .into_iter()
        .filter(|words| words.contains("Posted once"));
    assert_eq!(posted_once.count(), 1);
    desk.expect_sms(3).await;
    // Refused for its time, not for its signature.
    desk.slack.take_violations();
    desk.close().await;
}

async fn a_step_forward_opens_no_resend_early(database: Database) {
    let clock = Clock::off_by(0);
    let mut desk = desk(database, &clock)
        .replace("settle_after = \"2s\"", "settle_after = \"6s\"")
        .replace("validity = \"1s\"", "validity = \"3s\"")
        .start()
        .await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.expect_error("this machine's clock");
    desk.twilio
        .faults()
        .push("Messages.create", Effect::Reset.accepted());
    // Twilio's log does not show it yet: only time can say that it is not there.
    desk.twilio.set_list_lag(Duration::from_secs(4));
    desk.reply(&root, "Only once").await;
    desk.expect_audited("unknown", 1).await;
    clock.set(HOUR);
    desk.expect_audited("sms_sent", 1).await;
    desk.expect_sms(1).await;
    assert_eq!(desk.audited("settled_absent").await, 0);
    desk.close().await;
}

async fn a_step_back_holds_nothing_up(database: Database) {
    let clock = Clock::off_by(0);
    let mut desk = desk(database, &clock).start().await;
    carriers_are_silent(&desk);
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.expect_error("this machine's clock");
    let wait = Effect::RateLimited {
        retry_after: Some(3),
    };
    desk.twilio
        .faults()
        .push("Messages.create", wait.not_accepted());
    desk.reply(&root, "After a while").await;
    while desk.metric("qdn_retries_total{kind=\"sms\"}").await < 1.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    clock.set(-HOUR);
    desk.expect_texted(ALICE, &["After a while"]).await;
    desk.close().await;
}

async fn a_clock_put_right_while_the_service_is_stopped_holds_nothing_up(database: Database) {
    let clock = Clock::off_by(HOUR);
    let mut desk = desk(database, &clock)
        .toml("\n[desk]\nremind_after = \"2s\"\npage_after = \"1h\"\n")
        .start()
        .await;
    carriers_are_silent(&desk);
    desk.expect_error("this machine's clock is off");
    // One post waits for its next try, one for its first, and so does a reminder.
    let refuse = desk.slack.faults().clone();
    // A refusal for the rate is tried again by its time; what may have been posted would be looked for first.
    let busy = Effect::RateLimited { retry_after: None };
    refuse.always("chat.postMessage", busy.not_accepted());
    desk.twilio.text(ALICE, LINE, "Is anybody there?").await;
    while desk.metric("qdn_retries_total{kind=\"post\"}").await < 1.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.twilio.text(BOB, LINE, "And for me?").await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    clock.set(0);
    refuse.clear("chat.postMessage");
    desk.start_relay().await;
    for words in ["Is anybody there?", "And for me?"] {
        let says = |world: &World| {
            let roots = world.roots(CHANNEL);
            roots
                .iter()
                .any(|root| world.rendered(root).contains(words))
        };
        assert!(desk.slack.wait_until(says, PATIENCE).await, "{words}");
    }
    desk.expect_audited("reminded", 2).await;
    desk.close().await;
}

async fn a_stop_from_a_clock_that_was_ahead_can_be_taken_back(database: Database) {
    let clock = Clock::off_by(HOUR);
    let mut desk = desk(database, &clock).start().await;
    carriers_are_silent(&desk);
    desk.expect_error("this machine's clock is off");
    let root = desk.open(ALICE).await;
    desk.twilio.text(ALICE, LINE, "STOP").await;
    expect_said(&desk, "out").await;
    assert_eq!(desk.relay().terminate().await, Some(0));
    clock.set(0);
    desk.start_relay().await;
    desk.twilio.text(ALICE, LINE, "START").await;
    expect_said(&desk, "in").await;
    desk.reply(&root, "Welcome back").await;
    desk.expect_texted(ALICE, &["Welcome back"]).await;
    desk.close().await;
}

async fn expect_said(desk: &Desk, state: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk.words("select state from opt_out".into()).await != [state] {
        assert!(tokio::time::Instant::now() < deadline, "{state}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
