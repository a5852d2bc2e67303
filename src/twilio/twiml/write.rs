use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::name::QName;

use super::{
    CallEvent, Dial, Gather, Number, Pause, Play, Prompt, Record, Redirect, Reject, Response, Say,
    Verb,
};

type Xml = Writer<Vec<u8>>;

pub(super) fn document(response: &Response) -> String {
    let mut xml = Writer::new(Vec::new());
    write(&mut xml, response).expect("writing to memory cannot fail");
    String::from_utf8(xml.into_inner()).expect("only text was written")
}

fn write(xml: &mut Xml, response: &Response) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    Element::new("Response").content(xml, &response.verbs, verb)
}

fn verb(xml: &mut Xml, verb: &Verb) -> io::Result<()> {
    match verb {
        Verb::Dial(verb) => dial(xml, verb),
        Verb::Say(verb) => say(xml, verb),
        Verb::Play(Play { url }) => Element::new("Play").text(xml, url),
        Verb::Pause(verb) => pause(xml, verb),
        Verb::Gather(verb) => gather(xml, verb),
        Verb::Record(verb) => record(xml, verb),
        Verb::Redirect(Redirect { url }) => Element::new("Redirect").text(xml, url),
        Verb::Reject(reason) => Element::new("Reject")
            .maybe("reason", (*reason == Reject::Busy).then_some("busy"))
            .empty(xml),
        Verb::Hangup => Element::new("Hangup").empty(xml),
    }
}

fn dial(xml: &mut Xml, dial: &Dial) -> io::Result<()> {
    Element::new("Dial")
        .maybe("action", dial.action.as_deref())
        .number("timeout", dial.timeout)
        .number("timeLimit", dial.time_limit)
        .maybe("answerOnBridge", dial.answer_on_bridge.then_some("true"))
        .maybe(
            "callerId",
            dial.caller_id.as_ref().map(|phone| phone.as_str()),
        )
        .content(xml, &dial.numbers, number)
}

fn number(xml: &mut Xml, number: &Number) -> io::Result<()> {
    let events: Vec<&str> = number
        .status_callback_event
        .iter()
        .map(|event| match event {
            CallEvent::Initiated => "initiated",
            CallEvent::Ringing => "ringing",
            CallEvent::Answered => "answered",
            CallEvent::Completed => "completed",
        })
        .collect();
    Element::new("Number")
        .maybe("url", number.url.as_deref())
        .maybe("statusCallback", number.status_callback.as_deref())
        .maybe(
            "statusCallbackEvent",
            (!events.is_empty()).then(|| events.join(" ")).as_deref(),
        )
        .text(xml, number.phone.as_str())
}

fn say(xml: &mut Xml, say: &Say) -> io::Result<()> {
    Element::new("Say")
        .maybe("voice", say.voice.as_deref())
        .maybe("language", say.language.as_deref())
        .text(xml, &say.text)
}

fn pause(xml: &mut Xml, pause: &Pause) -> io::Result<()> {
    Element::new("Pause")
        .number("length", pause.length)
        .empty(xml)
}

fn gather(xml: &mut Xml, gather: &Gather) -> io::Result<()> {
    Element::new("Gather")
        .maybe("action", Some(&gather.action))
        .number("numDigits", gather.num_digits)
        .number("timeout", gather.timeout)
        .maybe("finishOnKey", gather.finish_on_key.as_deref())
        .content(xml, &gather.children, |xml, child| match child {
            Prompt::Say(prompt) => say(xml, prompt),
            Prompt::Play(Play { url }) => Element::new("Play").text(xml, url),
            Prompt::Pause(prompt) => pause(xml, prompt),
        })
}

fn record(xml: &mut Xml, record: &Record) -> io::Result<()> {
    let play_beep = record
        .play_beep
        .map(|beep| if beep { "true" } else { "false" });
    Element::new("Record")
        .maybe("action", Some(&record.action))
        .number("maxLength", record.max_length)
        .number("timeout", record.timeout)
        .maybe("finishOnKey", record.finish_on_key.as_deref())
        .maybe("playBeep", play_beep)
        .maybe("transcribe", record.transcribe.then_some("true"))
        .maybe("transcribeCallback", record.transcribe_callback.as_deref())
        .maybe(
            "recordingStatusCallback",
            record.recording_status_callback.as_deref(),
        )
        .empty(xml)
}

/// An XML element under construction.
struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
}

impl Element {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
        }
    }

    fn maybe(mut self, name: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            // XML parsers replace tabs and newlines in an attribute with blanks unless they are written as references.
            let value = escape(allowed(value))
                .replace('\t', "&#9;")
                .replace('\n', "&#10;");
            self.attributes.push((name, value));
        }
        self
    }

    fn number(self, name: &'static str, value: Option<u32>) -> Self {
        self.maybe(name, value.map(|value| value.to_string()).as_deref())
    }

    fn empty(self, xml: &mut Xml) -> io::Result<()> {
        self.content(xml, &[] as &[()], |_, ()| Ok(()))
    }

    fn text(self, xml: &mut Xml, text: &str) -> io::Result<()> {
        let text = escape(allowed(text));
        self.content(xml, &[text], |xml, text| {
            xml.write_event(Event::Text(BytesText::from_escaped(text.as_ref())))
        })
    }

    fn content<T>(
        self,
        xml: &mut Xml,
        children: &[T],
        write: impl Fn(&mut Xml, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        let attributes = self.attributes.iter().map(|(name, value)| Attribute {
            key: QName(name),
            value: Cow::Borrowed(value.as_str()),
        });
        let element = xml.create_element(self.name).with_attributes(attributes);
        if children.is_empty() {
            element.write_empty()?;
        } else {
            element.write_inner_content(|xml| {
                children.iter().try_for_each(|child| write(xml, child))
            })?;
        }
        Ok(())
    }
}

/// Returns `text` without the characters that XML cannot represent, not even as references
/// (<https://www.w3.org/TR/xml/#charsets>). One of them would make Twilio refuse the whole document.
fn allowed(text: &str) -> String {
    text.chars()
        .filter(|&c| {
            c >= ' ' && c != '\u{FFFE}' && c != '\u{FFFF}' || matches!(c, '\t' | '\n' | '\r')
        })
        .collect()
}

#[cfg(test)]
mod tests;
