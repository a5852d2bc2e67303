//! Slack did not take a message: it is told once when a placeholder takes its place, and whoever presses its button is shown
//! the words.

use super::row::{self, Tried};
use crate::app::App;
use crate::bridge::desk::{newcomers, post_form};
use crate::bridge::wording;
use crate::delivery::{self, Delivery};
use crate::slack::event::BlockActions;
use crate::store::outbox::Row;
use crate::store::{Tx, outbox};
use crate::vocabulary::{Decision, Kind, OutboxId};

/// Slack did not take an attempt; it comes again after `after`.
pub(crate) async fn receive(
    tx: &mut Tx,
    tried: Tried<'_>,
    why: &str,
    was_plain: bool,
) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    let outcome = post_form::outcome(was_plain);
    outbox::finish_attempt(tx, &row.id, attempt.n, outcome, why).await?;
    metrics::counter!("qdn_not_taken_total", "kind" => row.kind.to_string()).increment(1);
    warn(tx, tried, why).await
}

/// Says so once when a placeholder is about to take a post's place.
pub(crate) async fn warn(tx: &mut Tx, tried: Tried<'_>, why: &str) -> anyhow::Result<()> {
    let Tried { row, attempt, .. } = tried;
    let attempts = outbox::attempts(&mut *tx, &row.id).await?;
    if !post_form::is_last_but_placeholder(&attempts, attempt.n) {
        return Ok(());
    }
    if row.kind == Kind::List {
        tracing::warn!(
            outbox = %row.id,
            why,
            "Slack does not take a list of new callers"
        );
        return newcomers::dissolve(tx, row).await;
    }
    tracing::error!(
        outbox = %row.id,
        kind = %row.kind,
        why,
        "Slack does not take a message: a placeholder with a button takes its place, and what comes behind it goes on"
    );
    row::trouble_changed(tx, row).await?;
    row::audit(tx, tried, Decision::NotTaken, why).await
}

/// The button of a placeholder was pressed: its words are shown to whoever pressed it.
pub(crate) async fn show(app: &App, pressed: &BlockActions, row: &str) -> anyhow::Result<()> {
    let (Some(channel), Some(line)) = (&pressed.channel, app.config.lines.first()) else {
        return Ok(());
    };
    let root = pressed.thread_ts.as_ref();
    let shown = Delivery::Words {
        of: OutboxId::new(row),
        channel: channel.as_str().to_owned(),
        user: pressed.user.as_str().to_owned(),
        thread_ts: root.map_or_else(String::new, |root| root.as_str().to_owned()),
    };
    let mut tx = app.store.begin().await?;
    let lane = delivery::ephemeral_lane(line.number.as_str(), pressed.user.as_str());
    delivery::enqueue(&mut tx, &lane, None, None, &shown).await?;
    tx.commit().await
}

/// Not even one person alone is shown the words: they are told where they stand.
pub(crate) async fn cannot_be_shown(tx: &mut Tx, app: &App, row: &Row) -> anyhow::Result<()> {
    let (
        Ok(Delivery::Words {
            channel,
            user,
            thread_ts,
            ..
        }),
        Some(line),
    ) = (row.delivery(), app.config.lines.first())
    else {
        return Ok(());
    };
    let told = Delivery::Ephemeral {
        channel,
        thread_ts,
        content: wording::delivery::not_even_alone().into(),
        user: user.clone(),
    };
    let lane = delivery::ephemeral_lane(line.number.as_str(), &user);
    delivery::enqueue(tx, &lane, None, None, &told).await?;
    Ok(())
}
