//! A delivery ended, one way or another: what follows from that, in one transaction.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::bridge::deliveries::row::{audit, entry, give_up, is_taken_away, trouble_changed};
use crate::bridge::deliveries::{copies, not_taken, settlement, sms_status, unreadable};
use crate::bridge::desk::{escalation, limits, newcomers, opt_out, status};
use crate::bridge::replies::{confirmation, counted, files, slack_reply};
use crate::bridge::texts::inbound_media;
use crate::bridge::wording;
use crate::bridge::wording::{opt_outs, pictures};
use crate::delivery::{self, Delivery, Outcome, PostedIn};
use crate::slack::refusal;
use crate::store::conversations::Conversation;
use crate::store::lanes::{self, Claimed, Lane, Lease, Work};
use crate::store::outbox::{Attempt, Row};
use crate::store::{
    Tx, confirmations, conversation_status, conversations, messages, outbox, threads,
};
use crate::twilio::error_code::{self, Meaning};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind, Reason};

/// Keeps how an attempt or a look ended and gives the lane back.
pub(crate) async fn receive(
    app: &App,
    claimed: &Claimed,
    outcome: &Outcome,
    lease: &Lease,
) -> anyhow::Result<()> {
    crate::faultpoints::point("outcome.begun");
    let mut tx = app.store.begin().await?;
    let (Work::Attempt(tried) | Work::Settle(tried)) = &claimed.work;
    if let Some(row) = outbox::by_id(&mut tx, &claimed.row.id).await? {
        if matches!(outcome, Outcome::Resolved(_) | Outcome::Prepared(_))
            && row.payload != claimed.row.payload
        {
            again_as_edited(&mut tx, &row, tried).await?;
        } else {
            follow(&mut tx, app, &row, tried, outcome, claimed).await?;
        }
    }
    crate::faultpoints::point("outcome.bound");
    lanes::release(&mut tx, claimed, lease).await?;
    crate::faultpoints::point("outcome.before_commit");
    tx.commit().await?;
    crate::faultpoints::point("outcome.committed");
    Ok(())
}

async fn follow(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    outcome: &Outcome,
    claimed: &Claimed,
) -> anyhow::Result<()> {
    let id = row.id.as_str();
    let is_open = row.state == DeliveryState::Sending || row.state == DeliveryState::Unknown;
    match outcome {
        Outcome::Delivered {
            external_id,
            posted_in,
            proof,
        } => {
            delivered(
                tx,
                app,
                row,
                attempt,
                external_id,
                posted_in.as_ref(),
                proof,
            )
            .await
        }
        // A callback, a person or another process has taken it further meanwhile: this says less.
        _ if !is_open || row.attempts != attempt.n => Ok(()),
        Outcome::Marked { shown, again, .. } => marked(tx, app, row, attempt, shown, *again).await,
        Outcome::Resolved(bodies) => resolved(tx, app, row, attempt, bodies).await,
        Outcome::Prepared(enclosing) => {
            outbox::finish_attempt(tx, id, attempt.n, AttemptResult::Prepared, "").await?;
            files::keep(tx, row, enclosing).await?;
            let next = Delivery::ReplyWithFiles(enclosing.clone());
            outbox::set_payload(tx, id, next.kind(), &next.payload()).await?;
            outbox::set_state(tx, id, DeliveryState::Waiting, tx.after(Duration::ZERO), "").await
        }
        Outcome::Cleared { answered } => copies::cleared(tx, app, (row, attempt), answered).await,
        Outcome::Uploaded(file) => inbound_media::uploaded(tx, row, attempt, file.as_deref()).await,
        Outcome::Again { after, why } => {
            outbox::finish_attempt(tx, id, attempt.n, AttemptResult::NotSent, why).await?;
            if is_taken_away(tx, row).await? {
                return give_up(tx, app, row, attempt).await;
            }
            outbox::set_state(tx, id, DeliveryState::Waiting, tx.after(*after), why).await?;
            metrics::counter!("qdn_retries_total", "kind" => row.kind.to_string()).increment(1);
            Ok(())
        }
        Outcome::Blocked { why, .. } => {
            outbox::finish_attempt(tx, id, attempt.n, AttemptResult::Blocked, why).await?;
            let again = tx.after(blocked_again(app));
            outbox::set_state(tx, id, DeliveryState::Blocked, again, why).await?;
            metrics::counter!("qdn_held_total", "kind" => row.kind.to_string()).increment(1);
            // It is tried again and again; only what is new about that is worth an alarm.
            if row.last_error == *why {
                return Ok(());
            }
            tracing::error!(
                outbox = id,
                kind = %row.kind,
                why,
                "deliveries are held until this is mended"
            );
            trouble_changed(tx, row).await?;
            audit(tx, app, row, attempt, Decision::Blocked, why).await
        }
        Outcome::NotTaken {
            after,
            why,
            was_plain,
        } => {
            outbox::set_state(tx, id, DeliveryState::Waiting, tx.after(*after), why).await?;
            not_taken::receive(tx, app, (row, attempt), why, *was_plain).await
        }
        Outcome::Refused { code, why } => refused(tx, app, row, attempt, code, why).await,
        Outcome::Unknown { why } => unknown(tx, app, row, attempt, why).await,
        Outcome::Absent => settlement::absent(tx, app, row, attempt, claimed).await,
        Outcome::NotRead {
            why,
            is_forbidden,
            rest,
        } => settlement::not_read(tx, app, row, claimed, why, *is_forbidden, *rest).await,
        Outcome::Unreadable(flaw) => unreadable::set_aside(tx, app, row, claimed, flaw).await,
        Outcome::Several { candidates } => {
            settlement::undecided(
                tx,
                app,
                row,
                attempt,
                &format!("{candidates} messages could be it"),
            )
            .await
        }
    }
}

/// The reply was edited while its names were looked up: what was found out is about other words.
async fn again_as_edited(tx: &mut Tx, row: &Row, tried: &Attempt) -> anyhow::Result<()> {
    if row.state == DeliveryState::Sending && row.attempts == tried.n {
        outbox::finish_attempt(
            tx,
            &row.id,
            tried.n,
            AttemptResult::NotSent,
            "edited meanwhile",
        )
        .await?;
        let now = tx.after(Duration::ZERO);
        outbox::set_state(tx, &row.id, DeliveryState::Waiting, now, "").await?;
    }
    Ok(())
}

/// After how many seconds a delivery that is held for the channel's or the account's sake is tried again.
const BLOCKED_AGAIN: f64 = 15.0;

/// The same in these settings.
pub(crate) fn blocked_again(app: &App) -> Duration {
    delivery::scaled(app.config.delivery.settle_after, BLOCKED_AGAIN)
}

/// Settles a row as done, by whatever `proof`.
async fn delivered(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    external_id: &str,
    posted_in: Option<&PostedIn>,
    proof: &str,
) -> anyhow::Result<()> {
    if row.kind == Kind::Sms {
        return sms_status::bind(tx, app, row, attempt.n, external_id, proof).await;
    }
    if row.state == DeliveryState::Delivered && row.external_id == external_id {
        // A late answer says what a look has found, or a commit whose success was not heard is made again.
        return Ok(());
    }
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Delivered, proof).await?;
    outbox::set_external_id(tx, &row.id, external_id).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Delivered, 0, "").await?;
    if let Some(PostedIn { channel, root }) = posted_in
        && row.kind == Kind::Post
    {
        let conversation = conversations::by_id_in(tx, &row.conversation_id).await?;
        // A question that was posted while a new thread began stands in the old one, which stays old.
        let is_known = conversations::by_thread(tx, channel, root).await?.is_some();
        if !is_known && (conversation.thread_ts != *root || conversation.channel != *channel) {
            conversations::bind_thread(tx, &conversation.id, channel, root).await?;
            threads::set_post(tx, channel, root, &row.id).await?;
            began(tx, app, row, attempt, &conversation, (channel, root)).await?;
            app.thread_sync.thread_created(channel, root, row.created());
            newcomers::began(tx, &conversation, &row.id).await?;
            slack_reply::receive_parked(tx, app, &conversation, channel, root).await?;
        }
    }
    if let Some(PostedIn { channel, .. }) = posted_in
        && row.kind == Kind::Post
        && messages::set_place(tx, &row.message_id, channel, external_id).await?
    {
        delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await?;
    }
    match row.kind.known() {
        Some(Kind::Post | Kind::Announce) => {
            let why = format!("known by {proof}");
            let mut posted = entry(tx, app, row, attempt, Decision::Posted, &why).await?;
            posted.detail["ts"] = json!(external_id);
            if let Some(PostedIn { channel, root }) = posted_in
                && row.kind == Kind::Post
            {
                posted.detail["channel"] = json!(channel);
                posted.detail["root"] = json!(root);
            }
            tx.audit(posted);
        }
        Some(Kind::List) => {
            let channel = posted_in.map_or("", |posted_in| posted_in.channel.as_str());
            let writers = slack_reply::parked_writers(tx, app, channel, external_id).await?;
            newcomers::posted(tx, app, row, (channel, external_id), &writers).await?;
        }
        _ => return at_last(tx, app, row, attempt).await,
    }
    match posted_in {
        Some(posted_in) => copies::ask(tx, app, row, posted_in).await,
        None => Ok(()),
    }
}

/// Of a delivery that was in trouble the audit says that it is over; of others without words of their own it says nothing.
async fn at_last(tx: &mut Tx, app: &App, row: &Row, attempt: &Attempt) -> anyhow::Result<()> {
    match row.last_error.is_empty() {
        true => Ok(()),
        false => {
            trouble_changed(tx, row).await?;
            audit(
                tx,
                app,
                row,
                attempt,
                Decision::DeliveredAtLast,
                &row.last_error,
            )
            .await
        }
    }
}

/// A thread has begun: the one before says so, and what changed since the root was made is shown by an edit.
async fn began(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    before: &Conversation,
    (channel, root): (&str, &str),
) -> anyhow::Result<()> {
    let status = conversation_status::of(tx, &before.id).await?;
    if status.changed() >= attempt.started() {
        delivery::enqueue_root(tx, &before.id, channel, root).await?;
    }
    let Ok(Delivery::Post {
        new_thread: true, ..
    }) = row.delivery()
    else {
        return Ok(());
    };
    if before.thread_ts.is_empty() || before.channel != channel {
        return Ok(());
    }
    threads::link(tx, channel, &before.thread_ts, root).await?;
    delivery::enqueue_root(tx, &before.id, channel, &before.thread_ts).await?;
    let link = app.directory.link(channel, root);
    let goes_on = Delivery::Announce {
        channel: channel.to_owned(),
        content: wording::desk::goes_on(link.as_deref()).into(),
        thread_ts: before.thread_ts.clone(),
    };
    let lane = delivery::pointer_lane(&before.line, channel, &before.thread_ts);
    delivery::enqueue(tx, &lane, &before.id, "", &goes_on).await?;
    Ok(())
}

/// Keeps which mark is shown, and when to look again if the carrier stays silent.
async fn marked(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    shown: &str,
    again: Option<Timestamp>,
) -> anyhow::Result<()> {
    messages::set_mark(tx, &row.message_id, shown).await?;
    match again {
        // Whoever has asked for another look meanwhile must not wait behind this one.
        Some(at) if !outbox::others_wait(tx, row).await? => {
            outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::NotYet, "").await?;
            let at = at.as_millisecond();
            outbox::set_state(tx, &row.id, DeliveryState::Waiting, at, &row.last_error).await
        }
        _ => {
            outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Delivered, shown).await?;
            outbox::set_state(tx, &row.id, DeliveryState::Delivered, 0, "").await?;
            at_last(tx, app, row, attempt).await
        }
    }
}

/// The texts take the place of the reply they were made of, so that nothing written later passes them.
async fn resolved(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    bodies: &[String],
) -> anyhow::Result<()> {
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Resolved, "").await?;
    let texts = files::pack(row, bodies)?;
    if texts.is_empty() {
        let why = wording::nothing_to_send();
        outbox::set_state(tx, &row.id, DeliveryState::Refused, 0, &why).await?;
        audit(tx, app, row, attempt, Decision::Refused, &why).await?;
        // What is wrong with each file says enough.
        if !files::tell_left_out(tx, row).await? {
            let conversation = conversations::by_id_in(tx, &row.conversation_id).await?;
            delivery::enqueue_notice(tx, &conversation.line, &conversation.id, why.into()).await?;
        }
        status::text_lost(tx, &app.config.desk, row).await?;
        return delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await;
    }
    // What its writer was asked about counts as an answer since they decided.
    let conversation = conversations::by_id_in(tx, &row.conversation_id).await?;
    let message = messages::by_id_in(tx, &row.message_id).await?;
    let (words, author) = (|| bodies.iter().map(String::as_str), &message.author);
    let parts = limits::parts(words());
    let before = counted::before(row);
    let is_decided = before > 0
        || confirmations::of_message(tx, &row.message_id)
            .await?
            .is_some();
    // What a person decided about was counted then, or before that was noted as one part.
    let more = match is_decided {
        true => parts.saturating_sub(before.max(1)),
        false => parts,
    };
    let why = match more {
        0 => None,
        more => confirmation::over_limit(tx, app, &conversation, author, more).await?,
    };
    let why = match is_decided {
        true => why,
        false => why.or_else(|| confirmation::too_long(app, words())),
    };
    if let Some(why) = why {
        let reply = confirmation::Reply {
            message_id: &message.id,
            external_id: &message.external_id,
            writer: &message.author,
            channel: &message.channel,
            root: &conversation.thread_ts,
            ts: &message.ts,
        };
        let rows = [row.id.clone()];
        return confirmation::hold(tx, app, &conversation, &reply, &rows, &why).await;
    }
    if !is_decided {
        status::answered(tx, &conversation, &format!("<@{author}>")).await?;
    }
    if more > 0 {
        confirmation::spend(tx, &conversation, author, more).await?;
    }
    take_its_place(tx, app, row, attempt, &texts).await
}

async fn take_its_place(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    texts: &[Delivery],
) -> anyhow::Result<()> {
    files::tell_left_out(tx, row).await?;
    let mut parts = Vec::with_capacity(texts.len());
    let lane = Lane {
        id: row.lane.clone(),
        gate: String::new(),
    };
    // An edit may have dropped parts since: a number is never given twice.
    let of_message = outbox::of_message_in(tx, &row.message_id).await?;
    let last = of_message
        .iter()
        .filter(|other| other.lane == row.lane && other.seq == row.seq)
        .map(|other| other.part)
        .max()
        .unwrap_or(row.part);
    for (index, text) in texts.iter().enumerate() {
        let new = delivery::new_row(&lane, &row.conversation_id, &row.message_id, text);
        match i64::try_from(index)? {
            0 => {
                outbox::set_payload(tx, &row.id, new.kind, &new.payload).await?;
                outbox::set_state(
                    tx,
                    &row.id,
                    DeliveryState::Waiting,
                    tx.after(Duration::ZERO),
                    "",
                )
                .await?;
                parts.push(row.id.clone());
            }
            part => parts.push(outbox::enqueue_part(tx, &new, row, last + part).await?),
        }
    }
    let why = "its names and files are known: these texts take its place";
    let mut resolved = entry(tx, app, row, attempt, Decision::NamesResolved, why).await?;
    resolved.detail["outbox"] = json!(parts);
    tx.audit(resolved);
    Ok(())
}

async fn refused(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    code: &str,
    why: &str,
) -> anyhow::Result<()> {
    let reason = Reason::by_vendor(code, why);
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Refused, &reason).await?;
    outbox::set_state(tx, &row.id, DeliveryState::Refused, 0, reason).await?;
    trouble_changed(tx, row).await?;
    audit(tx, app, row, attempt, Decision::Refused, why).await?;
    metrics::counter!("qdn_refused_total", "kind" => row.kind.to_string()).increment(1);
    if row.kind.is_text() {
        let number = code.parse().ok();
        if number.map(error_code::meaning) == Some(Meaning::OptedOut) {
            let conversation = conversations::by_id_in(tx, &row.conversation_id).await?;
            opt_out::hear_refusal(tx, app, &conversation, attempt.started()).await?;
        }
        let sentence = match code {
            pictures::MEDIA_GONE => pictures::media_gone(),
            opt_outs::OPTED_OUT => opt_outs::not_sent(),
            _ => wording::not_delivered(error_code::meaning(number.unwrap_or_default()), number),
        };
        escalation::notice(tx, row, sentence.into()).await?;
        status::text_lost(tx, &app.config.desk, row).await?;
        drop_later_parts(tx, app, row, attempt).await?;
        delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await?;
    } else if row.kind == Kind::Form {
        tracing::warn!(
            outbox = row.id,
            code,
            "a form was not shown; whoever wants it chooses the shortcut again"
        );
    } else if code == "user_not_in_channel" {
        tracing::info!(
            outbox = row.id,
            "somebody outside the channel could not be told"
        );
    } else if refusal::is_about_one_channel(code) {
        tracing::warn!(
            outbox = row.id,
            kind = %row.kind,
            code,
            "what is for a channel that the bot cannot use was given up: only that channel shows it"
        );
    } else if row.kind == Kind::Words {
        tracing::warn!(
            outbox = row.id,
            code,
            "Slack refuses words even to one person"
        );
        not_taken::cannot_be_shown(tx, app, row).await?;
    } else if row.kind == Kind::InboundFile {
        inbound_media::lost(tx, row, code).await?;
    } else {
        tracing::error!(
            outbox = row.id,
            kind = %row.kind,
            code,
            "Slack refused a delivery for good: see qdn-relay outbox list"
        );
    }
    Ok(())
}

/// A reply whose beginning cannot be sent is not sent from its middle on.
async fn drop_later_parts(
    tx: &mut Tx,
    app: &App,
    refused: &Row,
    attempt: &Attempt,
) -> anyhow::Result<()> {
    let why = wording::delivery::EARLIER_PART_REFUSED;
    for row in outbox::of_message_in(tx, &refused.message_id).await? {
        let is_later = (row.seq, row.part) > (refused.seq, refused.part);
        if row.kind == Kind::Sms && is_later && row.state == DeliveryState::Waiting {
            outbox::set_state(tx, &row.id, DeliveryState::Dropped, 0, why).await?;
            audit(tx, app, &row, attempt, Decision::PartDropped, why).await?;
        }
    }
    Ok(())
}

async fn unknown(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    attempt: &Attempt,
    why: &str,
) -> anyhow::Result<()> {
    outbox::finish_attempt(tx, &row.id, attempt.n, AttemptResult::Unknown, why).await?;
    outbox::set_state(
        tx,
        &row.id,
        DeliveryState::Unknown,
        tx.after(Duration::ZERO),
        why,
    )
    .await?;
    audit(tx, app, row, attempt, Decision::Unknown, why).await?;
    metrics::counter!("qdn_unknown_total", "kind" => row.kind.to_string()).increment(1);
    if row.kind == Kind::Sms {
        delivery::enqueue_mark(tx, &row.conversation_id, &row.message_id).await?;
    }
    Ok(())
}
