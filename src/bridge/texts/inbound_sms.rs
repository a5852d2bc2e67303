//! A caller's text: saves it and queues its post in the caller's thread.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::app::App;
use crate::bridge::desk::opt_out;
use crate::bridge::desk::status::Came;
use crate::bridge::desk::{away_text, newcomers, status};
use crate::bridge::texts::coalesce;
use crate::bridge::texts::inbound_media::{self, InboundMedia, Words};
use crate::bridge::texts::late::Found;
use crate::bridge::wording::{self, Moment, TextIn};
use crate::config::Line;
use crate::conversation;
use crate::delivery::{self, Delivery};
use crate::phone::Address;
use crate::store::audit::NewEntry;
use crate::store::conversations::{self, Conversation};
use crate::store::messages::NewMessage;
use crate::store::{Tx, kv, messages, storable};
use crate::twilio::form::{self, InboundSms};
use crate::vocabulary::{Decision, MessageId, Origin, OutboxId};

/// What a text came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Saved; it will be posted.
    New,
    /// Saved before.
    Known,
    /// It was sent to a number of no line.
    NoSuchLine,
}

/// From when on a text is said to be late that stands in its place: less is not worth a word.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// Saves a text and its deliveries in one transaction. Once this returns, nothing of it is lost. `found` is given for a text
/// whose webhook never came.
pub(crate) async fn receive(
    app: &App,
    sms: &InboundSms,
    found: Option<Found>,
) -> anyhow::Result<Received> {
    let Some(line) = line_of(app, &sms.to) else {
        watch_from_now(app, &sms.to).await?;
        return Ok(Received::NoSuchLine);
    };
    crate::faultpoints::point("sms.verified");
    // A text that is found late is answered by people.
    let is_away = match found {
        None => away_text::of(app, line).await,
        Some(_) => None,
    };
    let mut tx = app.store.begin().await?;
    let conversation = open_conversation(&mut tx, line, sms).await?;
    let body = storable(&sms.body);
    let Some(message_id) = insert(&mut tx, &conversation, sms, &body).await? else {
        return Ok(Received::Known);
    };
    crate::faultpoints::point("sms.message_kept");
    let found = note_late(&mut tx, &message_id, found).await?;
    let came_at = found.map(|found| found.came_at);
    let idle_for = app.config.desk.new_thread_after;
    let new_thread = conversation::is_idle(conversation.last_at(), tx.now(), idle_for);
    let when = Came {
        begins_thread: new_thread,
        at: came_at,
    };
    status::text_came(&mut tx, app, &conversation, sms, when).await?;
    let row = post(
        &mut tx,
        app,
        &conversation,
        &message_id,
        &Text {
            sms,
            body: &body,
            found,
            new_thread,
        },
    )
    .await?;
    let as_of = came_at.unwrap_or(tx.now());
    opt_out::record(&mut tx, app, &conversation, sms, as_of).await?;
    crate::faultpoints::point("sms.row_kept");
    if let Some(is_away) = is_away {
        away_text::text_the_caller(&mut tx, app, line, &conversation, (&body, is_away)).await?;
    }
    newcomers::give_way(&mut tx, &conversation).await?;
    let detail = json!({ "conversation": conversation.id, "message": message_id, "outbox": row, "media": sms.num_media });
    tx.audit(entry(line, sms, &conversation, came_at.is_some(), detail));
    crate::faultpoints::point("sms.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("sms.committed");
    Ok(Received::New)
}

fn entry(
    line: &Line,
    sms: &InboundSms,
    conversation: &Conversation,
    is_late: bool,
    detail: Value,
) -> NewEntry {
    let reason = if is_late {
        "a caller wrote; it was found late"
    } else {
        "a caller wrote"
    };
    NewEntry {
        line: line.name.clone(),
        number: conversation.caller.clone(),
        subject: sms.message_sid.to_string(),
        decision: Decision::TextReceived,
        reason: reason.to_owned(),
        detail,
        at: None,
    }
}

/// Once the number is a line, what came before is looked for from here on.
async fn watch_from_now(app: &App, number: &Address) -> anyhow::Result<()> {
    let mut tx = app.store.begin().await?;
    let now = tx.now().as_millisecond().to_string();
    kv::write_first(&mut tx, &kv::texts_watermark(number.as_str()), &now).await?;
    tx.commit().await
}

async fn open_conversation(
    tx: &mut Tx,
    line: &Line,
    sms: &InboundSms,
) -> anyhow::Result<Conversation> {
    let place = form::place(sms.from_city.as_deref(), sms.from_state.as_deref());
    let caller = storable(sms.from.for_texts().as_str());
    conversations::open(tx, line.number.as_str(), &caller, &storable(&place)).await
}

/// Saves the message; `None` if it was saved before.
async fn insert(
    tx: &mut Tx,
    conversation: &Conversation,
    sms: &InboundSms,
    body: &str,
) -> anyhow::Result<Option<MessageId>> {
    let new = NewMessage {
        conversation_id: &conversation.id,
        origin: Origin::Twilio,
        external_id: sms.message_sid.as_str(),
        author: &conversation.caller,
        body,
        channel: "",
        ts: "",
        internal: false,
    };
    messages::insert(tx, &new).await
}

/// Returns `found` if the text is late enough to say so. Keeps when it came if it stands behind a newer text.
async fn note_late(
    tx: &mut Tx,
    message_id: &MessageId,
    found: Option<Found>,
) -> anyhow::Result<Option<Found>> {
    let found =
        found.filter(|found| found.is_behind || tx.now().duration_since(found.came_at) >= LATE);
    if let Some(found) = found.filter(|found| found.is_behind) {
        messages::set_came_at(tx, message_id, found.came_at).await?;
    }
    Ok(found)
}

/// A text as it is shown.
struct Text<'a> {
    sms: &'a InboundSms,
    body: &'a str,
    /// It is late.
    found: Option<Found>,
    new_thread: bool,
}

/// Queues the post of a text and those of its files: in the caller's thread, in a list of new callers, or together with
/// the text before it. Returns the row that shows the words.
async fn post(
    tx: &mut Tx,
    app: &App,
    conversation: &Conversation,
    message_id: &MessageId,
    text: &Text<'_>,
) -> anyhow::Result<OutboxId> {
    let enclosed = InboundMedia::of(text.sms);
    let late = text.found.map(|Found { came_at, is_behind }| {
        let at = Moment::new(came_at, tx.now(), &app.config.desk.timezone);
        wording::found::late(&at.shown(), is_behind)
    });
    let shown = TextIn {
        body: text.body,
        media: &enclosed.to_be_shown,
        late: late.as_deref(),
    };
    let quiet_for = app.config.desk.renotify_after;
    let post = Delivery::Post {
        root: Some(wording::root(&text.sms.from.for_texts(), &shown)),
        reply: wording::text_in(&shown),
        new_thread: text.new_thread,
        // Whoever follows the channel and not the thread would miss it.
        broadcast: !text.new_thread
            && !conversation.thread_ts.is_empty()
            && conversation::is_idle(conversation.last_at(), tx.now(), quiet_for),
    };
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    let listed = newcomers::list(tx, conversation, message_id, &post).await?;
    let is_listed = listed.is_some();
    let mut together = listed;
    if together.is_none() && text.sms.media.is_empty() {
        together = coalesce::gather(tx, &lane, &post, &app.config.desk.timezone).await?;
    }
    let row = match together {
        Some(row) => row,
        None => {
            delivery::enqueue(tx, &lane, Some(&conversation.id), Some(message_id), &post).await?
        }
    };
    let words = if is_listed {
        Words::Listed(&row)
    } else {
        Words::Posted(&row)
    };
    inbound_media::enqueue(tx, conversation, (message_id, words), text.sms, &enclosed).await?;
    Ok(row)
}

/// The line that a text was sent to. What a channel other than SMS calls us (`rcs:…`) is no number that somebody could
/// add under `[[lines]]`, nor would backfill find the text: it goes to the first line.
fn line_of<'a>(app: &'a App, to: &Address) -> Option<&'a Line> {
    let number = to.without_channel();
    app.config.line_of(number).or_else(|| {
        let is_number = to.channel().is_none() && !number.is_empty();
        app.config.lines.first().filter(|_| !is_number)
    })
}
