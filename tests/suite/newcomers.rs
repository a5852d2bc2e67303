//! More new callers than Slack's channel takes: they are listed, and nobody waits for them.

use std::time::{Duration, Instant};

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Message;
use qdn_sandbox::twilio::Caller;

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, LINE, PATIENCE};

stories! {
    new_callers_of_a_flood_are_listed_and_get_threads,
    a_listed_caller_is_answered_in_a_thread_of_their_own,
    listed_texts_survive_a_kill,
    a_list_that_slack_does_not_take_falls_into_threads,
    hang_ups_of_a_flood_share_a_thread,
    who_wants_no_texts_is_listed_too,
    files_of_a_listed_text_follow_its_thread,
    a_listed_text_that_came_late_says_so,
    words_in_a_list_under_way_are_not_erased_yet,
    a_copy_of_a_list_is_nobodys_thread,
    lists_are_kept_while_they_name_somebody,
}

/// An honest new caller.
const CAROL: &str = "+17025550177";

/// A new caller who rings.
const DAVE: &str = "+17025550178";

/// How many callers a quiet channel takes as threads at once.
const FLOOD: usize = 10;

/// The `n`th made-up number.
fn made_up(n: usize) -> String {
    const AREAS: [&str; 8] = ["212", "213", "310", "312", "415", "503", "602", "713"];
    format!("+1{}55501{:02}", AREAS[n / 100], n % 100)
}

/// Slack takes no posts until [`take_posts`], so that what comes in meanwhile waits together.
async fn with_slack_at_rest(database: Database) -> Desk {
    let desk = Desk::on(database).start().await;
    desk.open(ALICE).await;
    stop_posts(&desk);
    desk
}

/// Slack takes no posts until that is taken back.
fn stop_posts(desk: &Desk) {
    let rest = Effect::RateLimited {
        retry_after: Some(1),
    };
    desk.slack
        .faults()
        .always("chat.postMessage", rest.not_accepted());
}

/// Slack takes posts again; from now on it is one a second.
fn take_posts(desk: &Desk) {
    desk.slack.faults().clear("chat.postMessage");
}

async fn flood(desk: &Desk, count: usize) {
    for n in 0..count {
        let words = format!("made-up text {n:03}");
        desk.twilio.text(&made_up(n), LINE, &words).await;
    }
}

/// At which place among all posts these words were posted.
fn place(desk: &Desk, words: &str) -> usize {
    let posts = desk.slack.posts();
    let found = posts
        .iter()
        .position(|post| post.arguments.to_string().contains(words));
    found.unwrap_or_else(|| panic!("{words} was not posted"))
}

/// The first message in the channel that shows these words.
async fn expect_shown(desk: &Desk, words: &str) -> Message {
    let found = desk.slack.wait_for(PATIENCE, |world| {
        let mut roots = world.roots(CHANNEL).into_iter();
        roots
            .find(|root| world.rendered(root).contains(words))
            .cloned()
    });
    let found = found.await;
    found.unwrap_or_else(|| panic!("{words} in the channel: {:#?}", desk.slack.roots(CHANNEL)))
}

/// Every listed caller has a thread by now.
async fn expect_all_opened(desk: &Desk) {
    let deadline = Instant::now() + 2 * PATIENCE;
    let waiting = "select count(*) from listed where opened_by = ''";
    while desk.query_one(waiting).await > 0 {
        assert!(Instant::now() < deadline, "callers are still only listed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    desk.expect_quiet().await;
}

/// How often these words are shown in the channel and its threads.
fn times_shown(desk: &Desk, words: &str) -> usize {
    desk.slack.read(|world| {
        let messages = world.channel(CHANNEL).unwrap().messages.values();
        let shown = messages.filter(|message| world.rendered(message).contains(words));
        shown.count()
    })
}

fn expect_each_once(desk: &Desk, count: usize) {
    for n in 0..count {
        let words = format!("made-up text {n:03}");
        assert_eq!(times_shown(desk, &words), 1, "{words}");
    }
}

/// The row of a listed caller, which names their button's block.
async fn conversation_of(desk: &Desk, caller: &str) -> String {
    let sql = format!("select id from conversation where caller = '{caller}'");
    desk.words(sql).await.remove(0)
}

async fn new_callers_of_a_flood_are_listed_and_get_threads(database: Database) {
    let desk = with_slack_at_rest(database).await;
    flood(&desk, 22).await;
    desk.twilio.text(CAROL, LINE, "an honest text").await;
    desk.twilio.text(ALICE, LINE, "known to the desk").await;
    desk.twilio
        .calling(DAVE, LINE)
        .caller(Caller::hanging_up_after(12))
        .place()
        .await;
    take_posts(&desk);
    expect_shown(&desk, "an honest text").await;
    let honest = place(&desk, "an honest text");
    assert!(honest < 22, "Carol waits for {honest} posts");
    for (who, words) in [("Alice", "known to the desk"), ("Dave", "(702) 555-0178")] {
        let place = place(&desk, words);
        assert!(
            place < honest,
            "{who} waits for {place} posts, Carol for {honest}"
        );
    }
    expect_all_opened(&desk).await;
    expect_each_once(&desk, 22);
    assert_eq!(times_shown(&desk, "an honest text"), 1);
    let threads = "select count(*) from conversation where thread_ts = ''";
    assert_eq!(desk.query_one(threads).await, 0);
    desk.close().await;
}

async fn a_listed_caller_is_answered_in_a_thread_of_their_own(database: Database) {
    let desk = with_slack_at_rest(database).await;
    flood(&desk, 2 * FLOOD).await;
    desk.twilio.text(CAROL, LINE, "an honest text").await;
    desk.twilio.text(CAROL, LINE, "and another").await;
    take_posts(&desk);
    let list = expect_shown(&desk, "an honest text").await;
    // Under the list nothing is sent, for nobody could say to whom.
    desk.reply(&list, "To whom?").await;
    let told = desk.slack.wait_until(
        |world| {
            let mut shown = world.ephemerals(DORA);
            shown.any(|shown| shown.text.contains("list of several callers"))
        },
        PATIENCE,
    );
    assert!(told.await, "its writer is told");
    let carol = conversation_of(&desk, CAROL).await;
    let answer = desk
        .slack
        .press_in(DORA, CHANNEL, &list.ts, Some(&carol), "open_thread")
        .await;
    assert_eq!(answer.status, 200);
    let found = desk.slack.wait_for(PATIENCE, |world| {
        let mut roots = world.roots(CHANNEL).into_iter();
        let is_hers = |shown: &str| shown.contains("(702) 555-0177") && shown.contains("Claim");
        roots.find(|root| is_hers(&world.rendered(root))).cloned()
    });
    let root = found.await.expect("a thread of her own");
    let shown = desk.slack.rendered(&root);
    let (first, second) = (shown.find("an honest text"), shown.find("and another"));
    assert!(first.is_some() && first < second, "in order: {shown}");
    desk.reply(&root, "On our way").await;
    desk.expect_texted(CAROL, &["On our way"]).await;
    desk.twilio.text(CAROL, LINE, "Thank you").await;
    desk.expect_words_in_thread(&root.ts, "Thank you").await;
    expect_all_opened(&desk).await;
    expect_each_once(&desk, 2 * FLOOD);
    assert_eq!(times_shown(&desk, "an honest text"), 1);
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn listed_texts_survive_a_kill(database: Database) {
    let mut desk = with_slack_at_rest(database).await;
    flood(&desk, 2 * FLOOD).await;
    desk.relay().kill().await;
    take_posts(&desk);
    desk.slack
        .faults()
        .push_many("chat.postMessage", 3, Effect::Hang.accepted());
    desk.start_relay().await;
    flood(&desk, 2 * FLOOD).await;
    expect_shown(&desk, "made-up text 019").await;
    desk.relay().kill().await;
    desk.start_relay().await;
    expect_all_opened(&desk).await;
    for n in 0..2 * FLOOD {
        let words = format!("made-up text {n:03}");
        let kept = desk.slack.read(|world| {
            let messages = world.channel(CHANNEL).unwrap().messages.values();
            let shown = messages.map(|message| world.rendered(message).matches(&words).count());
            shown.sum::<usize>()
        });
        assert_eq!(kept, 2, "{words} was texted twice");
    }
    desk.close().await;
}

async fn a_list_that_slack_does_not_take_falls_into_threads(database: Database) {
    let mut desk = with_slack_at_rest(database).await;
    desk.expect_error("Slack does not take a message");
    desk.slack
        .refuse_words("chat.postMessage", "zzyzx", "an_error_nobody_knows");
    flood(&desk, FLOOD + 3).await;
    desk.twilio.text(CAROL, LINE, "a zzyzx of a text").await;
    take_posts(&desk);
    expect_all_opened(&desk).await;
    expect_each_once(&desk, FLOOD + 3);
    let root = expect_shown(&desk, "(702) 555-0177").await;
    let shown = desk.slack.rendered(&root);
    assert!(shown.contains("Slack refuses to show"), "{shown}");
    desk.slack
        .press(DORA, CHANNEL, &root.ts, "show_words")
        .await;
    let shown = desk.slack.wait_until(
        |world| {
            let mut alone = world.ephemerals(DORA);
            alone.any(|shown| shown.text.contains("a zzyzx of a text"))
        },
        PATIENCE,
    );
    assert!(shown.await, "her words are not lost");
    desk.close().await;
}

/// Withheld numbers that ring and are gone.
async fn hang_ups(desk: &Desk, count: usize) {
    let calls = (0..count).map(|_| {
        desk.twilio
            .calling("anonymous", LINE)
            .caller(Caller::hanging_up_after(10))
            .place()
    });
    for call in calls {
        call.await;
    }
}

async fn hang_ups_of_a_flood_share_a_thread(database: Database) {
    let desk = with_slack_at_rest(database).await;
    hang_ups(&desk, FLOOD + 6).await;
    desk.twilio.text(CAROL, LINE, "an honest text").await;
    take_posts(&desk);
    expect_shown(&desk, "an honest text").await;
    let honest = place(&desk, "an honest text");
    assert!(honest < FLOOD + 6, "Carol waits for {honest} posts");
    let shared = "select count(*) from call join conversation c on c.id = call.conversation_id \
                  where c.caller = 'anonymous calls'";
    assert!(desk.query_one(shared).await > 1, "calls share a thread");
    desk.expect_quiet().await;
    expect_all_opened(&desk).await;
    let calls = "select count(*) from call";
    assert_eq!(desk.query_one(calls).await, FLOOD as i64 + 6);
    desk.close().await;
}

/// The flood came long before: its threads give way no more.
async fn age_flood(desk: &Desk) {
    desk.execute("update lane set served_at = served_at - 20000 where id like 'thread:%' and due is not null")
        .await;
}

async fn who_wants_no_texts_is_listed_too(database: Database) {
    let desk = with_slack_at_rest(database).await;
    for n in 0..30 {
        desk.twilio.text(&made_up(n), LINE, "stop").await;
    }
    age_flood(&desk).await;
    desk.twilio
        .text(CAROL, LINE, "please stop texting me")
        .await;
    take_posts(&desk);
    expect_shown(&desk, "please stop texting me").await;
    let honest = place(&desk, "please stop texting me");
    assert!(honest < 25, "Carol waits for {honest} posts");
    // What we say of somebody who is only listed waits for their thread.
    let deadline = Instant::now() + 3 * PATIENCE;
    let asks = "sounds as if the caller wants no more texts";
    while times_shown(&desk, asks) == 0 {
        assert!(Instant::now() < deadline, "Carol has no thread");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    expect_all_opened(&desk).await;
    assert_eq!(times_shown(&desk, "wants no more texts"), 31);
    desk.close().await;
}

async fn files_of_a_listed_text_follow_its_thread(database: Database) {
    let desk = with_slack_at_rest(database).await;
    for n in 0..FLOOD + 2 {
        let inbound = desk
            .twilio
            .inbound(&made_up(n), LINE, &format!("made-up text {n:03}"))
            .media("image/jpeg", &b"a picture"[..]);
        inbound.send().await;
    }
    desk.twilio
        .inbound(CAROL, LINE, "the gate is open")
        .media("image/jpeg", &b"the gate"[..])
        .media("application/zip", &b"no picture"[..])
        .send()
        .await;
    assert_eq!(desk.query_one("select count(*) from listed").await, 3);
    take_posts(&desk);
    expect_all_opened(&desk).await;
    expect_each_once(&desk, FLOOD + 2);
    let sql = format!("select thread_ts from conversation where caller = '{CAROL}'");
    let root = desk.words(sql).await.remove(0);
    let thread = desk.slack.thread(CHANNEL, &root);
    let files = thread.iter().filter(|message| !message.files.is_empty());
    assert_eq!(files.count(), 1, "{thread:#?}");
    desk.expect_words_in_thread(&root, "application/zip").await;
    let roots = "select count(*) from outbox where kind = 'picture' and state = 'delivered'";
    assert_eq!(desk.query_one(roots).await, FLOOD as i64 + 3);
    desk.close().await;
}

async fn a_listed_text_that_came_late_says_so(database: Database) {
    let desk = with_slack_at_rest(database).await;
    let faults = desk.twilio.faults();
    faults.always("Messages.list", Effect::Status(500).not_accepted());
    flood(&desk, FLOOD + 1).await;
    let late = desk
        .twilio
        .inbound(CAROL, LINE, "please send a taxi")
        .aged(Duration::from_secs(5))
        .withhold_webhook()
        .send()
        .await;
    desk.twilio
        .text(CAROL, LINE, "no wait, cancel that, please")
        .await;
    assert_eq!(desk.twilio.deliver_webhook(&late.sid).await.status, 200);
    let listed = "select count(*) from listed l join message m on m.id = l.message_id \
                  where m.body in ('please send a taxi', 'no wait, cancel that, please')";
    assert_eq!(desk.query_one(listed).await, 2);
    faults.clear("Messages.list");
    let deadline = Instant::now() + PATIENCE;
    while desk.audited("text_marked_late").await == 0 {
        assert!(Instant::now() < deadline, "it is not marked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    take_posts(&desk);
    expect_all_opened(&desk).await;
    let sql = format!("select thread_ts from conversation where caller = '{CAROL}'");
    let ts = desk.words(sql).await.remove(0);
    let roots = desk.slack.roots(CHANNEL);
    let root = roots.into_iter().find(|it| it.ts == ts).expect("her root");
    let shown = desk.slack.rendered(&root);
    assert_eq!(
        shown.matches("A text above was written after it.").count(),
        1,
        "{shown}"
    );
    assert_eq!(desk.audited("text_marked_late").await, 1);
    desk.close().await;
}

async fn words_in_a_list_under_way_are_not_erased_yet(database: Database) {
    let desk = with_slack_at_rest(database).await;
    flood(&desk, FLOOD).await;
    desk.twilio.text(CAROL, LINE, "an honest text").await;
    desk.execute(
        "update outbox set state = 'unknown', next_at = next_at + 600000 where kind = 'list'",
    )
    .await;
    let said = desk.run(&["erase", "--yes", CAROL]).await.unwrap_err();
    assert!(said.contains("are just being made"), "{said}");
    for sql in [
        "update outbox set state = 'waiting', next_at = next_at - 600000 where kind = 'list'",
        "update lane set due = 1 where id like 'list:%'",
    ] {
        desk.execute(sql).await;
    }
    desk.erase(&[CAROL]).await.unwrap();
    assert_eq!(desk.query_one("select count(*) from listed").await, 0);
    take_posts(&desk);
    desk.expect_quiet().await;
    assert_eq!(times_shown(&desk, "an honest text"), 0);
    desk.close().await;
}

async fn a_copy_of_a_list_is_nobodys_thread(database: Database) {
    let desk = with_slack_at_rest(database).await;
    flood(&desk, FLOOD).await;
    desk.twilio.text(CAROL, LINE, "an honest text").await;
    // Every first try, the list's among them, is accepted after it has been looked for in vain.
    let late = Effect::Late(Duration::from_millis(500)).not_accepted();
    let faults = desk.slack.faults();
    faults.push_many("chat.postMessage", FLOOD + 1, late);
    let deadline = Instant::now() + PATIENCE;
    while faults.waiting("chat.postMessage") > 0 {
        assert!(Instant::now() < deadline, "not everything is tried");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    take_posts(&desk);
    let copy = desk.slack.wait_for(PATIENCE, |world| {
        let mut roots = world.roots(CHANNEL);
        roots.retain(|root| world.rendered(root).contains("Open thread"));
        roots.get(1).map(|root| (*root).clone())
    });
    let copy = copy.await.expect("a copy of the list");
    let told = async |times: usize| {
        desk.slack
            .wait_until(
                |world| {
                    let shown = world.ephemerals(DORA);
                    let told = shown.filter(|it| it.text.contains("list of several callers"));
                    told.count() >= times
                },
                PATIENCE,
            )
            .await
    };
    desk.reply(&copy, "To whom?").await;
    assert!(told(1).await, "who wrote before the copy was known is told");
    expect_all_opened(&desk).await;
    desk.reply(&copy, "And now?").await;
    assert!(told(2).await, "and who writes afterwards");
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn lists_are_kept_while_they_name_somebody(database: Database) {
    let desk = with_slack_at_rest(database).await;
    flood(&desk, FLOOD).await;
    desk.twilio.text(CAROL, LINE, "an honest text").await;
    take_posts(&desk);
    let list = expect_shown(&desk, "Open thread").await;
    stop_posts(&desk);
    assert!(desk.slack.rendered(&list).contains("an honest text"));
    let posted = "select count(*) from outbox where kind = 'list' and state = 'delivered'";
    while desk.query_one(posted).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.execute("update outbox set updated_at = updated_at - 2700000000 where kind = 'list'")
        .await;
    desk.expect_rounds(2).await;
    assert_eq!(desk.query_one(posted).await, 1, "Carol is in it");
    take_posts(&desk);
    expect_all_opened(&desk).await;
    // Her root is made of what was listed while it may be edited.
    desk.execute("update listed set came_at = came_at - 2700000000")
        .await;
    desk.expect_rounds(2).await;
    assert_eq!(desk.query_one("select count(*) from listed").await, 1);
    desk.execute("update thread set next_ts = ts").await;
    let deadline = Instant::now() + PATIENCE;
    while desk.query_one("select count(*) from listed").await > 0 {
        assert!(Instant::now() < deadline, "it is still kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    desk.close().await;
}

/// How long an honest new caller waits behind a flood, at Slack's pace. Prints what it measures:
/// `cargo test --release --test suite -- --ignored --nocapture flood`.
mod flood {
    use super::{CAROL, Database, Desk, Instant, LINE, expect_shown, flood, hang_ups};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "it takes minutes, and measures"]
    async fn behind_300_made_up_numbers() {
        let desk = Desk::on(Database::Sqlite).start().await;
        desk.slack.set_rate_limit(true);
        flood(&desk, 300).await;
        behind(&desk, "300 made-up numbers").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "it takes minutes, and measures"]
    async fn behind_300_withheld_hang_ups() {
        let desk = Desk::on(Database::Sqlite).start().await;
        desk.slack.set_rate_limit(true);
        hang_ups(&desk, 300).await;
        behind(&desk, "300 withheld hang-ups").await;
    }

    async fn behind(desk: &Desk, whom: &str) {
        desk.twilio.text(CAROL, LINE, "an honest text").await;
        let texted = Instant::now();
        expect_shown(desk, "an honest text").await;
        let waited = texted.elapsed().as_secs_f64();
        println!("an honest new caller behind {whom}: {waited:.1} s");
    }
}
