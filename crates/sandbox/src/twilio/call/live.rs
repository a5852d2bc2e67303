//! A call in real time with a person at its ends, for the demo page.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::timeline::{Act, LiveAct, Timeline};
use super::{Call, CallStory, Calling, Event, Events, Happened, Party, lock};
use crate::twilio::TwilioStandIn;

/// A call in real time; clones are the same call.
#[derive(Clone)]
pub struct LiveCall {
    sid: String,
    from: String,
    to: String,
    started: Timestamp,
    acts: mpsc::UnboundedSender<LiveAct>,
    events: Events,
    story: watch::Receiver<Option<Arc<CallStory>>>,
}

impl std::fmt::Debug for LiveCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LiveCall").field(&self.sid).finish()
    }
}

impl Calling {
    /// Begins the call in real time, or `speed` times as fast. The returned handle acts for the caller and for every
    /// phone that [`set_phone`](TwilioStandIn::set_phone) does not describe.
    pub fn start(mut self, speed: f64) -> LiveCall {
        let (acts, received) = mpsc::unbounded_channel();
        let (finished, story) = watch::channel(None);
        self.caller.live = true;
        let core = self.stand_in.core.clone();
        let call = Call::new(self, Timeline::live(received, speed.max(0.01)));
        let live = LiveCall {
            sid: call.sid.clone(),
            from: call.from.clone(),
            to: call.to.clone(),
            started: core.now(),
            acts,
            events: call.events.clone(),
            story,
        };
        core.lock().live_calls.push(live.clone());
        tokio::spawn(async move {
            let story = call.run().await;
            finished.send_replace(Some(Arc::new(story)));
            core.touch();
        });
        live
    }
}

impl TwilioStandIn {
    /// Begins a call in real time.
    pub fn start_call(&self, from: &str, to: &str) -> LiveCall {
        self.calling(from, to).start(1.0)
    }

    /// All calls in real time, oldest first, including those that are over.
    pub fn live_calls(&self) -> Vec<LiveCall> {
        self.core.lock().live_calls.clone()
    }

    /// The call in real time with this SID.
    pub fn live_call(&self, sid: &str) -> Option<LiveCall> {
        let state = self.core.lock();
        state
            .live_calls
            .iter()
            .find(|call| call.sid == sid)
            .cloned()
    }
}

impl LiveCall {
    /// The call's SID.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The caller's number.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The account's number that is called.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Picks up the ringing phone of `number`.
    pub fn pick_up(&self, number: &str) {
        self.act(Some(number), Act::PickUp);
    }

    /// Declines the call on the ringing phone of `number`.
    pub fn decline(&self, number: &str) {
        self.act(Some(number), Act::Decline);
    }

    /// Lets the mailbox of `number`, whose phone rings, take the call.
    pub fn let_mailbox_answer(&self, number: &str) {
        self.act(Some(number), Act::Mailbox);
    }

    /// Presses keys for `who`.
    pub fn press(&self, who: &Party, keys: &str) {
        self.act(number_of(who), Act::Press(keys.to_owned()));
    }

    /// Lets the caller speak after the beep.
    pub fn speak(&self, words: &str) {
        self.act(None, Act::Speak(words.to_owned()));
    }

    /// Hangs up for `who`.
    pub fn hang_up(&self, who: &Party) {
        self.act(number_of(who), Act::HangUp);
    }

    /// The events so far; [`changes`](TwilioStandIn::changes) tells when there are more.
    pub fn events(&self) -> Vec<Happened> {
        lock(&self.events).clone()
    }

    /// The numbers of the phones that are ringing.
    pub fn ringing(&self) -> Vec<String> {
        let mut ringing: Vec<String> = Vec::new();
        for happened in lock(&self.events).iter() {
            match &happened.event {
                Event::Ringing { number } => ringing.push(number.clone()),
                Event::StoppedRinging { number, .. } | Event::PickedUp { number, .. } => {
                    ringing.retain(|rings| rings != number);
                }
                _ => {}
            }
        }
        ringing
    }

    /// The whole story; `None` until the call is over.
    pub fn story(&self) -> Option<Arc<CallStory>> {
        self.story.borrow().clone()
    }

    /// Waits until the call is over; `None` if the runtime ended before.
    pub async fn finished(&self) -> Option<Arc<CallStory>> {
        let mut story = self.story.clone();
        story.wait_for(Option::is_some).await.ok()?.clone()
    }

    fn act(&self, number: Option<&str>, act: Act) {
        let number = number.map(str::to_owned);
        // Whoever acts on a call that is over acts on nothing.
        let _ = self.acts.send(LiveAct { number, act });
    }
}

fn number_of(who: &Party) -> Option<&str> {
    match who {
        Party::Phone(number) => Some(number),
        Party::Caller | Party::Twilio => None,
    }
}
