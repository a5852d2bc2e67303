//! What can be delivered, how a delivery can end, and the lane each stands in.

#[cfg(test)]
mod fixtures;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::conversations::Conversation;
use crate::store::lanes::Lane;
use crate::store::outbox::{NewRow, Row, State};
use crate::store::{self, Tx};

/// What an outbox row asks for. It is whole when it is put in, but for what shows how things stand: the head of a root, a
/// mark and a call are made when they are sent, so that one request shows what several changes came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Delivery {
    /// A post in the conversation's thread, or as the root of a new one.
    Post {
        reply: Content,
        /// Used instead of `reply` where a thread has to be begun, below a head that says who it is.
        root: Option<Content>,
        /// Begin a thread even though there is one.
        new_thread: bool,
        /// Show it in the channel too.
        broadcast: bool,
    },
    /// A post in the line's channel, mostly outside any thread.
    Announce {
        channel: String,
        content: Content,
        /// The root under which it stands, for what belongs in a thread that is no longer its conversation's.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        thread_ts: String,
    },
    /// New words in a post of ours.
    Update {
        channel: String,
        ts: String,
        content: Content,
    },
    /// The texts of several new callers of a line, made of what is listed for it when it is posted.
    List { line: String },
    /// Bring a posted list up to date with who of its callers has a thread.
    Listing { list: String },
    /// Look once more for copies of a post that was made again: `of` is its row, `root` what it stands under.
    Copies {
        of: String,
        channel: String,
        root: String,
    },
    /// Bring the root of a thread up to date with where its conversation stands.
    Root { channel: String, ts: String },
    /// An answer to who pressed a button, by the address that came with the press: they need not be in the channel.
    Answer { response_url: String, text: String },
    /// Bring a person's home up to date, with what came of a button at its head.
    Home { person: String, notice: String },
    /// A post that one person sees.
    Ephemeral {
        channel: String,
        user: String,
        thread_ts: String,
        content: Content,
    },
    /// The words of a post that Slack did not take, for one person: `of` is its row.
    Words {
        of: String,
        channel: String,
        user: String,
        thread_ts: String,
    },
    /// New words in place of a question that one person sees, by the address that came with their press.
    Respond { response_url: String, text: String },
    /// A form for whoever did what `trigger_id` stands for, within 3 seconds of it.
    Form { trigger_id: String, view: Value },
    /// Bring the mark on a dispatcher's message up to date with what became of it.
    Mark,
    /// A dispatcher's words whose mentions still need names.
    Reply {
        slack_text: String,
        /// How many parts of it were counted when a person decided about it; 0 where nobody did.
        #[serde(default, skip_serializing_if = "is_none")]
        counted: usize,
    },
    /// The same with files, which still have to be fetched and made fit.
    Enclosing(Enclosing),
    /// An SMS.
    Sms { body: String },
    /// The same with files, by their ids.
    Mms { body: String, media: Vec<String> },
    /// Bring the message of a call up to date with what became of it.
    Call { call: String },
    /// A file of a caller's text into the thread.
    Picture(Picture),
    /// A caller's recorded message into the thread: its SID at Twilio, its file's name and title.
    Recording {
        recording: String,
        file: String,
        title: String,
    },
}

impl Delivery {
    /// The word for it in the database, `outbox list` and the metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Delivery::Post { .. } => "post",
            Delivery::Announce { .. } => "announce",
            Delivery::Update { .. } => "update",
            Delivery::List { .. } => "list",
            Delivery::Listing { .. } => "listing",
            Delivery::Copies { .. } => "copies",
            Delivery::Root { .. } => "root",
            Delivery::Answer { .. } => "answer",
            Delivery::Home { .. } => "home",
            Delivery::Ephemeral { .. } => "ephemeral",
            Delivery::Words { .. } => "words",
            Delivery::Respond { .. } => "respond",
            Delivery::Form { .. } => "form",
            Delivery::Mark => "mark",
            Delivery::Reply { .. } | Delivery::Enclosing(_) => "reply",
            // To all but the request itself they are the same.
            Delivery::Sms { .. } | Delivery::Mms { .. } => "sms",
            Delivery::Call { .. } => "call",
            Delivery::Picture(_) => "picture",
            Delivery::Recording { .. } => "recording",
        }
    }

    /// What the database keeps of it.
    pub(crate) fn payload(&self) -> String {
        #[derive(Serialize)]
        struct Payload<'a> {
            v: u64,
            #[serde(flatten)]
            delivery: &'a Delivery,
        }
        let payload = Payload {
            v: NEWEST,
            delivery: self,
        };
        // An enum of strings and JSON values always serializes.
        serde_json::to_string(&payload).unwrap_or_default()
    }

    /// Reads a payload of any version up to the newest.
    pub(crate) fn read(payload: &str) -> Result<Delivery, Unreadable> {
        let unreadable = |_| Unreadable::Payload;
        let Versioned { v } = serde_json::from_str(payload).map_err(unreadable)?;
        if v > NEWEST {
            return Err(Unreadable::Version(v));
        }
        // Version 1 is version 0 with its number.
        serde_json::from_str(payload).map_err(unreadable)
    }
}

/// The version of the payloads that are written, and the newest that is read.
const NEWEST: u64 = 1;

/// What every payload has: its version, 0 where it carries none.
#[derive(Debug, Deserialize)]
struct Versioned {
    #[serde(default)]
    v: u64,
}

/// Why a delivery cannot be read. It never tells what stands in it: that may be the words of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("its payload is not what this version of the program writes")]
    Payload,
    #[error("its payload has version {0}, which this version of the program does not know")]
    Version(u64),
    #[error("this version of the program does not know its kind")]
    Kind,
    #[error("this version of the program does not know its state")]
    State,
}

impl Row {
    /// What it asks for.
    pub(crate) fn delivery(&self) -> Result<Delivery, Unreadable> {
        Delivery::read(&self.payload)
    }

    /// What is wrong with it, if this program cannot deliver it whatever happens.
    pub(crate) fn flaw(&self) -> Option<Unreadable> {
        if State::parse(&self.state).is_none() {
            return Some(Unreadable::State);
        }
        match self.delivery() {
            Ok(delivery) if delivery.kind() == self.kind => None,
            Ok(_) => Some(Unreadable::Kind),
            Err(flaw) => Some(flaw),
        }
    }
}

/// A file of a caller's text, of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// The text at Twilio, and the file's own SID there.
    pub(crate) message_sid: String,
    pub(crate) media_sid: String,
    /// A MIME type, as the sender's phone named it.
    pub(crate) content_type: String,
    /// What it is called in Slack.
    pub(crate) name: String,
    /// The row that posts the words, which go first.
    pub(crate) after: String,
    /// The row of the file before it in the same text, which goes first unless it is in trouble; empty for the first.
    #[serde(default)]
    pub(crate) behind: String,
    /// Its id at Slack once it is there, where nobody sees it yet.
    pub(crate) uploaded: Option<String>,
}

/// A dispatcher's words and files on their way to becoming texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enclosing {
    pub(crate) slack_text: String,
    pub(crate) files: Vec<Enclosure>,
    /// How many parts of it were counted when a person decided about it; 0 where nobody did.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) counted: usize,
}

fn is_none(counted: &usize) -> bool {
    *counted == 0
}

/// A file that a dispatcher put beside their words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enclosure {
    /// Its id at Slack.
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) mimetype: String,
    /// Bytes, where Slack says.
    pub(crate) size: Option<u64>,
    /// Where Slack gives it to the bot.
    pub(crate) url: String,
    pub(crate) fate: Fate,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    Waiting,
    Ready(Medium),
    Unfit(Unfit),
}

/// Why a file is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unfit {
    /// It is gone from Slack.
    Deleted,
    /// It is not in this workspace, or not in Slack at all.
    Elsewhere,
    OfNoKind,
    TooLarge,
    /// It is no picture though it says so.
    Unreadable,
    /// Slack did not give it out for too long.
    Unreachable,
}

/// A file made fit for a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Medium {
    pub(crate) id: String,
    pub(crate) content_type: String,
    /// Bytes.
    pub(crate) size: i64,
}

/// Words for Slack: `text` for notifications and screen readers, `blocks` for the eye.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// mrkdwn, escaped.
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blocks: Option<Value>,
}

impl From<String> for Content {
    fn from(text: String) -> Content {
        Content { text, blocks: None }
    }
}

/// How a try at a delivery, or a look for what became of one, ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Done, as `proof` shows. `external_id` is the SID or ts, empty where there is none.
    Delivered {
        external_id: String,
        posted_in: Option<PostedIn>,
        proof: &'static str,
    },
    /// A mark is shown (empty for none), to be looked at again at that time; how many requests that took.
    Marked {
        shown: &'static str,
        requests: usize,
        again: Option<Timestamp>,
    },
    /// A reply whose names are known now: the texts that take its place, in order.
    Resolved(Vec<String>),
    /// Copies of a post were taken away. These were left, because people have answered under them: threads of its conversation.
    Cleared { answered: Vec<PostedIn> },
    /// One more file of a dispatcher's reply is fit to be sent, or known not to be.
    Prepared(Enclosing),
    /// A caller's file is at Slack under this id and can be shown; `None`: it is not there any more.
    Uploaded(Option<String>),
    /// Not acted on; try again after this long.
    Again { after: Duration, why: String },
    /// Not acted on because of the channel or the account, until somebody mends that; `is_of_gate`: so is whatever else leaves
    /// by the same gate.
    Held { why: String, is_of_gate: bool },
    /// Slack does not take it in this form; it is tried again and then made plainer. `was_plain`: it was bare text.
    NotTaken {
        after: Duration,
        why: String,
        was_plain: bool,
    },
    /// Refused for good.
    Refused { code: String, why: String },
    /// It may have been acted on.
    Unknown { why: String },
    /// A complete look found nothing of it.
    Absent,
    /// The look itself failed or broke off: it says nothing.
    NotRead {
        why: String,
        /// The remote does not let us look, rather than not answering: asking again will not help.
        is_forbidden: bool,
        /// How long it asked to be left alone.
        rest: Option<Duration>,
    },
    /// Several messages could be it.
    Several { candidates: usize },
    /// This version of the program cannot read what is asked for.
    Unreadable(Unreadable),
}

/// Where Slack put a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostedIn {
    pub(crate) channel: String,
    /// The root of the thread it is in; its own ts if it is a root.
    pub(crate) root: String,
}

/// `seconds` of the usual settings, less where `settle_after` is set shorter: every wait of the delivery promise keeps
/// its proportion to it, so that trying the promise out takes seconds.
pub(crate) fn scaled(settle_after: Duration, seconds: f64) -> Duration {
    const USUAL: Duration = Duration::from_secs(95);
    settle_after
        .min(USUAL)
        .mul_f64(seconds / USUAL.as_secs_f64())
}

/// The gate of reactions: Slack limits them for the whole workspace.
pub(crate) const MARKS_GATE: &str = "marks";

/// The gate of edits of roots: Slack limits them for the whole workspace, and no post need wait for one.
pub(crate) const ROOTS_GATE: &str = "roots";

/// The gate of the app's homes.
pub(crate) const HOMES_GATE: &str = "homes";

/// The gate of forms: nothing may hold up what has to be there within 3 seconds.
pub(crate) const FORMS_GATE: &str = "forms";

/// The gate of a line's Slack channel.
pub(crate) fn slack_gate(line: &str) -> String {
    format!("slack:{line}")
}

/// The gate of a line's Twilio number.
pub(crate) fn twilio_gate(line: &str) -> String {
    format!("twilio:{line}")
}

/// A conversation's posts, in order. `line` is its number.
pub(crate) fn thread_lane(line: &str, conversation_id: &str) -> Lane {
    Lane {
        id: format!("thread:{conversation_id}"),
        gate: slack_gate(line),
    }
}

/// A conversation's texts to the phone, in order: a reply whose fate is unknown does not hold what the caller writes.
pub(crate) fn phone_lane(line: &str, conversation_id: &str) -> Lane {
    Lane {
        id: format!("phone:{conversation_id}"),
        gate: twilio_gate(line),
    }
}

/// The word in an old thread that its conversation goes on elsewhere: nothing waits for it.
pub(crate) fn pointer_lane(line: &str, channel: &str, root: &str) -> Lane {
    Lane {
        id: format!("pointer:{channel}:{root}"),
        gate: slack_gate(line),
    }
}

/// A line's lists of new callers, in order.
pub(crate) fn list_lane(line: &str) -> Lane {
    Lane {
        id: format!("list:{line}"),
        gate: slack_gate(line),
    }
}

/// The edits of one list.
pub(crate) fn listing_lane(list: &str) -> Lane {
    Lane {
        id: format!("listing:{list}"),
        gate: ROOTS_GATE.to_owned(),
    }
}

/// The look for copies of one post, which no other post need wait for.
pub(crate) fn copies_lane(post: &str) -> Lane {
    Lane {
        id: format!("copies:{post}"),
        gate: ROOTS_GATE.to_owned(),
    }
}

/// A line's announcements, in order.
pub(crate) fn channel_lane(line: &str) -> Lane {
    Lane {
        id: format!("channel:{line}"),
        gate: slack_gate(line),
    }
}

/// The gate of what one person alone is told: Slack limits it by itself, so that no flood of posts holds it up.
pub(crate) fn asks_gate(line: &str) -> String {
    format!("asks:{line}")
}

/// What one person alone is told: a lane each, so that nobody's waits for another's.
pub(crate) fn ephemeral_lane(line: &str, user: &str) -> Lane {
    Lane {
        id: format!("asks:{line}:{user}"),
        gate: asks_gate(line),
    }
}

/// A conversation's questions to people, in order. They pass the channel's other posts.
pub(crate) fn question_lane(line: &str, conversation_id: &str) -> Lane {
    Lane {
        id: format!("{}{conversation_id}", store::lanes::FIRST_SERVED),
        gate: slack_gate(line),
    }
}

/// The gate of callers' files: what Twilio is slow to give out must not hold up words.
pub(crate) fn pictures_gate(line: &str) -> String {
    format!("pictures:{line}")
}

/// One file from a caller: one that does not come must not keep the others away.
pub(crate) fn picture_lane(line: &str, message: &str, media: &str) -> Lane {
    Lane {
        id: format!("picture:{message}:{media}"),
        gate: pictures_gate(line),
    }
}

/// One recording: however long it takes to come, nothing waits for it.
pub(crate) fn recording_lane(line: &str, recording: &str) -> Lane {
    Lane {
        id: format!("recording:{recording}"),
        gate: slack_gate(line),
    }
}

/// The words of one post of ours.
pub(crate) fn update_lane(line: &str, ts: &str) -> Lane {
    Lane {
        id: format!("update:{line}:{ts}"),
        gate: slack_gate(line),
    }
}

/// The root of one thread.
pub(crate) fn root_lane(channel: &str, ts: &str) -> Lane {
    Lane {
        id: format!("root:{channel}:{ts}"),
        gate: ROOTS_GATE.to_owned(),
    }
}

/// One person's home.
pub(crate) fn home_lane(person: &str) -> Lane {
    Lane {
        id: format!("home:{person}"),
        gate: HOMES_GATE.to_owned(),
    }
}

/// The forms of one person.
pub(crate) fn form_lane(user: &str) -> Lane {
    Lane {
        id: format!("form:{user}"),
        gate: FORMS_GATE.to_owned(),
    }
}

/// The mark on one message.
pub(crate) fn mark_lane(message_id: &str) -> Lane {
    Lane {
        id: format!("mark:{message_id}"),
        gate: MARKS_GATE.to_owned(),
    }
}

/// Puts a delivery at the end of its lane.
pub(crate) async fn enqueue(
    tx: &mut Tx,
    lane: &Lane,
    conversation_id: &str,
    message_id: &str,
    delivery: &Delivery,
) -> anyhow::Result<String> {
    store::outbox::enqueue(tx, &new_row(lane, conversation_id, message_id, delivery)).await
}

/// The row that asks for `delivery`.
pub(crate) fn new_row<'a>(
    lane: &'a Lane,
    conversation_id: &'a str,
    message_id: &'a str,
    delivery: &Delivery,
) -> NewRow<'a> {
    NewRow {
        lane,
        conversation_id,
        message_id,
        kind: delivery.kind(),
        payload: delivery.payload(),
    }
}

/// Asks for the mark on a message to be brought up to date.
pub(crate) async fn enqueue_mark(
    tx: &mut Tx,
    conversation_id: &str,
    message_id: &str,
) -> anyhow::Result<()> {
    // A text that nobody wrote in Slack has no message there that could bear a mark.
    if !store::messages::is_in_slack(tx, message_id).await? {
        return Ok(());
    }
    let lane = mark_lane(message_id);
    // A look that waits for its moment will do. It is not replaced: what its attempts may have left in Slack is known
    // by them alone.
    if !store::outbox::rouse_waiting(tx, &lane.id).await? {
        enqueue(tx, &lane, conversation_id, message_id, &Delivery::Mark).await?;
    }
    store::lanes::rouse(tx, &lane).await
}

/// Puts a question of ours into the conversation's thread; its row, by which [`reword`] finds it.
pub(crate) async fn enqueue_question(
    tx: &mut Tx,
    conversation: &Conversation,
    content: Content,
) -> anyhow::Result<String> {
    let question = Delivery::Post {
        reply: content,
        root: None,
        new_thread: false,
        broadcast: false,
    };
    // Without a thread it stands behind what begins one.
    let lane = match conversation.thread_ts.is_empty() {
        true => thread_lane(&conversation.line, &conversation.id),
        false => question_lane(&conversation.line, &conversation.id),
    };
    enqueue(tx, &lane, &conversation.id, "", &question).await
}

/// New words for a question that was put into the thread, wherever it has got to; `row` may be empty.
pub(crate) async fn reword(
    tx: &mut Tx,
    conversation: &Conversation,
    row: &str,
    content: Content,
) -> anyhow::Result<()> {
    let Some(asked) = store::outbox::by_id(tx, row).await? else {
        return Ok(());
    };
    match State::parse(&asked.state) {
        Some(State::Waiting | State::Held) => {
            let reply = Delivery::Post {
                reply: content,
                root: None,
                new_thread: false,
                broadcast: false,
            };
            store::outbox::set_payload(tx, row, reply.kind(), &reply.payload()).await
        }
        Some(State::Delivered) => {
            let update = Delivery::Update {
                channel: conversation.channel.clone(),
                ts: asked.external_id.clone(),
                content,
            };
            let lane = update_lane(&conversation.line, &asked.external_id);
            enqueue(tx, &lane, &conversation.id, "", &update)
                .await
                .map(drop)
        }
        // It is under way and cannot be changed yet: the new words come behind it.
        Some(State::Sending | State::Unknown) => {
            enqueue_question(tx, conversation, content).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Asks for a thread's root to be brought up to date; one request shows all that has changed when it is made.
pub(crate) async fn enqueue_root(
    tx: &mut Tx,
    conversation_id: &str,
    channel: &str,
    ts: &str,
) -> anyhow::Result<()> {
    let lane = root_lane(channel, ts);
    if ts.is_empty() || store::outbox::is_to_come(tx, &lane.id).await? {
        return Ok(());
    }
    let root = Delivery::Root {
        channel: channel.to_owned(),
        ts: ts.to_owned(),
    };
    enqueue(tx, &lane, conversation_id, "", &root).await?;
    Ok(())
}

/// Puts a sentence of ours into the conversation's thread. Of a caller who is only listed it waits for their thread, and does
/// not begin one.
pub(crate) async fn enqueue_notice(
    tx: &mut Tx,
    line: &str,
    conversation_id: &str,
    content: Content,
) -> anyhow::Result<()> {
    let lane = thread_lane(line, conversation_id);
    if !store::lanes::is_waiting(tx, &lane.id).await?
        && store::listed::say_later(tx, conversation_id, &content).await?
    {
        return Ok(());
    }
    let notice = Delivery::Post {
        reply: content,
        root: None,
        new_thread: false,
        broadcast: false,
    };
    enqueue(tx, &lane, conversation_id, "", &notice).await?;
    Ok(())
}
