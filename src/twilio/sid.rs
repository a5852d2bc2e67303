use std::fmt;

use serde::{Deserialize, Serialize};

/// The text is not a SID of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SID: two capital letters and 32 hexadecimal digits, here {0}…")]
pub struct InvalidSid(&'static str);

/// Whether `text` is one of `prefixes` and 32 ASCII letters or digits, so that it is safe in a path or a query.
fn is_sid(text: &str, prefixes: &[&str]) -> bool {
    text.len() == 34
        && prefixes.iter().any(|prefix| text.starts_with(prefix))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

macro_rules! sid {
    ($(#[$doc:meta])* $name:ident, $($prefix:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a SID of this kind.
            pub fn parse(text: &str) -> Result<Self, InvalidSid> {
                if is_sid(text, &[$($prefix),+]) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidSid([$($prefix),+][0]))
                }
            }

            /// Returns the SID as Twilio writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidSid;

            fn try_from(text: String) -> Result<Self, InvalidSid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(sid: $name) -> Self {
                sid.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

sid!(
    /// The SID of a text (`SM…`) or a media message (`MM…`).
    MessageSid,
    "SM",
    "MM"
);

impl MessageSid {
    /// Makes a SID for a message that came without one; `digits` has at least 32 hexadecimal digits.
    pub(crate) fn made_from(digits: &str) -> Self {
        Self(format!("SM{digits:.32}"))
    }
}

sid!(
    /// The SID of one leg of a call (`CA…`).
    CallSid,
    "CA"
);
sid!(
    /// The SID of an account (`AC…`).
    AccountSid,
    "AC"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_has_its_letters_and_its_length() {
        let zeros = "0".repeat(32);
        assert!(MessageSid::parse(&format!("SM{zeros}")).is_ok());
        assert!(MessageSid::parse(&format!("MM{zeros}")).is_ok());
        assert_eq!(
            CallSid::parse(&format!("CA{zeros}")).unwrap().to_string(),
            format!("CA{zeros}")
        );
        for wrong in [
            "",
            "SM",
            &zeros,
            &format!("CA{zeros}"),
            &format!("SM{zeros}0"),
            &format!("SM/{}", &zeros[1..]),
        ] {
            assert!(MessageSid::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sid_is_a_string_outside() {
        let json = format!("\"AC{}\"", "0".repeat(32));
        let sid: AccountSid = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&sid).unwrap(), json);
        assert!(serde_json::from_str::<AccountSid>("\"AC0\"").is_err());
    }
}
