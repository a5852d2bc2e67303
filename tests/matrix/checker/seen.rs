//! Everything there is to compare, read once: what the stand-ins logged, what the database holds, what the log says.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use qdn_sandbox::slack::Message;
use qdn_sandbox::twilio::{Callback, Created, MessageView};
use serde_json::Value;
use sqlx::{AnyConnection, Connection, FromRow};

use crate::desk::CHANNEL;
use crate::load::Said;
use crate::site::Site;

#[derive(Debug, Clone, FromRow)]
pub(crate) struct MessageRow {
    pub id: String,
    pub conversation_id: String,
    pub origin: String,
    pub external_id: String,
    pub ts: String,
    pub internal: i64,
    pub mark: String,
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct OutboxRow {
    pub id: String,
    pub lane: String,
    pub seq: i64,
    pub part: i64,
    pub message_id: String,
    pub kind: String,
    pub state: String,
    pub pending: i64,
    pub attempts: i64,
    pub external_id: String,
    pub last_error: String,
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct AttemptRow {
    pub outbox_id: String,
    pub n: i64,
    pub started_at: i64,
    pub outcome: String,
    pub absent_since: Option<i64>,
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct SmsRow {
    pub sid: String,
    pub outbox_id: String,
    pub message_id: String,
    pub status: String,
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct ConversationRow {
    pub id: String,
    pub caller: String,
    pub channel: String,
    pub thread_ts: String,
}

#[derive(Debug, Clone, FromRow)]
pub(crate) struct ThreadRow {
    pub channel: String,
    pub ts: String,
    pub conversation_id: String,
}

#[derive(Debug, Clone, FromRow)]
struct AuditRow {
    at: i64,
    number: String,
    subject: String,
    decision: String,
    reason: String,
    detail: String,
}

/// A row of the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub at: i64,
    pub number: String,
    pub subject: String,
    pub decision: String,
    pub reason: String,
    pub detail: Value,
}

impl Entry {
    /// A word of its detail.
    pub(crate) fn word(&self, name: &str) -> &str {
        self.detail[name].as_str().unwrap_or_default()
    }

    /// The deliveries it names, one or several.
    pub(crate) fn outbox(&self) -> Vec<&str> {
        match &self.detail["outbox"] {
            Value::Array(ids) => ids.iter().filter_map(Value::as_str).collect(),
            Value::String(id) => vec![id],
            _ => Vec::new(),
        }
    }
}

/// A message of ours in Slack as people see it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub ts: String,
    pub root: String,
    pub words: String,
}

/// Everything.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub said: Said,
    pub created: Vec<Created>,
    pub callbacks: Vec<Callback>,
    pub at_twilio: Vec<MessageView>,
    /// The `ts` of every event that was answered 2xx.
    pub acknowledged_events: Vec<String>,
    pub posts: Vec<Shown>,
    pub reactions: HashMap<String, Vec<String>>,
    /// (`ts`, the message or delivery that its buttons stand for) of questions.
    pub questions: Vec<(String, String)>,
    pub messages: Vec<MessageRow>,
    pub outbox: Vec<OutboxRow>,
    pub attempts: Vec<AttemptRow>,
    pub sms: Vec<SmsRow>,
    pub conversations: Vec<ConversationRow>,
    pub threads: Vec<ThreadRow>,
    pub audit: Vec<Entry>,
    /// (SID, status)
    pub parked_statuses: Vec<(String, String)>,
    /// (root, ts)
    pub parked_replies: Vec<(String, String)>,
    /// As the desk is configured, in milliseconds.
    pub settle_after: i64,
    pub log: Vec<String>,
    pub violations: Vec<String>,
}

impl Seen {
    /// Reads the stand-ins first: whatever they were told by then has to be in the database.
    pub(crate) async fn take(site: &Site, said: Said) -> Result<Seen, sqlx::Error> {
        let (twilio, slack) = (&site.desk.twilio, &site.desk.slack);
        let mut violations = twilio.violations();
        violations.extend(slack.violations());
        if twilio.uses_of_auth_token() > 0 {
            violations.push("the auth token was used for a request".into());
        }
        let all: Vec<Message> = slack.read(|world| {
            let channel = world.channel(CHANNEL);
            channel.map_or_else(Vec::new, |channel| {
                channel.messages.values().cloned().collect()
            })
        });
        let by_app = all.iter().filter(|message| message.is_by_app());
        let deliveries = slack.deliveries().into_iter();
        let mut seen = Seen {
            said,
            created: twilio.created(),
            callbacks: twilio.callbacks(),
            at_twilio: twilio.messages(),
            acknowledged_events: deliveries
                .filter(|delivery| delivery.outcome.is_ok_and(|status| status < 300))
                .filter_map(|delivery| delivery.ts)
                .collect(),
            questions: by_app.clone().filter_map(question).collect(),
            posts: by_app
                .map(|message| Shown {
                    ts: message.ts.clone(),
                    root: message.thread_ts.clone().unwrap_or(message.ts.clone()),
                    words: slack.rendered(message),
                })
                .collect(),
            reactions: all
                .iter()
                .map(|message| (message.ts.clone(), slack.reactions(CHANNEL, &message.ts)))
                .collect(),
            messages: Vec::new(),
            outbox: Vec::new(),
            attempts: Vec::new(),
            sms: Vec::new(),
            conversations: Vec::new(),
            threads: Vec::new(),
            audit: Vec::new(),
            parked_statuses: Vec::new(),
            parked_replies: Vec::new(),
            settle_after: settle_after(site),
            log: site.log(),
            violations,
        };
        seen.read_database(&site.desk.database.url()).await?;
        Ok(seen)
    }

    async fn read_database(&mut self, url: &str) -> Result<(), sqlx::Error> {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(url).await?;
        let begin = match url.starts_with("sqlite") {
            true => "begin",
            false => "begin isolation level repeatable read",
        };
        let mut tx = connection.begin_with(begin).await?;
        self.messages = sqlx::query_as(
            "select id, conversation_id, origin, external_id, ts, internal, mark from message order by id",
        )
        .fetch_all(&mut *tx)
        .await?;
        self.outbox = sqlx::query_as(
            "select id, lane, seq, part, message_id, kind, state, pending, attempts, external_id, last_error from outbox order by id",
        )
        .fetch_all(&mut *tx)
        .await?;
        self.attempts = sqlx::query_as(
            "select outbox_id, n, started_at, outcome, absent_since from attempt order by outbox_id, n",
        )
        .fetch_all(&mut *tx)
        .await?;
        self.sms =
            sqlx::query_as("select sid, outbox_id, message_id, status from sms order by sid")
                .fetch_all(&mut *tx)
                .await?;
        self.conversations =
            sqlx::query_as("select id, caller, channel, thread_ts from conversation order by id")
                .fetch_all(&mut *tx)
                .await?;
        self.threads =
            sqlx::query_as("select channel, ts, conversation_id from thread order by ts")
                .fetch_all(&mut *tx)
                .await?;
        let rows: Vec<AuditRow> = sqlx::query_as(
            "select at, number, subject, decision, reason, detail from audit order by seq",
        )
        .fetch_all(&mut *tx)
        .await?;
        self.audit = rows.into_iter().map(entry).collect();
        self.parked_statuses = sqlx::query_as("select sid, status from deferred_status")
            .fetch_all(&mut *tx)
            .await?;
        self.parked_replies = sqlx::query_as("select root, ts from deferred_reply")
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        connection.close().await
    }

    /// The delivery and the attempt that an accepted create names in its `StatusCallback`.
    pub(crate) fn origin_of(created: &Created) -> Option<(String, i64)> {
        let (_, value) = created.status_callback.as_deref()?.rsplit_once('/')?;
        let carried: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
        let outbox_id = carried["o"].as_str()?.to_owned();
        Some((outbox_id, carried["a"].as_i64()?))
    }

    pub(crate) fn row(&self, id: &str) -> Option<&OutboxRow> {
        self.outbox.iter().find(|row| row.id == id)
    }
}

fn settle_after(site: &Site) -> i64 {
    let text = std::fs::read_to_string(&site.desk.config).unwrap();
    let file: toml::Table = text.parse().unwrap();
    let span = file["delivery"]["settle_after"].as_str().unwrap();
    match span.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse().unwrap(),
        None => 1_000 * span.trim_end_matches('s').parse::<i64>().unwrap(),
    }
}

fn entry(row: AuditRow) -> Entry {
    Entry {
        at: row.at,
        number: row.number,
        subject: row.subject,
        decision: row.decision,
        reason: row.reason,
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
    }
}

/// A message that asks what to do about a reply, and which.
fn question(message: &Message) -> Option<(String, String)> {
    let blocks = message.blocks.as_ref()?.as_array()?;
    let buttons = blocks
        .iter()
        .flat_map(|block| block["elements"].as_array().into_iter().flatten());
    let mut send = buttons.filter(|element| element["action_id"] == "reply_send");
    let value = send.next()?["value"].as_str()?.to_owned();
    Some((message.ts.clone(), value))
}
