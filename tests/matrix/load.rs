//! What people do while something goes wrong: callers text, dispatchers answer, some of it told many times over.
//!
//! Everything said is unlike everything else said, except where the same words twice are the point, so that the
//! checker can follow each word from one end to the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qdn_relay::phone::PhoneNumber;
use qdn_sandbox::slack::SlackStandIn;
use qdn_sandbox::twilio::TwilioStandIn;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::desk::{ALICE, BOB, CHANNEL, DORA, LINE, SERGIO};

/// Everybody who texts.
pub(crate) const CALLERS: [&str; 3] = [ALICE, BOB, "+16195550144"];

/// How long a caller's thread may take to appear, trouble included.
const THREAD: Duration = Duration::from_secs(180);

/// What differs from one load to another.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    /// Webhooks of texts that never come.
    pub texts_withheld: bool,
    /// Events of replies that never come.
    pub events_withheld: bool,
    /// How often each text and each reply is told, at the same time.
    pub copies: usize,
    /// Replies follow each other without a pause.
    pub hurried: bool,
    /// The caller has to text once more before anybody can answer.
    pub text_first: bool,
}

/// A text of a caller.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub caller: &'static str,
    pub body: String,
    pub sid: String,
    /// When it was sent and, if it was answered 2xx, when that was; on the clock of [`Said`].
    pub began: u64,
    pub acknowledged: Option<u64>,
}

/// Words of a dispatcher in a thread.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub caller: &'static str,
    /// What the caller should read; for a note what must not leave.
    pub body: String,
    pub is_note: bool,
    pub ts: String,
    pub began: u64,
    pub acknowledged: Option<u64>,
}

impl Reply {
    /// It begins with a colleague's name: its writer is asked, and nobody answers.
    pub(crate) fn is_to_colleague(&self) -> bool {
        self.is_note && self.body.starts_with('@')
    }
}

/// Everything said so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub texts: Vec<Text>,
    pub replies: Vec<Reply>,
    /// Texts whose post somebody deleted.
    pub deleted: Vec<String>,
    /// Nobody says anything any more.
    pub complete: bool,
}

/// The people; clones are the same ones.
#[derive(Clone)]
pub(crate) struct Load {
    twilio: TwilioStandIn,
    slack: SlackStandIn,
    seed: u64,
    shape: Shape,
    said: Arc<Mutex<Said>>,
    clock: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new(
        twilio: &TwilioStandIn,
        slack: &SlackStandIn,
        seed: u64,
        shape: Shape,
    ) -> Load {
        Load {
            twilio: twilio.clone(),
            slack: slack.clone(),
            seed,
            shape,
            said: Arc::default(),
            clock: Arc::default(),
        }
    }

    /// Everything said so far.
    pub(crate) fn said(&self) -> Said {
        self.said.lock().unwrap().clone()
    }

    /// Somebody deletes the first message of every thread.
    pub(crate) fn delete_roots(&self) {
        for caller in CALLERS {
            let Some(root) = self.root_of(caller) else {
                continue;
            };
            let shown = self.slack.message(CHANNEL, &root);
            let words = shown.map(|message| self.slack.rendered(&message));
            self.slack.delete_message(CHANNEL, &root);
            let mut said = self.said.lock().unwrap();
            let gone: Vec<String> = said
                .texts
                .iter()
                .filter(|text| {
                    words
                        .as_ref()
                        .is_some_and(|words| words.contains(&text.body))
                })
                .map(|text| text.body.clone())
                .collect();
            said.deleted.extend(gone);
        }
    }

    /// Each caller texts once and sees a thread begun.
    pub(crate) async fn warm_up(&self) -> Result<(), String> {
        let all = CALLERS.map(|caller| self.first_text(caller));
        let done = futures_util::future::join_all(all).await;
        done.into_iter().collect()
    }

    /// Everything after the warm-up, each conversation by itself.
    pub(crate) async fn go_on(&self) -> Result<(), String> {
        let all = CALLERS.map(|caller| self.conversation(caller));
        let done = futures_util::future::join_all(all).await;
        self.said.lock().unwrap().complete = true;
        done.into_iter().collect()
    }

    /// One text that came long ago, and whose webhook never did.
    pub(crate) async fn forgotten_text(&self, age: Duration) {
        let (caller, body) = (CALLERS[0], self.words("forgotten", CALLERS[0], 9));
        let began = self.tick();
        let text = self.twilio.inbound(caller, LINE, &body);
        let receipt = text.aged(age).withhold_webhook().send().await;
        self.said.lock().unwrap().texts.push(Text {
            caller,
            body,
            sid: receipt.sid,
            began,
            acknowledged: None,
        });
    }

    async fn first_text(&self, caller: &'static str) -> Result<(), String> {
        self.text(caller, 1, false).await;
        self.wait_for_root(caller).await
    }

    async fn wait_for_root(&self, caller: &'static str) -> Result<(), String> {
        let name = display(caller);
        let is_there = self
            .slack
            .wait_until(
                |world| {
                    world
                        .roots(CHANNEL)
                        .iter()
                        .any(|root| root.is_by_app() && world.rendered(root).contains(&name))
                },
                THREAD,
            )
            .await;
        is_there
            .then_some(())
            .ok_or_else(|| format!("the thread of caller {} never began", letter(caller)))
    }

    async fn conversation(&self, caller: &'static str) -> Result<(), String> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ u64::from(letter(caller)));
        let withhold = self.shape.texts_withheld;
        if self.shape.text_first {
            self.text(caller, 4, withhold).await;
        }
        self.reply(caller, &self.words("reply", caller, 1), &mut rng)
            .await?;
        self.text(caller, 2, withhold).await;
        self.pause(&mut rng).await;
        let mentioning = format!("{} <@{SERGIO}>", self.words("mentions", caller, 2));
        match caller {
            ALICE => self.reply(caller, &mentioning, &mut rng).await?,
            _ => {
                self.reply(caller, &self.words("the same", caller, 2), &mut rng)
                    .await?
            }
        }
        let note = format!("// {}", self.words("aside", caller, 3));
        self.reply(caller, &note, &mut rng).await?;
        self.pause(&mut rng).await;
        // The same words once more, where they were said before: each is a reply of its own.
        self.reply(caller, &self.words("the same", caller, 2), &mut rng)
            .await?;
        if caller == BOB {
            let remark = format!("<@{SERGIO}> {}", self.words("remark", caller, 4));
            self.reply(caller, &remark, &mut rng).await?;
        }
        self.text(caller, 3, withhold).await;
        Ok(())
    }

    async fn text(&self, caller: &'static str, n: u32, withheld: bool) {
        let body = self.words("text", caller, n);
        let began = self.tick();
        let mut text = self
            .twilio
            .inbound(caller, LINE, &body)
            .repeat(self.shape.copies.max(1));
        if withheld {
            text = text.withhold_webhook();
        }
        let receipt = text.send().await;
        let acknowledged = (200..300).contains(&receipt.status).then(|| self.tick());
        self.said.lock().unwrap().texts.push(Text {
            caller,
            body,
            sid: receipt.sid,
            began,
            acknowledged,
        });
    }

    async fn reply(
        &self,
        caller: &'static str,
        typed: &str,
        rng: &mut StdRng,
    ) -> Result<(), String> {
        self.wait_for_root(caller).await?;
        let root = self.root_of(caller).unwrap_or_default();
        let began = self.tick();
        let mut say = self.slack.say(DORA, CHANNEL, typed).in_thread(&root);
        say = match (self.shape.events_withheld, self.shape.copies) {
            (true, _) => say.withheld(),
            (false, 0 | 1) => say.repeated(rng.random_range(1..=3), rng.random_bool(0.5)),
            (false, copies) => say.repeated(copies, rng.random_bool(0.5)),
        };
        let ts = say.send().await;
        let acknowledged = self
            .slack
            .deliveries()
            .iter()
            .any(|delivery| delivery.ts.as_deref() == Some(&ts) && delivery.outcome == Ok(200))
            .then(|| self.tick());
        let is_note = typed.starts_with("//") || typed.starts_with('<');
        self.said.lock().unwrap().replies.push(Reply {
            caller,
            body: typed.replace(&format!("<@{SERGIO}>"), "@Sergio"),
            is_note,
            ts,
            began,
            acknowledged,
        });
        Ok(())
    }

    /// The latest thread that says whose it is.
    fn root_of(&self, caller: &str) -> Option<String> {
        let name = display(caller);
        self.slack.read(|world| {
            let roots = world.roots(CHANNEL).into_iter().rev();
            let mut named =
                roots.filter(|root| root.is_by_app() && world.rendered(root).contains(&name));
            named.next().map(|root| root.ts.clone())
        })
    }

    async fn pause(&self, rng: &mut StdRng) {
        if !self.shape.hurried {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..80))).await;
        }
    }

    fn words(&self, what: &str, caller: &str, n: u32) -> String {
        format!("{what} {}{n} {:06x}", letter(caller), self.seed & 0xff_ffff)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// How a caller is named in the channel.
pub(crate) fn display(caller: &str) -> String {
    PhoneNumber::parse(caller).unwrap().national()
}

fn letter(caller: &str) -> char {
    match caller.bytes().last() {
        Some(b'2') => 'A',
        Some(b'3') => 'B',
        _ => 'C',
    }
}
