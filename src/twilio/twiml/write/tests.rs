use proptest::prelude::*;
use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::reader::Reader;

use super::*;
use crate::phone::PhoneNumber;

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn expect_xml(verbs: impl IntoIterator<Item = Verb>, inside: &str) {
    let expected =
        format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response>{inside}</Response>"#);
    assert_eq!(Response::new(verbs).to_xml(), expected);
}

#[test]
fn an_empty_answer_is_the_shortest_there_is() {
    assert_eq!(
        Response::empty().to_xml(),
        r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#
    );
}

#[test]
fn several_numbers_ring_at_once() {
    let dial = Dial {
        action: Some("https://example.com/dial?step=1&call=2".to_owned()),
        timeout: Some(15),
        time_limit: Some(3600),
        answer_on_bridge: true,
        caller_id: Some(phone("+16195550100")),
        numbers: vec![
            Number::new(phone("+16195550111")),
            Number {
                url: Some("https://example.com/screen".to_owned()),
                status_callback: Some("https://example.com/leg".to_owned()),
                status_callback_event: vec![CallEvent::Initiated, CallEvent::Completed],
                ..Number::new(phone("+18585550112"))
            },
        ],
    };
    expect_xml(
        [Verb::Dial(dial)],
        concat!(
            r#"<Dial action="https://example.com/dial?step=1&amp;call=2" timeout="15" timeLimit="3600""#,
            r#" answerOnBridge="true" callerId="+16195550100"><Number>+16195550111</Number>"#,
            r#"<Number url="https://example.com/screen" statusCallback="https://example.com/leg""#,
            r#" statusCallbackEvent="initiated completed">+18585550112</Number></Dial>"#,
        ),
    );
}

#[test]
fn whoever_picks_up_is_asked_for_a_key() {
    let say = Say {
        voice: Some("Polly.Joanna".to_owned()),
        language: Some("en-US".to_owned()),
        text: "Press 1".into(),
    };
    let gather = Gather {
        action: "/taken".to_owned(),
        num_digits: Some(1),
        timeout: Some(5),
        finish_on_key: Some(String::new()),
        children: vec![
            Prompt::Say(say),
            Prompt::Pause(Pause::default()),
            Prompt::Play(Play {
                url: "https://example.com/a.mp3?x&y".to_owned(),
            }),
        ],
    };
    expect_xml(
        [Verb::Gather(gather), Verb::Hangup],
        concat!(
            r#"<Gather action="/taken" numDigits="1" timeout="5" finishOnKey="">"#,
            r#"<Say voice="Polly.Joanna" language="en-US">Press 1</Say><Pause/>"#,
            r#"<Play>https://example.com/a.mp3?x&amp;y</Play></Gather><Hangup/>"#,
        ),
    );
}

#[test]
fn a_voicemail_is_recorded_and_written_down() {
    let record = Record {
        action: "/recorded".to_owned(),
        max_length: Some(120),
        timeout: Some(0),
        finish_on_key: Some("#".to_owned()),
        play_beep: Some(true),
        transcribe: true,
        transcribe_callback: Some("/written".to_owned()),
        recording_status_callback: Some("/ready".to_owned()),
    };
    expect_xml(
        [
            Verb::Say(Say::new("Leave a message.")),
            Verb::Pause(Pause { length: Some(1) }),
            Verb::Record(record),
        ],
        concat!(
            r#"<Say>Leave a message.</Say><Pause length="1"/>"#,
            r##"<Record action="/recorded" maxLength="120" timeout="0" finishOnKey="#" playBeep="true""##,
            r#" transcribe="true" transcribeCallback="/written" recordingStatusCallback="/ready"/>"#,
        ),
    );
}

#[test]
fn a_call_can_be_sent_on_or_away() {
    expect_xml(
        [Verb::Redirect(Redirect {
            url: "/next?a=1&b=2".to_owned(),
        })],
        "<Redirect>/next?a=1&amp;b=2</Redirect>",
    );
    expect_xml([Verb::Reject(Reject::Rejected)], "<Reject/>");
    expect_xml([Verb::Reject(Reject::Busy)], r#"<Reject reason="busy"/>"#);
    expect_xml(
        [Verb::Play(Play {
            url: "/a.wav".to_owned(),
        })],
        "<Play>/a.wav</Play>",
    );
}

#[test]
fn nothing_that_xml_forbids_is_written() {
    expect_xml(
        [Verb::Say(Say::new("a\0b\u{1B}c\u{FFFE}d\u{7F}é👋\r\n"))],
        "<Say>abcd\u{7F}é👋&#13;\n</Say>",
    );
}

/// Returns what a parser finds in a document: elements, attributes and texts, in order.
fn read(xml: &str) -> Vec<String> {
    fn tag(found: &mut Vec<String>, start: &BytesStart<'_>) {
        found.push(format!("<{}>", start.name().0));
        for attribute in start.attributes() {
            let attribute = attribute.unwrap();
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).unwrap();
            found.push(format!("{}={value}", attribute.key.0));
        }
    }
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut found = Vec::new();
    let mut text = String::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => tag(&mut found, &start),
            Event::Empty(start) => tag(&mut found, &start),
            Event::Text(part) => text += &part.xml10_content(),
            Event::GeneralRef(name) => {
                let named = || match name.xml10_content().as_ref() {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "apos" => '\'',
                    other => panic!("&{other};"),
                };
                text.push(name.resolve_char_ref().unwrap().unwrap_or_else(named));
            }
            Event::End(_) if !text.is_empty() => found.push(std::mem::take(&mut text)),
            Event::End(_) | Event::Decl(_) => {}
            Event::Eof => return found,
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_text_in_any_place_is_read_back_as_it_was(text in any::<String>(), url in any::<String>()) {
        let response = Response::new([
            Verb::Dial(Dial { action: Some(url.clone()), ..Dial::default() }),
            Verb::Gather(Gather {
                action: url.clone(),
                finish_on_key: Some(text.clone()),
                children: vec![Prompt::Say(Say { voice: Some(url.clone()), language: None, text: text.clone() })],
                ..Gather::default()
            }),
            Verb::Redirect(Redirect { url: url.clone() }),
        ]);
        let (text, url) = (allowed(&text), allowed(&url));
        let mut expected = vec![
            "<Response>".to_owned(),
            "<Dial>".to_owned(),
            format!("action={url}"),
            "<Gather>".to_owned(),
            format!("action={url}"),
            format!("finishOnKey={text}"),
            "<Say>".to_owned(),
            format!("voice={url}"),
            text,
            "<Redirect>".to_owned(),
            url,
        ];
        expected.retain(|found| !found.is_empty());
        prop_assert_eq!(read(&response.to_xml()), expected);
    }

    #[test]
    fn what_is_filtered_is_only_what_xml_forbids(text in any::<String>()) {
        let forbidden = count_forbidden(&text);
        prop_assert_eq!(allowed(&text).chars().count() + forbidden, text.chars().count());
    }
}

/// Counts the characters outside the ranges of XML 1.0's `Char` production.
fn count_forbidden(text: &str) -> usize {
    let is_char = |c: u32| matches!(c, 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x10000..=0x10FFFF);
    text.chars().filter(|&c| !is_char(u32::from(c))).count()
}
