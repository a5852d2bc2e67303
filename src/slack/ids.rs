//! Slack's IDs, each a type of its own so that a channel cannot be passed for a user.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an ID. Slack guarantees no format, so every string is accepted.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// Returns the ID as Slack writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The ID of a channel, a private channel or a direct message: `C…`, `G…`, `D…`.
    ChannelId
}
id! {
    /// The ID of a person or of a bot's user: `U…`, or `W…` on Enterprise Grid.
    UserId
}
id! {
    /// The ID of a workspace: `T…`.
    TeamId
}

/// A message's `ts`: identifies the message within its channel and orders the channel's messages.
///
/// It looks like a number but must stay text: a float loses its last digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageTs(String);

/// The text does not have the form `1531420618.000200`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Slack message ts (digits, a point, digits)")]
pub struct InvalidMessageTs;

impl MessageTs {
    /// Parses a `ts`: up to 12 digits, a point, up to 9 digits.
    pub fn parse(ts: &str) -> Result<Self, InvalidMessageTs> {
        let digits = |part: &str, at_most: usize| {
            (1..=at_most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        match ts.split_once('.') {
            Some((secs, fraction)) if digits(secs, 12) && digits(fraction, 9) => {
                Ok(Self(ts.to_owned()))
            }
            _ => Err(InvalidMessageTs),
        }
    }

    /// Returns the `ts` of a message written at this moment, for bounds such as `oldest`.
    pub fn from_timestamp(at: Timestamp) -> Self {
        let micros = at.as_microsecond().max(0);
        Self(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000))
    }

    /// Returns the `ts` as Slack writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the time at which the message was written, by Slack's clock.
    pub fn timestamp(&self) -> Timestamp {
        let (secs, micros) = self.parts();
        let micros = i64::try_from(secs.saturating_mul(1_000_000).saturating_add(micros));
        micros
            .ok()
            .and_then(|micros| Timestamp::from_microsecond(micros).ok())
            .unwrap_or(Timestamp::MAX)
    }

    fn parts(&self) -> (u64, u64) {
        let (secs, fraction) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let micros = format!("{fraction:0<6.6}");
        (secs.parse().unwrap_or(0), micros.parse().unwrap_or(0))
    }
}

impl Ord for MessageTs {
    fn cmp(&self, other: &Self) -> Ordering {
        // Compare the text if the numbers are equal, so that the order agrees with equality.
        self.parts()
            .cmp(&other.parts())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for MessageTs {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MessageTs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MessageTs {
    type Error = InvalidMessageTs;

    fn try_from(ts: String) -> Result<Self, InvalidMessageTs> {
        Self::parse(&ts)
    }
}

impl From<MessageTs> for String {
    fn from(ts: MessageTs) -> String {
        ts.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> MessageTs {
        MessageTs::parse(text).unwrap()
    }

    #[test]
    fn a_ts_is_digits_a_point_and_digits() {
        for good in ["1531420618.000200", "0.1", "1234567890.123456"] {
            assert_eq!(ts(good).as_str(), good);
        }
        for bad in [
            "",
            "1531420618",
            ".5",
            "5.",
            "1e9.0",
            "-1.0",
            "1.2.3",
            " 1.2",
            "١.٢",
            "9999999999999.0",
        ] {
            assert_eq!(MessageTs::parse(bad), Err(InvalidMessageTs), "{bad:?}");
        }
    }

    #[test]
    fn messages_sort_by_time_and_not_by_letter() {
        let mut all = [
            ts("1531420618.000200"),
            ts("999999999.999999"),
            ts("1531420618.000100"),
            ts("10000000000.000000"),
        ];
        all.sort();
        let sorted: Vec<&str> = all.iter().map(MessageTs::as_str).collect();
        assert_eq!(
            sorted,
            [
                "999999999.999999",
                "1531420618.000100",
                "1531420618.000200",
                "10000000000.000000"
            ]
        );
        assert!(ts("1.1") < ts("1.100000"), "different ids are never equal");
    }

    #[test]
    fn a_ts_goes_to_a_time_and_back_without_loss() {
        let there = ts("1531420618.000207");
        assert_eq!(there.timestamp().as_microsecond(), 1_531_420_618_000_207);
        assert_eq!(MessageTs::from_timestamp(there.timestamp()), there);
    }

    #[test]
    fn in_json_a_ts_is_a_string_and_only_a_string() {
        let json = serde_json::to_string(&ts("1531420618.000200")).unwrap();
        assert_eq!(json, "\"1531420618.000200\"");
        assert!(serde_json::from_str::<MessageTs>("1531420618.0002").is_err());
        assert!(serde_json::from_str::<MessageTs>("\"soon\"").is_err());
    }
}
