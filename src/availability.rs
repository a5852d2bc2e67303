//! Decides whether a person can be rung.
//!
//! The sources, in order of precedence: an override set with the slash command, until it is changed or expires; the Redis
//! key `qdn:availability:<name>`; the person's status URL. If none of them answers in time, the person is assumed to be
//! available: ringing somebody in vain is better than a call that reaches nobody.

pub(crate) mod overrides;
pub(crate) mod redis_keys;
pub(crate) mod sources;
pub(crate) mod status_urls;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::vocabulary::AvailabilityState;

/// Parses the word in Redis keys and status URLs: `online`, `offline` or `dnd`, ignoring case and blanks around it.
pub(crate) fn parse_presence(text: &str) -> Option<AvailabilityState> {
    match text.trim().to_ascii_lowercase().as_str() {
        "online" => Some(AvailabilityState::Available),
        "offline" => Some(AvailabilityState::Away),
        "dnd" => Some(AvailabilityState::Dnd),
        _ => None,
    }
}

/// The source of a person's availability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum Source {
    /// An override, set with the slash command.
    #[serde(rename = "said")]
    Override {
        /// The Slack user who set it.
        by: String,
    },
    /// The person's Redis key.
    Redis,
    /// The person's status URL.
    StatusUrl,
    /// No source had an answer.
    Assumed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Override { .. } => "said",
            Source::Redis => "redis",
            Source::StatusUrl => "status URL",
            Source::Assumed => "assumed",
        })
    }
}

/// A person's availability at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// The presence.
    pub state: AvailabilityState,
    /// The source of a person's availability.
    pub source: Source,
    /// How old the source's information is, if known.
    pub age: Option<SignedDuration>,
}

impl Availability {
    /// Whether the person can be rung.
    pub fn is_available(&self) -> bool {
        self.state == AvailabilityState::Available
    }

    /// Returns the default for a person about whom no source has an answer: available.
    pub fn assumed() -> Availability {
        Availability {
            state: AvailabilityState::Available,
            source: Source::Assumed,
            age: None,
        }
    }
}

/// A person's presence as somebody set it with the slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The presence.
    pub state: AvailabilityState,
    /// When it expires; `None` means that it holds until it is changed.
    pub until: Option<Timestamp>,
    /// The reason in the writer's words; may be empty.
    pub reason: String,
    /// The Slack user who set it.
    pub by: String,
    /// When it was set.
    pub at: Timestamp,
}

impl Override {
    /// Whether it has not expired at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A person's presence according to Redis or a status URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// The presence.
    pub state: AvailabilityState,
    /// How old the information is; `None` if that is not known, as for a Redis key.
    pub age: Option<SignedDuration>,
}

/// Decides a person's availability at `now`: the first source with an answer wins.
pub fn decide(
    set: Option<&Override>,
    redis: Option<Presence>,
    status_url: Option<Presence>,
    now: Timestamp,
) -> Availability {
    if let Some(set) = set.filter(|set| set.holds(now)) {
        return Availability {
            state: set.state,
            source: Source::Override { by: set.by.clone() },
            age: Some(now.duration_since(set.at)),
        };
    }
    let heard = [(redis, Source::Redis), (status_url, Source::StatusUrl)];
    for (presence, source) in heard {
        if let Some(Presence { state, age }) = presence {
            return Availability { state, source, age };
        }
    }
    Availability::assumed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn set_to(state: AvailabilityState, until: Option<Timestamp>) -> Override {
        Override {
            state,
            until,
            reason: String::new(),
            by: "U1".into(),
            at: at(100),
        }
    }

    #[test]
    fn an_override_holds_until_it_expires() {
        for (until, now, state, assumed) in [
            (None, 10_000, AvailabilityState::Away, false),
            (Some(at(200)), 199, AvailabilityState::Away, false),
            (Some(at(200)), 200, AvailabilityState::Available, true),
            (Some(at(200)), 201, AvailabilityState::Available, true),
        ] {
            let found = decide(
                Some(&set_to(AvailabilityState::Away, until)),
                None,
                None,
                at(now),
            );
            assert_eq!(
                (found.state, found.source == Source::Assumed),
                (state, assumed),
                "until {until:?} at {now}"
            );
        }
        assert_eq!(decide(None, None, None, at(0)), Availability::assumed());
        let age = decide(
            Some(&set_to(AvailabilityState::Away, None)),
            None,
            None,
            at(160),
        )
        .age;
        assert_eq!(age, Some(SignedDuration::from_secs(60)));
    }

    #[test]
    fn the_first_source_that_knows_decides() {
        let heard = |state| Some(Presence { state, age: None });
        let away = set_to(AvailabilityState::Away, None);
        let back = set_to(AvailabilityState::Available, None);
        let expired = set_to(AvailabilityState::Away, Some(at(150)));
        for (set, redis, url, source, available) in [
            (
                Some(&away),
                heard(AvailabilityState::Available),
                None,
                "said",
                false,
            ),
            (
                Some(&back),
                heard(AvailabilityState::Dnd),
                heard(AvailabilityState::Away),
                "said",
                true,
            ),
            (
                Some(&expired),
                heard(AvailabilityState::Dnd),
                None,
                "redis",
                false,
            ),
            (
                None,
                heard(AvailabilityState::Available),
                heard(AvailabilityState::Away),
                "redis",
                true,
            ),
            (
                None,
                None,
                heard(AvailabilityState::Away),
                "status URL",
                false,
            ),
            (
                None,
                None,
                heard(AvailabilityState::Available),
                "status URL",
                true,
            ),
            (Some(&expired), None, None, "assumed", true),
        ] {
            let found = decide(set, redis, url, at(200));
            assert_eq!(
                (found.source.to_string().as_str(), found.is_available()),
                (source, available)
            );
        }
    }

    #[test]
    fn presence_words_are_read_generously() {
        for (word, state) in [
            ("online", Some(AvailabilityState::Available)),
            (" Offline\n", Some(AvailabilityState::Away)),
            ("DND", Some(AvailabilityState::Dnd)),
            ("available", None),
            ("", None),
        ] {
            assert_eq!(parse_presence(word), state, "{word:?}");
        }
    }
}
