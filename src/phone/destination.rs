//! Decides which numbers may be texted.
//!
//! Texting arbitrary numbers invites toll fraud, so only ordinary numbers of the line's countries are allowed.

use phonenumber::Type;
use phonenumber::metadata::DATABASE;

use super::{Address, PhoneNumber};

/// Emergency numbers of all countries. <https://en.wikipedia.org/wiki/List_of_emergency_telephone_numbers>
const EMERGENCY: [&str; 24] = [
    "000", "100", "101", "102", "108", "110", "111", "112", "113", "115", "117", "118", "119",
    "122", "133", "144", "190", "191", "192", "193", "911", "933", "988", "999",
];

/// Non-geographic area codes in North America: personal numbers and machines (5xx, in use or reserved), Canada's services
/// (6xx), carriers' services, the government's network, premium services. Toll-free codes are not listed, since toll-free
/// numbers can be texted. <https://lincmad.com/nongeographic.html>
const NO_PLACE: [&str; 40] = [
    "500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "532", "533", "535",
    "538", "542", "543", "544", "545", "546", "549", "550", "552", "553", "554", "556", "566",
    "569", "577", "578", "588", "589", "600", "622", "633", "644", "655", "677", "688", "700",
    "710",
];

/// The most digits of a short code.
const SHORT_CODE: usize = 6;

/// Why a number may not be texted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTexted {
    /// It is an emergency number.
    Emergency,
    /// It is a short code.
    ShortCode,
    /// It may cost extra or does not belong to a single phone.
    Special,
    /// Its country, if known, is not among those that the line may text.
    Country(Option<String>),
    /// It is not a phone number.
    NotANumber,
}

/// Parses a number that somebody typed, in the national format of `region`. Returns it if it may be texted and is of one of
/// the countries `allowed`.
pub fn screen(text: &str, region: &str, allowed: &[String]) -> Result<PhoneNumber, NotTexted> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if EMERGENCY.contains(&digits.as_str()) {
        return Err(NotTexted::Emergency);
    }
    if (3..=SHORT_CODE).contains(&digits.len()) && !text.trim().starts_with('+') {
        return Err(NotTexted::ShortCode);
    }
    let number = PhoneNumber::parse_in(text, region).map_err(|_| NotTexted::NotANumber)?;
    if number.is_special() {
        return Err(NotTexted::Special);
    }
    let country = number.region();
    match &country {
        Some(country) if allowed.contains(country) => Ok(number),
        _ => Err(NotTexted::Country(country)),
    }
}

/// Splits a text into the number at its beginning and the words after it. Numbers can contain blanks, so the longest valid
/// number is taken.
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
    // If there is no valid number, return everything that looks like one, for the error message.
    let first = text.find(char::is_whitespace).unwrap_or(text.len());
    let end = found.unwrap_or(if end > 0 { end } else { first });
    (text[..end].trim(), text[end..].trim())
}

impl PhoneNumber {
    /// Whether texting the number may cost extra or it does not belong to a single phone: premium rate, shared cost, personal
    /// numbers and the like.
    pub fn is_special(&self) -> bool {
        if let Some(national) = self.as_str().strip_prefix("+1")
            && (national.starts_with("900")
                || national.get(3..6) == Some("976")
                || NO_PLACE.iter().any(|code| national.starts_with(code)))
        {
            return true;
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
    /// Whether the address is a phone number that can be texted without extra cost.
    pub fn can_be_texted(&self) -> bool {
        self.phone().is_some_and(|phone| !phone.is_special())
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
            ("900 555 0142", Err(NotTexted::Special)),
            ("619 976 0142", Err(NotTexted::Special)),
            ("+1 500 555 0142", Err(NotTexted::Special)),
            ("(533) 555-0142", Err(NotTexted::Special)),
            ("588 555 0142", Err(NotTexted::Special)),
            ("+1 600 555 0142", Err(NotTexted::Special)),
            ("+1 622 555 0142", Err(NotTexted::Special)),
            ("+1 700 555 0142", Err(NotTexted::Special)),
            ("+1 710 555 0142", Err(NotTexted::Special)),
            // Oregon's area code, next to the non-geographic ones.
            ("(541) 555-0142", Ok("+15415550142")),
            ("+44 909 879 0123", Err(NotTexted::Special)),
            // Shared cost, and a personal number.
            ("+44 843 123 4567", Err(NotTexted::Special)),
            ("+44 70 1234 5678", Err(NotTexted::Special)),
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
