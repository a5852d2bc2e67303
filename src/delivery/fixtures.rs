//! Stored payloads of every variant, as each released version wrote them. A new version adds files and changes none.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::{
    Content, Delivery, Enclosure, FileState, InboundFile, OutboundMedia, ReplyWithFiles, Unfit,
    Unreadable,
};
use crate::vocabulary::OutboxId;

/// The folders of the payloads of each version, oldest first. Those of version 0 carry none.
const VERSIONS: [&str; 2] = ["v0", "v1"];

fn folder(version: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/delivery/fixtures")
        .join(version)
}

/// The fixtures of one variant begin with this name. The match has no wildcard, so a new variant does not compile without one.
fn variant(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Post { .. } => "post",
        Delivery::Announce { .. } => "announce",
        Delivery::Update { .. } => "update",
        Delivery::List { .. } => "list",
        Delivery::Listing { .. } => "listing",
        Delivery::Copies { .. } => "copies",
        Delivery::Root { .. } => "root",
        Delivery::Answer { .. } => "answer",
        Delivery::Home { .. } => "home",
        Delivery::Ephemeral { .. } => "ephemeral",
        Delivery::Words { .. } => "words",
        Delivery::Respond { .. } => "respond",
        Delivery::Form { .. } => "form",
        Delivery::Mark => "mark",
        Delivery::Reply { .. } => "reply",
        Delivery::ReplyWithFiles(_) => "enclosing",
        Delivery::Sms { .. } => "sms",
        Delivery::Mms { .. } => "mms",
        Delivery::Call { .. } => "call",
        Delivery::InboundFile(_) => "picture",
        Delivery::Recording { .. } => "recording",
    }
}

const VARIANTS: usize = 21;

/// Every fixture: its file, the word for it in the column `kind`, and what it must be read as.
fn fixtures() -> Vec<(&'static str, &'static str, Delivery)> {
    let content = |text: &str| Content {
        text: text.into(),
        blocks: Some(json!([{"type": "section", "text": {"type": "mrkdwn", "text": text}}])),
    };
    let file = |fate| Enclosure {
        file: "F0FILE".into(),
        name: "map.png".into(),
        mimetype: "image/png".into(),
        size: Some(2_048),
        url: "https://files.slack.com/files-pri/T0-F0FILE/map.png".into(),
        fate,
    };
    let picture = |behind: &str, uploaded: Option<&str>| {
        Delivery::InboundFile(InboundFile {
            message_sid: "MM00000000000000000000000000000001".into(),
            media_sid: "ME00000000000000000000000000000001".into(),
            content_type: "image/jpeg".into(),
            name: "photo.jpg".into(),
            after: OutboxId::new("8f2k1"),
            behind: OutboxId::new(behind),
            uploaded: uploaded.map(str::to_owned),
        })
    };
    vec![
        (
            "post",
            "post",
            Delivery::Post {
                reply: content("Is anybody there?"),
                root: Some(content("(619) 555-0142 · Is anybody there?")),
                new_thread: true,
                broadcast: true,
            },
        ),
        (
            "post-plain",
            "post",
            Delivery::Post {
                reply: Content::from("It was not sent.".to_owned()),
                root: None,
                new_thread: false,
                broadcast: false,
            },
        ),
        (
            "announce",
            "announce",
            Delivery::Announce {
                channel: "C0DISPATCH".into(),
                content: content("Sergio is away"),
                thread_ts: String::new(),
            },
        ),
        (
            "announce-in-thread",
            "announce",
            Delivery::Announce {
                channel: "C0DISPATCH".into(),
                content: Content::from("This conversation goes on elsewhere.".to_owned()),
                thread_ts: "1764042000.000100".into(),
            },
        ),
        (
            "update",
            "update",
            Delivery::Update {
                channel: "C0DISPATCH".into(),
                ts: "1764042000.000100".into(),
                content: content("Dora has it sent."),
            },
        ),
        (
            "list",
            "list",
            Delivery::List {
                line: "+16195550100".into(),
            },
        ),
        (
            "listing",
            "listing",
            Delivery::Listing {
                list: OutboxId::new("8f2k1"),
            },
        ),
        (
            "copies",
            "copies",
            Delivery::Copies {
                of: OutboxId::new("8f2k1"),
                channel: "C0DISPATCH".into(),
                root: "1764042000.000100".into(),
            },
        ),
        (
            "root",
            "root",
            Delivery::Root {
                channel: "C0DISPATCH".into(),
                ts: "1764042000.000100".into(),
            },
        ),
        (
            "answer",
            "answer",
            Delivery::Answer {
                response_url: "https://hooks.slack.com/actions/T0/1/a".into(),
                text: "Somebody decided that already.".into(),
            },
        ),
        (
            "home",
            "home",
            Delivery::Home {
                person: "U0DORA".into(),
                notice: "You are away.".into(),
            },
        ),
        (
            "ephemeral",
            "ephemeral",
            Delivery::Ephemeral {
                channel: "C0DISPATCH".into(),
                user: "U0DORA".into(),
                thread_ts: "1764042000.000100".into(),
                content: content("Send this to the caller?"),
            },
        ),
        (
            "words",
            "words",
            Delivery::Words {
                of: OutboxId::new("8f2k1"),
                channel: "C0DISPATCH".into(),
                user: "U0DORA".into(),
                thread_ts: "1764042000.000100".into(),
            },
        ),
        (
            "respond",
            "respond",
            Delivery::Respond {
                response_url: "https://hooks.slack.com/actions/T0/1/a".into(),
                text: "It is sent.".into(),
            },
        ),
        (
            "form",
            "form",
            Delivery::Form {
                trigger_id: "1.2.abc".into(),
                view: json!({"type": "modal", "callback_id": "text_first"}),
            },
        ),
        ("mark", "mark", Delivery::Mark),
        (
            "reply",
            "reply",
            Delivery::Reply {
                slack_text: "Ask <@U0SERGIO>".into(),
                counted: 0,
            },
        ),
        (
            "reply-counted",
            "reply",
            Delivery::Reply {
                slack_text: "Ask <@U0SERGIO>".into(),
                counted: 3,
            },
        ),
        (
            "enclosing",
            "reply",
            Delivery::ReplyWithFiles(ReplyWithFiles {
                slack_text: "The map".into(),
                files: vec![
                    file(FileState::Waiting),
                    file(FileState::Ready(OutboundMedia {
                        id: "m1".into(),
                        content_type: "image/jpeg".into(),
                        size: 1_024,
                    })),
                    file(FileState::Unfit(Unfit::Deleted)),
                    file(FileState::Unfit(Unfit::Elsewhere)),
                    file(FileState::Unfit(Unfit::OfNoKind)),
                    file(FileState::Unfit(Unfit::TooLarge)),
                    file(FileState::Unfit(Unfit::Unreadable)),
                    file(FileState::Unfit(Unfit::Unreachable)),
                ],
                counted: 0,
            }),
        ),
        (
            "enclosing-counted",
            "reply",
            Delivery::ReplyWithFiles(ReplyWithFiles {
                slack_text: String::new(),
                files: vec![Enclosure {
                    size: None,
                    ..file(FileState::Waiting)
                }],
                counted: 2,
            }),
        ),
        (
            "sms",
            "sms",
            Delivery::Sms {
                body: "On our way".into(),
            },
        ),
        (
            "mms",
            "sms",
            Delivery::Mms {
                body: "The map".into(),
                media: vec!["m1".into(), "m2".into()],
            },
        ),
        (
            "call",
            "call",
            Delivery::Call {
                call: "CA00000000000000000000000000000001".into(),
            },
        ),
        ("picture", "picture", picture("", None)),
        (
            "picture-uploaded",
            "picture",
            picture("8f2k1", Some("F0UP")),
        ),
        (
            "recording",
            "recording",
            Delivery::Recording {
                recording: "RE00000000000000000000000000000001".into(),
                file: "message.mp3".into(),
                title: "Message from (619) 555-0142".into(),
            },
        ),
    ]
}

fn stored(version: &str, name: &str) -> String {
    let file = folder(version).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{}: {error}", file.display());
    });
    text.trim_end().to_owned()
}

#[test]
fn payloads_of_every_version_are_read() {
    for version in VERSIONS {
        for (name, kind, delivery) in fixtures() {
            let read = Delivery::read(&stored(version, name)).unwrap();
            assert_eq!(read, delivery, "{version} {name}");
            assert_eq!(read.kind().as_str(), kind, "{version} {name}");
        }
    }
}

#[test]
fn payloads_are_written_as_the_newest_version_has_them() {
    let newest = VERSIONS.last().unwrap();
    for (name, _, delivery) in fixtures() {
        assert_eq!(delivery.payload(), stored(newest, name), "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_that_does_not_quote_it() {
    for (payload, flaw) in [
        ("", Unreadable::Payload),
        ("words of a text", Unreadable::Payload),
        ("{}", Unreadable::Payload),
        (r#"{"v":1,"kind":"fax"}"#, Unreadable::Payload),
        (r#"{"v":1,"kind":"sms"}"#, Unreadable::Payload),
        (r#"{"v":"1","kind":"mark"}"#, Unreadable::Payload),
        (r#"{"v":-1,"kind":"mark"}"#, Unreadable::Payload),
        (r#"{"v":2,"kind":"mark"}"#, Unreadable::Version(2)),
        (
            r#"{"v":2,"body":"words of a text"}"#,
            Unreadable::Version(2),
        ),
    ] {
        let error = Delivery::read(payload).unwrap_err();
        assert_eq!(error, flaw, "{payload}");
        assert!(!error.to_string().contains("words of a text"));
    }
}

#[test]
fn every_variant_has_a_fixture_and_every_fixture_a_variant() {
    let of_variants: BTreeSet<&str> = fixtures()
        .iter()
        .map(|(_, _, delivery)| variant(delivery))
        .collect();
    assert_eq!(of_variants.len(), VARIANTS);
    let named: BTreeSet<String> = fixtures()
        .iter()
        .map(|(name, _, delivery)| {
            assert!(name.starts_with(variant(delivery)), "{name}");
            format!("{name}.json")
        })
        .collect();
    for version in VERSIONS {
        let files: BTreeSet<String> = std::fs::read_dir(folder(version))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(files, named, "{version}");
    }
}

/// Fields that were added later may be missing in what an earlier version has written.
#[test]
fn payloads_from_before_a_field_was_added_are_read() {
    let picture = r#"{"kind":"picture","message_sid":"MM1","media_sid":"ME1","content_type":"image/png","name":"a.png","after":"x","uploaded":null}"#;
    let read = Delivery::read(picture).unwrap();
    assert!(matches!(read, Delivery::InboundFile(picture) if picture.behind.is_empty()));
    let announce = r#"{"kind":"announce","channel":"C0","content":{"text":"words"}}"#;
    let read = Delivery::read(announce).unwrap();
    assert!(matches!(read, Delivery::Announce { thread_ts, .. } if thread_ts.is_empty()));
}
