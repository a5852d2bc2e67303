//! What was removed is gone from the bytes on disk, and nobody else on the machine can read what is there.

use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{DynamicImage, ImageFormat, RgbImage};
use qdn_sandbox::faults::Effect;
use sqlx::{Connection, Executor};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, Database, Desk, LINE, PATIENCE};

const SECRET: &str = "the code of the gate is plover";

/// The database's file and its write-ahead log.
fn files(desk: &Desk) -> [PathBuf; 2] {
    let url = desk.database.url();
    let file = url.strip_prefix("sqlite://").unwrap();
    [PathBuf::from(file), PathBuf::from(format!("{file}-wal"))]
}

/// How often the words stand in the bytes on disk.
fn on_disk(desk: &Desk, words: &str) -> usize {
    let mut found = 0;
    for file in files(desk) {
        let bytes = std::fs::read(file).unwrap_or_default();
        let words = words.as_bytes();
        found += bytes.windows(words.len()).filter(|at| *at == words).count();
    }
    found
}

async fn expect_gone(desk: &Desk, words: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while on_disk(desk, words) > 0 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the words still stand on disk, {} times",
            on_disk(desk, words)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A desk on which Alice has written the secret and had it in a reply, more than once.
async fn with_words(toml: &str) -> Desk {
    let desk = Desk::on(Database::Sqlite).toml(toml).start().await;
    let alice = desk.open(ALICE).await;
    for n in 0..5 {
        desk.twilio
            .text(ALICE, LINE, &format!("{SECRET} {n}"))
            .await;
    }
    desk.reply(&alice, &format!("{SECRET}, understood")).await;
    desk.expect_sms(1).await;
    desk.twilio.text(BOB, LINE, "Bob writes as well").await;
    desk.expect_roots(2).await;
    desk.expect_quiet().await;
    assert!(on_disk(&desk, SECRET) > 0);
    desk
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_words_are_in_no_byte_of_the_database() {
    let mut desk = with_words("").await;
    let said = desk.erase(&[ALICE]).await.unwrap();
    assert!(said.contains("every backup of the database"), "{said}");
    assert!(!said.contains("still stand"), "{said}");
    assert_eq!(on_disk(&desk, SECRET), 0, "beside the running service");
    assert!(on_disk(&desk, "Bob writes as well") > 0);
    desk.relay().terminate().await;
    assert_eq!(on_disk(&desk, SECRET), 0, "once it has stopped");
    desk.start_relay().await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_were_shown_a_second_time_are_erased_too() {
    let desk = Desk::on(Database::Sqlite).start().await;
    let alice = desk.open(ALICE).await;
    // It comes behind a later one: its post is edited to say so, with its words in the edit.
    desk.twilio
        .faults()
        .always("Messages.list", Effect::Status(500).not_accepted());
    let text = desk.twilio.inbound(ALICE, LINE, SECRET);
    let late = text
        .aged(Duration::from_secs(5))
        .withhold_webhook()
        .send()
        .await;
    desk.twilio.text(ALICE, LINE, "never mind").await;
    assert_eq!(desk.twilio.deliver_webhook(&late.sid).await.status, 200);
    desk.expect_words_in_thread(&alice.ts, SECRET).await;
    desk.twilio.faults().clear("Messages.list");
    desk.expect_words_in_thread(&alice.ts, "A text above was written after it.")
        .await;
    desk.expect_quiet().await;
    let said = desk.erase(&[ALICE]).await.unwrap();
    assert!(!said.contains("still stand"), "{said}");
    assert_eq!(on_disk(&desk, SECRET), 0);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reader_keeps_in_the_log_is_said_and_overwritten_later() {
    let desk = with_words("").await;
    let mut reader = desk.connection().await;
    let mut reading = reader.begin().await.unwrap();
    let count: i64 = sqlx::query_scalar("select count(*) from message")
        .fetch_one(&mut *reading)
        .await
        .unwrap();
    assert!(count > 0);
    let said = desk.erase(&[ALICE]).await.unwrap();
    assert!(said.contains("still stand in"), "{said}");
    assert!(said.contains("The running service overwrites"), "{said}");
    assert!(on_disk(&desk, SECRET) > 0, "what was said is true");
    reading.rollback().await.unwrap();
    reader.close().await.unwrap();
    expect_gone(&desk, SECRET).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_are_kept_no_longer_leave_the_disk_too() {
    let desk = with_words("\n[desk]\nkeep_texts = \"1d\"\n").await;
    desk.execute(
        "pragma secure_delete = on;
         update message set created_at = created_at - 90000000;
         update outbox set created_at = created_at - 90000000",
    )
    .await;
    expect_gone(&desk, SECRET).await;
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_left_in_the_file_is_overwritten_at_the_next_start() {
    let mut desk = with_words("").await;
    desk.relay().terminate().await;
    // As the version before did it: removed, but not overwritten.
    let mut connection = desk.connection().await;
    connection
        .execute(
            "pragma secure_delete = off;
             create table older (words text);
             insert into older select body from message;
             drop table older;
             delete from kv where name = 'scrub.clean'",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    desk.start_relay().await;
    let said = desk.erase(&[ALICE]).await.unwrap();
    assert!(!said.contains("still stand"), "{said}");
    assert_eq!(on_disk(&desk, SECRET), 0);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_were_set_aside_are_named() {
    let desk = with_words("").await;
    let [file, _] = files(&desk);
    let aside = PathBuf::from(format!("{}.before-20261101T000000Z", file.display()));
    std::fs::write(&aside, SECRET).unwrap();
    let said = desk.erase(&[ALICE]).await.unwrap();
    assert!(said.contains(&aside.display().to_string()), "{said}");
    desk.close().await;
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A file for the caller, kept for Twilio to fetch.
async fn send_a_picture(desk: &Desk) -> PathBuf {
    let alice = desk.open(ALICE).await;
    let mut picture = Cursor::new(Vec::new());
    let pixels = DynamicImage::ImageRgb8(RgbImage::new(20, 20));
    pixels.write_to(&mut picture, ImageFormat::Png).unwrap();
    desk.slack
        .say(DORA, CHANNEL, "here")
        .in_thread(&alice.ts)
        .with_file("gate.png", "image/png", picture.get_ref())
        .send()
        .await;
    let sms = desk.expect_sms(1).await.remove(0);
    let fetched = desk
        .twilio
        .wait_until(PATIENCE, |twilio| !twilio.media_of(&sms.sid).is_empty())
        .await;
    assert!(fetched, "Twilio fetches it");
    files(desk)[0].parent().unwrap().join("media")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_can_read_texts_and_pictures() {
    let mut desk = Desk::on(Database::Sqlite).prepare().await;
    desk.start_relay_with_umask("000").await;
    let media = send_a_picture(&desk).await;
    let [file, log] = files(&desk);
    let index = PathBuf::from(format!("{}-shm", file.display()));
    let lock = PathBuf::from(format!("{}.lock", file.display()));
    for file in [&file, &log, &index, &lock] {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&media), 0o700);
    let pictures: Vec<PathBuf> = std::fs::read_dir(&media)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!pictures.is_empty());
    for picture in &pictures {
        assert_eq!(mode(picture), 0o600, "{}", picture.display());
    }

    // As an earlier version left them: each is said, and closed at the next start.
    desk.relay().terminate().await;
    let all = [&file, &lock, &pictures[0]];
    for file in all {
        set_mode(file, 0o644);
    }
    set_mode(&media, 0o755);
    let said = desk.run(&["check"]).await.unwrap_err();
    for file in all {
        let said_so = said.lines().any(|line| {
            line.starts_with("warn")
                && line.contains("chmod 600")
                && line.contains(&file.display().to_string())
        });
        assert!(said_so, "{}: {said}", file.display());
    }
    let folder = format!("chmod 700 {}", media.display());
    assert!(said.contains(&folder), "{said}");
    assert_eq!(mode(&file), 0o644, "check changes nothing");
    desk.start_relay().await;
    for file in all {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&media), 0o700);
    desk.close().await;
}
