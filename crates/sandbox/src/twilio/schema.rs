//! What Twilio documents of TwiML: verbs, attributes, nesting and values; everything else is a warning.
//!
//! <https://www.twilio.com/docs/voice/twiml>, <https://www.twilio.com/docs/messaging/twiml>

mod rules;

use anyhow::bail;

use self::rules::{MESSAGING, NOT_FOLLOWED, Rule, Text, VOICE, Value};
use super::xml::{self, Element};

/// A parsed document, and where it violates the schema (Twilio's warning 12200).
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Element,
    pub(super) warnings: Vec<String>,
}

/// Reads the answer to a call's webhook.
pub(super) fn voice(body: &str) -> anyhow::Result<Document> {
    read(body, VOICE)
}

/// Reads the answer to a text's webhook.
pub(super) fn messaging(body: &str) -> anyhow::Result<Document> {
    read(body, MESSAGING)
}

fn read(body: &str, rules: &[Rule]) -> anyhow::Result<Document> {
    let root = xml::parse(body)?;
    if root.name != "Response" {
        bail!("the root is <{}>, not <Response>", root.name);
    }
    let mut warnings = Vec::new();
    check(&root, rules, &mut warnings);
    check_order(&root.children, &mut warnings);
    Ok(Document { root, warnings })
}

fn check(element: &Element, rules: &[Rule], warnings: &mut Vec<String>) {
    let name = &element.name;
    let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
        return;
    };
    for (attribute, value) in &element.attributes {
        match rule.attributes.iter().find(|(known, _)| known == attribute) {
            None => warnings.push(format!("<{name}> has no attribute {attribute:?}")),
            Some((_, kind)) if !kind.allows(value) => {
                warnings.push(format!("<{name} {attribute}> cannot be {value:?}"));
            }
            Some(_) => {}
        }
    }
    let text = element.text.trim();
    // `<Play digits>` plays tones instead of a file.
    let no_url_needed = text.is_empty() && element.attribute("digits").is_some();
    match rule.text {
        Text::No if !text.is_empty() => warnings.push(format!("<{name}> holds no text")),
        Text::Needed if text.is_empty() => warnings.push(format!("<{name}> is empty")),
        Text::Url if !no_url_needed && !Value::Url.allows(text) => {
            warnings.push(format!("<{name}> needs a URL"));
        }
        Text::Maybe if !text.is_empty() && !element.children.is_empty() => {
            warnings.push(format!("<{name}> holds text beside elements"));
        }
        _ => {}
    }
    for child in &element.children {
        if rule.children.contains(&child.name.as_str()) {
            check(child, rules, warnings);
        } else if NOT_FOLLOWED.contains(&child.name.as_str()) {
            warnings.push(format!("this stand-in does not follow <{}>", child.name));
        } else {
            warnings.push(format!("<{name}> cannot hold <{}>", child.name));
        }
    }
    if name == "Dial" && element.children.len() > 10 {
        warnings.push("<Dial> holds more than ten <Number>".to_owned());
    }
    if name == "Dial" && element.children.is_empty() && text.is_empty() {
        warnings.push("<Dial> calls nobody".to_owned());
    }
    if name == "Say" && text.chars().count() > 4096 {
        warnings.push("<Say> is longer than 4,096 characters".to_owned());
    }
}

fn check_order(verbs: &[Element], warnings: &mut Vec<String>) {
    for (n, verb) in verbs.iter().enumerate() {
        let name = &verb.name;
        if name == "Reject" && n > 0 {
            warnings.push("<Reject> is not the first verb".to_owned());
        }
        let ends = matches!(name.as_str(), "Redirect" | "Hangup" | "Reject");
        if ends && n + 1 < verbs.len() {
            warnings.push(format!("nothing after <{name}> is reached"));
        }
    }
}

/// Whether this is an absolute http(s) URL or one relative to the document's own.
fn is_url(value: &str) -> bool {
    if value.is_empty() || value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return false;
    }
    match value.split_once("://") {
        Some(_) => is_absolute_url(value),
        None => !value.contains(':') || value.starts_with(['/', '?']),
    }
}

/// Whether this is an absolute http(s) URL that Twilio accepts: no `_` in its host.
pub(super) fn is_absolute_url(value: &str) -> bool {
    let Ok(url) = url::Url::parse(value) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    matches!(url.scheme(), "http" | "https") && !host.is_empty() && !host.contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(verbs: &str) -> Vec<String> {
        voice(&format!("<Response>{verbs}</Response>"))
            .unwrap()
            .warnings
    }

    #[test]
    fn what_twilio_documents_passes() {
        for verbs in [
            "",
            "<Say>Hello</Say><Hangup/>",
            "<Say voice='Polly.Joanna' language='en-US' loop='2'>Hello</Say>",
            "<Dial>+16195550111</Dial>",
            "<Dial timeout='15' answerOnBridge='true' action='/next?a=1&amp;b=2' callerId='+16195550100'>\
             <Number url='https://relay.example/screen' statusCallbackEvent='ringing answered' \
             statusCallback='https://relay.example/s'>+16195550111</Number></Dial>",
            "<Gather numDigits='1' timeout='5' action='/key' finishOnKey=''><Say>Press 1</Say></Gather><Hangup/>",
            "<Record maxLength='120' action='/recorded' playBeep='true' transcribe='true' finishOnKey='#'/>",
            "<Play>https://relay.example/hello.mp3</Play>",
            "<Play digits='ww1'/>",
            "<Pause length='2'/><Redirect method='GET'>/again</Redirect>",
            "<Reject reason='busy'/>",
        ] {
            assert_eq!(warnings(verbs), Vec::<String>::new(), "{verbs}");
        }
    }

    #[test]
    fn what_twilio_does_not_document_is_warned_of() {
        for verbs in [
            "<say>Hello</say>",
            "<Say/>",
            "<Say Voice='alice'>x</Say>",
            "words",
            "<Dial/>",
            "<Dial timeout='4'>+16195550111</Dial>",
            "<Dial timeout='15s'>+16195550111</Dial>",
            "<Dial timeout='601'>+16195550111</Dial>",
            "<Dial answerOnBridge='yes'>+16195550111</Dial>",
            "<Dial action='ftp://relay.example/'>+16195550111</Dial>",
            "<Dial action='https://my_host.example/'>+16195550111</Dial>",
            "<Dial action=''>+16195550111</Dial>",
            "<Dial><Number statusCallbackEvent='ringing,answered'>+16195550111</Number></Dial>",
            "<Dial><Number/></Dial>",
            "<Dial><Say>x</Say></Dial>",
            "<Dial>+16195550111<Number>+16195550112</Number></Dial>",
            "<Dial><Sip>sip:a@example.com</Sip></Dial>",
            "<Number>+16195550111</Number>",
            "<Gather><Dial>+16195550111</Dial></Gather>",
            "<Gather finishOnKey='x'/>",
            "<Hangup reason='x'/>",
            "<Hangup/><Say>x</Say>",
            "<Say>x</Say><Reject/>",
            "<Redirect/>",
            "<Play/>",
            "<Message>x</Message>",
            "<Enqueue>x</Enqueue>",
        ] {
            assert_ne!(warnings(verbs), Vec::<String>::new(), "{verbs}");
        }
        let numbers = "<Number>+16195550111</Number>".repeat(11);
        assert_eq!(warnings(&format!("<Dial>{numbers}</Dial>")).len(), 1);
    }

    #[test]
    fn another_root_is_no_document() {
        assert!(voice("<Reply/>").is_err());
        assert!(messaging("<response/>").is_err());
    }
}
