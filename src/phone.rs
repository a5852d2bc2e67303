//! Phone numbers, and Twilio's other addresses of texts and calls.
//!
//! Neither type can be logged by accident: there is no `Display`, and `Debug` shows only the last two digits.

mod address;
mod destination;

use std::fmt;

use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, Type};
use serde::{Deserialize, Serialize};

pub use address::Address;
pub use destination::{NotTexted, number_and_words, screen};

/// What Twilio sends as the number of a caller who withholds it: words, or these words spelled on a phone's keypad
/// (<https://www.twilio.com/docs/voice/twiml#request-parameters>).
const WITHHELD: [&str; 10] = [
    "",
    "anonymous",
    "restricted",
    "unavailable",
    "unknown",
    "+266696687",
    "+7378742833",
    "+86282452253",
    "+2562533",
    "+8656696",
];

/// The kinds of number whose lengths the metadata contains.
const KINDS: [Type; 10] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::Voip,
    Type::PersonalNumber,
    Type::SharedCost,
    Type::PremiumRate,
    Type::Uan,
    Type::Pager,
    Type::Voicemail,
];

/// A phone number in international format (E.164), such as `+16195550100`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// The text is not a phone number. The message does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number in international format, such as +16195550100")]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    /// Parses a number in E.164: `+`, a country code, and a national number of a length that exists in that country.
    ///
    /// Does not check whether the number is assigned: numbers reserved for fiction and area codes newer than our metadata are
    /// valid.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let digits = text.strip_prefix('+').ok_or(InvalidPhoneNumber)?;
        let is_possible = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !WITHHELD.contains(&text)
            && match digits.strip_prefix('1') {
                Some(national) => is_north_american(national),
                None => is_length_in_use(digits),
            };
        is_possible
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidPhoneNumber)
    }

    /// Parses a number as people type it: in the national format of `region` (such as `US`), or with a leading `+`.
    pub fn parse_in(text: &str, region: &str) -> Result<Self, InvalidPhoneNumber> {
        let text = text.trim();
        let text = text.strip_prefix("tel:").unwrap_or(text);
        // The library would read letters as keypad digits or as an extension. Neither is a number to text.
        if text.chars().any(char::is_alphabetic) {
            return Err(InvalidPhoneNumber);
        }
        if text.starts_with('+') {
            let is_separator =
                |c: char| c.is_whitespace() || "-.()/\u{2010}\u{2011}\u{2013}".contains(c);
            return Self::parse(&text.replace(is_separator, ""));
        }
        let region = region.parse().map_err(|_| InvalidPhoneNumber)?;
        let number = phonenumber::parse(Some(region), text).map_err(|_| InvalidPhoneNumber)?;
        Self::parse(&number.format().mode(Mode::E164).to_string())
    }

    /// Returns the number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number as people write it: `(619) 555-0100`, or the international format outside North America.
    pub fn national(&self) -> String {
        if let Some(national) = self.0.strip_prefix("+1") {
            return format!(
                "({}) {}-{}",
                &national[..3],
                &national[3..6],
                &national[6..]
            );
        }
        let formatted = phonenumber::parse(None, &self.0)
            .map(|number| number.format().mode(Mode::International).to_string())
            .unwrap_or_default();
        // The library drops a leading digit of some countries' numbers as a trunk prefix. Use E.164 then.
        let is_whole = formatted
            .chars()
            .filter(char::is_ascii_digit)
            .eq(self.0.chars().skip(1));
        if is_whole { formatted } else { self.0.clone() }
    }

    /// Returns the country of the number as two letters, if it can be determined.
    pub fn region(&self) -> Option<String> {
        let number = phonenumber::parse(None, &self.0).ok()?;
        Some(number.country().id()?.as_ref().to_owned())
    }

    /// Returns the last two digits, for logs: `…00`.
    pub fn redacted(&self) -> String {
        last_two(&self.0)
    }
}

/// Whether ten digits match the North American Numbering Plan: area code and exchange begin with 2 to 9, and the area code
/// does not end in 11 (such as 911).
fn is_north_american(national: &str) -> bool {
    let digits = national.as_bytes();
    digits.len() == 10 && digits[0] >= b'2' && digits[3] >= b'2' && digits[1..3] != *b"11"
}

/// Whether the country of this number has numbers of this length.
///
/// Uses the library's metadata and not its parser, which changes numbers while it parses them.
fn is_length_in_use(digits: &str) -> bool {
    // No country code is a prefix of another, so the first match is the only one.
    let country = (1..=3).find_map(|length| {
        let (code, national) = digits.split_at(length);
        Some((
            DATABASE.by_code(&code.parse::<u16>().ok()?)?,
            national.len(),
        ))
    });
    country.is_some_and(|(regions, length)| {
        regions
            .iter()
            .flat_map(|region| {
                KINDS
                    .iter()
                    .filter_map(|&kind| region.descriptors().get(kind))
            })
            .any(|kind| {
                kind.possible_length()
                    .iter()
                    .any(|&possible| usize::from(possible) == length)
            })
    })
}

impl TryFrom<String> for PhoneNumber {
    type Error = InvalidPhoneNumber;

    fn try_from(text: String) -> Result<Self, InvalidPhoneNumber> {
        Self::parse(&text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.redacted())
    }
}

fn last_two(text: &str) -> String {
    let start = text.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
    format!("…{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    #[test]
    fn only_whole_numbers_in_e164_are_numbers() {
        let good = [
            "+16195550100",
            "+18585550112",
            "+12125550142",
            "+19995550199",
            "+442079460123",
            "+4930901820",
            "+390612345678",
            "+78005550100",
            "+526645550100",
        ];
        for text in good {
            assert_eq!(
                PhoneNumber::parse(text).map(String::from).as_deref(),
                Ok(text)
            );
        }
        let bad = [
            "",
            "+",
            "16195550100",
            "6195550100",
            "+1619555010",
            "+161955501000",
            "+10195550100",
            "+16190550100",
            "+19115550100",
            "+1 619 555 0100",
            "+1619555010x",
            " +16195550100",
            "+16195550100\n",
            "+\u{0661}6195550100",
            "12345",
            "+12345",
            "whatsapp:+16195550100",
            "tel:+16195550100",
            "sip:desk@example.com",
            "ACME",
            "anonymous",
            "+266696687",
            "+7378742833",
            "+86282452253",
            "+999123456789",
            "+44207946012345",
        ];
        for text in bad {
            assert_eq!(PhoneNumber::parse(text), Err(InvalidPhoneNumber), "{text}");
        }
    }

    #[test]
    fn a_number_is_read_as_people_type_it() {
        let same = [
            "+16195550142",
            "+1 (619) 555-0142",
            "+1.619.555.0142",
            "(619) 555-0142",
            "619-555-0142",
            "619.555.0142",
            "619 555 0142",
            "6195550142",
            "1-619-555-0142",
            "16195550142",
            "  619\u{2011}555\u{2011}0142 ",
            "tel:+16195550142",
        ];
        for text in same {
            assert_eq!(
                PhoneNumber::parse_in(text, "US"),
                Ok(phone("+16195550142")),
                "{text}"
            );
        }
        assert_eq!(
            PhoneNumber::parse_in("020 7946 0123", "GB"),
            Ok(phone("+442079460123"))
        );
        assert_eq!(
            PhoneNumber::parse_in("011 44 20 7946 0123", "US"),
            Ok(phone("+442079460123"))
        );
        assert_eq!(
            PhoneNumber::parse_in("+44 20 7946 0123", "US"),
            Ok(phone("+442079460123"))
        );
        let bad = [
            "",
            "911",
            "12345",
            "5550142",
            "619 555 0142 ext. 3",
            "619555CALL",
            "whatsapp:+16195550142",
            "619 555 0142 0143",
            "Sergio",
            "+",
        ];
        for text in bad {
            assert_eq!(
                PhoneNumber::parse_in(text, "US"),
                Err(InvalidPhoneNumber),
                "{text}"
            );
        }
        assert_eq!(
            PhoneNumber::parse_in("619 555 0142", "nowhere"),
            Err(InvalidPhoneNumber)
        );
    }

    #[test]
    fn people_see_the_format_of_their_country() {
        let table = [
            ("+16195550100", "(619) 555-0100"),
            ("+18585550112", "(858) 555-0112"),
            ("+16135550142", "(613) 555-0142"),
            ("+442079460123", "+44 20 7946 0123"),
            ("+390612345678", "+39 06 1234 5678"),
        ];
        for (number, national) in table {
            assert_eq!(phone(number).national(), national);
        }
    }

    #[test]
    fn the_country_is_told_where_it_can_be() {
        let table = [
            ("+16195550100", "US"),
            ("+18585550112", "US"),
            ("+16135550142", "CA"),
            ("+442079460123", "GB"),
        ];
        for (number, region) in table {
            assert_eq!(phone(number).region().as_deref(), Some(region), "{number}");
        }
    }

    #[test]
    fn no_digit_is_lost_in_a_format() {
        for number in [
            "+78005550100",
            "+526645550100",
            "+4930901820",
            "+5491123456789",
            "+3611234567",
        ] {
            let digits: String = phone(number)
                .national()
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            assert_eq!(format!("+{digits}"), number);
        }
    }

    #[test]
    fn nothing_but_two_digits_can_reach_a_log() {
        let number = phone("+16195550142");
        assert_eq!(format!("{number:?}"), "PhoneNumber(…42)");
        assert_eq!(number.redacted(), "…42");
        assert_eq!(format!("{:?}", Address::from(number)), "Address(…42)");
        assert_eq!(
            format!("{:?}", Address::new("anonymous")),
            "Address(withheld)"
        );
        assert_eq!(format!("{:?}", Address::new("é")), "Address(…é)");
        assert!(!InvalidPhoneNumber.to_string().contains("42"));
    }

    #[test]
    fn a_number_is_a_string_outside() {
        let number = phone("+16195550142");
        let json = serde_json::to_string(&number).unwrap();
        assert_eq!(json, r#""+16195550142""#);
        assert_eq!(serde_json::from_str::<PhoneNumber>(&json).unwrap(), number);
        let error = serde_json::from_str::<PhoneNumber>(r#""619""#).unwrap_err();
        assert!(
            error.to_string().starts_with("not a phone number"),
            "{error}"
        );
    }
}
