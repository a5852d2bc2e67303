//! A state machine of operations and faults over the real outbox, on a real SQLite file and a clock that stands still.
//!
//! The test plays the workers and Twilio: it claims, decides what Twilio did and what its answer said, lets workers
//! die or finish long after their lease, delivers callbacks and reads of Twilio's log. Whatever the order: no text is
//! accepted twice, nothing overtakes what was tried, one attempt is in flight in a lane, and in the end nothing is left.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::SignedDuration;
use proptest::prelude::*;

use crate::app::App;
use crate::bridge;
use crate::bridge::deliveries::sms_status::Echo;
use crate::clock::Clock;
use crate::config::{Config, Environment, Secrets};
use crate::delivery::{self, Delivery, Outcome};
use crate::serve::{Running, assemble};
use crate::store::lanes::{Claimed, Lease, Work};
use crate::store::messages::NewMessage;
use crate::store::{Store, conversations, lanes, messages, order};
use crate::twilio::form::MessageStatus;
use crate::vocabulary::{ConversationId, Origin, OutboxId};

const LINE: &str = "+16195550100";
const CONVERSATIONS: usize = 3;
const WORKERS: usize = 2;

/// What Twilio does with a request, and what the worker hears of it.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Accepted,
    AnswerLost {
        accepted: bool,
    },
    NotSent,
    Refused,
    /// The worker dies after the request left, or before.
    Dies {
        accepted: bool,
    },
    /// The answer comes, but the worker keeps it only later: perhaps when its lease is long over.
    Slow,
}

#[derive(Debug, Clone)]
enum Operation {
    /// Events come in any order: it was written in that second.
    Reply {
        conversation: usize,
        second: u32,
    },
    Work {
        worker: usize,
        fate: Fate,
        log_can_be_read: bool,
    },
    KeepSlow,
    Callback {
        nth: usize,
    },
    Pass {
        milliseconds: i64,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let fate = prop_oneof![
        4 => Just(Fate::Accepted),
        3 => any::<bool>().prop_map(|accepted| Fate::AnswerLost { accepted }),
        2 => Just(Fate::NotSent),
        1 => Just(Fate::Refused),
        2 => any::<bool>().prop_map(|accepted| Fate::Dies { accepted }),
        2 => Just(Fate::Slow),
    ];
    let work = (0..WORKERS, fate, prop::bool::weighted(0.7)).prop_map(
        |(worker, fate, log_can_be_read)| Operation::Work {
            worker,
            fate,
            log_can_be_read,
        },
    );
    let operation = prop_oneof![
        3 => (0..CONVERSATIONS, 10..99u32).prop_map(|(conversation, second)| Operation::Reply { conversation, second }),
        6 => work,
        1 => Just(Operation::KeepSlow),
        1 => (0..8usize).prop_map(|nth| Operation::Callback { nth }),
        4 => prop_oneof![1..400i64, 400..9_000i64].prop_map(|milliseconds| Operation::Pass { milliseconds }),
    ];
    prop::collection::vec(operation, 1..70)
}

/// A text that Twilio accepted.
#[derive(Debug, Clone)]
struct Accepted {
    sid: String,
    outbox_id: OutboxId,
    attempt: i64,
    lane: String,
    place: (i64, i64),
}

struct Machine {
    app: App,
    now: Arc<AtomicI64>,
    conversations: Vec<ConversationId>,
    replies: i64,
    accepted: Vec<Accepted>,
    slow: Vec<(Claimed, Outcome, Lease)>,
    /// Lanes with a claim whose lease has not ended, by when it does.
    in_flight: HashMap<String, i64>,
    _folder: tempfile::TempDir,
}

impl Machine {
    async fn start() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = Clock::Manual(now.clone());
        let store = Store::open(
            &format!("sqlite://{}/qdn.db", folder.path().display()),
            clock.clone(),
        )
        .await
        .unwrap();
        let toml = r##"
            public_url = "https://desk.example.com"
            people = [{ name = "Sergio", phone = "+16195550111" }]
            lines = [{ name = "QDN", number = "+16195550100", channel = "C0DISPATCH", ring = [{ people = ["Sergio"], seconds = 15 }] }]
            delivery = { request_timeout = "1s" }
        "##;
        let config = Config::parse(toml, &Environment::default()).unwrap();
        let secrets = Secrets::load(&Environment::of([
            ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
            ("TWILIO_AUTH_TOKEN", qdn_sandbox::twilio::AUTH_TOKEN),
            ("TWILIO_API_KEY", "SK00000000000000000000000000000000"),
            ("TWILIO_API_SECRET", "a-secret-that-is-long"),
            ("SLACK_BOT_TOKEN", "xoxb-a-test-token"),
            ("SLACK_SIGNING_SECRET", qdn_sandbox::slack::SIGNING_SECRET),
        ]))
        .unwrap();
        let (app, _, _) = assemble(Running {
            config,
            secrets,
            store,
            clock,
        })
        .unwrap();
        let mut conversations = Vec::new();
        for index in 0..CONVERSATIONS {
            let mut tx = app.store.begin().await.unwrap();
            let caller = format!("+1619555014{index}");
            conversations.push(
                conversations::open(&mut tx, LINE, &caller, "")
                    .await
                    .unwrap()
                    .id,
            );
            tx.commit().await.unwrap();
        }
        Machine {
            app,
            now,
            conversations,
            replies: 0,
            accepted: Vec::new(),
            slow: Vec::new(),
            in_flight: HashMap::new(),
            _folder: folder,
        }
    }

    fn lease(worker: usize) -> Lease {
        Lease {
            owner: format!("worker {worker}"),
            duration: SignedDuration::from_secs(6),
            remote_now: None,
        }
    }

    async fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Reply {
                conversation,
                second,
            } => self.reply(*conversation, *second).await,
            Operation::Work {
                worker,
                fate,
                log_can_be_read,
            } => self.work(*worker, *fate, *log_can_be_read).await?,
            Operation::KeepSlow => self.keep_slow().await,
            Operation::Callback { nth } => self.callback(*nth).await,
            Operation::Pass { milliseconds } => {
                self.now.fetch_add(*milliseconds, Ordering::SeqCst);
            }
        }
        self.check().await
    }

    async fn reply(&mut self, conversation: usize, second: u32) {
        self.replies += 1;
        let id = self.conversations[conversation].clone();
        let external_id = format!("C0DISPATCH:{}", self.replies);
        let mut tx = self.app.store.begin().await.unwrap();
        let new = NewMessage {
            conversation_id: &id,
            origin: Origin::Slack,
            external_id: &external_id,
            author: "U1",
            body: "words",
            channel: "C0DISPATCH",
            ts: &format!("18000000{second}.000100"),
            internal: false,
        };
        let message = messages::insert(&mut tx, &new).await.unwrap().unwrap();
        let sms = Delivery::Sms {
            body: format!("words {}", self.replies),
        };
        let lane = delivery::phone_lane(LINE, &id);
        delivery::enqueue(&mut tx, &lane, Some(&id), Some(&message), &sms)
            .await
            .unwrap();
        order::by_writing(&mut tx, &lane.id).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn work(
        &mut self,
        worker: usize,
        fate: Fate,
        log_can_be_read: bool,
    ) -> Result<(), TestCaseError> {
        let lease = Self::lease(worker);
        let claims = lanes::claim(&self.app.store, &delivery::twilio_throttle(LINE), &lease, 2)
            .await
            .unwrap();
        for claimed in claims {
            let now = self.now.load(Ordering::SeqCst);
            let held_until = self.in_flight.insert(
                claimed.row.lane.clone(),
                claimed.lease_until.as_millisecond(),
            );
            prop_assert!(
                held_until.is_none_or(|until| until <= now),
                "two workers in one lane"
            );
            let outcome = match &claimed.work {
                Work::Attempt(_) => self.attempt(&claimed, fate),
                Work::Settle(_) => Some(self.look(&claimed, log_can_be_read)),
            };
            match (outcome, fate, &claimed.work) {
                (Some(outcome), Fate::Slow, Work::Attempt(_)) => {
                    self.slow.push((claimed, outcome, lease.clone()))
                }
                (Some(outcome), _, _) => self.keep(&claimed, &outcome, &lease).await,
                // Dead: its lease runs out.
                (None, _, _) => {}
            }
        }
        Ok(())
    }

    fn attempt(&mut self, claimed: &Claimed, fate: Fate) -> Option<Outcome> {
        match fate {
            Fate::Accepted | Fate::Slow => {
                let sid = self.accept(claimed);
                Some(Outcome::Delivered {
                    external_id: sid,
                    posted_in: None,
                    proof: "its answer",
                })
            }
            Fate::AnswerLost { accepted } => {
                if accepted {
                    self.accept(claimed);
                }
                Some(Outcome::Unknown {
                    why: "the answer was lost".into(),
                })
            }
            Fate::NotSent => Some(Outcome::Again {
                after: std::time::Duration::from_secs(1),
                why: "refused".into(),
            }),
            Fate::Refused => Some(Outcome::Refused {
                code: "30006".into(),
                why: "landline".into(),
            }),
            Fate::Dies { accepted } => {
                if accepted {
                    self.accept(claimed);
                }
                None
            }
        }
    }

    fn accept(&mut self, claimed: &Claimed) -> String {
        let sid = format!("SM{:032}", self.accepted.len());
        self.accepted.push(Accepted {
            sid: sid.clone(),
            outbox_id: claimed.row.id.clone(),
            attempt: claimed.row.attempts,
            lane: claimed.row.lane.clone(),
            place: (claimed.row.seq, claimed.row.part),
        });
        sid
    }

    /// What `outbox::settle` says of Twilio's log as it is.
    fn look(&self, claimed: &Claimed, can_be_read: bool) -> Outcome {
        if claimed.orphaned {
            return Outcome::Unknown {
                why: "the program stopped".into(),
            };
        }
        if !can_be_read {
            return Outcome::NotRead {
                why: "broken off".into(),
                is_forbidden: false,
                rest: None,
            };
        }
        match self
            .accepted
            .iter()
            .find(|text| text.outbox_id == claimed.row.id)
        {
            Some(text) => Outcome::Delivered {
                external_id: text.sid.clone(),
                posted_in: None,
                proof: "Twilio's log",
            },
            None => Outcome::Absent,
        }
    }

    async fn keep(&mut self, claimed: &Claimed, outcome: &Outcome, lease: &Lease) {
        bridge::deliveries::outcome::receive(&self.app, claimed, outcome, lease)
            .await
            .unwrap();
        let now = self.now.load(Ordering::SeqCst);
        if claimed.lease_until.as_millisecond() > now {
            self.in_flight.remove(&claimed.row.lane);
        }
    }

    async fn keep_slow(&mut self) {
        for (claimed, outcome, lease) in std::mem::take(&mut self.slow) {
            self.keep(&claimed, &outcome, &lease).await;
        }
    }

    async fn callback(&mut self, nth: usize) {
        let Some(text) = self.accepted.get(nth).cloned() else {
            return;
        };
        let params = [
            ("MessageSid", text.sid.as_str()),
            ("MessageStatus", "delivered"),
        ];
        let mut params: Vec<(String, String)> = params
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec();
        params.push((
            "AccountSid".into(),
            "AC00000000000000000000000000000000".into(),
        ));
        let status = MessageStatus::from_params(&params).unwrap();
        let echo = Echo {
            outbox_id: text.outbox_id,
            attempt: text.attempt,
        };
        bridge::deliveries::sms_status::receive(&self.app, &status, Some(&echo))
            .await
            .unwrap();
    }

    async fn check(&self) -> Result<(), TestCaseError> {
        let mut last: HashMap<&str, (i64, i64)> = HashMap::new();
        let mut rows: HashMap<&str, usize> = HashMap::new();
        for text in &self.accepted {
            let times = rows.entry(&text.outbox_id).or_default();
            *times += 1;
            prop_assert_eq!(*times, 1, "one reply was accepted twice");
            if let Some(before) = last.insert(&text.lane, text.place) {
                prop_assert!(before < text.place, "a reply overtook another");
            }
        }
        Ok(())
    }

    /// The faults end: everything must come to its end too.
    async fn finish(&mut self) -> Result<(), TestCaseError> {
        self.keep_slow().await;
        for _ in 0..400 {
            self.now.fetch_add(1_000, Ordering::SeqCst);
            self.work(0, Fate::Accepted, true).await?;
            self.check().await?;
            let pending: i64 = sqlx::query_scalar(
                "select count(*) from outbox where pending = 1 and kind = 'sms'",
            )
            .fetch_one(self.app.store.reader())
            .await
            .unwrap();
            if pending == 0 {
                return self.check_end().await;
            }
        }
        Err(TestCaseError::fail(
            "deliveries are still pending long after the faults ended",
        ))
    }

    async fn check_end(&self) -> Result<(), TestCaseError> {
        let states: Vec<(String, String, String)> =
            sqlx::query_as("select id, state, external_id from outbox where kind = 'sms'")
                .fetch_all(self.app.store.reader())
                .await
                .unwrap();
        for (id, state, external_id) in states {
            let sid = self
                .accepted
                .iter()
                .find(|text| *text.outbox_id == *id)
                .map(|text| text.sid.as_str());
            match state.as_str() {
                "delivered" => {
                    prop_assert_eq!(Some(external_id.as_str()), sid, "bound to another SMS")
                }
                "refused" => prop_assert_eq!(None, sid, "refused, but it was accepted"),
                "undecided" => {}
                other => prop_assert!(false, "{} is {}", id, other),
            }
        }
        let intact = self.app.store.verify_audit(&[]).await.unwrap();
        prop_assert!(intact.is_ok(), "the audit chain: {:?}", intact);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_faults_sends_a_text_twice_or_loses_it(operations in operations()) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut machine = Machine::start().await;
            for operation in &operations {
                machine.apply(operation).await?;
            }
            machine.finish().await
        })?;
    }
}
