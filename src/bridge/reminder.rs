//! The clock of what nobody answers: after `remind_after` a text is called out in the channel, after `page_after` the people
//! of the line's last ring step are texted.
//!
//! The clock is in the database (`matter.remind_at` and `page_at`), so it outlives a restart; whoever finds it due stops it in
//! the transaction that writes what follows, so it strikes once however many processes look. What is due together, as after
//! an outage, is told together.

use std::collections::BTreeMap;

use serde_json::json;

use super::page;
use super::root;
use super::wording::desk::{self, Unanswered};
use crate::app::App;
use crate::config::Line;
use crate::delivery::{self, Delivery};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::matters::{self, Alarm, Matter};
use crate::store::{Tx, conversations, messages};

/// How many are looked at in one transaction.
const AT_ONCE: i64 = 200;

/// How many of one line are called out each in its own thread; more are told in one message.
const SINGLY: usize = 5;

/// How many are texted about singly.
const PAGED_SINGLY: usize = 3;

/// Looks for what is due, and does what follows.
pub(crate) async fn tick(app: &App) -> anyhow::Result<()> {
    strike(app, Alarm::Remind).await?;
    strike(app, Alarm::Page).await
}

/// One conversation whose time has come.
struct Due {
    conversation: Conversation,
    matter: Matter,
    name: Option<String>,
    words: String,
}

async fn strike(app: &App, alarm: Alarm) -> anyhow::Result<()> {
    let ids = matters::due(&app.store, alarm, AT_ONCE).await?;
    if ids.is_empty() {
        return Ok(());
    }
    let mut tx = app.store.begin().await?;
    let mut by_line: BTreeMap<String, Vec<Due>> = BTreeMap::new();
    for id in ids {
        if let Some(due) = take(&mut tx, app, &id, alarm).await? {
            let line = due.conversation.line.clone();
            by_line.entry(line).or_default().push(due);
        }
    }
    for (number, due) in &by_line {
        let Some(line) = app.config.line_of(number) else {
            continue;
        };
        match alarm {
            Alarm::Remind => remind(&mut tx, app, line, due).await?,
            Alarm::Page => page(&mut tx, app, line, due).await?,
        }
        for one in due {
            tx.audit(entry(line, one, alarm));
        }
    }
    tx.commit().await
}

/// Stops the clock of a conversation, if it is still due.
async fn take(tx: &mut Tx, app: &App, id: &str, alarm: Alarm) -> anyhow::Result<Option<Due>> {
    let mut matter = matters::of(tx, id).await?;
    let now = tx.now().as_millisecond();
    let at = match alarm {
        Alarm::Remind => &mut matter.remind_at,
        Alarm::Page => &mut matter.page_at,
    };
    if at.is_none_or(|at| at > now) {
        return Ok(None);
    }
    *at = None;
    matters::keep(tx, &matter).await?;
    let Some(conversation) = conversations::find(tx, id).await? else {
        return Ok(None);
    };
    let caller = Address::new(&conversation.caller);
    Ok(Some(Due {
        name: root::name_in(tx, &app.config, &caller).await?,
        words: messages::last_text(tx, id).await?,
        conversation,
        matter,
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
        delivery::enqueue(tx, &lane, "", "", &announce).await?;
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
        delivery::enqueue(tx, &lane, &conversation.id, "", &reminder).await?;
    }
    Ok(())
}

async fn page(tx: &mut Tx, app: &App, line: &Line, due: &[Due]) -> anyhow::Result<()> {
    if due.len() > PAGED_SINGLY
        && let Some(first) = due.first()
    {
        let words = desk::page_many(&line.name, due.len(), first.told(tx, app).link.as_deref());
        for person in page::people(&app.config, line, "") {
            let occasion = first.occasion();
            page::send(tx, line, person, &first.conversation.id, &occasion, &words).await?;
        }
    }
    for one in due {
        let people = page::people(&app.config, line, &one.conversation.caller);
        if people.is_empty() {
            continue;
        }
        if due.len() <= PAGED_SINGLY {
            let words = desk::page_one(&line.name, &one.told(tx, app));
            for person in &people {
                let (id, occasion) = (&one.conversation.id, one.occasion());
                page::send(tx, line, person, id, &occasion, &words).await?;
            }
        }
        let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
        let notice = desk::paged(&names, one.matter.unanswered_for(tx.now()));
        let (number, id) = (&one.conversation.line, &one.conversation.id);
        delivery::enqueue_notice(tx, number, id, notice.into()).await?;
    }
    Ok(())
}

impl Due {
    fn told(&self, tx: &Tx, app: &App) -> Unanswered<'_> {
        let conversation = &self.conversation;
        Unanswered {
            caller: Address::new(&conversation.caller),
            name: self.name.as_deref(),
            age: self.matter.unanswered_for(tx.now()),
            claimed_by: &self.matter.claimed_by,
            words: &self.words,
            link: app
                .directory
                .link(&conversation.channel, &conversation.thread_ts),
        }
    }

    /// Which run of the clock it is: a page is sent once for each.
    fn occasion(&self) -> String {
        self.matter.clock_since.unwrap_or_default().to_string()
    }
}

fn entry(line: &Line, due: &Due, alarm: Alarm) -> NewEntry {
    let (decision, reason) = match alarm {
        Alarm::Remind => ("reminded", "nobody has answered the text"),
        Alarm::Page => ("paged", "nobody has answered the text for longer"),
    };
    NewEntry {
        line: line.name.clone(),
        number: due.conversation.caller.clone(),
        subject: due.conversation.id.clone(),
        decision,
        reason: reason.to_owned(),
        detail: json!({ "conversation": due.conversation.id }),
        at: None,
    }
}
