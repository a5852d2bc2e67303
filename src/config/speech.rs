//! The keys of a line that are about speech.

use toml::Value;
use url::Url;

use super::written::{Text, flag};
use super::{Greeting, Problems, Speech};

/// The most characters in a `Say`. <https://www.twilio.com/docs/voice/twiml/say>
const SPOKEN: usize = 4096;

/// The speech keys of a line, unchecked.
#[derive(Default)]
pub(super) struct FileSpeech {
    pub(super) greeting: Option<Text>,
    pub(super) screen_text: Option<Text>,
    pub(super) language: Option<Text>,
    pub(super) voice: Option<Text>,
    pub(super) transcribe: Option<Value>,
}

/// Checks the speech keys of a line. `key` returns the full key of a field, such as `lines[0].voice`.
pub(super) fn speech(
    key: impl Fn(&str) -> String,
    file: FileSpeech,
    problems: &mut Problems,
) -> Speech {
    Speech {
        greeting: greeting(key("greeting"), file.greeting, problems),
        screen_text: spoken(key("screen_text"), file.screen_text, problems),
        language: language(key("language"), file.language, problems),
        voice: file
            .voice
            .map(|Text(voice)| voice)
            .filter(|voice| !voice.trim().is_empty()),
        transcribe: flag(key("transcribe"), file.transcribe, true, problems),
    }
}

fn spoken(key: String, text: Option<Text>, problems: &mut Problems) -> Option<String> {
    let Text(text) = text.filter(|Text(text)| !text.trim().is_empty())?;
    if text.chars().count() > SPOKEN {
        let remedy = format!("Twilio speaks at most {SPOKEN} characters at once");
        problems.add(key, "(too long)", remedy);
    }
    Some(text)
}

/// Checks a greeting: a sentence, or the URL of an audio file.
fn greeting(key: String, text: Option<Text>, problems: &mut Problems) -> Option<Greeting> {
    let text = text?;
    let address = text.0.trim().to_owned();
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return spoken(key, Some(text), problems).map(Greeting::Text);
    }
    if Url::parse(&address).is_err() {
        problems.add(
            key,
            &address,
            "it must be a sentence, or the address of a sound file",
        );
    }
    Some(Greeting::Audio(address))
}

/// Checks a language tag, such as `en-US`.
pub(super) fn language(
    key: String,
    value: Option<Text>,
    problems: &mut Problems,
) -> Option<String> {
    let Text(value) = value.filter(|Text(value)| !value.trim().is_empty())?;
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !value.split('-').all(is_part) {
        problems.add(
            key,
            format!("\"{value}\""),
            "it must be a language as Twilio names it, such as en-US or es-MX",
        );
    }
    Some(value)
}
