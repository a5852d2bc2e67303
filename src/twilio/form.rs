//! Parses the forms that Twilio posts to a webhook.

mod messaging;
mod place;
mod voice;

pub use messaging::{InboundSms, Media, MessageStatus, OptOut, is_text};
pub use place::place;
pub use voice::{
    CallProgress, DialCallStatus, DialResult, GatherResult, InboundCall, RecordResult,
    RecordingStatus, Transcription,
};

use crate::phone::Address;

/// A required field is missing or malformed. The message names the field, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the form has no {0}")]
    Missing(&'static str),
    #[error("the form's {0} cannot be read")]
    Malformed(&'static str),
}

/// Parses `application/x-www-form-urlencoded` into pairs, in the order sent. Never fails: invalid UTF-8 becomes U+FFFD.
pub fn parse(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// The most characters of an address that are kept. SIP addresses are the longest; more would not fit into a database
/// index.
const LONGEST_ADDRESS: usize = 256;

/// A form's parameters by name. An empty value counts as absent, as Twilio sends empty values for absent ones.
struct Params<'a>(&'a [(String, String)]);

impl<'a> Params<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    fn string(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.trim().parse().ok()
    }

    fn address(&self, name: &str) -> Address {
        let written = self.get(name).unwrap_or_default();
        Address::new(written.chars().take(LONGEST_ADDRESS).collect::<String>())
    }

    fn required(&self, name: &'static str) -> Result<&'a str, FormError> {
        self.get(name).ok_or(FormError::Missing(name))
    }

    /// Returns a required SID.
    fn sid<T: TryFrom<String>>(&self, name: &'static str) -> Result<T, FormError> {
        T::try_from(self.required(name)?.to_owned()).map_err(|_| FormError::Malformed(name))
    }

    /// Returns an optional SID; `None` if it is missing or malformed.
    fn optional_sid<T: TryFrom<String>>(&self, name: &str) -> Option<T> {
        T::try_from(self.string(name)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    #[test]
    fn a_form_is_read_whatever_its_bytes_are() {
        let table: [(&[u8], Pairs); 8] = [
            (b"", &[]),
            (
                b"Body=Hello+there%21&To=%2B16195550100",
                &[("Body", "Hello there!"), ("To", "+16195550100")],
            ),
            (b"b=2&a=1&b=1", &[("b", "2"), ("a", "1"), ("b", "1")]),
            (b"Body=&Empty", &[("Body", ""), ("Empty", "")]),
            (
                "Body=%F0%9F%91%8B+\u{05e9}".as_bytes(),
                &[("Body", "👋 \u{05e9}")],
            ),
            (b"Body=a%00b", &[("Body", "a\0b")]),
            (
                b"Body=%FF%FEx\xC3",
                &[("Body", "\u{FFFD}\u{FFFD}x\u{FFFD}")],
            ),
            (b"Body=100%&x=%zz", &[("Body", "100%"), ("x", "%zz")]),
        ];
        for (body, expected) in table {
            let expected: Vec<(String, String)> = expected
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            assert_eq!(parse(body), expected);
        }
    }
}
