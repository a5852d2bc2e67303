use std::fmt;

use serde::{Deserialize, Serialize};

use super::{PhoneNumber, WITHHELD, last_two};

/// The other party of a text or a call as Twilio writes it: usually a phone number, but also a short code, an alphanumeric
/// sender ID, or a word for a withheld number.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Wraps an address without checking it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the address unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the prefix of a channel other than SMS: `rcs`, `whatsapp`, `messenger`.
    pub fn channel(&self) -> Option<&str> {
        let (channel, _) = self.0.split_once(':')?;
        let is_word = channel.starts_with(|first: char| first.is_ascii_lowercase())
            && channel
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        is_word.then_some(channel)
    }

    /// Returns the address without the channel's prefix.
    pub fn without_channel(&self) -> &str {
        match self.channel() {
            Some(channel) => &self.0[channel.len() + 1..],
            None => &self.0,
        }
    }

    /// Returns the address for texts to this party. An RCS address is a phone that also gets SMS. On other channels a number is
    /// an account name; its phone has not texted us.
    pub fn for_texts(&self) -> Address {
        let number = PhoneNumber::parse(self.without_channel());
        match (self.channel(), number) {
            (Some("rcs"), Ok(number)) => Address::from(number),
            _ => self.clone(),
        }
    }

    /// Returns the phone number if the address is one.
    pub fn phone(&self) -> Option<PhoneNumber> {
        PhoneNumber::parse(&self.0).ok()
    }

    /// Whether the caller withheld the number or the network did not pass it on.
    pub fn is_withheld(&self) -> bool {
        // The address of a call with a withheld number has the CallSid appended, which makes it a conversation of its own.
        let number = match self.0.split_once(" CA") {
            Some((number, sid)) if sid.len() == 32 => number,
            _ => &self.0,
        };
        WITHHELD
            .iter()
            .any(|withheld| number.trim().eq_ignore_ascii_case(withheld))
    }

    /// Returns the address as people read it: `(619) 555-0142`, `short code 12345`, `ACME`, `a withheld number`.
    pub fn display(&self) -> String {
        if self.is_withheld() {
            "a withheld number".to_owned()
        } else if self.is_short_code() {
            format!("short code {}", self.0)
        } else {
            self.phone()
                .map_or_else(|| self.0.clone(), |phone| phone.national())
        }
    }

    /// Returns the last two characters, for logs: `…42`.
    pub fn redacted(&self) -> String {
        if self.is_withheld() {
            "withheld".to_owned()
        } else {
            last_two(&self.0)
        }
    }

    fn is_short_code(&self) -> bool {
        (3..=8).contains(&self.0.len()) && self.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl From<PhoneNumber> for Address {
    fn from(number: PhoneNumber) -> Self {
        Self(number.0)
    }
}

impl From<&PhoneNumber> for Address {
    fn from(number: &PhoneNumber) -> Self {
        Self(number.0.clone())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channels_prefix_is_told_from_the_address() {
        // address, channel, address without it, address for texts
        for (text, channel, without, texted) in [
            ("+16195550142", None, "+16195550142", "+16195550142"),
            (
                "rcs:+16195550142",
                Some("rcs"),
                "+16195550142",
                "+16195550142",
            ),
            ("rcs:qdn_agent", Some("rcs"), "qdn_agent", "rcs:qdn_agent"),
            (
                "whatsapp:+16195550142",
                Some("whatsapp"),
                "+16195550142",
                "whatsapp:+16195550142",
            ),
            ("Taxi: 1", None, "Taxi: 1", "Taxi: 1"),
            (":x", None, ":x", ":x"),
            ("", None, "", ""),
        ] {
            let address = Address::new(text);
            assert_eq!(address.channel(), channel, "{text}");
            assert_eq!(address.without_channel(), without, "{text}");
            assert_eq!(address.for_texts().as_str(), texted, "{text}");
        }
    }

    #[test]
    fn an_address_is_what_it_is() {
        // address, shown as, is withheld, can be texted, is a phone number
        let table = [
            ("+16195550142", "(619) 555-0142", false, true, true),
            ("+442079460123", "+44 20 7946 0123", false, true, true),
            ("12345", "short code 12345", false, false, false),
            ("787878", "short code 787878", false, false, false),
            ("ACME", "ACME", false, false, false),
            ("Taxi 1", "Taxi 1", false, false, false),
            ("+1619", "+1619", false, false, false),
            (
                "whatsapp:+16195550142",
                "whatsapp:+16195550142",
                false,
                false,
                false,
            ),
            (
                "sip:desk@example.com",
                "sip:desk@example.com",
                false,
                false,
                false,
            ),
            ("", "a withheld number", true, false, false),
            ("anonymous", "a withheld number", true, false, false),
            ("Anonymous", "a withheld number", true, false, false),
            (
                "anonymous CA00000000000000000000000000000001",
                "a withheld number",
                true,
                false,
                false,
            ),
            ("RESTRICTED", "a withheld number", true, false, false),
            ("unknown", "a withheld number", true, false, false),
            ("+266696687", "a withheld number", true, false, false),
            ("+7378742833", "a withheld number", true, false, false),
            ("+86282452253", "a withheld number", true, false, false),
        ];
        for (text, display, withheld, texted, is_phone) in table {
            let address = Address::new(text);
            assert_eq!(address.as_str(), text);
            assert_eq!(address.display(), display, "{text}");
            assert_eq!(address.is_withheld(), withheld, "{text}");
            assert_eq!(address.can_be_texted(), texted, "{text}");
            assert_eq!(address.phone().is_some(), is_phone, "{text}");
        }
    }
}
