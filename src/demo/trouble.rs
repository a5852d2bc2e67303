//! Trouble that the viewer can switch on: lost answers, outages and kills, as they happen to a desk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Demo;
use super::act::Done;
use qdn_sandbox::faults::Effect;
use qdn_sandbox::slack::SlackStandIn;
use qdn_sandbox::twilio::TwilioStandIn;

/// The API method whose answer is lost.
const CREATE: &str = "Messages.create";

/// The trouble that is switched on. Clones share the same state.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    slack: SlackStandIn,
    twilio: TwilioStandIn,
    switches: Arc<Mutex<Switches>>,
    changed: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Switches {
    slack_down: bool,
    twilio_down: bool,
    answers_lost: bool,
    /// How many times the relay was killed.
    kills: u32,
}

impl Trouble {
    pub(super) fn new(slack: SlackStandIn, twilio: TwilioStandIn) -> Trouble {
        Trouble {
            slack,
            twilio,
            switches: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Makes every open page fetch the state again.
    pub(super) fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether any trouble is switched on.
    pub(super) fn is_any(&self) -> bool {
        let now = *self.switches();
        now.slack_down || now.twilio_down || now.answers_lost
    }

    pub(super) fn has_killed(&self) -> bool {
        self.switches().kills > 0
    }

    pub(super) fn shown(&self) -> Value {
        let now = *self.switches();
        json!({
            "slack_down": now.slack_down,
            "twilio_down": now.twilio_down,
            "answers_lost": now.answers_lost,
            "kills": now.kills,
        })
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
pub(super) struct Switch {
    what: What,
    on: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    SlackDown,
    TwilioDown,
    AnswersLost,
}

pub(super) async fn switch(State(demo): State<Demo>, Json(switch): Json<Switch>) -> Done {
    let trouble = &demo.trouble;
    let on = switch.on;
    let done = match switch.what {
        What::SlackDown if on => {
            trouble.slack.down().await;
            Ok(())
        }
        What::SlackDown => trouble.slack.up().await,
        What::TwilioDown if on => {
            trouble.twilio.down().await;
            Ok(())
        }
        What::TwilioDown => trouble.twilio.up().await,
        What::AnswersLost if on => {
            let lost = Effect::Reset.accepted();
            trouble.twilio.faults().always(CREATE, lost);
            Ok(())
        }
        What::AnswersLost => {
            trouble.twilio.faults().clear(CREATE);
            Ok(())
        }
    };
    done.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    {
        let mut now = trouble.switches();
        match switch.what {
            What::SlackDown => now.slack_down = on,
            What::TwilioDown => now.twilio_down = on,
            What::AnswersLost => now.answers_lost = on,
        }
    }
    trouble.touch();
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub(super) struct Order {
    act: Act,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Kill,
    Start,
}

pub(super) async fn relay(State(demo): State<Demo>, Json(order): Json<Order>) -> Done {
    let (relay, _) = demo.relay.as_ref().ok_or(StatusCode::NOT_FOUND)?;
    match order.act {
        Act::Kill => {
            demo.trouble.switches().kills += 1;
            relay.kill();
        }
        Act::Start => relay.start_again(),
    }
    let mut changes = relay.changes();
    let trouble = demo.trouble.clone();
    // The first change shows that it was done, the second that it has come back.
    tokio::spawn(async move {
        for _ in 0..2 {
            if changes.changed().await.is_err() {
                return;
            }
            trouble.touch();
        }
    });
    Ok(Json(json!({})))
}
