//! Numbers that people of the desk type, and which of them a text may go to.
//!
//! A reply path that texts anything is how toll fraud happens: only ordinary numbers of countries that the line serves.

use phonenumber::Type;
use phonenumber::metadata::DATABASE;

use super::{Address, PhoneNumber};

/// Where help is called, in one country or another. <https://en.wikipedia.org/wiki/List_of_emergency_telephone_numbers>
const EMERGENCY: [&str; 24] = [
    "000", "100", "101", "102", "108", "110", "111", "112", "113", "115", "117", "118", "119",
    "122", "133", "144", "190", "191", "192", "193", "911", "933", "988", "999",
];

/// Up to this many digits it is no telephone but a service's short code.
const SHORT_CODE: usize = 6;

/// Why a number is not texted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTexted {
    /// Help is called there, not texted from here.
    Emergency,
    /// A service, not a telephone.
    ShortCode,
    /// It costs extra.
    Premium,
    /// Its country is not among those that the line texts.
    Country(Option<String>),
    /// No telephone has it.
    NotANumber,
}

/// The number that somebody typed, if it may be texted from a line of `region` that serves the countries `allowed`.
pub fn screen(text: &str, region: &str, allowed: &[String]) -> Result<PhoneNumber, NotTexted> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if EMERGENCY.contains(&digits.as_str()) {
        return Err(NotTexted::Emergency);
    }
    if (3..=SHORT_CODE).contains(&digits.len()) && !text.trim().starts_with('+') {
        return Err(NotTexted::ShortCode);
    }
    let number = PhoneNumber::parse_in(text, region).map_err(|_| NotTexted::NotANumber)?;
    if number.is_premium() {
        return Err(NotTexted::Premium);
    }
    let country = number.region();
    match &country {
        Some(country) if allowed.contains(country) => Ok(number),
        _ => Err(NotTexted::Country(country)),
    }
}

/// A number at the beginning of what somebody typed, and the words behind it. Numbers are typed with blanks in them, so
/// it is the longest that is one.
pub fn number_and_words<'a>(text: &'a str, region: &str) -> (&'a str, &'a str) {
    let text = text.trim_start();
    let (mut end, mut found) = (0, None);
    for word in text.split_inclusive(char::is_whitespace) {
        if !word
            .trim()
            .chars()
            .all(|c| c.is_ascii_digit() || "+()-./".contains(c))
        {
            break;
        }
        end += word.len();
        if PhoneNumber::parse_in(text[..end].trim(), region).is_ok() {
            found = Some(end);
        }
    }
    // Of what is none, all that looks like one is shown to be wrong.
    let first = text.find(char::is_whitespace).unwrap_or(text.len());
    let end = found.unwrap_or(if end > 0 { end } else { first });
    (text[..end].trim(), text[end..].trim())
}

impl PhoneNumber {
    /// Whether texting it costs extra, or it is shared by many: premium services and their kin.
    pub fn is_premium(&self) -> bool {
        if let Some(national) = self.as_str().strip_prefix("+1") {
            return national.starts_with("900") || &national[3..6] == "976";
        }
        phonenumber::parse(None, self.as_str()).is_ok_and(|number| {
            matches!(
                number.number_type(&DATABASE),
                Type::PremiumRate
                    | Type::SharedCost
                    | Type::Uan
                    | Type::PersonalNumber
                    | Type::Pager
            )
        })
    }
}

impl Address {
    /// Whether a text may go there at all: to a telephone, and not to one that costs extra.
    pub fn can_be_texted(&self) -> bool {
        self.phone().is_some_and(|phone| !phone.is_premium())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_numbers_of_the_lines_countries_are_texted() {
        let allowed = ["US".to_owned(), "MX".to_owned()];
        for (text, expected) in [
            ("(619) 555-0142", Ok("+16195550142")),
            ("1 619 555 0142", Ok("+16195550142")),
            ("+1 619-555-0142", Ok("+16195550142")),
            ("+52 664 555 0100", Ok("+526645550100")),
            ("911", Err(NotTexted::Emergency)),
            ("9-1-1", Err(NotTexted::Emergency)),
            ("112", Err(NotTexted::Emergency)),
            ("+911", Err(NotTexted::Emergency)),
            ("988", Err(NotTexted::Emergency)),
            ("411", Err(NotTexted::ShortCode)),
            ("28849", Err(NotTexted::ShortCode)),
            ("787878", Err(NotTexted::ShortCode)),
            ("900 555 0142", Err(NotTexted::Premium)),
            ("619 976 0142", Err(NotTexted::Premium)),
            ("+44 909 879 0123", Err(NotTexted::Premium)),
            (
                "+44 20 7946 0123",
                Err(NotTexted::Country(Some("GB".into()))),
            ),
            ("(876) 555-0142", Err(NotTexted::Country(Some("JM".into())))),
            ("(416) 555-0142", Err(NotTexted::Country(Some("CA".into())))),
            ("555-0142", Err(NotTexted::NotANumber)),
            ("Alice", Err(NotTexted::NotANumber)),
            ("", Err(NotTexted::NotANumber)),
            ("+1619", Err(NotTexted::NotANumber)),
        ] {
            let found = screen(text, "US", &allowed);
            let found = found.as_ref().map(PhoneNumber::as_str);
            assert_eq!(found, expected.as_ref().map(|it| *it), "{text}");
        }
    }

    #[test]
    fn a_number_is_told_from_the_words_behind_it() {
        for (text, number, words) in [
            ("6195550142 Hello", "6195550142", "Hello"),
            (
                "(619) 555-0142 2 cars at 5",
                "(619) 555-0142",
                "2 cars at 5",
            ),
            (
                "+1 619 555 0142 10 minutes",
                "+1 619 555 0142",
                "10 minutes",
            ),
            ("911 help", "911", "help"),
            ("555 0142 help", "555 0142", "help"),
            ("Alice hello", "Alice", "hello"),
            ("619-555-0142", "619-555-0142", ""),
            ("", "", ""),
        ] {
            assert_eq!(number_and_words(text, "US"), (number, words), "{text}");
        }
    }
}
