//! Connection overrides in a URL's fragment: how long Twilio waits for an answer, and when it tries again.
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>

use std::time::Duration;

use super::webhook::{Answer, HTTP_CONNECTION_FAILURE, HTTP_RETRIEVAL_FAILURE};

/// The values of a fragment, or Twilio's own where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overrides {
    /// `ct` and `rt`: the limits for connecting and then for the answer.
    pub(super) connect: Duration,
    pub(super) read: Duration,
    /// `tt`: the limit for all tries together.
    pub(super) total: Duration,
    /// `rc`: how often a request is tried again.
    pub(super) retries: u32,
    policy: Policy,
}

/// `rp`: which failures are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Policy {
    client_error: bool,
    server_error: bool,
    no_connection: bool,
    no_answer: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        Overrides {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            total: Duration::from_secs(15),
            retries: 1,
            policy: Policy {
                no_connection: true,
                ..Policy::default()
            },
        }
    }
}

impl Overrides {
    /// Reads a fragment. An error says what Twilio would not accept.
    pub(super) fn parse(fragment: &str) -> Result<Overrides, String> {
        let mut overrides = Overrides::default();
        for part in fragment.split('&').filter(|part| !part.is_empty()) {
            let wrong = || format!("a connection override that Twilio does not know: {part}");
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let within = |least: u64, most: u64| {
                let number = value.parse::<u64>().ok();
                number
                    .filter(|number| (least..=most).contains(number))
                    .ok_or_else(wrong)
            };
            match name {
                "ct" => overrides.connect = Duration::from_millis(within(100, 10_000)?),
                "rt" => overrides.read = Duration::from_millis(within(100, 15_000)?),
                "tt" => overrides.total = Duration::from_millis(within(100, 15_000)?),
                "rc" => overrides.retries = u32::try_from(within(0, 5)?).unwrap_or_default(),
                "rp" => overrides.policy = Policy::parse(value).ok_or_else(wrong)?,
                // Where it is asked from is nobody's business here.
                "sni" | "e" => {}
                _ => return Err(wrong()),
            }
        }
        Ok(overrides)
    }

    /// Whether a request with this result is tried again. The number of tries is not considered.
    pub(super) fn asks_again(&self, answered: &Result<Answer, u32>) -> bool {
        let policy = &self.policy;
        match answered {
            Ok(answer) if answer.status >= 500 => policy.server_error,
            Ok(answer) if answer.status >= 400 => policy.client_error,
            Ok(_) => false,
            Err(HTTP_CONNECTION_FAILURE) => policy.no_connection,
            Err(HTTP_RETRIEVAL_FAILURE) => policy.no_answer,
            Err(_) => false,
        }
    }
}

impl Policy {
    fn parse(value: &str) -> Option<Policy> {
        let mut policy = Policy::default();
        for word in value.split(',') {
            match word {
                "4xx" => policy.client_error = true,
                "5xx" => policy.server_error = true,
                "ct" => policy.no_connection = true,
                "rt" => policy.no_answer = true,
                "all" => {
                    policy = Policy {
                        client_error: true,
                        server_error: true,
                        no_connection: true,
                        no_answer: true,
                    };
                }
                _ => return None,
            }
        }
        Some(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_read_as_twilio_documents_it() {
        assert_eq!(Overrides::parse(""), Ok(Overrides::default()));
        let read = Overrides::parse("ct=2000&rt=3000&rc=1&rp=5xx,ct,rt&tt=9000").unwrap();
        assert_eq!(
            (read.connect, read.read, read.total, read.retries),
            (
                Duration::from_secs(2),
                Duration::from_secs(3),
                Duration::from_secs(9),
                1
            )
        );
        let answered = |status| {
            Ok(Answer {
                status,
                content_type: String::new(),
                body: String::new(),
            })
        };
        assert!(read.asks_again(&answered(503)) && read.asks_again(&Err(HTTP_RETRIEVAL_FAILURE)));
        assert!(!read.asks_again(&answered(404)) && !read.asks_again(&answered(200)));
        assert!(!Overrides::default().asks_again(&Err(HTTP_RETRIEVAL_FAILURE)));
        for wrong in [
            "ct", "ct=1", "rt=15001", "rc=6", "rp=3xx", "rp=", "x=1", "tt=9s",
        ] {
            assert!(Overrides::parse(wrong).is_err(), "{wrong}");
        }
    }
}
