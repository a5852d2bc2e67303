//! What happens to a text that nobody answers, and to one that comes while nobody is there.

use std::time::Duration;

use qdn_sandbox::twilio::Callbacks;

use crate::desk::{
    ALICE, BACKUP_PHONE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE, SERGIO,
};

stories! {
    an_unanswered_text_is_called_out_and_then_texted,
    an_answer_a_claim_or_a_close_stops_the_clock,
    the_clock_goes_on_over_a_restart,
    many_at_once_are_told_together,
    what_becomes_of_a_page_is_told_in_the_callers_thread,
    everybody_away_is_said_once,
    no_machine_answers_a_machine,
    a_text_in_a_quiet_thread_is_shown_in_the_channel,
    no_clock_runs_for_a_machine_or_our_own_people,
    what_strikes_soon_after_another_is_gathered,
    a_text_that_is_found_late_is_timed_by_when_it_came,
}

const SOON: &str = "\n[desk]\nremind_after = \"1s\"\npage_after = \"2s\"\n";
const LATER: &str = "\n[desk]\nremind_after = \"1h\"\npage_after = \"2h\"\n";
const CHANNEL_KEY: &str = "channel = \"#qdn-dispatch\"";
const AWAY: &str = "channel = \"#qdn-dispatch\"\naway_text = \"We are away. Back at eight.\"";

/// A caller whom nobody answers, so that it is seen when the clocks were looked at.
const CAROL: &str = "+16195550144";

/// Every clock that runs is due.
async fn hours_pass(desk: &Desk) {
    let sql = "update conversation_status set remind_at = remind_at - 7200000, page_at = page_at - 7200000";
    desk.execute(sql).await;
}

async fn an_unanswered_text_is_called_out_and_then_texted(database: Database) {
    let desk = Desk::on(database).toml(SOON).start().await;
    let root = desk.open(ALICE).await;
    let told = desk
        .expect_words_in_thread(&root.ts, "(619) 555-0142 has waited")
        .await;
    assert!(desk.slack.rendered(&told).contains("Help"), "{told:?}");
    let is_told = |message: &&qdn_sandbox::slack::Message| message.ts == told.ts;
    let in_channel = desk
        .slack
        .wait_until(|world| world.roots(CHANNEL).iter().any(is_told), PATIENCE)
        .await;
    assert!(in_channel, "it is shown in the channel too");
    let page = desk.expect_sms(1).await.remove(0);
    assert_eq!(page.to, BACKUP_PHONE);
    let link = format!(
        "https://qdn.slack.com/archives/{CHANNEL}/p{}",
        root.ts.replace('.', "")
    );
    for words in ["QDN: (619) 555-0142 has waited", "\"Help\"", &link] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    desk.expect_words_in_thread(&root.ts, "Backup was texted")
        .await;
    // Once each.
    desk.expect_rounds(3).await;
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    assert_eq!(desk.audited("reminded").await, 1);
    // And again for what comes after that.
    desk.twilio.text(ALICE, LINE, "Hello?").await;
    let page = desk.expect_sms(2).await.remove(1);
    assert!(page.body.contains("\"Hello?\""), "{}", page.body);
    desk.expect_quiet().await;
    assert_eq!(desk.audited("reminded").await, 2);

    // What they text back is a conversation of their own.
    desk.twilio.text(BACKUP_PHONE, LINE, "On it").await;
    let reached = desk
        .slack
        .wait_until(
            |world| {
                let roots = world.roots(CHANNEL);
                roots
                    .iter()
                    .any(|root| world.rendered(root).contains("Backup (858) 555-0112"))
            },
            PATIENCE,
        )
        .await;
    assert!(reached, "named as one of the desk's own");
    desk.expect_texted(ALICE, &[]).await;
    desk.close().await;
}

async fn an_answer_a_claim_or_a_close_stops_the_clock(database: Database) {
    let desk = Desk::on(database).toml(LATER).start().await;
    // What Twilio cannot hand over within its validity is no answer.
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(30)));
    let alice = desk.open(ALICE).await;
    let bob = desk.open(BOB).await;
    let dave = desk.open("+16195550145").await;
    desk.reply(&alice, "Coming").await;
    desk.press(DORA, &bob, "desk_claim").await;
    desk.press(DORA, &dave, "desk_close").await;
    desk.reply(&bob, "// a note answers nobody").await;
    desk.expect_texted(ALICE, &["Coming"]).await;
    desk.expect_quiet().await;
    desk.open(CAROL).await;
    hours_pass(&desk).await;
    let page = desk.expect_sms(2).await.remove(1);
    assert_eq!(page.to, BACKUP_PHONE);
    desk.expect_quiet().await;
    assert_eq!(desk.audited("reminded").await, 1, "of Carol alone");
    assert_eq!(desk.audited("paged").await, 1);
    desk.close().await;
}

async fn the_clock_goes_on_over_a_restart(database: Database) {
    let mut desk = Desk::on(database).toml(LATER).start().await;
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    hours_pass(&desk).await;
    desk.start_relay().await;
    desk.expect_words_in_thread(&root.ts, "has waited").await;
    let page = desk.expect_sms(1).await.remove(0);
    assert_eq!(page.to, BACKUP_PHONE);
    desk.expect_quiet().await;
    assert_eq!(desk.audited("reminded").await, 1);
    desk.close().await;
}

async fn many_at_once_are_told_together(database: Database) {
    let mut desk = Desk::on(database).toml(LATER).start().await;
    for n in 0..7 {
        desk.twilio
            .text(&format!("+1619555015{n}"), LINE, "Help")
            .await;
    }
    desk.expect_roots(7).await;
    desk.expect_quiet().await;
    desk.relay().kill().await;
    hours_pass(&desk).await;
    desk.start_relay().await;
    let roots = desk.expect_roots(9).await;
    let told: Vec<String> = roots[7..]
        .iter()
        .map(|root| desk.slack.rendered(root))
        .collect();
    for words in [
        "7 callers have waited too long",
        "7 callers yet: Backup was texted",
    ] {
        let is_told = told.iter().any(|told| told.contains(words));
        assert!(is_told, "{words}: {told:?}");
    }
    let page = desk.expect_sms(1).await.remove(0);
    assert!(page.body.contains("7 callers have waited"), "{}", page.body);
    desk.expect_quiet().await;
    for root in &roots[..7] {
        let replies = desk.replies(&root.ts);
        assert!(replies.is_empty(), "nothing in each thread: {replies:?}");
    }
    assert_eq!(desk.audited("paged").await, 7);
    desk.close().await;
}

async fn what_becomes_of_a_page_is_told_in_the_callers_thread(database: Database) {
    let desk = Desk::on(database).toml(SOON).start().await;
    desk.twilio.refuse_number(BACKUP_PHONE, Some(21_614));
    let root = desk.open(ALICE).await;
    desk.expect_words_in_thread(&root.ts, "About the text to Backup: Not delivered")
        .await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn everybody_away_is_said_once(database: Database) {
    let desk = Desk::on(database).replace(CHANNEL_KEY, AWAY).start().await;
    let say = async |text: &str| {
        let answer = desk.slack.command(SERGIO, CHANNEL, "/qdn", text).await;
        assert!(answer.text.contains(" is "), "{}", answer.text);
    };
    let root = desk.open(ALICE).await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &[]).await;
    say("away").await;
    desk.twilio.text(ALICE, LINE, "Anybody there?").await;
    let once = ["We are away. Back at eight."];
    desk.expect_texted(ALICE, &once).await;
    let told = "Texted automatically, because nobody is available:";
    desk.expect_words_in_thread(&root.ts, told).await;
    desk.twilio.text(ALICE, LINE, "Hello?").await;
    desk.expect_words_in_thread(&root.ts, "Hello?").await;
    desk.expect_quiet().await;
    desk.expect_texted(ALICE, &once).await;
    // It answers nobody's question.
    desk.expect_root(&root, "(emoji red_circle)").await;

    // Back, and away again: another time away.
    say("available").await;
    say("away").await;
    desk.twilio.text(ALICE, LINE, "And now?").await;
    let twice = ["We are away. Back at eight."; 2];
    desk.expect_texted(ALICE, &twice).await;
    desk.close().await;
}

async fn no_machine_answers_a_machine(database: Database) {
    let desk = Desk::on(database).replace(CHANNEL_KEY, AWAY).start().await;
    let say = async |text: &str| {
        desk.slack.command(SERGIO, CHANNEL, "/qdn", text).await;
    };
    say("away").await;
    desk.twilio
        .text(ALICE, LINE, "Auto-reply: I am driving")
        .await;
    desk.twilio.text("28849", LINE, "Your code is 1234").await;
    desk.twilio.text("ACME", LINE, "Delivery today").await;
    desk.twilio.text(BACKUP_PHONE, LINE, "It is me").await;
    desk.twilio.text(BOB, LINE, "It is Bob").await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!(sms.to, BOB);
    // A sixth automatic text in a day stays unsent.
    for time in 2..=6 {
        say("available").await;
        say("away").await;
        desk.twilio.text(BOB, LINE, &format!("Again {time}")).await;
    }
    desk.expect_quiet().await;
    desk.expect_sms(5).await;
    desk.close().await;
}

async fn a_text_in_a_quiet_thread_is_shown_in_the_channel(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio.text(ALICE, LINE, "right after").await;
    desk.expect_in_thread(&root.ts, &["right after"]).await;
    desk.execute("update conversation set last_at = last_at - 181000")
        .await;
    desk.twilio.text(ALICE, LINE, "minutes later").await;
    desk.expect_in_thread(&root.ts, &["right after", "minutes later"])
        .await;
    let shown = desk.expect_roots(2).await.remove(1);
    assert_eq!(desk.slack.rendered(&shown), "minutes later");
    desk.close().await;
}

async fn no_clock_runs_for_a_machine_or_our_own_people(database: Database) {
    let desk = Desk::on(database).toml(LATER).start().await;
    desk.twilio
        .text(ALICE, LINE, "Auto-reply: I am driving")
        .await;
    desk.twilio.text(BOB, LINE, "STOP").await;
    desk.twilio.text(BACKUP_PHONE, LINE, "On it").await;
    desk.expect_roots(3).await;
    desk.open(CAROL).await;
    hours_pass(&desk).await;
    let page = desk.expect_sms(1).await.remove(0);
    assert!(page.body.contains("(619) 555-0144"), "{}", page.body);
    assert_eq!(desk.audited("reminded").await, 1, "of Carol alone");
    assert_eq!(desk.audited("paged").await, 1);
    let waiting = "select count(*) from conversation_status where waiting_since is not null";
    assert_eq!(desk.query_one(waiting).await, 3, "all but who wants none");
    desk.close().await;
}

async fn what_strikes_soon_after_another_is_gathered(database: Database) {
    // What is due is gathered for 60 s of 95, here for 12.6 s.
    const GATHERED: i64 = 12_600;
    let desk = Desk::on(database)
        .replace("settle_after = \"2s\"", "settle_after = \"20s\"")
        .toml(LATER)
        .start()
        .await;
    let struck = async || {
        let sql = format!("select value from kv where name = 'desk.reminded.{LINE}'");
        desk.words(sql).await[0].parse::<i64>().unwrap()
    };
    desk.open(CAROL).await;
    hours_pass(&desk).await;
    desk.expect_audited("reminded", 1).await;
    let first = struck().await;
    for n in 0..7 {
        desk.twilio
            .text(&format!("+1619555015{n}"), LINE, "Help")
            .await;
    }
    hours_pass(&desk).await;
    let gathered = desk
        .slack
        .wait_until(
            |world| {
                let roots = world.roots(CHANNEL);
                roots.iter().any(|root| {
                    world
                        .rendered(root)
                        .contains("callers have waited too long")
                })
            },
            PATIENCE,
        )
        .await;
    assert!(gathered, "told in one message");
    desk.expect_quiet().await;
    assert_eq!(desk.audited("reminded").await, 8, "and nobody is forgotten");
    let waited = struck().await - first;
    assert!(waited >= GATHERED, "told after {waited} ms");
    desk.close().await;
}

async fn a_text_that_is_found_late_is_timed_by_when_it_came(database: Database) {
    let mut desk = Desk::on(database)
        .toml("\n[desk]\nremind_after = \"1m\"\npage_after = \"2m\"\n")
        .start()
        .await;
    desk.expect_watermarks_to_move().await;
    desk.relay().kill().await;
    desk.twilio
        .inbound(ALICE, LINE, "Is anybody there?")
        .aged(Duration::from_secs(12 * 60))
        .withhold_webhook()
        .send()
        .await;
    desk.start_relay().await;
    let root = desk.expect_thread().await;
    let reminder = "has waited 12 min for an answer. The text was found late.";
    desk.expect_words_in_thread(&root.ts, reminder).await;
    let page = desk.expect_sms(1).await.remove(0);
    let words = "has waited 12 min for an answer (the text was found late)";
    assert!(page.body.contains(words), "{}", page.body);
    desk.close().await;
}
