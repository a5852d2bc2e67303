//! What can go wrong, and how it is brought about while the load goes on.

use std::net::SocketAddr;
use std::time::Duration;

use qdn_sandbox::faults::{Effect, Fault, Faults};
use qdn_sandbox::twilio::{Callbacks, TwilioStandIn};
use rand::RngExt;
use rand::rngs::StdRng;
use sqlx::{AnyConnection, Connection, Executor};

use crate::desk::{CHANNEL, Desk, PATIENCE, Relay, signal};
use crate::load::Load;
use crate::site::Site;

/// Nobody listens there.
const NOWHERE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1)),
    9,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Twilio,
    Slack,
}

/// Requests to come that go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub vendor: Vendor,
    pub endpoint: &'static str,
    pub fault: Fault,
    /// How many of them, or [`ALWAYS`].
    pub times: usize,
}

/// Every request, until the trouble is over.
pub(crate) const ALWAYS: usize = 0;

#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// All is well.
    Nothing,
    /// It dies the `count`th time it passes the point, while these requests go wrong.
    DieAt {
        point: &'static str,
        count: u32,
        scripts: Vec<Script>,
    },
    /// SIGKILL at random.
    Kill { times: u32 },
    /// SIGTERM at random.
    Terminate,
    /// SIGSTOP at random, with a second process on the same database.
    Stopped { time: Duration },
    /// These requests go wrong, each as often as it says.
    Requests {
        scripts: Vec<Script>,
        at_start: bool,
    },
    /// These requests go wrong for a time, each of them.
    Lasting {
        scripts: Vec<Script>,
        time: Duration,
    },
    /// No webhook comes and these requests go wrong until somebody is asked, or a reply has left twice.
    Blind { scripts: Vec<Script> },
    /// Refuses connections for a time.
    Down { vendor: Vendor, time: Duration },
    /// No webhook of either vendor comes through, for as long as people talk; these requests go wrong meanwhile.
    WebhooksLost { scripts: Vec<Script> },
    /// Each status callback so often, the first before the create's answer.
    Callbacks { copies: usize },
    /// The last status first, and then those before it.
    StatusesBackwards,
    /// Twilio lists a message only so much later, while these requests go wrong.
    ListLags { lag: Duration, scripts: Vec<Script> },
    /// Somebody else holds the database's lock.
    Locked { time: Duration },
    /// Somebody deletes the threads' first messages.
    RootsDeleted,
    /// The channel is archived for a time.
    Archived,
    /// The bot is put out of the channel for a time.
    Kicked,
    /// Slack's token does not hold for a time.
    TokenRevoked,
    /// Twilio's key does not hold for a time.
    KeyRevoked,
    /// After an hour in which the service was down these requests go wrong, while something from then has to be found.
    LongAgo { scripts: Vec<Script> },
    /// Everything at once, at random, with a kill in it.
    Storm,
}

/// How long the channel, the token or the key is out of order: held deliveries are tried every 15 s.
const OUT_OF_ORDER: Duration = Duration::from_secs(2);

impl Trouble {
    /// What the process is started with.
    pub(crate) fn variable(&self) -> Option<(&'static str, String)> {
        match self {
            Trouble::DieAt { point, count, .. } => {
                Some(("QDN_FAULT_DIE_AT", format!("{point}:{count}")))
            }
            _ => None,
        }
    }

    /// How many creates of an SMS it leaves without an answer: each is given up when its time is over.
    pub(crate) fn silences(&self) -> usize {
        let scripts: &[Script] = match self {
            Trouble::DieAt { scripts, .. }
            | Trouble::Requests { scripts, .. }
            | Trouble::Lasting { scripts, .. }
            | Trouble::Blind { scripts }
            | Trouble::WebhooksLost { scripts }
            | Trouble::ListLags { scripts, .. }
            | Trouble::LongAgo { scripts } => scripts,
            _ => &[],
        };
        let silent = scripts.iter().filter(|script| {
            script.endpoint == "Messages.create"
                && matches!(script.fault.effect, Effect::Hang | Effect::Slow(_))
        });
        silent.map(|script| script.times).sum()
    }

    /// Starts the service and the load, and is back when both the load and the trouble are over.
    pub(crate) async fn befall(
        &self,
        site: &mut Site,
        load: &Load,
        rng: &mut StdRng,
    ) -> Result<(), String> {
        match self {
            Trouble::DieAt { point, scripts, .. } => {
                script(&site.desk, scripts);
                site.desk.start_relay().await;
                let talk = talk(load, true);
                if !site.wait_for_death(PATIENCE).await {
                    return Err(format!("it never passed {point}"));
                }
                site.examine_remains(load).await;
                calm(&site.desk);
                site.restart().await;
                return ended(talk).await;
            }
            Trouble::Requests {
                scripts,
                at_start: true,
            } => {
                script(&site.desk, scripts);
                site.desk.start_relay().await;
                ended(talk(load, true)).await?;
                return used_up(&site.desk, scripts).await;
            }
            _ => {}
        }
        site.desk.start_relay().await;
        load.warm_up().await?;
        match self {
            Trouble::Nothing | Trouble::DieAt { .. } => ended(talk(load, false)).await,
            Trouble::Kill { times } => {
                let talk = talk(load, false);
                for _ in 0..*times {
                    tokio::time::sleep(moment(rng, 500)).await;
                    site.kill().await;
                    site.examine_remains(load).await;
                    site.restart().await;
                }
                ended(talk).await
            }
            Trouble::Terminate => {
                let talk = talk(load, false);
                tokio::time::sleep(moment(rng, 400)).await;
                let code = site.desk.relay().terminate().await;
                if code != Some(0) {
                    site.problems
                        .push(format!("SIGTERM under load ended it with {code:?}"));
                }
                site.examine_remains(load).await;
                site.restart().await;
                ended(talk).await
            }
            Trouble::Stopped { time } => stopped(site, load, *time, rng).await,
            Trouble::Requests { scripts, .. } => {
                script(&site.desk, scripts);
                ended(talk(load, false)).await?;
                used_up(&site.desk, scripts).await
            }
            Trouble::Lasting { scripts, time } => {
                script(&site.desk, scripts);
                let talk = talk(load, false);
                tokio::time::sleep(*time).await;
                site.check_now(load).await;
                calm(&site.desk);
                ended(talk).await
            }
            Trouble::Blind { scripts } => {
                site.desk.lead_to(NOWHERE);
                script(&site.desk, scripts);
                ended(talk(load, false)).await?;
                used_up(&site.desk, scripts).await?;
                until_asked(site, load).await?;
                calm(&site.desk);
                let address = site.desk.relay().address;
                site.desk.lead_to(address);
                Ok(())
            }
            Trouble::Down { vendor, time } => {
                match vendor {
                    Vendor::Twilio => site.desk.twilio.down().await,
                    Vendor::Slack => site.desk.slack.down().await,
                }
                let talk = talk(load, false);
                tokio::time::sleep(*time).await;
                match vendor {
                    Vendor::Twilio => site.desk.twilio.up().await,
                    Vendor::Slack => site.desk.slack.up().await,
                }
                .map_err(|error| error.to_string())?;
                ended(talk).await
            }
            Trouble::WebhooksLost { scripts } => {
                site.desk.lead_to(NOWHERE);
                script(&site.desk, scripts);
                ended(talk(load, false)).await?;
                used_up(&site.desk, scripts).await?;
                let address = site.desk.relay().address;
                site.desk.lead_to(address);
                Ok(())
            }
            Trouble::Callbacks { copies } => {
                site.desk.twilio.set_callbacks(Callbacks {
                    copies: *copies,
                    before_answer: true,
                    ..Callbacks::automatic(Duration::from_millis(40))
                });
                ended(talk(load, false)).await
            }
            Trouble::StatusesBackwards => {
                site.desk.twilio.set_callbacks(Callbacks::default());
                let carrier = tokio::spawn(report_backwards(site.desk.twilio.clone()));
                ended(talk(load, false)).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
                carrier.abort();
                Ok(())
            }
            Trouble::ListLags { lag, scripts } => {
                site.desk.twilio.set_list_lag(*lag);
                script(&site.desk, scripts);
                ended(talk(load, false)).await?;
                used_up(&site.desk, scripts).await
            }
            Trouble::Locked { time } => {
                let talk = talk(load, false);
                tokio::time::sleep(moment(rng, 150)).await;
                hold_lock(site, *time).await.map_err(|it| it.to_string())?;
                ended(talk).await
            }
            Trouble::RootsDeleted => {
                load.delete_roots();
                ended(talk(load, false)).await
            }
            Trouble::Archived => {
                site.desk.slack.set_archived(CHANNEL, true);
                tokio::time::sleep(OUT_OF_ORDER).await;
                let talk = talk(load, false);
                tokio::time::sleep(OUT_OF_ORDER).await;
                site.desk.slack.set_archived(CHANNEL, false);
                ended(talk).await
            }
            Trouble::Kicked => {
                site.desk.slack.kick_bot(CHANNEL);
                let talk = talk(load, false);
                tokio::time::sleep(OUT_OF_ORDER).await;
                site.desk.slack.invite_bot(CHANNEL);
                ended(talk).await
            }
            Trouble::TokenRevoked => {
                site.desk.slack.set_token_revoked(true);
                let talk = talk(load, false);
                tokio::time::sleep(OUT_OF_ORDER).await;
                site.desk.slack.set_token_revoked(false);
                ended(talk).await
            }
            Trouble::KeyRevoked => {
                site.desk.twilio.set_api_key_valid(false);
                let talk = talk(load, false);
                tokio::time::sleep(OUT_OF_ORDER).await;
                site.desk.twilio.set_api_key_valid(true);
                site.desk.twilio.take_violations();
                ended(talk).await
            }
            Trouble::LongAgo { scripts } => long_ago(site, load, scripts).await,
            Trouble::Storm => storm(site, load, rng).await,
        }
    }
}

type Talk = tokio::task::JoinHandle<Result<(), String>>;

fn talk(load: &Load, from_the_beginning: bool) -> Talk {
    let load = load.clone();
    tokio::spawn(async move {
        if from_the_beginning {
            load.warm_up().await?;
        }
        load.go_on().await
    })
}

async fn ended(talk: Talk) -> Result<(), String> {
    talk.await.map_err(|error| error.to_string())?
}

fn moment(rng: &mut StdRng, up_to: u64) -> Duration {
    Duration::from_millis(rng.random_range(0..up_to))
}

fn faults(desk: &Desk, vendor: Vendor) -> &Faults {
    match vendor {
        Vendor::Twilio => desk.twilio.faults(),
        Vendor::Slack => desk.slack.faults(),
    }
}

fn script(desk: &Desk, scripts: &[Script]) {
    for one in scripts {
        let faults = faults(desk, one.vendor);
        match one.times {
            ALWAYS => faults.always(one.endpoint, one.fault.clone()),
            times => faults.push_many(one.endpoint, times, one.fault.clone()),
        }
    }
}

fn calm(desk: &Desk) {
    desk.twilio.faults().clear_all();
    desk.slack.faults().clear_all();
}

/// A fault that nothing ran into proves nothing.
async fn used_up(desk: &Desk, scripts: &[Script]) -> Result<(), String> {
    let deadline = tokio::time::Instant::now() + 2 * PATIENCE;
    for one in scripts {
        while faults(desk, one.vendor).waiting(one.endpoint) > 0 {
            if tokio::time::Instant::now() >= deadline {
                return Err(format!("{} was not asked often enough", one.endpoint));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Waits until a reply is put before a person, or something is wrong that cannot come right.
async fn until_asked(site: &mut Site, load: &Load) -> Result<(), String> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        site.check_now(load).await;
        if !site.problems.is_empty() || site.asks(load).await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("nobody was ever asked".into())
}

async fn stopped(
    site: &mut Site,
    load: &Load,
    time: Duration,
    rng: &mut StdRng,
) -> Result<(), String> {
    let second = Relay::start(&site.desk.launch()).await;
    let (first, address) = (site.desk.relay().pid(), second.address);
    site.second = Some(second);
    let talk = talk(load, false);
    tokio::time::sleep(moment(rng, 400)).await;
    signal(first, "STOP").await;
    site.desk.lead_to(address);
    tokio::time::sleep(time).await;
    site.check_now(load).await;
    signal(first, "CONT").await;
    ended(talk).await
}

/// The carrier's last word comes first.
async fn report_backwards(twilio: TwilioStandIn) {
    let mut reported = 0;
    loop {
        let arrived = |created: &[_]| created.len() > reported;
        let Ok(created) = twilio.wait_until_created(PATIENCE, arrived).await else {
            return;
        };
        for sms in &created[reported..] {
            twilio.deliver_status(&sms.sid, "delivered", None).await;
            for late in ["sent", "queued"] {
                twilio.deliver_callback(&sms.sid, late, None).await;
            }
        }
        reported = created.len();
    }
}

async fn hold_lock(site: &Site, time: Duration) -> Result<(), sqlx::Error> {
    let mut connection = site.connection().await;
    let is_sqlite = site.desk.database.url().starts_with("sqlite");
    let begin = if is_sqlite {
        "begin immediate"
    } else {
        "begin"
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut tx = loop {
        match connection.begin_with(begin).await {
            Ok(tx) => break tx,
            Err(error) if tokio::time::Instant::now() >= deadline => return Err(error),
            Err(_) => {}
        }
        connection = site.connection().await;
    };
    if !is_sqlite {
        tx.execute("lock table audit_head in access exclusive mode")
            .await?;
    }
    tokio::time::sleep(time).await;
    tx.rollback().await
}

/// Waits until Twilio's log was compared once: a service that ends before has nothing to catch up from.
async fn expect_compared(site: &Site) -> Result<(), String> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut connection = site.connection().await;
    let is_of_texts = |mark: &(String, String)| mark.0.starts_with("backfill.texts.");
    while !watermarks(&mut connection).await?.iter().any(is_of_texts) {
        if tokio::time::Instant::now() >= deadline {
            return Err("nothing was ever compared".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Up to when Twilio's log was compared, for each line.
async fn watermarks(connection: &mut AnyConnection) -> Result<Vec<(String, String)>, String> {
    sqlx::query_as("select name, value from kv where name like 'backfill.%'")
        .fetch_all(connection)
        .await
        .map_err(|error| error.to_string())
}

async fn long_ago(site: &mut Site, load: &Load, scripts: &[Script]) -> Result<(), String> {
    expect_compared(site).await?;
    site.desk.relay().terminate().await;
    site.examine_remains(load).await;
    let mut connection = site.connection().await;
    let marks = watermarks(&mut connection).await?;
    for (name, value) in marks {
        let earlier = value.parse::<i64>().unwrap_or_default() - 3_600_000;
        sqlx::query("update kv set value = $1 where name = $2")
            .bind(earlier.to_string())
            .bind(name)
            .execute(&mut connection)
            .await
            .map_err(|error| error.to_string())?;
    }
    load.forgotten_text(Duration::from_secs(30 * 60)).await;
    script(&site.desk, scripts);
    site.restart().await;
    ended(talk(load, false)).await?;
    used_up(&site.desk, scripts).await
}

/// Where a storm strikes.
const EXPOSED: [(Vendor, &str); 8] = [
    (Vendor::Twilio, "Messages.create"),
    (Vendor::Twilio, "Messages.create"),
    (Vendor::Twilio, "Messages.list"),
    (Vendor::Twilio, "Messages.fetch"),
    (Vendor::Slack, "chat.postMessage"),
    (Vendor::Slack, "chat.postMessage"),
    (Vendor::Slack, "conversations.replies"),
    (Vendor::Slack, "reactions.add"),
];

async fn storm(site: &mut Site, load: &Load, rng: &mut StdRng) -> Result<(), String> {
    let talk = talk(load, false);
    let killed_at = rng.random_range(0..30);
    for blow in 0..30 {
        let (vendor, endpoint) = EXPOSED[rng.random_range(0..EXPOSED.len())];
        let effect = match rng.random_range(0..8) {
            0 => Effect::Hang,
            1 => Effect::Reset,
            2 => Effect::CutShort,
            3 => Effect::Status(503),
            4 => Effect::RateLimited {
                retry_after: Some(1),
            },
            5 => Effect::Empty,
            6 => Effect::Garbage,
            _ => Effect::Slow(Duration::from_secs(2)),
        };
        // What was asked too often was not acted on.
        let accepted = rng.random_bool(0.5) && !matches!(effect, Effect::RateLimited { .. });
        faults(&site.desk, vendor).push(endpoint, Fault { effect, accepted });
        if blow == killed_at {
            site.kill().await;
            site.examine_remains(load).await;
            site.restart().await;
        }
        tokio::time::sleep(moment(rng, 200)).await;
    }
    calm(&site.desk);
    ended(talk).await
}
