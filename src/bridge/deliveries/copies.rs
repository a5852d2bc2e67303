//! A post was made again because its first try seemed to have come to nothing: it is looked for once more later.

use serde_json::json;

use super::row::Tried;
use crate::app::App;
use crate::bridge::desk::newcomers;
use crate::bridge::replies::deferred;
use crate::delivery::{self, Delivery, PostedIn};
use crate::store::audit::NewEntry;
use crate::store::outbox::{Attempt, Row};
use crate::store::{Tx, conversations, lanes, outbox, threads};
use crate::vocabulary::{AttemptResult, Decision, DeliveryState, Kind};

/// After how many seconds: Slack has acted on a request by then or never will.
const LOOK_AGAIN: f64 = 60.0;

/// Asks for the later look at a post that is there, if it was made more than once.
pub(crate) async fn ask(
    tx: &mut Tx,
    app: &App,
    row: &Row,
    posted_in: &PostedIn,
) -> anyhow::Result<()> {
    let attempts = outbox::attempts(&mut *tx, &row.id).await?;
    if !attempts.iter().any(Attempt::is_in_vain) {
        return Ok(());
    }
    let lane = delivery::copies_lane(&row.id);
    let look = Delivery::Copies {
        of: row.id.clone(),
        channel: posted_in.channel.clone(),
        root: posted_in.root.clone(),
    };
    let id = delivery::enqueue(tx, &lane, Some(&row.conversation_id), None, &look).await?;
    let later = delivery::scaled(app.config.delivery.settle_after, LOOK_AGAIN);
    let later = tx.after(later);
    outbox::set_state(tx, &id, DeliveryState::Waiting, later, "").await?;
    lanes::advance(tx, &lane.id).await
}

/// Copies were taken away; those that people have answered become threads of their conversation.
pub(crate) async fn cleared(
    tx: &mut Tx,
    tried: Tried<'_>,
    answered: &[PostedIn],
) -> anyhow::Result<()> {
    let Tried {
        app, row, attempt, ..
    } = tried;
    outbox::finish_attempt(
        tx,
        &row.id,
        attempt.n,
        AttemptResult::Delivered,
        "its answer",
    )
    .await?;
    outbox::set_state(tx, &row.id, DeliveryState::Delivered, 0, "").await?;
    let Ok(Delivery::Copies { of, .. }) = row.delivery() else {
        return Ok(());
    };
    if row.conversation_id.is_empty() {
        let of = outbox::by_id(&mut *tx, &of).await?;
        if let Some(list) = of.filter(|row| row.kind == Kind::List) {
            for PostedIn { channel, root } in answered {
                let writers = deferred::writers(tx, app, channel, root).await?;
                newcomers::keep_copy(tx, app, &list, (channel, root), &writers).await?;
            }
        }
        return Ok(());
    }
    for PostedIn { channel, root } in answered {
        let conversation = conversations::by_id(&mut *tx, &row.conversation_id).await?;
        conversations::add_thread(tx, &conversation.id, channel, root).await?;
        threads::set_post(tx, channel, root, &of).await?;
        deferred::receive(tx, app, &conversation, channel, root).await?;
        tx.audit(NewEntry {
            line: app.line_name(&conversation.line),
            number: conversation.caller,
            subject: of.to_string(),
            decision: Decision::CopyKept,
            reason: "people have answered under it".into(),
            detail: json!({ "conversation": conversation.id, "outbox": of, "channel": channel, "root": root }),
            at: None,
        });
    }
    Ok(())
}
