//! Lists of new callers. Slack takes about one message a second in a channel, so a flood of made-up numbers would keep every
//! honest new caller waiting for a thread. Past a backlog, the texts of new callers are shown together in lists.
//!
//! A list is one post, made of what stands in `listed` for it. Any post that begins a caller's thread shows first what was
//! listed of them, in the order of their texts, and the lists then lead there: so whoever opens a thread, by a button, by
//! texting again or because there is room, no text is lost or shown twice for good. A text goes into a list only while nothing
//! of its caller waits in their own lane, and into their lane only while nothing of them waits in a list: nothing overtakes.
//! What we have to say of a listed caller, and the files of their texts, wait for the thread: they must not begin it.

use serde_json::{Value, json};

use crate::app::App;
use crate::bridge::desk::decision::{Stop, decide_or_tell};
use crate::bridge::desk::thread_header;
use crate::bridge::wording::{Moment, newcomers as wording};
use crate::delivery::{self, Content, Delivery};
use crate::phone::Address;
use crate::slack::blocks;
use crate::slack::event::BlockActions;
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::listed::{self, Listed};
use crate::store::outbox::Row;
use crate::store::{Tx, conversations, lanes, outbox, threads};
use crate::vocabulary::{ConversationId, Decision, DeliveryState, MessageId, OutboxId};

/// How many new callers must wait for their threads to count as a flood. A quiet channel takes that many at once.
const FLOOD: i64 = 10;

/// How many texts one list shows.
const TEXTS: usize = 15;

/// How many blocks one list has below its head: Slack takes 50 in all.
const BLOCKS: usize = 49;

/// How many blocks a text may have besides its own: who wrote it, and that it came late.
const BESIDES: usize = 2;

/// How many characters: Slack recommends no more than 4,000.
const CHARACTERS: usize = 3_000;

/// How many texts of one caller are listed: their thread's root shows them all.
const OF_ONE: i64 = 8;

/// For how many milliseconds a new caller's thread gives way to everybody else.
const GIVES_WAY: i64 = 20_000;

/// For how many milliseconds a list gives way.
const LIST_GIVES_WAY: i64 = 5_000;

/// Whether more new callers wait than the channel takes as threads.
pub(crate) async fn is_flood(tx: &mut Tx, line: &str) -> anyhow::Result<bool> {
    Ok(listed::newcomers(tx, &delivery::slack_throttle(line), FLOOD).await? >= FLOOD)
}

/// Puts a text into a list if the channel is flooded. Returns the list's row.
pub(crate) async fn list(
    tx: &mut Tx,
    conversation: &Conversation,
    message_id: &MessageId,
    post: &Delivery,
) -> anyhow::Result<Option<OutboxId>> {
    let Delivery::Post { reply, .. } = post else {
        return Ok(None);
    };
    let own_lane = delivery::thread_lane(&conversation.line, &conversation.id);
    if !conversation.thread_ts.is_empty() || lanes::is_waiting(tx, &own_lane.id).await? {
        return Ok(None);
    }
    let (waiting, to_be_posted) = listed::count_waiting(tx, &conversation.id).await?;
    let is_listed =
        to_be_posted > 0 || (waiting < OF_ONE && is_flood(tx, &conversation.line).await?);
    if !is_listed {
        return Ok(None);
    }
    let lane = delivery::list_lane(&conversation.line);
    let list = match listed::last(tx, &lane.id).await? {
        Some(row) if has_room(tx, &row.id, reply).await? => row.id,
        _ => {
            let list = Delivery::List {
                line: conversation.line.clone(),
            };
            let id = delivery::enqueue(tx, &lane, None, None, &list).await?;
            lanes::put_behind(tx, &lane.id, LIST_GIVES_WAY).await?;
            id
        }
    };
    listed::put(tx, &list, &conversation.id, message_id, reply).await?;
    metrics::counter!("qdn_texts_listed_total").increment(1);
    Ok(Some(list))
}

async fn has_room(tx: &mut Tx, list: &str, reply: &Content) -> anyhow::Result<bool> {
    let texts = listed::of_list(&mut *tx, list).await?;
    let mut characters = reply.text.chars().count();
    let mut shown = blocks_of(reply).len() + BESIDES;
    for text in &texts {
        let content = text.content()?;
        characters += content.text.chars().count();
        shown += blocks_of(&content).len() + BESIDES;
    }
    Ok(texts.len() < TEXTS && shown <= BLOCKS && characters <= CHARACTERS)
}

/// Lowers the priority of a new caller's thread: known callers and calls come first.
pub(crate) async fn give_way(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<()> {
    if !conversation.thread_ts.is_empty() {
        return Ok(());
    }
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    lanes::put_behind(tx, &lane.id, GIVES_WAY).await
}

/// The body of a header message with the texts of its caller that were listed before.
pub(crate) fn above(app: &App, listed: &[Listed], body: Content) -> anyhow::Result<Content> {
    if listed.is_empty() {
        return Ok(body);
    }
    let (mut text, mut shown) = (Vec::new(), Vec::new());
    let (zone, now) = (&app.config.desk.timezone, app.clock.now());
    for one in listed {
        let content = one.content()?;
        if listed.len() > 1 {
            shown.push(blocks::context(&Moment::new(one.came(), now, zone).shown()));
        }
        shown.extend(blocks_of(&content));
        text.push(content.text);
    }
    shown.extend(blocks_of(&body));
    text.push(body.text);
    text.retain(|part| !part.is_empty());
    Ok(Content {
        text: text.join("\n"),
        blocks: Some(Value::Array(shown)),
    })
}

fn blocks_of(content: &Content) -> Vec<Value> {
    match content.blocks.as_ref().and_then(Value::as_array) {
        Some(list) => list.clone(),
        None => vec![blocks::section(&content.text)],
    }
}

/// A list as it is shown now; `None` where nothing of it is left to show.
pub(crate) async fn compose(app: &App, list: &OutboxId) -> anyhow::Result<Option<Content>> {
    let texts = listed::of_list(&app.store, list).await?;
    let mut callers: Vec<(&ConversationId, Vec<&Listed>)> = Vec::new();
    for text in &texts {
        let id = &text.conversation_id;
        match callers.iter_mut().find(|(known, _)| *known == id) {
            Some((_, of_caller)) => of_caller.push(text),
            None => callers.push((id, vec![text])),
        }
    }
    if callers.is_empty() {
        return Ok(None);
    }
    let (mut lines, mut shown) = (Vec::new(), Vec::new());
    let is_open = callers
        .iter()
        .any(|(_, texts)| texts.iter().any(|text| !text.is_opened()));
    shown.push(blocks::section(&wording::head(callers.len(), is_open)));
    for (id, texts) in callers {
        let conversation = conversations::by_id(&app.store, id).await?;
        let caller = Address::new(&conversation.caller);
        let name = thread_header::name(&app.store, &app.config, &caller).await?;
        let who = wording::who(&caller, name.as_deref(), &conversation.place);
        if texts.iter().all(|text| text.is_opened()) {
            let link = app
                .directory
                .link(&conversation.channel, &conversation.thread_ts);
            shown.push(blocks::context(&wording::has_a_thread(
                &who,
                link.as_deref(),
            )));
            continue;
        }
        let button = wording::open_button(id);
        shown.push(blocks::section_with(id, &who, &button));
        for text in texts.iter().filter(|text| !text.is_opened()) {
            let content = text.content()?;
            lines.push(format!("{who}: {}", content.text));
            shown.extend(blocks_of(&content));
        }
    }
    Ok(Some(Content {
        text: if lines.is_empty() {
            wording::all_have_threads()
        } else {
            lines.join("\n")
        },
        blocks: Some(blocks::message(shown)),
    }))
}

/// Asks for a caller's thread if there is none yet; `false` if there is, or one is on its way.
async fn open(tx: &mut Tx, conversation: &Conversation) -> anyhow::Result<bool> {
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    let (waiting, to_be_posted) = listed::count_waiting(tx, &conversation.id).await?;
    if !conversation.thread_ts.is_empty()
        || waiting == 0
        || to_be_posted > 0
        || lanes::is_waiting(tx, &lane.id).await?
    {
        return Ok(false);
    }
    let post = Delivery::Post {
        reply: wording::how_to_answer(&Address::new(&conversation.caller)),
        root: None,
        new_thread: false,
        broadcast: false,
    };
    delivery::enqueue(tx, &lane, Some(&conversation.id), None, &post).await?;
    Ok(true)
}

/// A thread has begun that shows what was listed: the lists lead there from now on, and what waited for it follows.
pub(crate) async fn began(
    tx: &mut Tx,
    conversation: &Conversation,
    post: &OutboxId,
) -> anyhow::Result<()> {
    let opened = listed::open(tx, &conversation.id, post).await?;
    if opened.lists.is_empty() {
        return Ok(());
    }
    for list in &opened.lists {
        show_again(tx, list).await?;
    }
    for notice in opened.notices {
        delivery::enqueue_notice(tx, &conversation.line, &conversation.id, notice).await?;
    }
    for lane in outbox::rouse_pictures(tx, &conversation.id).await? {
        lanes::advance(tx, &lane).await?;
    }
    Ok(())
}

/// Changes what is shown of a listed text, wherever it stands by now; `false` where it is not listed, cannot be changed, or its
/// list or root is just being posted.
pub(crate) async fn add(
    tx: &mut Tx,
    conversation: &Conversation,
    message_id: &MessageId,
    change: impl FnOnce(&Content) -> Option<Content>,
) -> anyhow::Result<bool> {
    let Some(text) = listed::of_message(tx, message_id).await? else {
        return Ok(false);
    };
    let shown_by = if text.is_opened() {
        text.opened_by()
    } else {
        text.list()
    };
    let row = outbox::by_id(&mut *tx, shown_by).await?;
    let Some(changed) = change(&text.content()?) else {
        return Ok(false);
    };
    if row.as_ref().is_some_and(is_under_way) {
        return Ok(false);
    }
    // What begins the thread is made of the listed texts.
    let lane = delivery::thread_lane(&conversation.line, &conversation.id);
    if !text.is_opened() && lanes::is_waiting(tx, &lane.id).await? {
        return Ok(false);
    }
    listed::change(tx, message_id, changed).await?;
    match row.filter(|_| text.is_opened()) {
        Some(root) => {
            let ts = root.external_id.as_str();
            if let Some((channel, _)) = threads::holding(tx, &conversation.id, ts).await? {
                delivery::enqueue_root(tx, &conversation.id, &channel, ts).await?;
            }
        }
        None => show_again(tx, text.list()).await?,
    }
    Ok(true)
}

/// Whether a row is just being delivered or looked for: what it shows must not change.
pub(crate) fn is_under_way(row: &Row) -> bool {
    let state = row.state.known();
    matches!(state, Some(DeliveryState::Sending | DeliveryState::Unknown))
}

/// A list was posted; what of it has a thread already is said by an edit. `writers` have written under it before it was known
/// to be nobody's thread: they alone are told.
pub(crate) async fn posted(
    tx: &mut Tx,
    app: &App,
    list: &Row,
    (channel, ts): (&str, &str),
    writers: &[String],
) -> anyhow::Result<()> {
    let texts = listed::of_list(&mut *tx, &list.id).await?;
    let mut callers: Vec<&ConversationId> =
        texts.iter().map(|text| &text.conversation_id).collect();
    callers.sort_unstable();
    callers.dedup();
    for id in callers {
        let conversation = conversations::by_id(&mut *tx, id).await?;
        tx.audit(NewEntry {
            line: app.line_name(&conversation.line),
            number: conversation.caller,
            subject: list.id.to_string(),
            decision: Decision::Posted,
            reason: "in a list of new callers".into(),
            detail: json!({ "conversation": id, "outbox": list.id, "kind": list.kind, "ts": ts }),
            at: None,
        });
    }
    // Who was quicker than Slack's answer is told now.
    for writer in writers {
        tell(tx, app, (channel, ts, writer)).await?;
    }
    if texts.iter().any(Listed::is_opened) {
        show_again(tx, &list.id).await
    } else {
        Ok(())
    }
}

async fn show_again(tx: &mut Tx, list: &OutboxId) -> anyhow::Result<()> {
    let lane = delivery::listing_lane(list);
    let is_posted = outbox::by_id(&mut *tx, list)
        .await?
        .is_some_and(|row| !row.external_id.is_empty());
    if !is_posted || outbox::is_to_come(tx, &lane.id).await? {
        return Ok(());
    }
    let listing = Delivery::Listing {
        list: list.to_owned(),
    };
    delivery::enqueue(tx, &lane, None, None, &listing).await?;
    Ok(())
}

/// Slack does not accept a list: each of its callers gets a thread instead.
pub(crate) async fn dissolve(tx: &mut Tx, list: &Row) -> anyhow::Result<()> {
    let why = "its callers get threads of their own";
    outbox::set_state(tx, &list.id, DeliveryState::Dropped, 0, why).await?;
    for text in listed::of_list(&mut *tx, &list.id).await? {
        if !text.is_opened() {
            let conversation = conversations::by_id(&mut *tx, &text.conversation_id).await?;
            open(tx, &conversation).await?;
        }
    }
    Ok(())
}

/// Somebody pressed the button beside a listed caller.
pub(crate) async fn press(
    app: &App,
    pressed: &BlockActions,
    conversation_id: &ConversationId,
) -> anyhow::Result<()> {
    decide_or_tell(app, pressed, async |tx| {
        let Some(conversation) = conversations::find(tx, conversation_id).await? else {
            return Err(Stop::Refused(crate::bridge::wording::desk::is_gone()));
        };
        if !open(tx, &conversation).await? {
            let (channel, root) = (&conversation.channel, &conversation.thread_ts);
            let link = app.directory.link(channel, root);
            return Err(Stop::Refused(wording::is_open_already(link.as_deref())));
        }
        tx.audit(NewEntry {
            line: app.line_name(&conversation.line),
            number: conversation.caller.clone(),
            subject: conversation.id.to_string(),
            decision: Decision::ThreadAskedFor,
            reason: "a person pressed the button".into(),
            detail: json!({ "conversation": conversation.id, "by": pressed.user.as_str() }),
            at: None,
        });
        Ok(())
    })
    .await
}

/// Opens the thread of the caller of each line who has been listed for longest, where there is room.
pub(crate) async fn open_next(app: &App) -> anyhow::Result<()> {
    for line in &app.config.lines {
        let number = line.number.as_str();
        if listed::is_busy(&app.store, &delivery::slack_throttle(number)).await? {
            continue;
        }
        let Some(next) = listed::oldest(&app.store, number).await? else {
            continue;
        };
        let mut tx = app.store.begin().await?;
        let conversation = conversations::by_id(&mut tx, &next).await?;
        if open(&mut tx, &conversation).await? {
            give_way(&mut tx, &conversation).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// A copy of a list stays, because people have answered under it: it is nobody's thread either, and its `writers`
/// are told.
pub(crate) async fn keep_copy(
    tx: &mut Tx,
    app: &App,
    list: &Row,
    (channel, ts): (&str, &str),
    writers: &[String],
) -> anyhow::Result<()> {
    let lane = delivery::copies_lane(&list.id);
    let copy = delivery::enqueue(tx, &lane, None, None, &list.delivery()?).await?;
    outbox::set_external_id(tx, &copy, ts).await?;
    let why = "a copy of a list that people have answered";
    outbox::set_state(tx, &copy, DeliveryState::Delivered, 0, why).await?;
    lanes::advance(tx, &lane.id).await?;
    for writer in writers {
        tell(tx, app, (channel, ts, writer)).await?;
    }
    Ok(())
}

/// Somebody wrote under what may be a list, which is nobody's thread: they alone are told. `false` if it is none.
pub(crate) async fn tell_writer(
    tx: &mut Tx,
    app: &App,
    (channel, root, user): (&str, &str, &str),
) -> anyhow::Result<bool> {
    let is_list = listed::is_one(tx, root).await?;
    if is_list {
        tell(tx, app, (channel, root, user)).await?;
    }
    Ok(is_list)
}

async fn tell(
    tx: &mut Tx,
    app: &App,
    (channel, root, user): (&str, &str, &str),
) -> anyhow::Result<()> {
    let Some(line) = app.config.lines.first() else {
        return Ok(());
    };
    let told = Delivery::Ephemeral {
        channel: channel.to_owned(),
        user: user.to_owned(),
        thread_ts: root.to_owned(),
        content: wording::nobodys_thread().into(),
    };
    let lane = delivery::ephemeral_lane(line.number.as_str(), user);
    delivery::enqueue(tx, &lane, None, None, &told).await?;
    Ok(())
}
