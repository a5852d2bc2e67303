//! The clock of a call: virtual, which jumps to the next planned act, or real, with people who act.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

/// The index of a leg: 0 is the caller, the others are in the order in which they were called.
pub(super) type LegId = usize;

/// Something that a person does at one end of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    PickUp,
    /// The mailbox picks up.
    Mailbox,
    Decline,
    Busy,
    Fail,
    Press(String),
    Speak(String),
    EndSpeech,
    HangUp,
}

/// An act of a person during the call.
#[derive(Debug, Clone)]
pub(super) struct LiveAct {
    /// The number of the phone; `None` for the caller.
    pub(super) number: Option<String>,
    pub(super) act: Act,
}

/// What happens next.
#[derive(Debug)]
pub(super) enum Next {
    /// A planned act.
    Planned(LegId, Act),
    /// An act of a person, which was not planned.
    Live(LiveAct),
    /// Nothing happened until the deadline.
    Deadline,
}

pub(super) struct Timeline {
    now: Duration,
    plans: BTreeMap<(Duration, u64), (LegId, Act)>,
    count: u64,
    live: Option<Live>,
}

struct Live {
    acts: UnboundedReceiver<LiveAct>,
    started: Instant,
    /// How many seconds of the call pass in one real second.
    speed: f64,
}

impl Timeline {
    /// A virtual clock, which jumps from act to act.
    pub(super) fn of_plans() -> Self {
        Timeline {
            now: Duration::ZERO,
            plans: BTreeMap::new(),
            count: 0,
            live: None,
        }
    }

    /// A clock that runs `speed` times as fast as real time.
    pub(super) fn live(acts: UnboundedReceiver<LiveAct>, speed: f64) -> Self {
        let live = Live {
            acts,
            started: Instant::now(),
            speed,
        };
        Timeline {
            live: Some(live),
            ..Timeline::of_plans()
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// The time since the call came in.
    pub(super) fn now(&self) -> Duration {
        match &self.live {
            None => self.now,
            Some(live) => live.started.elapsed().mul_f64(live.speed),
        }
    }

    /// Plans an act of this leg, `after` from now.
    pub(super) fn plan(&mut self, leg: LegId, after: Duration, act: Act) {
        self.count += 1;
        let key = (self.now() + after, self.count);
        self.plans.insert(key, (leg, act));
    }

    /// Drops the planned acts of this leg.
    pub(super) fn forget(&mut self, leg: LegId) {
        self.plans.retain(|_, (planned, _)| *planned != leg);
    }

    /// Lets time pass until somebody acts, or until `deadline`.
    pub(super) async fn next(&mut self, deadline: Duration) -> Next {
        let planned = self.plans.keys().next().copied();
        let planned = planned.filter(|(at, _)| *at <= deadline);
        let at = planned.map_or(deadline, |(at, _)| at);
        match &mut self.live {
            None => self.now = self.now.max(at),
            Some(live) => {
                let target = live.started + at.div_f64(live.speed);
                tokio::select! {
                    biased;
                    Some(act) = live.acts.recv() => return Next::Live(act),
                    () = tokio::time::sleep_until(target) => {}
                }
            }
        }
        match planned.and_then(|key| self.plans.remove(&key)) {
            Some((leg, act)) => Next::Planned(leg, act),
            None => Next::Deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plans_happen_in_order_and_not_beyond_the_deadline() {
        let seconds = Duration::from_secs;
        let mut timeline = Timeline::of_plans();
        timeline.plan(1, seconds(20), Act::PickUp);
        timeline.plan(0, seconds(10), Act::HangUp);
        timeline.plan(2, seconds(5), Act::Busy);
        timeline.forget(2);
        assert!(matches!(
            timeline.next(seconds(15)).await,
            Next::Planned(0, Act::HangUp)
        ));
        assert_eq!(timeline.now(), seconds(10));
        assert!(matches!(timeline.next(seconds(15)).await, Next::Deadline));
        assert_eq!(timeline.now(), seconds(15));
        assert!(matches!(
            timeline.next(seconds(60)).await,
            Next::Planned(1, Act::PickUp)
        ));
    }
}
