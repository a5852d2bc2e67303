//! `<Dial>`: phones ring at once, and the first that is picked up wins. <https://www.twilio.com/docs/voice/twiml/dial>

use std::time::Duration;

use super::leg::{Leg, LegCallback};
use super::verbs::{Then, resolve, seconds};
use super::{Act, CALLER, Call, Event, Fetch, LegId, Outcome, Over, Party};
use crate::twilio::people::Phone;
use crate::twilio::rest::is_dialable;
use crate::twilio::xml::Element;

/// How long the network takes to find out that a line is busy or cannot be reached.
const SETUP: Duration = Duration::from_secs(1);

/// The end of a `<Dial>`, which its action is told.
#[derive(Debug)]
struct Dialed {
    /// `DialCallStatus`
    status: &'static str,
    /// The leg that was picked up, or the last one.
    leg: Option<LegId>,
    bridged: bool,
    /// Why no more TwiML is carried out, if none is.
    over: Option<Over>,
}

/// A phone that was rung.
struct Rung {
    leg: LegId,
    /// Its `DialCallStatus` if it is not picked up.
    status: &'static str,
}

impl Dialed {
    fn without_answer(status: &'static str) -> Self {
        Dialed {
            status,
            leg: None,
            bridged: false,
            over: None,
        }
    }
}

/// A `<Number>`, or the number that a `<Dial>` holds itself.
struct Noun<'a> {
    number: &'a str,
    element: Option<&'a Element>,
}

impl Call {
    pub(super) async fn dial(
        &mut self,
        verb: &Element,
        first: bool,
        base: &str,
    ) -> Result<Then, Over> {
        // Only as the first verb does it leave the caller's side unanswered.
        let on_bridge = first && verb.attribute("answerOnBridge") == Some("true");
        if !on_bridge {
            self.answer();
        }
        let nouns = nouns(verb);
        let dialed = if !self.check_dial(verb, &nouns) {
            Dialed::without_answer("failed")
        } else if verb.attribute("sequential") == Some("true") {
            self.dial_in_turn(verb, &nouns, base).await
        } else {
            self.dial_at_once(verb, &nouns, base).await
        };
        let Some(action) = verb.attribute("action") else {
            return dialed.over.map_or(Ok(Then::NextVerb), Err);
        };
        let method = verb.attribute("method").unwrap_or("POST");
        let mut fetch = Fetch::new(&resolve(base, action), method)
            .param("DialCallStatus", dialed.status)
            .param("DialBridged", dialed.bridged);
        if let Some(leg) = dialed.leg {
            let leg = &self.legs[leg];
            fetch = fetch.param("DialCallSid", &leg.sid);
            if leg.picked_up.is_some() {
                fetch = fetch.param("DialCallDuration", leg.talk_time().as_secs());
            }
        }
        match dialed.over {
            None => Ok(Then::Document(fetch)),
            Some(over) => {
                // The action is told even so; its TwiML is read and not carried out.
                let _ = self.fetch(CALLER, &fetch).await;
                Err(over)
            }
        }
    }

    /// Checks the verb. Returns whether anybody is called at all.
    fn check_dial(&self, verb: &Element, nouns: &[Noun<'_>]) -> bool {
        if let Some(record) = verb.attribute("record")
            && !matches!(record, "do-not-record" | "false")
        {
            self.core
                .violation("this stand-in does not record a <Dial>");
        }
        for (n, noun) in nouns.iter().enumerate() {
            if nouns[..n]
                .iter()
                .any(|earlier| earlier.number == noun.number)
            {
                self.core.violation("a <Dial> calls the same number twice");
            }
        }
        let Some(caller_id) = verb.attribute("callerId") else {
            return true;
        };
        let known = caller_id == self.from || self.core.lock().owns(caller_id);
        if !known {
            self.core
                .violation("13214: the callerId of a <Dial> is not ours to use");
        }
        known
    }

    async fn dial_in_turn(&mut self, verb: &Element, nouns: &[Noun<'_>], base: &str) -> Dialed {
        let mut last = Dialed::without_answer("failed");
        for noun in nouns {
            last = self
                .dial_at_once(verb, std::slice::from_ref(noun), base)
                .await;
            if last.over.is_some() || last.status == "completed" {
                break;
            }
        }
        last
    }

    async fn dial_at_once(&mut self, verb: &Element, nouns: &[Noun<'_>], base: &str) -> Dialed {
        let began = self.timeline.now();
        let mut phones = Vec::new();
        for noun in nouns.iter().take(10) {
            let leg = self.ring(noun, base).await;
            let status = "failed";
            phones.push(Rung { leg, status });
        }
        let deadline = began + seconds(verb, "timeout", 30);
        let picked_up = self.wait_for_pick_up(&mut phones, deadline).await;
        self.ring_time += self.timeline.now().saturating_sub(began);
        self.stop_the_others(&mut phones, picked_up).await;
        if let Ok(Some(n)) = picked_up {
            return self.picked_up(phones[n].leg, verb, &nouns[n], base).await;
        }
        let is_known = |status: &&str| phones.iter().any(|phone| phone.status == *status);
        let status = ["no-answer", "busy"].into_iter().find(is_known);
        Dialed {
            leg: phones.last().map(|phone| phone.leg),
            over: picked_up.err(),
            ..Dialed::without_answer(status.unwrap_or("failed"))
        }
    }

    /// Waits until a phone is picked up and returns its index; `None` at `deadline`, or when no phone rings any more.
    async fn wait_for_pick_up(
        &mut self,
        phones: &mut [Rung],
        deadline: Duration,
    ) -> Result<Option<usize>, Over> {
        while phones.iter().any(|phone| self.legs[phone.leg].is_alive()) {
            let Some((leg, act)) = self.next(deadline).await? else {
                break;
            };
            let Some(n) = phones.iter().position(|phone| phone.leg == leg) else {
                continue;
            };
            let status = match act {
                Act::PickUp => return Ok(Some(n)),
                Act::Mailbox => {
                    let after = Duration::ZERO;
                    self.legs[leg].phone = Phone::Mailbox { after };
                    return Ok(Some(n));
                }
                Act::Decline | Act::HangUp | Act::Busy => "busy",
                Act::Fail => "failed",
                Act::Press(_) | Act::Speak(_) | Act::EndSpeech => continue,
            };
            phones[n].status = status;
            self.stop_ringing(leg, status).await;
        }
        Ok(None)
    }

    /// Stops the phones that still ring, except the one that was picked up.
    async fn stop_the_others(
        &mut self,
        phones: &mut [Rung],
        picked_up: Result<Option<usize>, Over>,
    ) {
        let timed_out = picked_up == Ok(None);
        let reported = if timed_out { "no-answer" } else { "canceled" };
        for (n, phone) in phones.iter_mut().enumerate() {
            if picked_up != Ok(Some(n)) && self.legs[phone.leg].is_alive() {
                phone.status = "no-answer";
                self.stop_ringing(phone.leg, reported).await;
            }
        }
    }

    /// Lets the phone of `noun` ring, and plans what its owner will do.
    async fn ring(&mut self, noun: &Noun<'_>, base: &str) -> LegId {
        let sid = self.core.sid("CA");
        let number = noun.number.to_owned();
        let phone = self.phone(&number);
        let mut leg = Leg::new(sid, number.clone(), phone.clone());
        leg.callback = noun.element.and_then(|element| callback(element, base));
        let id = self.legs.len();
        self.legs.push(leg);
        self.register(id);
        self.happened(Event::Ringing { number });
        match phone {
            Phone::NoAnswer | Phone::Live => {}
            Phone::Busy => self.timeline.plan(id, SETUP, Act::Busy),
            Phone::Failed => self.timeline.plan(id, SETUP, Act::Fail),
            Phone::Decline { after } => self.timeline.plan(id, after, Act::Decline),
            Phone::Mailbox { after } => self.timeline.plan(id, after, Act::PickUp),
            Phone::PickUp(person) => self.timeline.plan(id, person.after, Act::PickUp),
        }
        self.call_back(id, "initiated", "initiated").await;
        self.call_back(id, "ringing", "ringing").await;
        id
    }

    /// How the phone of `number` behaves in the ring that begins now.
    fn phone(&self, number: &str) -> Phone {
        if !is_dialable(number) {
            self.core
                .violation("13223: a <Number> is not in E.164 form");
            return Phone::Failed;
        }
        let mut state = self.core.lock();
        if state.owns(number) {
            drop(state);
            self.core
                .violation("a <Dial> calls one of the account's own numbers");
            return Phone::Failed;
        }
        match state.phones.get_mut(number) {
            Some(phones) if phones.len() > 1 => phones.pop_front().unwrap_or(Phone::NoAnswer),
            Some(phones) => phones.front().cloned().unwrap_or(Phone::NoAnswer),
            None if self.timeline.is_live() => Phone::Live,
            None => Phone::NoAnswer,
        }
    }

    async fn stop_ringing(&mut self, leg: LegId, status: &str) {
        self.timeline.forget(leg);
        self.settle(leg, status);
        let number = self.legs[leg].number.clone();
        let event = Event::StoppedRinging {
            number,
            status: status.to_owned(),
        };
        self.happened(event);
        self.call_back(leg, "completed", status).await;
    }

    /// Carries out the TwiML of the `<Number>` for the leg that was picked up, then connects it with the caller.
    async fn picked_up(
        &mut self,
        leg: LegId,
        verb: &Element,
        noun: &Noun<'_>,
        base: &str,
    ) -> Dialed {
        let now = self.timeline.now();
        self.legs[leg].picked_up = Some(now);
        let number = self.legs[leg].number.clone();
        let mailbox = matches!(self.legs[leg].phone, Phone::Mailbox { .. });
        self.happened(Event::PickedUp { number, mailbox });
        self.call_back(leg, "answered", "in-progress").await;
        if let Some(after) = self.legs[leg].phone.gives_up() {
            self.timeline.plan(leg, after, Act::HangUp);
        }
        let screening = |number| Some((number, Element::attribute(number, "url")?));
        let screened = match noun.element.and_then(screening) {
            None => Ok(()),
            Some((number, url)) => {
                let method = number.attribute("method").unwrap_or("POST");
                let fetch = Fetch::new(&resolve(base, url), method);
                // The box breaks the circle from TwiML to `Dial` to TwiML.
                Box::pin(self.follow(leg, fetch)).await
            }
        };
        let (bridged, over) = match screened {
            Ok(()) => {
                let talked = self.talk(leg, verb).await;
                (true, talked.err())
            }
            Err(Over::CallerGone) => (false, Some(Over::CallerGone)),
            Err(Over::HungUp) if self.timeline.now() >= super::LONGEST => {
                (false, Some(Over::HungUp))
            }
            Err(over) => {
                let who = match over {
                    Over::CalleeGone => self.party(leg),
                    _ => Party::Twilio,
                };
                self.happened(Event::HungUp { who });
                (false, None)
            }
        };
        self.timeline.forget(leg);
        self.settle(leg, "completed");
        if let (true, Some(Outcome::Bridged { seconds, .. })) = (bridged, &mut self.bridged) {
            let talked = self.legs[leg].ended.zip(self.legs[leg].bridged);
            *seconds = talked.map_or(0, |(ended, began)| ended.saturating_sub(began).as_secs());
        }
        self.call_back(leg, "completed", "completed").await;
        Dialed {
            status: "completed",
            leg: Some(leg),
            bridged,
            over,
        }
    }

    /// The caller and the called person talk until one of them hangs up or the time is over.
    async fn talk(&mut self, leg: LegId, verb: &Element) -> Result<(), Over> {
        self.answer();
        self.timeline.forget(CALLER);
        self.timeline.forget(leg);
        let number = self.legs[leg].number.clone();
        self.legs[leg].bridged = Some(self.timeline.now());
        self.bridged = Some(Outcome::Bridged {
            with: number.clone(),
            seconds: 0,
        });
        self.happened(Event::Bridged { number });
        if let Some(talks) = self.legs[leg].phone.talks() {
            self.timeline.plan(leg, talks, Act::HangUp);
        }
        if let Some(talks) = self.caller.talks.filter(|_| !self.caller.live) {
            self.timeline.plan(CALLER, talks, Act::HangUp);
        }
        let deadline = self.timeline.now() + seconds(verb, "timeLimit", 14_400);
        let star = verb.attribute("hangupOnStar") == Some("true");
        loop {
            let who = match self.next(deadline).await? {
                None => Party::Twilio,
                Some((who, Act::HangUp)) if who == leg => self.party(leg),
                Some((CALLER, Act::Press(keys))) if star && keys.contains('*') => Party::Twilio,
                Some(_) => continue,
            };
            self.happened(Event::HungUp { who });
            return Ok(());
        }
    }
}

fn nouns(verb: &Element) -> Vec<Noun<'_>> {
    let own = Noun {
        number: verb.text.trim(),
        element: None,
    };
    if !own.number.is_empty() {
        return vec![own];
    }
    let numbers = verb.children.iter().filter(|child| child.name == "Number");
    numbers
        .map(|element| Noun {
            number: element.text.trim(),
            element: Some(element),
        })
        .collect()
}

fn callback(number: &Element, base: &str) -> Option<LegCallback> {
    let url = resolve(base, number.attribute("statusCallback")?);
    let events = number
        .attribute("statusCallbackEvent")
        .unwrap_or("completed");
    Some(LegCallback {
        url,
        method: number
            .attribute("statusCallbackMethod")
            .unwrap_or("POST")
            .to_owned(),
        events: events.split(' ').map(str::to_owned).collect(),
        sequence: 0,
    })
}
