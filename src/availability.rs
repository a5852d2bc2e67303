//! Whether a person can be rung, who says so, and how old that is.
//!
//! In this order: what was said with the slash command, until it is changed or expires; the Redis key
//! `qdn:availability:<name>`; the person's status URL; and if none of them has an answer in time, available, which is
//! recorded as assumed. Better a ring too many than a call that reaches nobody.

pub(crate) mod overrides;
pub(crate) mod redis_keys;
pub(crate) mod sources;
pub(crate) mod status_urls;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What can be said of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Can be rung.
    Available,
    /// Is not there.
    Away,
    /// Is there and must not be rung.
    Dnd,
}

impl State {
    /// As the database keeps it and the slash command takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Available => "available",
            State::Away => "away",
            State::Dnd => "dnd",
        }
    }

    /// The state of this name.
    pub fn parse(text: &str) -> Option<State> {
        [State::Available, State::Away, State::Dnd]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// What Redis keys and status URLs call it: `online`, `offline` or `dnd`.
    pub fn parse_presence(text: &str) -> Option<State> {
        match text.trim().to_ascii_lowercase().as_str() {
            "online" => Some(State::Available),
            "offline" => Some(State::Away),
            "dnd" => Some(State::Dnd),
            _ => None,
        }
    }
}

/// Who says so.
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
    /// Nobody: no source had an answer.
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

/// A person's availability at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// What it is.
    pub state: State,
    /// Who says so.
    pub source: Source,
    /// How long ago that was said.
    pub age: Option<SignedDuration>,
}

impl Availability {
    /// Whether the person may be rung.
    pub fn is_available(&self) -> bool {
        self.state == State::Available
    }

    /// What holds when nobody has said anything: better a ring too many than a call that reaches nobody.
    pub fn assumed() -> Availability {
        Availability {
            state: State::Available,
            source: Source::Assumed,
            age: None,
        }
    }
}

/// What somebody said of a person with the slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What was said.
    pub state: State,
    /// When it stops holding; `None` is "until changed".
    pub until: Option<Timestamp>,
    /// Why, in their words.
    pub reason: String,
    /// The Slack user who said it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Override {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What a source besides the slash command knows of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// What it says.
    pub state: State,
    /// How long ago it said so, where that is known.
    pub age: Option<SignedDuration>,
}

/// The availability that follows from what is known, at `now`.
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

    fn set_to(state: State, until: Option<Timestamp>) -> Override {
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
            (None, 10_000, State::Away, false),
            (Some(at(200)), 199, State::Away, false),
            (Some(at(200)), 200, State::Available, true),
            (Some(at(200)), 201, State::Available, true),
        ] {
            let found = decide(Some(&set_to(State::Away, until)), None, None, at(now));
            assert_eq!(
                (found.state, found.source == Source::Assumed),
                (state, assumed),
                "until {until:?} at {now}"
            );
        }
        assert_eq!(decide(None, None, None, at(0)), Availability::assumed());
        let age = decide(Some(&set_to(State::Away, None)), None, None, at(160)).age;
        assert_eq!(age, Some(SignedDuration::from_secs(60)));
    }

    #[test]
    fn the_first_source_that_knows_decides() {
        let heard = |state| Some(Presence { state, age: None });
        let away = set_to(State::Away, None);
        let back = set_to(State::Available, None);
        let expired = set_to(State::Away, Some(at(150)));
        for (set, redis, url, source, available) in [
            (Some(&away), heard(State::Available), None, "said", false),
            (
                Some(&back),
                heard(State::Dnd),
                heard(State::Away),
                "said",
                true,
            ),
            (Some(&expired), heard(State::Dnd), None, "redis", false),
            (
                None,
                heard(State::Available),
                heard(State::Away),
                "redis",
                true,
            ),
            (None, None, heard(State::Away), "status URL", false),
            (None, None, heard(State::Available), "status URL", true),
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
            ("online", Some(State::Available)),
            (" Offline\n", Some(State::Away)),
            ("DND", Some(State::Dnd)),
            ("available", None),
            ("", None),
        ] {
            assert_eq!(State::parse_presence(word), state, "{word:?}");
        }
    }
}
