//! Counts requests with an invalid signature, and logs one of each kind a minute.
//!
//! The log line has to explain a genuine request that was refused, but anybody can send anything. So it contains the names
//! of parameters and headers, never their values, and only names that look like names.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// How long a logged refusal suppresses further ones of its kind.
const QUIET: SignedDuration = SignedDuration::from_mins(1);

/// The most names in a log line. Twilio's longest form, with ten media files, has about forty-five.
const NAMES: usize = 60;

/// The longest name that is logged, in bytes. The longest that Twilio documents has about thirty.
const LONGEST: usize = 40;

/// The most digits in a name. `MediaContentType10` has two; a phone number or a key has more.
const DIGITS: usize = 2;

/// For each kind of refusal, when it was last logged and how many were suppressed since.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Kind, Told>>);

/// Vendor, route and reason: a few dozen combinations at most.
type Kind = (&'static str, String, &'static str);

#[derive(Debug)]
struct Told {
    at: Timestamp,
    suppressed: u64,
}

/// A request that is refused.
pub(super) struct Refused<'a> {
    pub(super) vendor: &'static str,
    /// The route's pattern, not the requested path.
    pub(super) route: &'a str,
    /// The origin that the signature was checked against; empty if the signature does not cover one.
    pub(super) origin: &'a str,
    pub(super) why: &'static str,
    pub(super) headers: &'a HeaderMap,
    /// The form's parameters; empty if the body is not a form or was not read.
    pub(super) params: &'a [(String, String)],
}

impl Refusals {
    /// Counts a refusal and logs it, unless one of its kind was logged within the last minute.
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

    /// Returns how many refusals of this kind were suppressed since the last logged one; `None` if this one is suppressed too.
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

/// Joins the names that may be logged and counts the others.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let (mut shown, mut others) = (Vec::new(), 0_usize);
    for name in all {
        if looks_like_a_name(name) && shown.len() < NAMES {
            shown.push(name)
        } else {
            others += 1
        }
    }
    let shown = shown.join(" ");
    match others {
        0 => shown,
        others => format!("{shown} (and {others} not shown)"),
    }
}

/// Whether a name may be logged. A body that is not a form parses as one parameter whose name is the body, which may contain
/// a caller's words, a phone number or a key. So only a short word with at most two digits passes.
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
        // A clock that is set back does not suppress the line for good.
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
