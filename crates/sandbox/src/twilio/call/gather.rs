//! `<Gather>`: reads the keys that somebody presses. <https://www.twilio.com/docs/voice/twiml/gather>

use std::time::Duration;

use super::verbs::{Then, resolve, seconds};
use super::{Act, Call, Event, Fetch, LegId, Over};
use crate::twilio::xml::Element;

impl Call {
    pub(super) async fn gather(
        &mut self,
        leg: LegId,
        verb: &Element,
        base: &str,
    ) -> Result<Then, Over> {
        if verb.attribute("action").is_none() {
            let violation = "<Gather> without an action asks for its own document again";
            self.core.violation(violation);
        }
        let timeout = seconds(verb, "timeout", 5);
        self.plan_press(leg);
        let mut keys = Keys::new(verb);
        for prompt in &verb.children {
            let time = self.prompt(leg, prompt, base).await;
            self.listen(leg, &mut keys, time).await?;
            // Whoever presses a key is not told the rest.
            if !keys.pressed.is_empty() || keys.finished {
                break;
            }
        }
        while !keys.finished && self.listen(leg, &mut keys, timeout).await? {}
        let wanted = verb.attribute("actionOnEmptyResult") == Some("true");
        if keys.pressed.is_empty() && !keys.finished && !wanted {
            return Ok(Then::NextVerb);
        }
        let who = self.party(leg);
        let digits = keys.pressed;
        if !digits.is_empty() {
            let keys = digits.clone();
            self.happened(Event::Pressed { who, keys });
        }
        let action = verb.attribute("action");
        let url = action.map_or_else(|| base.to_owned(), |action| resolve(base, action));
        let method = verb.attribute("method").unwrap_or("POST");
        let mut fetch = Fetch::new(&url, method).param("Digits", digits);
        if let Some(key) = keys.finished_on {
            fetch = fetch.param("FinishedOnKey", key);
        }
        Ok(Then::Document(fetch))
    }

    /// Listens until a key is pressed (`true`) or the time is over (`false`).
    async fn listen(&mut self, leg: LegId, keys: &mut Keys, time: Duration) -> Result<bool, Over> {
        let until = self.timeline.now() + time;
        while let Some((who, act)) = self.next(until).await? {
            match act {
                Act::HangUp if who == leg => return Err(Over::CalleeGone),
                Act::Press(pressed) if who == leg && keys.wanted => {
                    keys.press(&pressed);
                    return Ok(true);
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

/// The keys pressed so far, and when they are enough.
struct Keys {
    pressed: String,
    finished: bool,
    finished_on: Option<char>,
    finish_on_key: String,
    num_digits: usize,
    /// Whether `input` has `dtmf`.
    wanted: bool,
}

impl Keys {
    fn new(verb: &Element) -> Self {
        let num_digits = verb.attribute("numDigits");
        let num_digits = num_digits.and_then(|value| value.parse().ok());
        Keys {
            pressed: String::new(),
            finished: false,
            finished_on: None,
            finish_on_key: verb.attribute("finishOnKey").unwrap_or("#").to_owned(),
            num_digits: num_digits.unwrap_or(usize::MAX),
            wanted: verb.attribute("input").unwrap_or("dtmf").contains("dtmf"),
        }
    }

    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            if self.finished {
                return;
            }
            if self.finish_on_key.contains(key) {
                self.finished = true;
                self.finished_on = Some(key);
                return;
            }
            self.pressed.push(key);
            self.finished = self.pressed.len() >= self.num_digits;
        }
    }
}
