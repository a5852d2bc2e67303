//! A call in real time with a person at its ends, for the demo page.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::timeline::{Act, LiveAct, Timeline};
use super::{Call, CallStory, Calling, Event, Events, Happened, Party, lock};
use crate::twilio::TwilioStandIn;

/// A call that is going on; clones are the same one.
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
    /// Begins the call in real time (`speed` 1.0; seconds pass `speed` times as fast). The caller, and every phone that
    /// [`set_phone`](TwilioStandIn::set_phone) does not describe, do what is done with the returned handle.
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
    /// Begins a call in real time, with people at its ends.
    pub fn start_call(&self, from: &str, to: &str) -> LiveCall {
        self.calling(from, to).start(1.0)
    }

    /// All the calls begun in real time, oldest first, also those that are over.
    pub fn live_calls(&self) -> Vec<LiveCall> {
        self.core.lock().live_calls.clone()
    }

    /// One of them.
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

    /// Who calls.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Which of the account's numbers is called.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The phone of `number`, which rings, is picked up.
    pub fn pick_up(&self, number: &str) {
        self.act(Some(number), Act::PickUp);
    }

    /// The phone of `number`, which rings, is pressed away.
    pub fn decline(&self, number: &str) {
        self.act(Some(number), Act::Decline);
    }

    /// The mailbox of `number`, whose phone rings, takes the call.
    pub fn let_mailbox_answer(&self, number: &str) {
        self.act(Some(number), Act::Mailbox);
    }

    /// Somebody presses keys.
    pub fn press(&self, who: &Party, keys: &str) {
        self.act(number_of(who), Act::Press(keys.to_owned()));
    }

    /// The caller speaks after the beep.
    pub fn speak(&self, words: &str) {
        self.act(None, Act::Speak(words.to_owned()));
    }

    /// Somebody hangs up.
    pub fn hang_up(&self, who: &Party) {
        self.act(number_of(who), Act::HangUp);
    }

    /// What has happened so far; [`changes`](TwilioStandIn::changes) tells when there is more.
    pub fn events(&self) -> Vec<Happened> {
        lock(&self.events).clone()
    }

    /// The numbers of the phones that ring now.
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

    /// The whole story, once the call is over.
    pub fn story(&self) -> Option<Arc<CallStory>> {
        self.story.borrow().clone()
    }

    /// Waits for the call to be over; `None` if it was broken off with the runtime.
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
