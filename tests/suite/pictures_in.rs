//! Pictures that callers send: into the thread, in order, behind their words; or named there as lost.

use std::time::Duration;

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Message;

use crate::desk::{ALICE, BOB, CHANNEL, Database, Desk, LINE, PATIENCE};

stories! {
    pictures_come_behind_their_words_and_in_order,
    a_text_of_pictures_only_begins_a_thread,
    a_picture_that_is_not_there_yet_is_asked_for_again,
    a_lost_picture_is_named_and_holds_no_words,
    a_picture_comes_once_whatever_goes_wrong_on_its_way,
    what_is_too_large_or_of_no_kind_is_named,
    pictures_of_a_text_found_late_come_too,
    credentials_go_nowhere_but_to_the_api,
    pictures_survive_a_restart_in_the_middle,
    pictures_are_no_replies,
    a_file_that_does_not_come_holds_no_other,
}

/// Names and bytes of the files in a thread, in order, once there are that many.
async fn expect_files(desk: &Desk, root: &str, count: usize) -> Vec<(String, Vec<u8>)> {
    let ids = |messages: Vec<&Message>| -> Vec<String> {
        let files = messages.into_iter().flat_map(|message| &message.files);
        files.cloned().collect()
    };
    let reached = desk
        .slack
        .wait_until(
            |world| ids(world.thread(CHANNEL, root)).len() >= count,
            PATIENCE,
        )
        .await;
    let found: Vec<(String, Vec<u8>)> = desk.slack.read(|world| {
        let ids = ids(world.thread(CHANNEL, root)).into_iter();
        ids.map(|id| world.file(&id).unwrap().clone())
            .map(|file| (file.name, file.bytes))
            .collect()
    });
    assert!(
        reached && found.len() == count,
        "{count} files in the thread, but there are {:?}",
        found.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    found
}

fn names(files: &[(String, Vec<u8>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

async fn pictures_come_behind_their_words_and_in_order(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.twilio
        .inbound(ALICE, LINE, "Look at this gate")
        .media("image/jpeg", &b"one"[..])
        .media("image/png", &b"two"[..])
        .media("video/3gpp", &b"three"[..])
        .media("text/x-vcard", &b"four"[..])
        .send()
        .await;
    desk.twilio.text(ALICE, LINE, "and hurry").await;
    let files = expect_files(&desk, &root.ts, 4).await;
    let expected = [
        ("picture 1.jpg", "one"),
        ("picture 2.png", "two"),
        ("video 3.3gp", "three"),
        ("contact 4.vcf", "four"),
    ];
    let expected = expected.map(|(name, bytes)| (name.to_owned(), bytes.as_bytes().to_vec()));
    assert_eq!(files, expected);
    let shown = desk.replies(&root.ts);
    let words = shown
        .iter()
        .position(|words| words.contains("gate"))
        .unwrap();
    let first_file = desk
        .slack
        .thread(CHANNEL, &root.ts)
        .iter()
        .position(|message| !message.files.is_empty())
        .unwrap();
    assert!(words < first_file, "the words go first");
    assert!(shown[words].contains("4 files follow."), "{shown:?}");
    assert!(shown.contains(&"and hurry".to_owned()), "{shown:?}");
    desk.close().await;
}

async fn a_text_of_pictures_only_begins_a_thread(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .inbound(ALICE, LINE, "")
        .media("image/jpeg", &b"one"[..])
        .repeat(3)
        .send()
        .await;
    let root = desk.expect_thread().await;
    let shown = desk.slack.rendered(&root);
    assert!(shown.contains("A picture follows."), "{shown}");
    assert!(root.text.ends_with("(a picture)"), "{}", root.text);
    let files = expect_files(&desk, &root.ts, 1).await;
    assert_eq!(names(&files), ["picture 1.jpg"]);
    desk.expect_quiet().await;
    expect_files(&desk, &root.ts, 1).await;
    desk.close().await;
}

async fn a_picture_that_is_not_there_yet_is_asked_for_again(database: Database) {
    let desk = Desk::on(database).start().await;
    let faults = desk.twilio.faults();
    let not_there = Effect::Error("20404".into()).not_accepted();
    faults.push_many("Media.fetch", 2, not_there);
    // The address on the other host is refused, and the page of a proxy is no picture.
    faults.push("Media.bytes", Effect::Status(403).not_accepted());
    faults.push("Media.bytes", Effect::Garbage.not_accepted());
    faults.push("Media.bytes", Effect::CutShort.not_accepted());
    desk.twilio
        .inbound(ALICE, LINE, "Look")
        .media("image/jpeg", vec![7; 4_000])
        .media("image/jpeg", &b"two"[..])
        .send()
        .await;
    let root = desk.expect_thread().await;
    let mut files = expect_files(&desk, &root.ts, 2).await;
    // Which of them runs into the faults is chance, and one in trouble does not hold the other.
    files.sort();
    assert_eq!(names(&files), ["picture 1.jpg", "picture 2.jpg"]);
    assert_eq!(files[0].1.len(), 4_000);
    assert_eq!(faults.waiting("Media.bytes"), 0);
    desk.close().await;
}

async fn a_lost_picture_is_named_and_holds_no_words(database: Database) {
    let desk = Desk::on(database).start().await;
    let faults = desk.twilio.faults();
    faults.always("Media.fetch", Effect::Status(503).not_accepted());
    desk.twilio
        .inbound(ALICE, LINE, "Look")
        .media("image/jpeg", &b"one"[..])
        .send()
        .await;
    let root = desk.expect_thread().await;
    desk.twilio.text(ALICE, LINE, "still waiting").await;
    desk.expect_words_in_thread(&root.ts, "still waiting").await;
    faults.always("Media.fetch", Effect::Error("20404".into()).not_accepted());
    let lost = desk
        .expect_words_in_thread(&root.ts, "picture 1.jpg could not be fetched from Twilio")
        .await;
    let replies = desk.slack.thread(CHANNEL, &root.ts);
    let waiting = replies
        .iter()
        .position(|message| desk.slack.rendered(message) == "still waiting");
    let lost = replies.iter().position(|message| message.ts == lost.ts);
    assert!(waiting < lost, "words do not wait for a picture");
    desk.expect_quiet().await;
    expect_files(&desk, &root.ts, 0).await;
    // Once it is there after all, the operator can have it fetched.
    faults.clear("Media.fetch");
    let listed = desk.run(&["outbox", "list"]).await.unwrap();
    let row = listed
        .lines()
        .find(|line| line.contains("picture"))
        .unwrap();
    let id = row.split_whitespace().next().unwrap();
    desk.run(&["outbox", "retry", id]).await.unwrap();
    expect_files(&desk, &root.ts, 1).await;
    desk.close().await;
}

async fn a_picture_comes_once_whatever_goes_wrong_on_its_way(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let steps = [
        ("files.getUploadURLExternal", Effect::Status(503).accepted()),
        ("upload", Effect::Reset.accepted()),
        ("files.completeUploadExternal", Effect::Reset.accepted()),
        (
            "files.completeUploadExternal",
            Effect::Status(500).not_accepted(),
        ),
        ("files.completeUploadExternal", Effect::Garbage.accepted()),
    ];
    for (count, (step, fault)) in steps.into_iter().enumerate() {
        desk.slack.faults().push(step, fault);
        desk.twilio
            .inbound(ALICE, LINE, "")
            .media("image/gif", vec![u8::try_from(count).unwrap(); 9])
            .send()
            .await;
        let files = expect_files(&desk, &root.ts, count + 1).await;
        assert_eq!(files[count].1[0], u8::try_from(count).unwrap());
    }
    desk.expect_quiet().await;
    expect_files(&desk, &root.ts, 5).await;
    desk.close().await;
}

async fn what_is_too_large_or_of_no_kind_is_named(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .inbound(ALICE, LINE, "Look")
        .media("video/mp4", vec![0; 25 * 1024 * 1024 + 1])
        .media("text/html", &b"<script>"[..])
        .media("image/png", &b"fine"[..])
        .send()
        .await;
    let root = desk.expect_thread().await;
    desk.expect_words_in_thread(
        &root.ts,
        "video 1.mp4 is not shown: it is larger than 25 MB",
    )
    .await;
    desk.expect_words_in_thread(
        &root.ts,
        "file 2 is not shown: files of its kind (text/html)",
    )
    .await;
    let files = expect_files(&desk, &root.ts, 1).await;
    assert_eq!(names(&files), ["picture 3.png"]);
    desk.close().await;
}

async fn pictures_of_a_text_found_late_come_too(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.set_media_auth(true);
    desk.twilio
        .inbound(ALICE, LINE, "nobody told you of this")
        .media("image/jpeg", &b"one"[..])
        .media("image/png", &b"two"[..])
        .withhold_webhook()
        .send()
        .await;
    let root = desk.expect_thread().await;
    let files = expect_files(&desk, &root.ts, 2).await;
    assert_eq!(names(&files), ["picture 1.jpg", "picture 2.png"]);
    desk.close().await;
}

async fn credentials_go_nowhere_but_to_the_api(database: Database) {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    let desk = Desk::on(database).start().await;
    desk.twilio.set_media_auth(true);
    let account = "AC".to_owned() + &"0".repeat(32);
    for place in [
        format!("http://{address}/secret"),
        format!("http://{address}/2010-04-01/Accounts/{account}/Messages/MM1/Media/ME1"),
        format!("{}/2010-04-01/Accounts/{account}.json", desk.twilio.url()),
    ] {
        desk.twilio
            .inbound(ALICE, LINE, "Look")
            .media("image/jpeg", &b"one"[..])
            .param("MediaUrl0", &place)
            .send()
            .await;
    }
    let root = desk.expect_thread().await;
    desk.expect_quiet().await;
    let shown = desk.replies(&root.ts);
    let lost = shown
        .iter()
        .filter(|words| words.contains("not one of Twilio's"));
    assert_eq!(lost.count(), 3, "{shown:?}");
    let asked = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(asked.is_err(), "nobody asks there");
    // The stand-in calls it a violation when credentials come to its other host; this one needs both.
    desk.twilio
        .inbound(ALICE, LINE, "Look")
        .media("image/jpeg", &b"one"[..])
        .send()
        .await;
    expect_files(&desk, &root.ts, 1).await;
    desk.close().await;
}

async fn pictures_survive_a_restart_in_the_middle(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    desk.slack.faults().push(
        "files.completeUploadExternal",
        Effect::Slow(Duration::from_millis(400)).accepted(),
    );
    desk.twilio
        .inbound(ALICE, LINE, "Look")
        .media("image/jpeg", &b"one"[..])
        .media("image/jpeg", &b"two"[..])
        .send()
        .await;
    // The first is shown, and its answer is on its way.
    expect_files(&desk, &root.ts, 1).await;
    desk.relay().kill().await;
    desk.start_relay().await;
    let files = expect_files(&desk, &root.ts, 2).await;
    assert_eq!(files[1].1, b"two");
    desk.expect_quiet().await;
    expect_files(&desk, &root.ts, 2).await;
    desk.close().await;
}

async fn pictures_are_no_replies(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .inbound(BOB, LINE, "Look")
        .media("image/jpeg", &b"one"[..])
        .send()
        .await;
    let root = desk.expect_thread().await;
    expect_files(&desk, &root.ts, 1).await;
    // Told by an event, and found again by the next comparison.
    desk.slack.wait_until_delivered(PATIENCE).await;
    desk.expect_rounds(2).await;
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn a_file_that_does_not_come_holds_no_other(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let faults = desk.twilio.faults();
    let troubles = [Effect::Error("20404".into()), Effect::Status(503)];
    for (count, trouble) in [9, 18].into_iter().zip(troubles) {
        faults.always("Media.fetch 1", trouble.not_accepted());
        let mut sms = desk.twilio.inbound(ALICE, LINE, "Look at these");
        for n in 0..10u8 {
            sms = sms.media("image/png", vec![n; 9]);
        }
        sms.send().await;
        let files = expect_files(&desk, &root.ts, count).await;
        let first: Vec<u8> = files[count - 9..]
            .iter()
            .map(|(_, bytes)| bytes[0])
            .collect();
        assert_eq!(first, (1..10).collect::<Vec<u8>>(), "in order");
        if count == 9 {
            desk.expect_words_in_thread(&root.ts, "picture 1.png could not be fetched")
                .await;
        }
    }
    faults.clear("Media.fetch 1");
    let files = expect_files(&desk, &root.ts, 19).await;
    assert_eq!(files[18].1[0], 0, "it comes when it can be had");
    desk.expect_quiet().await;
    desk.close().await;
}
