//! Alarms for unanswered texts: after `remind_after` a reminder in the channel, after `page_after` an escalation to the people
//! of the line's last ring step.
//!
//! The due times are in the database (`conversation_status.remind_at` and `page_at`), so they survive a restart. Whoever finds
//! one due clears it in the transaction that writes what follows, so it fires once however many processes look. Alarms that
//! are due together, as after an outage, are told together: an alarm fires at most once in [`GATHERED`] seconds on a line.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::thread_header;
use crate::app::App;
use crate::bridge::desk::{escalation, status};
use crate::bridge::wording::desk::{self, Unanswered};
use crate::config::Line;
use crate::delivery::{self, Delivery};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::conversation_status::{self, Alarm, ConversationStatus};
use crate::store::conversations::Conversation;
use crate::store::{Tx, conversations, kv, messages};
use crate::vocabulary::{ConversationId, Decision};

/// How many are looked at in one transaction.
const AT_ONCE: i64 = 200;

/// How many of one line are called out each in its own thread; more are told in one message.
const SINGLY: usize = 5;

/// How many are texted about singly.
const PAGED_SINGLY: usize = 3;

/// For how many seconds what is due on a line is gathered.
const GATHERED: f64 = 60.0;

/// From how many milliseconds on an alarm says that its text was found late.
const LATE: i64 = 60_000;

/// Fires the alarms that are due.
pub(crate) async fn tick(app: &App) -> anyhow::Result<()> {
    for line in &app.config.lines {
        strike(app, line, Alarm::Remind).await?;
        strike(app, line, Alarm::Page).await?;
    }
    Ok(())
}

/// One conversation with a due alarm.
struct Due {
    conversation: Conversation,
    status: ConversationStatus,
    name: Option<String>,
    words: String,
    /// Whether the text came long before it was found.
    is_found_late: bool,
}

async fn strike(app: &App, line: &Line, alarm: Alarm) -> anyhow::Result<()> {
    let number = line.number.as_str();
    let ids = conversation_status::due(&app.store, number, alarm, AT_ONCE).await?;
    if ids.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.begin().await?;
    if !may_strike(&mut tx, app, line, alarm).await? {
        return Ok(());
    }
    let mut due = Vec::with_capacity(ids.len());
    for id in ids {
        due.extend(take(&mut tx, app, &id, alarm).await?);
    }
    if due.is_empty() {
        return Ok(());
    }
    match alarm {
        Alarm::Remind => remind(&mut tx, app, line, &due).await?,
        Alarm::Page => page(&mut tx, app, line, &due).await?,
    }
    for one in &due {
        tx.audit(entry(line, one, alarm));
    }
    let now = tx.now().as_millisecond().to_string();
    kv::write(&mut tx, &struck(line, alarm), &now).await?;
    tx.commit().await
}

/// Whether the last time was long enough ago.
async fn may_strike(tx: &mut Tx, app: &App, line: &Line, alarm: Alarm) -> anyhow::Result<bool> {
    let last = kv::read(&mut *tx, &struck(line, alarm)).await?;
    let last = last.and_then(|at| at.parse().ok());
    let last = last.and_then(|at| Timestamp::from_millisecond(at).ok());
    let gathered = delivery::scaled(app.config.delivery.settle_after, GATHERED);
    let gathered = SignedDuration::try_from(gathered)?;
    // A clock that was set back must not keep anything from striking.
    Ok(last.is_none_or(|at| tx.now().duration_since(at).abs() >= gathered))
}

/// The key of the time when an alarm last fired on a line.
fn struck(line: &Line, alarm: Alarm) -> String {
    let what = match alarm {
        Alarm::Remind => Decision::Reminded,
        Alarm::Page => Decision::Paged,
    };
    format!("desk.{what}.{}", line.number.as_str())
}

/// Stops the clock of a conversation, if it is still due.
async fn take(
    tx: &mut Tx,
    app: &App,
    id: &ConversationId,
    alarm: Alarm,
) -> anyhow::Result<Option<Due>> {
    let mut status = conversation_status::of(&mut *tx, id).await?;
    let now = tx.now().as_millisecond();
    let since = status.clock_since.unwrap_or_default();
    let desk = &app.config.desk;
    let (at, of_text) = match alarm {
        Alarm::Remind => (&mut status.remind_at, status::remind_at(since, desk)),
        Alarm::Page => (&mut status.page_at, status::page_at(since, desk)),
    };
    let Some(due) = at.take_if(|at| *at <= now) else {
        return Ok(None);
    };
    conversation_status::save(tx, &status).await?;
    let Some(conversation) = conversations::find(tx, id).await? else {
        return Ok(None);
    };
    let caller = Address::new(&conversation.caller);
    Ok(Some(Due {
        name: thread_header::name(&mut *tx, &app.config, &caller).await?,
        words: messages::last_text(tx, id).await?,
        is_found_late: due.saturating_sub(of_text) >= LATE,
        conversation,
        status,
    }))
}

async fn remind(tx: &mut Tx, app: &App, line: &Line, due: &[Due]) -> anyhow::Result<()> {
    if due.len() > SINGLY {
        let unanswered: Vec<Unanswered> = due.iter().map(|one| one.told(tx, app)).collect();
        let announce = Delivery::Announce {
            channel: line.channel.clone(),
            content: desk::many_unanswered(&unanswered[..SINGLY], due.len()),
            thread_ts: String::new(),
        };
        let lane = delivery::channel_lane(line.number.as_str());
        delivery::enqueue(tx, &lane, None, None, &announce).await?;
        return Ok(());
    }
    for one in due {
        let reminder = Delivery::Post {
            reply: desk::unanswered(&one.told(tx, app)),
            root: None,
            new_thread: false,
            broadcast: true,
        };
        let conversation = &one.conversation;
        let lane = delivery::thread_lane(&conversation.line, &conversation.id);
        delivery::enqueue(tx, &lane, Some(&conversation.id), None, &reminder).await?;
    }
    Ok(())
}

async fn page(tx: &mut Tx, app: &App, line: &Line, due: &[Due]) -> anyhow::Result<()> {
    if due.len() > PAGED_SINGLY
        && let Some(first) = due.first()
    {
        return page_together(tx, app, line, (first, due.len())).await;
    }
    for one in due {
        let people = escalation::people(&app.config, line, &one.conversation.caller);
        if people.is_empty() {
            continue;
        }
        let words = desk::page_one(&line.name, &one.told(tx, app));
        for person in &people {
            let (id, occasion) = (&one.conversation.id, one.occasion());
            escalation::send(tx, line, person, (id, &occasion), &words).await?;
        }
        let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
        let notice = desk::paged(&names, one.status.unanswered_for(tx.now()));
        let (number, id) = (&one.conversation.line, &one.conversation.id);
        delivery::enqueue_notice(tx, number, id, notice.into()).await?;
    }
    Ok(())
}

/// Texts about many callers at once, and says so once in the channel: a post in each thread would keep the channel busy.
async fn page_together(
    tx: &mut Tx,
    app: &App,
    line: &Line,
    (first, count): (&Due, usize),
) -> anyhow::Result<()> {
    let people = escalation::people(&app.config, line, "");
    if people.is_empty() {
        return Ok(());
    }
    let words = desk::page_many(&line.name, count, first.told(tx, app).link.as_deref());
    for person in &people {
        let occasion = first.occasion();
        escalation::send(
            tx,
            line,
            person,
            (&first.conversation.id, &occasion),
            &words,
        )
        .await?;
    }
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    let announce = Delivery::Announce {
        channel: line.channel.clone(),
        content: desk::paged_for_many(&names, count).into(),
        thread_ts: String::new(),
    };
    let lane = delivery::channel_lane(line.number.as_str());
    delivery::enqueue(tx, &lane, None, None, &announce).await?;
    Ok(())
}

impl Due {
    fn told(&self, tx: &Tx, app: &App) -> Unanswered<'_> {
        let conversation = &self.conversation;
        Unanswered {
            caller: Address::new(&conversation.caller),
            name: self.name.as_deref(),
            age: self.status.unanswered_for(tx.now()),
            claimed_by: &self.status.claimed_by,
            words: &self.words,
            is_found_late: self.is_found_late,
            link: app
                .directory
                .link(&conversation.channel, &conversation.thread_ts),
        }
    }

    /// Identifies this run of the clock: one escalation is sent for each run.
    fn occasion(&self) -> String {
        self.status.clock_since.unwrap_or_default().to_string()
    }
}

fn entry(line: &Line, due: &Due, alarm: Alarm) -> NewEntry {
    let (decision, reason) = match alarm {
        Alarm::Remind => (Decision::Reminded, "nobody has answered the text"),
        Alarm::Page => (Decision::Paged, "nobody has answered the text for longer"),
    };
    NewEntry {
        line: line.name.clone(),
        number: due.conversation.caller.clone(),
        subject: due.conversation.id.to_string(),
        decision,
        reason: reason.to_owned(),
        detail: json!({ "conversation": due.conversation.id }),
        at: None,
    }
}
