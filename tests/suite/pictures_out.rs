//! Files that dispatchers put in a thread: to the caller's phone, made fit for it, once; or named as not sent.

use std::io::Cursor;
use std::time::Duration;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::{Forgery, Message, Say};
use qdn_sandbox::twilio::{Callbacks, Created};
use serde_json::json;

use crate::desk::{ALICE, CHANNEL, DORA, Database, Desk, LINE, PATIENCE};

stories! {
    a_picture_in_the_thread_reaches_the_caller,
    several_pictures_go_together_with_their_words,
    a_picture_too_large_for_phones_is_scaled_down,
    what_phones_do_not_take_is_named_and_the_words_go,
    files_of_a_note_stay_inside,
    an_address_is_good_for_its_file_and_its_time_alone,
    a_picture_whose_answer_was_lost_is_not_sent_twice,
    a_picture_survives_a_restart_in_the_middle,
    words_wait_for_their_picture_and_later_words_for_them,
    a_file_deleted_before_it_left_is_named,
    a_picture_that_twilio_cannot_send_fails_as_a_text_does,
}

fn noise(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut seed = 7_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    let picture = RgbImage::from_fn(width, height, |_, _| Rgb([random(), random(), random()]));
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgb8(picture);
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn say(desk: &Desk, root: &Message, words: &str) -> Say {
    desk.slack.say(DORA, CHANNEL, words).in_thread(&root.ts)
}

/// The types and bytes that Twilio fetched for a text, once there are that many.
async fn expect_media(desk: &Desk, sms: &Created, count: usize) -> Vec<(String, Vec<u8>)> {
    let reached = desk
        .twilio
        .wait_until(PATIENCE, |it| it.media_of(&sms.sid).len() >= count)
        .await;
    let media = desk.twilio.media_of(&sms.sid);
    assert!(reached && media.len() == count, "{} media", media.len());
    let media = media.into_iter();
    media.map(|(kind, bytes)| (kind, bytes.to_vec())).collect()
}

async fn a_picture_in_the_thread_reaches_the_caller(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(20)));
    let root = desk.open(ALICE).await;
    let picture = noise(20, 20, ImageFormat::Jpeg);
    let ts = say(&desk, &root, "")
        .with_file("gate.jpg", "image/jpeg", &picture)
        .repeated(3, true)
        .send()
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!((sms.to.as_str(), sms.body.as_str()), (ALICE, ""));
    assert_eq!(sms.validity_period, Some(1));
    assert!(sms.media_urls[0].starts_with("https://desk.example.com/api/twilio/media/"));
    let media = expect_media(&desk, &sms, 1).await;
    assert_eq!(media, [("image/jpeg".to_owned(), picture)]);
    desk.expect_marks(&ts, &["white_check_mark"]).await;
    desk.expect_quiet().await;
    desk.expect_sms(1).await;
    assert_eq!(desk.replies(&root.ts).len(), 1, "nothing is said about it");
    desk.close().await;
}

async fn several_pictures_go_together_with_their_words(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let mut files = say(&desk, &root, "The gate, as <@U0SERGIO> saw it");
    for n in 1..=11_u32 {
        let picture = noise(n, n, ImageFormat::Png);
        files = files.with_file(&format!("{n}.png"), "image/png", &picture);
    }
    files
        .with_file("card.vcf", "text/vcard", b"BEGIN:VCARD")
        .send()
        .await;
    say(&desk, &root, "and drive on").send().await;
    let sms = desk.expect_sms(3).await;
    let bodies: Vec<&str> = sms.iter().map(|sms| sms.body.as_str()).collect();
    assert_eq!(
        bodies,
        ["The gate, as @Sergio saw it", "", "and drive on"],
        "nothing overtakes"
    );
    let first = expect_media(&desk, &sms[0], 10).await;
    for (n, (_, bytes)) in (1..).zip(&first) {
        let picture = image::load_from_memory(bytes).unwrap();
        assert_eq!(picture.width(), n, "in order");
    }
    let second = expect_media(&desk, &sms[1], 2).await;
    assert_eq!(second[1].0, "text/vcard");
    desk.close().await;
}

async fn a_picture_too_large_for_phones_is_scaled_down(database: Database) {
    // Without optimizations a picture takes a while.
    let desk = Desk::on(database)
        .replace("request_timeout = \"500ms\"", "request_timeout = \"10s\"")
        .replace("settle_after = \"2s\"", "settle_after = \"25s\"")
        .start()
        .await;
    let root = desk.open(ALICE).await;
    let picture = noise(1_500, 1_200, ImageFormat::Png);
    assert!(picture.len() > 5_000_000, "{}", picture.len());
    say(&desk, &root, "From above")
        .with_file("roof.png", "image/png", &picture)
        .send()
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    let media = expect_media(&desk, &sms, 1).await;
    assert_eq!(media[0].0, "image/jpeg");
    assert!(media[0].1.len() <= 5_000_000);
    let smaller = image::load_from_memory(&media[0].1).unwrap();
    assert_eq!((smaller.width(), smaller.height()), (1_500, 1_200));
    desk.close().await;
}

async fn what_phones_do_not_take_is_named_and_the_words_go(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    say(&desk, &root, "All we have")
        .with_file("plan.zip", "application/zip", b"PK")
        .with_file("*ring*.mp4", "video/mp4", &vec![0; 600_000])
        .with_file("fake.webp", "image/webp", b"no picture")
        .with_file("fine.png", "image/png", &noise(3, 3, ImageFormat::Png))
        .send()
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!(sms.body, "All we have");
    expect_media(&desk, &sms, 1).await;
    let told = desk
        .expect_words_in_thread(&root.ts, "plan.zip was not sent")
        .await;
    let told = desk.slack.rendered(&told);
    assert!(
        told.contains("ring.mp4 was not sent: it is too large"),
        "{told}"
    );
    assert!(
        told.contains("fake.webp was not sent: it cannot be read"),
        "{told}"
    );
    // Nothing is left of this one, and it is marked as failed.
    let ts = say(&desk, &root, "")
        .with_file("x.exe", "application/x-msdownload", b"MZ")
        .send()
        .await;
    desk.expect_marks(&ts, &["x"]).await;
    desk.expect_words_in_thread(&root.ts, "x.exe was not sent")
        .await;
    // Of another workspace, or at another host: the token goes nowhere else.
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/f.png", elsewhere.local_addr().unwrap());
    let second = root.ts.split('.').next().unwrap();
    for (n, file) in [
        json!({"id": "F0CONNECT", "file_access": "check_file_info"}),
        json!({"id": "F0DRIVE", "mode": "external", "mimetype": "image/png", "url_private": url}),
        json!({"id": "F0EVIL", "mode": "hosted", "mimetype": "image/png", "name": "f.png", "url_private": url}),
    ]
    .into_iter()
    .enumerate()
    {
        let event = json!({
            "type": "event_callback", "team_id": "T0QDN", "api_app_id": "A0QDN", "event_id": format!("Ev0F{n}"),
            "event": {
                "type": "message", "subtype": "file_share", "channel": CHANNEL, "user": DORA, "text": format!("file {n}"),
                "ts": format!("{second}.99999{n}"), "thread_ts": root.ts, "files": [file],
            },
        });
        let event = event.to_string();
        let sent = desk.slack.send_raw("/api/slack/events", "application/json", &event, Forgery::Genuine);
        assert_eq!(sent.await.unwrap().status, 200);
        assert_eq!(desk.expect_sms(n + 2).await[n + 1].body, format!("file {n}"));
    }
    desk.expect_quiet().await;
    let shown = desk.replies(&root.ts);
    let left_out = shown
        .iter()
        .filter(|words| words.contains("not in this Slack workspace"));
    assert_eq!(left_out.count(), 3, "{shown:?}");
    let asked = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(asked.is_err(), "nobody asks there");
    desk.close().await;
}

async fn files_of_a_note_stay_inside(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let ts = say(&desk, &root, "// for us alone")
        .with_file("map.png", "image/png", &noise(3, 3, ImageFormat::Png))
        .send()
        .await;
    desk.expect_marks(&ts, &["lock"]).await;
    desk.expect_quiet().await;
    desk.expect_sms(0).await;
    desk.close().await;
}

async fn an_address_is_good_for_its_file_and_its_time_alone(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    for words in ["one", "two"] {
        say(&desk, &root, words)
            .with_file("a.png", "image/png", &noise(3, 3, ImageFormat::Png))
            .send()
            .await;
    }
    let sms = desk.expect_sms(2).await;
    for one in &sms {
        expect_media(&desk, one, 1).await;
    }
    let paths: Vec<String> = sms
        .iter()
        .map(|sms| sms.media_urls[0].replace("https://desk.example.com", ""))
        .collect();
    let (status, content_type, _) = desk.get_bytes(&paths[0]).await;
    assert_eq!((status, content_type.as_str()), (200, "image/png"));
    // It holds over a restart.
    desk.relay().kill().await;
    desk.start_relay().await;
    assert_eq!(desk.get_bytes(&paths[0]).await.0, 200);
    let part = |path: &str, n: usize| path.rsplit('/').nth(n).unwrap().to_owned();
    let (id, signed) = (part(&paths[0], 1), part(&paths[0], 0));
    let (end, signature) = signed.split_once('.').unwrap();
    let later: i64 = end.parse::<i64>().unwrap() + 1;
    let media = "/api/twilio/media";
    for path in [
        format!("{media}/{id}/{later}.{signature}"),
        format!("{media}/{id}/1.{signature}"),
        format!("{media}/{}/{signed}", part(&paths[1], 1)),
        format!("{media}/{id}/{end}.{}", "0".repeat(64)),
        format!("{media}/{id}/{end}"),
        format!("{media}/{id}/"),
        format!("{media}/{id}"),
        format!("{media}/"),
        media.to_owned(),
        format!("{media}/..%2fqdn.db/{signed}"),
        format!("{media}/%2e%2e/{signed}"),
    ] {
        assert_eq!(desk.get_bytes(&path).await.0, 404, "{path}");
    }
    let posted = crate::desk::http().post(desk.url(&paths[0])).send().await;
    assert_eq!(posted.unwrap().status(), 404);
    desk.close().await;
}

async fn a_picture_whose_answer_was_lost_is_not_sent_twice(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let picture = noise(3, 3, ImageFormat::Png);
    // A text with the same words and no picture is another one.
    say(&desk, &root, "Look").send().await;
    desk.expect_sms(1).await;
    let faults = desk.twilio.faults();
    faults.push("Messages.create", Effect::Reset.accepted());
    faults.push("Messages.create", Effect::Status(503).not_accepted());
    for count in 2..=3 {
        say(&desk, &root, "Look")
            .with_file("a.png", "image/png", &picture)
            .send()
            .await;
        let sms = desk.expect_sms(count).await.remove(count - 1);
        assert_eq!(sms.body, "Look");
        expect_media(&desk, &sms, 1).await;
        desk.expect_quiet().await;
    }
    desk.expect_sms(3).await;
    assert_eq!(desk.audited("sms_sent").await, 3);
    desk.close().await;
}

async fn a_picture_survives_a_restart_in_the_middle(database: Database) {
    let mut desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let slow = Effect::Slow(Duration::from_millis(300)).accepted();
    desk.slack.faults().push("download", slow);
    let answer_lost = Effect::Hang.accepted();
    desk.twilio.faults().push("Messages.create", answer_lost);
    say(&desk, &root, "Look")
        .with_file("a.png", "image/png", &noise(3, 3, ImageFormat::Png))
        .with_file("b.png", "image/png", &noise(4, 4, ImageFormat::Png))
        .send()
        .await;
    // Once while it is fetched, and once while it is sent.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while desk.slack.faults().waiting("download") > 0 {
        assert!(tokio::time::Instant::now() < deadline, "nothing is fetched");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    desk.relay().kill().await;
    desk.start_relay().await;
    let sms = desk.expect_sms(1).await.remove(0);
    expect_media(&desk, &sms, 2).await;
    desk.relay().kill().await;
    desk.start_relay().await;
    desk.expect_quiet().await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!(sms.media_urls.len(), 2);
    desk.close().await;
}

async fn words_wait_for_their_picture_and_later_words_for_them(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let faults = desk.slack.faults();
    faults.push("download", Effect::Status(500).accepted());
    faults.push("download", Effect::Reset.accepted());
    faults.push("download", Effect::Garbage.accepted());
    faults.push("download", Effect::CutShort.accepted());
    say(&desk, &root, "first")
        .with_file("a.png", "image/png", &noise(9, 9, ImageFormat::Png))
        .send()
        .await;
    say(&desk, &root, "second").send().await;
    desk.expect_texted(ALICE, &["first", "second"]).await;
    assert_eq!(faults.waiting("download"), 0);
    let sms = desk.expect_sms(2).await.remove(0);
    expect_media(&desk, &sms, 1).await;
    desk.close().await;
}

async fn a_file_deleted_before_it_left_is_named(database: Database) {
    let desk = Desk::on(database).start().await;
    let root = desk.open(ALICE).await;
    let faults = desk.slack.faults();
    faults.always("download", Effect::Status(500).accepted());
    let ts = say(&desk, &root, "Look")
        .with_file("a.png", "image/png", &noise(3, 3, ImageFormat::Png))
        .send()
        .await;
    desk.slack.delete_files(CHANNEL, &ts);
    faults.clear("download");
    desk.expect_words_in_thread(&root.ts, "a.png was not sent: it was deleted")
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    assert_eq!((sms.body.as_str(), sms.media_urls.len()), ("Look", 0));
    desk.close().await;
}

async fn a_picture_that_twilio_cannot_send_fails_as_a_text_does(database: Database) {
    let desk = Desk::on(database).start().await;
    desk.twilio
        .set_callbacks(Callbacks::automatic(Duration::from_millis(20)));
    let root = desk.open(ALICE).await;
    desk.twilio.fail_number(ALICE, "failed", 30019);
    let ts = say(&desk, &root, "")
        .with_file("a.png", "image/png", &noise(3, 3, ImageFormat::Png))
        .send()
        .await;
    desk.expect_marks(&ts, &["x"]).await;
    desk.expect_words_in_thread(&root.ts, "the file is too large or of a kind")
        .await;
    desk.twilio.text(ALICE, LINE, "No pictures please").await;
    desk.expect_words_in_thread(&root.ts, "No pictures please")
        .await;
    desk.close().await;
}
