//! A call, carried out as Twilio does.
//!
//! The stand-in asks the number's voice URL for TwiML and carries it out verb by verb over real, signed HTTP. The people at
//! both ends follow their [`Caller`] and [`Phone`] in virtual time, or a person on the demo page in real time. <https://www.twilio.com/docs/voice/twiml>

mod dial;
mod fetch;
mod gather;
mod leg;
mod live;
mod record;
mod story;
mod timeline;
mod verbs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

pub use self::live::LiveCall;
pub use self::story::{CallStory, Event, Exchange, Happened, Outcome, Party};

use self::fetch::Fetch;
use self::leg::Leg;
use self::timeline::{Act, LegId, LiveAct, Next, Timeline};
use super::TwilioStandIn;
use super::core::Core;
use super::people::{Caller, Phone};
use super::state::CallRecord;
use super::webhook::Webhook;

/// The leg of the person who calls.
const CALLER: LegId = 0;

/// Twilio ends a call after this time.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// How the callbacks of a call (`statusCallback`, `recordingStatusCallback`, `transcribeCallback`) arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallCallbacks {
    #[default]
    InOrder,
    /// None arrives.
    Dropped,
    /// Each arrives twice at once.
    Doubled,
    /// All arrive when the call is over.
    Late,
    /// All arrive when the call is over, the last one first.
    Reversed,
}

/// A call to be made; [`place`](Calling::place) makes it.
#[derive(Debug, Clone)]
#[must_use = "nobody is called before `place` or `start`"]
pub struct Calling {
    stand_in: TwilioStandIn,
    from: String,
    to: String,
    caller: Caller,
    copies: usize,
    callbacks: CallCallbacks,
    age: Duration,
}

impl TwilioStandIn {
    /// Plays a call from `from` to one of the account's numbers to its end in virtual time. The caller is patient.
    pub async fn call(&self, from: &str, to: &str) -> CallStory {
        self.calling(from, to).place().await
    }

    /// Prepares a call; the methods of [`Calling`] make it special.
    pub fn calling(&self, from: &str, to: &str) -> Calling {
        Calling {
            stand_in: self.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            caller: Caller::default(),
            copies: 1,
            callbacks: CallCallbacks::InOrder,
            age: Duration::ZERO,
        }
    }
}

impl Calling {
    /// Sets how the caller behaves.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Makes every request for TwiML `copies` times at once. Answers that differ are a violation.
    pub fn repeat_webhooks(mut self, copies: usize) -> Self {
        self.copies = copies.max(1);
        self
    }

    /// Sets how the callbacks arrive.
    pub fn callbacks(mut self, callbacks: CallCallbacks) -> Self {
        self.callbacks = callbacks;
        self
    }

    /// Dates the call back by `age` in the account's log.
    pub fn aged(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Plays the whole call in virtual time.
    pub async fn place(self) -> CallStory {
        Call::new(self, Timeline::of_plans()).run().await
    }
}

/// Why no more TwiML is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The caller has hung up.
    CallerGone,
    /// The called person whose leg the TwiML is for has hung up.
    CalleeGone,
    /// `<Hangup>`, `<Reject>`, or the longest time a call may take.
    HungUp,
    /// Twilio's error code.
    Failed(u32),
}

/// The events so far, shared with whoever watches the call.
type Events = Arc<Mutex<Vec<Happened>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call in progress.
struct Call {
    core: Arc<Core>,
    sid: String,
    from: String,
    to: String,
    caller: Caller,
    copies: usize,
    callbacks: CallCallbacks,
    age: SignedDuration,
    timeline: Timeline,
    legs: Vec<Leg>,
    events: Events,
    exchanges: Vec<Exchange>,
    /// Whether the caller's side was picked up.
    answered: bool,
    bridged: Option<Outcome>,
    recorded: Option<Outcome>,
    rejected: Option<String>,
    ring_time: Duration,
    /// Callbacks that are delivered when the call is over.
    later: Vec<Webhook>,
}

impl Call {
    fn new(calling: Calling, timeline: Timeline) -> Self {
        let core = calling.stand_in.core.clone();
        let sid = core.sid("CA");
        let mut caller = Leg::new(sid.clone(), calling.from.clone(), Phone::Live);
        let presses = calling.caller.presses.iter();
        caller.presses = presses
            .map(|keys| (Duration::from_secs(2), keys.clone()))
            .collect();
        Call {
            core,
            sid,
            from: calling.from,
            to: calling.to,
            caller: calling.caller,
            copies: calling.copies,
            callbacks: calling.callbacks,
            age: SignedDuration::try_from(calling.age).unwrap_or_default(),
            timeline,
            legs: vec![caller],
            events: Events::default(),
            exchanges: Vec::new(),
            answered: false,
            bridged: None,
            recorded: None,
            rejected: None,
            ring_time: Duration::ZERO,
            later: Vec::new(),
        }
    }

    async fn run(mut self) -> CallStory {
        self.register(CALLER);
        if let Some(patience) = self.caller.patience.filter(|_| !self.caller.live) {
            self.timeline.plan(CALLER, patience, Act::HangUp);
        }
        let number = self
            .core
            .lock()
            .number(&self.to)
            .map(|own| own.settings.clone());
        let over = match number {
            None => {
                self.core
                    .violation("a test calls a number that is not the account's");
                Over::HungUp
            }
            Some(number) => {
                let first = Fetch::new(&number.voice_url, &number.voice_method);
                self.follow(CALLER, first)
                    .await
                    .err()
                    .unwrap_or(Over::HungUp)
            }
        };
        match over {
            Over::CallerGone => {}
            Over::Failed(code) => self.happened(Event::Failed { code }),
            Over::HungUp | Over::CalleeGone if self.rejected.is_none() => {
                self.happened(Event::HungUp { who: Party::Twilio });
            }
            Over::HungUp | Over::CalleeGone => {}
        }
        let outcome = self.outcome(over);
        self.settle(CALLER, self.caller_status(true));
        self.make_late_callbacks().await;
        CallStory {
            first_twiml: self
                .exchanges
                .first()
                .map(|e| e.body.clone())
                .unwrap_or_default(),
            events: lock(&self.events).clone(),
            lasted: self.timeline.now(),
            sid: self.sid,
            from: self.from,
            to: self.to,
            exchanges: self.exchanges,
            outcome,
            ring_time: self.ring_time,
        }
    }

    fn outcome(&self, over: Over) -> Outcome {
        let reached = self.recorded.clone().or_else(|| self.bridged.clone());
        match (reached, &self.rejected, over) {
            (Some(reached), ..) => reached,
            (None, Some(reason), _) => Outcome::Rejected {
                reason: reason.clone(),
            },
            (None, None, Over::Failed(code)) => Outcome::Error { code },
            (None, None, Over::CallerGone) => Outcome::HungUpByCaller,
            (None, None, Over::HungUp | Over::CalleeGone) => Outcome::Ended,
        }
    }

    /// `CallStatus` of the caller's side.
    fn caller_status(&self, over: bool) -> &'static str {
        match (over, self.answered, &self.rejected) {
            (false, false, _) => "ringing",
            (false, true, _) => "in-progress",
            (true, true, _) => "completed",
            (true, false, Some(_)) => "busy",
            (true, false, None) => "no-answer",
        }
    }

    /// Lets time pass until one of the living legs acts, or until `deadline`; the caller hanging up ends it all.
    async fn next(&mut self, deadline: Duration) -> Result<Option<(LegId, Act)>, Over> {
        loop {
            let (leg, act) = match self.timeline.next(deadline.min(LONGEST)).await {
                Next::Planned(leg, act) => (leg, act),
                Next::Live(LiveAct { number: None, act }) => (CALLER, act),
                Next::Live(LiveAct { number, act }) => {
                    let alive = |leg: &Leg| leg.is_alive() && Some(&leg.number) == number.as_ref();
                    match self.legs.iter().skip(1).position(alive) {
                        Some(n) => (n + 1, act),
                        None => continue,
                    }
                }
                Next::Deadline if self.timeline.now() >= LONGEST => {
                    self.core.violation("a call never ends by itself");
                    return Err(Over::HungUp);
                }
                Next::Deadline => return Ok(None),
            };
            if !self.legs[leg].is_alive() {
                continue;
            }
            if (leg, &act) == (CALLER, &Act::HangUp) {
                self.happened(Event::HungUp { who: Party::Caller });
                self.legs[CALLER].ended = Some(self.timeline.now());
                return Err(Over::CallerGone);
            }
            return Ok(Some((leg, act)));
        }
    }

    /// Lets `leg` listen for this long; an error if its person or the caller hangs up.
    async fn wait(&mut self, leg: LegId, time: Duration) -> Result<(), Over> {
        let until = self.timeline.now() + time;
        while let Some((who, act)) = self.next(until).await? {
            if who == leg && act == Act::HangUp {
                return Err(Over::CalleeGone);
            }
        }
        Ok(())
    }

    fn happened(&self, event: Event) {
        let at = self.timeline.now();
        lock(&self.events).push(Happened { at, event });
        self.core.touch();
    }

    fn party(&self, leg: LegId) -> Party {
        match leg {
            CALLER => Party::Caller,
            _ => Party::Phone(self.legs[leg].number.clone()),
        }
    }

    /// Adds a leg to the account's log of calls.
    fn register(&self, leg: LegId) {
        let (parent, to, direction) = if leg == CALLER {
            (None, &self.to, "inbound")
        } else {
            let number = &self.legs[leg].number;
            (Some(self.sid.clone()), number, "outbound-dial")
        };
        let started = self.core.now() - self.age;
        self.core.lock().calls.push(CallRecord {
            sid: self.legs[leg].sid.clone(),
            parent,
            from: self.from.clone(),
            to: to.clone(),
            direction: direction.to_owned(),
            status: "ringing".to_owned(),
            started,
            ended: None,
            duration: 0,
        });
    }

    /// Ends a leg, and writes its status and duration into the account's log of calls.
    fn settle(&mut self, leg: LegId, status: &str) {
        let now = self.timeline.now();
        let leg = &mut self.legs[leg];
        leg.ended.get_or_insert(now);
        let duration = leg.talk_time();
        let lasted = SignedDuration::try_from(now).unwrap_or_default();
        let mut state = self.core.lock();
        if let Some(record) = state.calls.iter_mut().find(|record| record.sid == leg.sid) {
            record.status = status.to_owned();
            record.duration = duration.as_secs();
            record.ended = record.started.checked_add(lasted).ok();
        }
        drop(state);
        self.core.touch();
    }

    /// Picks up the caller's side, if nothing has yet.
    fn answer(&mut self) {
        if !self.answered {
            self.answered = true;
            self.legs[CALLER].picked_up = Some(self.timeline.now());
            let mut state = self.core.lock();
            let mut calls = state.calls.iter_mut();
            if let Some(record) = calls.find(|record| record.sid == self.sid) {
                record.status = "in-progress".to_owned();
            }
        }
    }
}
