//! The simple verbs, and the step from one verb to the next.

use std::time::Duration;

use super::{Act, CALLER, Call, Event, Fetch, LegId, Over};
use crate::twilio::xml::Element;

/// What is carried out after a verb.
pub(super) enum Then {
    NextVerb,
    Document(Fetch),
}

/// How many characters are spoken in a second.
const SPEECH_RATE: usize = 15;
/// How long playing a file takes; nobody listens to it here.
const PLAY_TIME: Duration = Duration::from_secs(5);

impl Call {
    /// Carries out the document of `first` and those that follow from it, until one ends.
    pub(super) async fn follow(&mut self, leg: LegId, first: Fetch) -> Result<(), Over> {
        let mut next = Some(first);
        while let Some(fetch) = next.take() {
            let document = self.fetch(leg, &fetch).await?;
            let verbs = &document.children;
            for (n, verb) in verbs.iter().enumerate() {
                match self.verb(leg, verb, n == 0, &fetch.url).await? {
                    Then::NextVerb => {}
                    Then::Document(fetch) => {
                        next = Some(fetch);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Carries out one verb of the document at `base`.
    async fn verb(
        &mut self,
        leg: LegId,
        verb: &Element,
        first: bool,
        base: &str,
    ) -> Result<Then, Over> {
        let name = verb.name.as_str();
        let on_hold = matches!(name, "Dial" | "Reject" | "Redirect" | "Hangup" | "Pause");
        if leg == CALLER && !on_hold {
            self.answer();
        }
        match name {
            "Say" | "Play" | "Pause" => {
                let time = self.prompt(leg, verb, base).await;
                self.wait(leg, time).await?;
                if leg == CALLER {
                    self.answer();
                }
                Ok(Then::NextVerb)
            }
            "Gather" => self.gather(leg, verb, base).await,
            "Redirect" => {
                let method = verb.attribute("method").unwrap_or("POST");
                let url = resolve(base, verb.text.trim());
                Ok(Then::Document(Fetch::new(&url, method)))
            }
            "Hangup" => Err(Over::HungUp),
            "Dial" | "Record" | "Reject" if leg != CALLER => {
                let violation = format!("13201: <{name}> on the side of the called person");
                self.core.violation(violation);
                Err(Over::Failed(13201))
            }
            "Dial" => self.dial(verb, first, base).await,
            "Record" => self.record(verb, base).await,
            "Reject" => {
                let reason = verb.attribute("reason").unwrap_or("rejected").to_owned();
                self.happened(Event::Rejected {
                    reason: reason.clone(),
                });
                self.rejected = Some(reason);
                Err(Over::HungUp)
            }
            // The schema has complained already.
            _ => Ok(Then::NextVerb),
        }
    }

    /// Begins to say or play something to `leg`. Returns how long that takes.
    pub(super) async fn prompt(&mut self, leg: LegId, verb: &Element, base: &str) -> Duration {
        let who = self.party(leg);
        let text = verb.text.trim();
        let once = match verb.name.as_str() {
            "Say" => {
                let words = text.to_owned();
                self.happened(Event::Heard { who, words });
                Duration::from_secs(text.chars().count().div_ceil(SPEECH_RATE) as u64)
            }
            "Play" if !text.is_empty() => {
                let url = resolve(base, text);
                self.check_audio(&url).await;
                self.happened(Event::Played { who, url });
                PLAY_TIME
            }
            "Pause" => seconds(verb, "length", 1),
            _ => Duration::from_secs(1),
        };
        match verb.attribute("loop").and_then(|times| times.parse().ok()) {
            Some(0) => super::LONGEST,
            Some(times) => once.saturating_mul(times).min(super::LONGEST),
            None => once,
        }
    }

    async fn check_audio(&self, url: &str) {
        match self.core.fetch_file(url).await {
            Ok((content_type, _)) if content_type.starts_with("audio/") => {}
            Ok((content_type, _)) => {
                let violation = format!("<Play> is of {content_type:?}, which is no sound");
                self.core.violation(violation);
            }
            Err(why) => self
                .core
                .violation(format!("<Play> cannot be fetched: {why}")),
        }
    }

    /// Plans the keys that the person of `leg` presses at the question that begins now.
    pub(super) fn plan_press(&mut self, leg: LegId) {
        if let Some((after, keys)) = self.legs[leg].presses.pop_front() {
            self.timeline.plan(leg, after, Act::Press(keys));
        }
    }
}

/// Reads an attribute that is a whole number of seconds.
pub(super) fn seconds(verb: &Element, attribute: &str, default: u64) -> Duration {
    let value = verb.attribute(attribute);
    let value = value.and_then(|value| value.parse().ok());
    Duration::from_secs(value.unwrap_or(default))
}

/// Resolves `url` in the document at `base`.
pub(super) fn resolve(base: &str, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let joined = url::Url::parse(base).and_then(|base| base.join(url));
    joined.map_or_else(|_| url.to_owned(), String::from)
}
