//! Calls that nobody took, and callers who did not wait.

use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::Message;
use qdn_sandbox::twilio::{
    AfterSpeech, CallCallbacks, Callbacks, Caller, Event, Outcome, Party, Phone, Voicemail,
};

use crate::desk::{
    ALICE, BACKUP_PHONE, BOB, Builder, CHANNEL, DORA, Database, Desk, LINE, PATIENCE, SERGIO_PHONE,
};

stories! {
    a_caller_whom_nobody_took_leaves_a_message,
    a_message_arrives_however_its_callbacks_come,
    a_message_arrives_once_whatever_goes_wrong_on_its_way,
    a_message_that_cannot_be_fetched_is_said_to_be_lost,
    a_greeting_can_be_text_or_sound,
    whoever_says_nothing_leaves_no_message,
    a_missed_caller_is_texted_once,
    an_answered_caller_is_not_texted,
    withheld_and_landline_numbers_are_not_texted,
    a_caller_who_hangs_up_is_told_of,
    texts_and_calls_of_a_caller_stand_in_one_thread,
}

const TEXT: &str = "Sorry we missed you, write here and we answer.";

fn with_text(database: Database) -> Builder {
    Desk::on(database).replace(
        "number = \"+16195550100\"",
        &format!("number = \"+16195550100\"\nmissed_call_text = \"{TEXT}\""),
    )
}

/// The messages in the thread that carry a file.
async fn expect_files(desk: &Desk, root: &str, count: usize) -> Vec<Message> {
    let with_files = |messages: Vec<Message>| -> Vec<Message> {
        messages
            .into_iter()
            .filter(|message| !message.files.is_empty())
            .collect()
    };
    let reached = desk
        .slack
        .wait_until(
            |world| {
                let thread = world.thread(CHANNEL, root).into_iter();
                with_files(thread.cloned().collect()).len() >= count
            },
            PATIENCE,
        )
        .await;
    let found = with_files(desk.slack.thread(CHANNEL, root));
    assert!(
        reached && found.len() == count,
        "{count} files in the thread: {:#?}",
        desk.replies(root)
    );
    found
}

async fn a_caller_whom_nobody_took_leaves_a_message(database: Database) {
    let desk = Desk::on(database).start().await;
    let story = desk.twilio.call(ALICE, LINE).await;
    assert!(
        matches!(story.outcome, Outcome::Voicemail { seconds: 10, .. }),
        "{story:#?}"
    );
    let greeted = story.events.iter().any(|happened| {
        matches!(&happened.event, Event::Heard { who: Party::Caller, words }
            if words.starts_with("Sorry, nobody can take your call right now. Your message is recorded and put in writing."))
    });
    assert!(greeted, "{story:#?}");
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(
        &root,
        "Missed call, Sergio did not answer, Backup did not answer, the caller left a message of 10 s",
    )
    .await;
    let notice = desk
        .expect_words_in_thread(&root, "Missed call from (619) 555-0142")
        .await;
    assert!(!notice.is_broadcast(), "its root stands there: {notice:?}");
    let shared = expect_files(&desk, &root, 1).await.remove(0);
    let file = desk
        .slack
        .read(|world| world.file(&shared.files[0]).cloned())
        .unwrap();
    assert!(
        file.name.starts_with("(619) 555-0142 20") && file.name.ends_with(".mp3"),
        "{}",
        file.name
    );
    assert_eq!(file.mimetype, "audio/mpeg");
    desk.expect_words_in_thread(&root, "please call me back")
        .await;
    desk.expect_quiet().await;
    desk.close().await;
}

async fn a_message_arrives_however_its_callbacks_come(database: Database) {
    let desk = Desk::on(database).start().await;
    let ways = [
        (ALICE, CallCallbacks::Dropped),
        (BOB, CallCallbacks::Doubled),
        ("+16195550144", CallCallbacks::Reversed),
    ];
    for (caller, way) in ways {
        let story = desk
            .twilio
            .calling(caller, LINE)
            .callbacks(way)
            .place()
            .await;
        assert!(
            matches!(story.outcome, Outcome::Voicemail { .. }),
            "{story:#?}"
        );
    }
    desk.expect_quiet().await;
    let calls: Vec<Message> = desk
        .slack
        .roots(CHANNEL)
        .into_iter()
        .filter(|message| !message.is_broadcast())
        .collect();
    assert_eq!(calls.len(), 3);
    for call in calls {
        expect_files(&desk, &call.ts, 1).await;
    }
    desk.close().await;
}

async fn a_message_arrives_once_whatever_goes_wrong_on_its_way(database: Database) {
    let desk = Desk::on(database).start().await;
    let slack = desk.slack.faults();
    let twilio = desk.twilio.faults();
    twilio.push("Recordings.fetch", Effect::Status(404).not_accepted());
    slack.push("upload", Effect::Reset.not_accepted());
    slack.push("files.completeUploadExternal", Effect::Hang.accepted());
    desk.twilio.call(ALICE, LINE).await;
    let root = desk.expect_thread_of_call().await;
    expect_files(&desk, &root, 1).await;
    desk.expect_quiet().await;
    expect_files(&desk, &root, 1).await;

    // Now it did not happen: it is done again.
    twilio.push("Recordings.fetch", Effect::Reset.not_accepted());
    slack.push(
        "files.getUploadURLExternal",
        Effect::Status(500).not_accepted(),
    );
    slack.push("files.completeUploadExternal", Effect::Hang.not_accepted());
    desk.twilio.call(ALICE, LINE).await;
    expect_files(&desk, &root, 2).await;
    desk.expect_quiet().await;
    expect_files(&desk, &root, 2).await;
    desk.close().await;
}

async fn a_message_that_cannot_be_fetched_is_said_to_be_lost(database: Database) {
    let mut desk = Desk::on(database).start().await;
    desk.expect_error("could not be fetched from Twilio");
    desk.twilio
        .faults()
        .push("Recordings.fetch", Effect::Status(410).not_accepted());
    desk.twilio.call(ALICE, LINE).await;
    let root = desk.expect_thread_of_call().await;
    desk.expect_words_in_thread(&root, "could not be fetched")
        .await;
    desk.close().await;
}

async fn a_greeting_can_be_text_or_sound(database: Database) {
    let sound = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = sound.local_addr().unwrap();
    let routes = axum::Router::new().route(
        "/hello.mp3",
        axum::routing::get(|| async { ([("content-type", "audio/mpeg")], vec![0xff, 0xfb]) }),
    );
    tokio::spawn(async move { axum::serve(sound, routes).await.unwrap() });
    let desk = Desk::on(database)
        .replace(
            "number = \"+16195550100\"",
            "number = \"+16195550100\"\ngreeting = \"We are at sea & <busy>. Speak!\"",
        )
        .toml(&format!(
            "\n[[lines]]\nname = \"Airport\"\nnumber = \"+16195550101\"\nchannel = \"#qdn-dispatch\"\n\
             greeting = \"http://{address}/hello.mp3\"\ntranscribe = false\nring = [{{ people = [\"Backup\"], seconds = 5 }}]\n"
        ))
        .start()
        .await;
    let story = desk.twilio.call(ALICE, LINE).await;
    let heard = |words: &str| {
        story.events.iter().any(
            |happened| matches!(&happened.event, Event::Heard { words: heard, .. } if heard == words),
        )
    };
    assert!(heard("We are at sea & <busy>. Speak!"), "{story:#?}");
    let story = desk.twilio.call(ALICE, crate::desk::SECOND_LINE).await;
    let played = story.events.iter().any(
        |happened| matches!(&happened.event, Event::Played { url, .. } if url.ends_with("/hello.mp3")),
    );
    assert!(played, "{story:#?}");
    assert!(
        !story
            .exchanges
            .iter()
            .any(|e| e.body.contains("transcribe"))
    );
    desk.expect_quiet().await;
    desk.close().await;
}

async fn whoever_says_nothing_leaves_no_message(database: Database) {
    let desk = Desk::on(database).start().await;
    for (caller, voicemail) in [(ALICE, Voicemail::HangsUp), (BOB, Voicemail::Silent)] {
        let caller_is = Caller {
            voicemail,
            ..Caller::default()
        };
        desk.twilio
            .calling(caller, LINE)
            .caller(caller_is)
            .place()
            .await;
    }
    let presses = Caller {
        voicemail: Voicemail::Speaks {
            seconds: 3,
            words: "quick".into(),
            then: AfterSpeech::Presses('#'),
        },
        ..Caller::default()
    };
    let story = desk
        .twilio
        .calling("+16195550144", LINE)
        .caller(presses)
        .place()
        .await;
    assert!(
        story.events.iter().any(|happened| matches!(
            &happened.event,
            Event::Heard { words, .. } if words == "Thank you. Goodbye."
        )),
        "{story:#?}"
    );
    desk.expect_quiet().await;
    let files = desk
        .slack
        .accepted()
        .into_iter()
        .filter(|accepted| accepted.method == "files.completeUploadExternal")
        .count();
    assert_eq!(files, 1);
    desk.close().await;
}

async fn a_missed_caller_is_texted_once(database: Database) {
    let desk = with_text(database).start().await;
    desk.twilio
        .calling(ALICE, LINE)
        .repeat_webhooks(4)
        .callbacks(CallCallbacks::Doubled)
        .place()
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!((sms.to.as_str(), sms.body.as_str()), (ALICE, TEXT));
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(&root, "the caller was sent the text for missed calls")
        .await;
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn an_answered_caller_is_not_texted(database: Database) {
    let desk = with_text(database).start().await;
    desk.twilio
        .set_phone(BACKUP_PHONE, Phone::pick_up(2).pressing("1").talking(5));
    desk.twilio.call(ALICE, LINE).await;
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(&root, "Call, 7 s").await;
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn withheld_and_landline_numbers_are_not_texted(database: Database) {
    let desk = with_text(database).start().await;
    for from in ["anonymous", "+266696687", "", "Restricted"] {
        desk.twilio.call(from, LINE).await;
    }
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    // Alice's number turns out to be a landline: the first text is tried, and no other.
    desk.twilio
        .set_callbacks(Callbacks::automatic(std::time::Duration::ZERO));
    desk.twilio.fail_number(ALICE, "undelivered", 30006);
    for _ in 0..2 {
        desk.twilio.call(ALICE, LINE).await;
        desk.expect_quiet().await;
        let told = desk
            .slack
            .wait_until(
                |world| {
                    let roots = world.roots(CHANNEL).into_iter();
                    let mut threads = roots.map(|root| world.thread(CHANNEL, &root.ts));
                    threads.any(|thread| {
                        thread
                            .iter()
                            .any(|message| message.text.contains("this is a landline"))
                    })
                },
                PATIENCE,
            )
            .await;
        assert!(told, "that it is a landline");
    }
    desk.expect_sms(1).await;
    desk.close().await;
}

async fn a_caller_who_hangs_up_is_told_of(database: Database) {
    let desk = Desk::on(database).start().await;
    let story = desk
        .twilio
        .calling(ALICE, LINE)
        .caller(Caller::hanging_up_after(6))
        .place()
        .await;
    assert_eq!(story.outcome, Outcome::HungUpByCaller);
    let root = desk.expect_thread_of_call().await;
    desk.expect_root_words(
        &root,
        "Missed call, the caller hung up while Sergio's phone rang",
    )
    .await;
    desk.expect_quiet().await;
    assert_eq!(desk.replies(&root), Vec::<String>::new());

    desk.twilio
        .calling(BOB, LINE)
        .caller(Caller::hanging_up_after(20))
        .place()
        .await;
    desk.expect_quiet().await;
    let roots = desk.slack.roots(CHANNEL);
    desk.expect_root_words(
        &roots[1].ts,
        "Sergio did not answer, the caller hung up while Backup's phone rang",
    )
    .await;
    let notice = desk
        .expect_words_in_thread(&roots[1].ts, "the caller hung up after waiting")
        .await;
    assert!(!notice.is_broadcast());
    desk.close().await;
}

async fn texts_and_calls_of_a_caller_stand_in_one_thread(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio.text(ALICE, LINE, "Is anybody there?").await;
    let root = desk.expect_thread().await;
    desk.twilio
        .set_phone(SERGIO_PHONE, Phone::pick_up(2).pressing("1").talking(60));
    desk.twilio.call(ALICE, LINE).await;
    let call = desk.expect_words_in_thread(&root.ts, "Call, ").await;
    desk.expect_root_words(&call.ts, "Call, 1 min 2 s, Sergio took it")
        .await;
    desk.expect_quiet().await;
    desk.slack
        .post_as(DORA, CHANNEL, Some(&root.ts), "On his way")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!((sms.to.as_str(), sms.body.as_str()), (ALICE, "On his way"));
    // A thread that a call began takes replies just the same.
    desk.twilio.call(BOB, LINE).await;
    desk.expect_quiet().await;
    let of_call = desk.slack.roots(CHANNEL).remove(1);
    desk.slack
        .post_as(DORA, CHANNEL, Some(&of_call.ts), "You called us?")
        .await;
    assert_eq!(desk.expect_sms(2).await[1].to, BOB);
    desk.close().await;
}
