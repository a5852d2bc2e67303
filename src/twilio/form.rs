//! The forms Twilio posts to a webhook, from raw bytes to types.

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

/// The form lacks something, or has it in a shape that is not Twilio's; names the field and never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the form has no {0}")]
    Missing(&'static str),
    #[error("the form's {0} cannot be read")]
    Malformed(&'static str),
}

/// Reads `application/x-www-form-urlencoded`, in the order sent; cannot fail, since what is not UTF-8 becomes U+FFFD.
pub fn parse(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// The longest address that is of use: that of a SIP user. More would not fit into an index of the database.
const LONGEST_ADDRESS: usize = 256;

/// A form's parameters, to be asked by name; Twilio's empty values count as absent.
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

    /// A SID that must be there.
    fn sid<T: TryFrom<String>>(&self, name: &'static str) -> Result<T, FormError> {
        T::try_from(self.required(name)?.to_owned()).map_err(|_| FormError::Malformed(name))
    }

    /// A SID that may be missing, and counts as missing when it cannot be read.
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
