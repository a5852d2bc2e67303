//! The worker of one throttle: claims due deliveries, sends them, records their outcomes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pace::Pace;
use super::{WARN_EVERY, attempt, settle};
use crate::app::App;
use crate::bridge;
use crate::clients::Clients;
use crate::clock::BootInstant;
use crate::config::Config;
use crate::delivery::Outcome;
use crate::log_limit::LogLimit;
use crate::phone::Address;
use crate::store::lanes::{self, Claimed, Lease, Work};

/// A lease lasts this many requests longer than an attempt: for writing its outcome down.
const TO_WRITE: u32 = 2;

/// The longest sleep of a worker: rows written by another replica do not wake it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long beyond its lease an outcome is tried to be kept. One that the database never takes must not hold a place for
/// good.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

/// How long a worker pauses after a database error.
const AFTER_ERROR: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub(super) struct Worker {
    app: App,
    clients: Clients,
    throttle: String,
    pace: Arc<Mutex<Pace>>,
    lease: Lease,
    bell: Arc<Notify>,
    warnings: Arc<LogLimit>,
}

/// How long a lane is given to one worker.
pub(crate) fn lease(config: &Config) -> Duration {
    config.delivery.request_timeout * (attempt::REQUESTS + TO_WRITE)
}

impl Worker {
    pub(super) fn new(
        app: &App,
        clients: &Clients,
        throttle: String,
        pace: Pace,
        owner: &str,
    ) -> Worker {
        Worker {
            app: app.clone(),
            clients: clients.clone(),
            bell: app.store.wake().bell(&throttle),
            throttle,
            pace: Arc::new(Mutex::new(pace)),
            warnings: Arc::new(LogLimit::every(WARN_EVERY)),
            lease: Lease {
                owner: owner.to_owned(),
                duration: SignedDuration::try_from(lease(&app.config))
                    .unwrap_or(SignedDuration::MAX),
                remote_now: None,
            },
        }
    }

    /// Works until `stop` says so, then lets what is in flight finish.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut in_flight = JoinSet::new();
        loop {
            let wait = if *stop.borrow() {
                break;
            } else {
                self.claim(&mut in_flight).await
            };
            tokio::select! {
                // A bell that rang since the last look is still ringing: nothing is missed in between.
                () = self.bell.notified() => {}
                () = tokio::time::sleep(wait) => {}
                Some(_) = in_flight.join_next() => {}
                _ = stop.changed() => {}
            }
            while in_flight.try_join_next().is_some() {}
        }
        while in_flight.join_next().await.is_some() {}
    }

    /// Starts everything that is due and allowed. Returns how long there is nothing more to do.
    async fn claim(&self, in_flight: &mut JoinSet<()>) -> Duration {
        let allowed = match self.pace.lock() {
            Ok(mut pace) => pace.allows(Instant::now(), in_flight.len()),
            Err(_) => Ok(1),
        };
        let limit = match allowed {
            Ok(0) => return LOOK_AGAIN,
            Ok(limit) => limit,
            Err(wait) => return wait.min(LOOK_AGAIN),
        };
        let lease = Lease {
            remote_now: self.clients.twilio.now(),
            ..self.lease.clone()
        };
        match lanes::claim(&self.app.store, &self.throttle, &lease, limit as i64).await {
            Ok(claimed) => {
                let full = claimed.len() == limit;
                self.start(claimed, in_flight);
                if full {
                    Duration::ZERO
                } else {
                    self.until_next_due().await
                }
            }
            Err(error) => {
                if self.may_warn() {
                    tracing::warn!(
                        throttle = redacted(&self.throttle),
                        error = format!("{error:#}"),
                        "the outbox cannot be read; trying again"
                    );
                }
                AFTER_ERROR
            }
        }
    }

    fn start(&self, claimed: Vec<Claimed>, in_flight: &mut JoinSet<()>) {
        let requests = claimed
            .iter()
            .filter(|one| matches!(one.work, Work::Attempt(_)))
            .count();
        if let Ok(mut pace) = self.pace.lock() {
            pace.spend(requests);
        }
        for one in claimed {
            let worker = self.clone();
            in_flight.spawn(async move { worker.deliver(one).await });
        }
    }

    fn may_warn(&self) -> bool {
        self.warnings.record().is_some()
    }

    async fn until_next_due(&self) -> Duration {
        let next = lanes::next_due(&self.app.store, &self.throttle)
            .await
            .ok()
            .flatten();
        let wait =
            next.and_then(|at| Duration::try_from(self.app.store.now().duration_until(at)).ok());
        wait.map_or(LOOK_AGAIN, |wait| {
            wait.clamp(Duration::from_millis(1), LOOK_AGAIN)
        })
    }

    async fn deliver(&self, claimed: Claimed) {
        let outcome = match claimed.row.flaw() {
            // Trying again would not help, and what stands behind it must go on.
            Some(flaw) => Outcome::Unreadable(flaw),
            None => self.outcome_of(&claimed).await,
        };
        if let Err(error) = self.finish(&claimed, &outcome).await {
            // Whatever was left without an outcome is settled by asking.
            tracing::error!(
                outbox = %claimed.row.id,
                error = format!("{error:#}"),
                "an outcome could not be kept"
            );
        }
    }

    /// Sends what was claimed, or looks for what became of it.
    async fn outcome_of(&self, claimed: &Claimed) -> Outcome {
        match &claimed.work {
            Work::Attempt(attempt) => {
                let (outcome, rest) =
                    attempt::run(&self.app, &self.clients, claimed, attempt).await;
                if let Ok(mut pace) = self.pace.lock() {
                    // Most looks at a mark find it as it should be: they are free.
                    match &outcome {
                        Outcome::Marked { requests, .. } => pace.correct(1, *requests),
                        // Nothing that a channel counts.
                        Outcome::Uploaded(_) => pace.correct(1, 0),
                        Outcome::Again { why, .. } if why.is_for_order() => {
                            pace.correct(1, 0);
                        }
                        _ => {}
                    }
                    match &outcome {
                        Outcome::Blocked {
                            is_of_throttle: true,
                            ..
                        } => {
                            let held = bridge::deliveries::outcome::blocked_again(&self.app);
                            pace.hold(Instant::now(), &claimed.row.lane, held);
                        }
                        Outcome::Delivered { .. } | Outcome::Refused { .. } => pace.open(),
                        _ => {}
                    }
                    if let Some(rest) = rest {
                        pace.rest(Instant::now(), rest);
                    }
                }
                outcome
            }
            Work::Settle(attempt) => settle::look(&self.app, &self.clients, claimed, attempt).await,
        }
    }

    /// Records an outcome, and retries even after the lease has ended: the outcome is still true, and an SMS whose SID is
    /// lost has to be searched for.
    async fn finish(&self, claimed: &Claimed, outcome: &Outcome) -> anyhow::Result<()> {
        let mut is_late = false;
        loop {
            let now = BootInstant::now();
            match bridge::deliveries::outcome::receive(&self.app, claimed, outcome, &self.lease)
                .await
            {
                Ok(()) => return Ok(()),
                Err(error) if now >= claimed.deadline + KEPT_FOR => return Err(error),
                Err(error) => {
                    if now >= claimed.deadline && !std::mem::replace(&mut is_late, true) {
                        tracing::error!(
                            outbox = %claimed.row.id,
                            error = format!("{error:#}"),
                            "the database has not taken an outcome while its lease lasted: what it is about will be looked for. Still trying"
                        );
                    }
                    if self.may_warn() {
                        tracing::warn!(
                            outbox = %claimed.row.id,
                            error = format!("{error:#}"),
                            "keeping an outcome again"
                        );
                    }
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
        }
    }
}

/// A throttle's name as it may stand in a log: `slack:…00`.
pub(super) fn redacted(throttle: &str) -> String {
    match throttle.split_once(':') {
        Some((kind, number)) => format!("{kind}:{}", Address::new(number).redacted()),
        None => throttle.to_owned(),
    }
}
