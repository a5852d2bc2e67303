//! Requests that are refused for their signature: counted all, told in the log once a minute.
//!
//! What is told has to explain the first real refusal, and anybody can send anything: it names parameters and headers,
//! never their values, and of the names only what looks like one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// How long nothing more is told of the requests of one vendor to one route that are refused for one reason.
const QUIET: SignedDuration = SignedDuration::from_mins(1);

/// How many names are told. Twilio's longest form, with ten pictures, has about forty-five.
const NAMES: usize = 60;

/// How long a name may be. The longest that Twilio documents has about thirty characters.
const LONGEST: usize = 40;

/// How many digits a name may have: `MediaContentType10` has two, and a telephone number or a key has more.
const DIGITS: usize = 2;

/// When each kind of refusal was last told, and how many were not told since.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<Kind, Told>>);

/// Vendor, route and reason: so many that there are a few dozen.
type Kind = (&'static str, String, &'static str);

#[derive(Debug)]
struct Told {
    at: Timestamp,
    suppressed: u64,
}

/// A request that is refused.
pub(super) struct Refused<'a> {
    pub(super) vendor: &'static str,
    /// As it is written in `http`, not as it was asked for.
    pub(super) route: &'a str,
    /// The origin that the signature was checked against, where one is part of it.
    pub(super) origin: &'a str,
    pub(super) why: &'static str,
    pub(super) headers: &'a HeaderMap,
    /// Empty where the body is no form, or was not read.
    pub(super) params: &'a [(String, String)],
}

impl Refusals {
    /// Counts a refusal, and tells of it if none of its kind was told within the last minute.
    pub(super) fn note(&self, refused: &Refused<'_>, now: Timestamp) {
        metrics::counter!("qdn_signatures_refused_total", "vendor" => refused.vendor).increment(1);
        let Some(suppressed) = self.suppressed(refused, now) else {
            return;
        };
        tracing::warn!(
            vendor = refused.vendor,
            checked = format!("{}{}", refused.origin, refused.route),
            why = refused.why,
            parameters = names(refused.params.iter().map(|(name, _)| name.as_str())),
            headers = names(refused.headers.keys().map(|name| name.as_str())),
            suppressed,
            "a request was refused for its signature; if it was genuine, public_url or a secret does not match what the vendor has"
        );
    }

    /// How many were not told since the last one that was, if this one is to be told.
    fn suppressed(&self, refused: &Refused<'_>, now: Timestamp) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (refused.vendor, refused.route.to_owned(), refused.why);
        let new = Told {
            at: now,
            suppressed: 0,
        };
        match told.get_mut(&kind) {
            Some(last) if now.duration_since(last.at).abs() < QUIET => {
                last.suppressed += 1;
                None
            }
            Some(last) => Some(std::mem::replace(last, new).suppressed),
            None => {
                told.insert(kind, new);
                Some(0)
            }
        }
    }
}

/// The names, and how many there were that are not shown.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let (mut shown, mut others) = (Vec::new(), 0_usize);
    for name in all {
        match looks_like_a_name(name) && shown.len() < NAMES {
            true => shown.push(name),
            false => others += 1,
        }
    }
    let shown = shown.join(" ");
    match others {
        0 => shown,
        others => format!("{shown} (and {others} not shown)"),
    }
}

/// A body that is no form reads as one parameter named like its words, and a caller's words, a number or a key may stand
/// there: only a short word without digits passes.
fn looks_like_a_name(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && name.bytes().filter(u8::is_ascii_digit).count() <= DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_of_each_kind_is_told_a_minute_with_how_many_were_not() {
        let refusals = Refusals::default();
        let headers = HeaderMap::new();
        let told = |vendor, route, why, now| {
            let refused = Refused {
                vendor,
                route,
                origin: "",
                why,
                headers: &headers,
                params: &[],
            };
            refusals.suppressed(&refused, at(now))
        };
        assert_eq!(told("twilio", "/a", "x", 100), Some(0));
        for now in 100..160 {
            assert_eq!(told("twilio", "/a", "x", now), None);
        }
        assert_eq!(told("twilio", "/b", "x", 101), Some(0));
        assert_eq!(told("twilio", "/a", "y", 101), Some(0));
        assert_eq!(told("slack", "/a", "x", 101), Some(0));
        assert_eq!(told("twilio", "/a", "x", 160), Some(60));
        assert_eq!(told("twilio", "/a", "x", 161), None);
        // A clock that was set back does not silence it for good.
        assert_eq!(told("twilio", "/a", "x", 20), Some(1));
    }

    #[test]
    fn names_are_told_and_nothing_that_stands_in_their_place() {
        let told = |names: &[&str]| super::names(names.iter().copied());
        assert_eq!(
            told(&["MessageSid", "MediaUrl10", "x-twilio-signature", "a.b_c"]),
            "MessageSid MediaUrl10 x-twilio-signature a.b_c"
        );
        for odd in [
            "",
            "two words",
            "+16195550142",
            "a16195550142",
            "ba5eba11ba5eba11",
            "{\"text\":\"hello\"}",
            "line\nbreak",
            "\u{1b}[31m",
            "é",
            &"a".repeat(41),
        ] {
            assert_eq!(told(&["From", odd]), "From (and 1 not shown)", "{odd}");
        }
        let many = vec!["Name"; 5_000];
        assert!(told(&many).len() < 60 * 5 + 30);
        assert!(told(&many).ends_with("(and 4940 not shown)"));
    }
}
