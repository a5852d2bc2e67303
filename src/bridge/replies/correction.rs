//! Sends the edited words of a reply that had left already, when its writer asks for it.

use serde_json::json;

use crate::app::App;
use crate::bridge::desk::decision::{Stop, decide_or_tell};
use crate::bridge::desk::{limits, opt_out};
use crate::bridge::replies::as_texts;
use crate::bridge::replies::confirmation::{self};
use crate::bridge::replies::counted;
use crate::bridge::wording::{self, replies};
use crate::conversation::confirmation::Why;
use crate::delivery::{self};
use crate::slack::event::BlockActions;
use crate::slack::mrkdwn::Names;
use crate::store::audit::NewEntry;
use crate::store::{conversations, edits, messages, outbox};
use crate::vocabulary::{Decision, EditState};

/// Somebody pressed *Send a correction*.
pub(crate) async fn correct(app: &App, pressed: &BlockActions, id: &str) -> anyhow::Result<()> {
    decide_or_tell(app, pressed, async |tx| {
    let Some(edit) = edits::by_id(tx, id).await? else {
        return Err(Stop::Refused(replies::nothing_held()));
    };
    if !edit.is_offered() {
        return Err(Stop::Refused(wording::already_decided()));
    }
    let conversation = conversations::by_id(&mut *tx, &edit.conversation_id).await?;
    if let Some(why) = opt_out::refusal(tx, &conversation).await? {
        return Err(Stop::Refused(why));
    }
    let user = pressed.user.as_str();
    let texts = as_texts::to_texts(app, &edit.body, &Names::default());
    let parts = limits::parts(texts.iter().map(String::as_str));
    if let Some(Why::Limit { reached, at }) =
        confirmation::over_limit(tx, app, &conversation, user, parts).await?
    {
        return Err(Stop::Refused(replies::limit_reached(&reached, &at)));
    }
    confirmation::spend(tx, &conversation, user, parts).await?;
    let known = messages::by_id(&mut *tx, &edit.message_id).await?;
    let lane = delivery::phone_lane(&conversation.line, &conversation.id);
    let mut rows = Vec::new();
    for one in as_texts::deliveries(app, &edit.body, &[]) {
        rows.push(delivery::enqueue(tx, &lane, Some(&conversation.id), Some(&known.id), &one).await?);
    }
    let mut counted = outbox::of_message(&mut *tx, &known.id).await?;
    counted.retain(|row| rows.contains(&row.id));
    counted::note(tx, app, &counted).await?;
    edits::close(tx, id, EditState::Sent).await?;
    tx.audit(NewEntry {
        line: app.line_name(&conversation.line),
        number: conversation.caller.clone(),
        subject: known.external_id.clone(),
        decision: Decision::CorrectionSent,
        reason: "a person pressed the button".into(),
        detail: json!({
            "conversation": conversation.id, "message": known.id, "by": pressed.user.as_str(), "outbox": rows,
        }),
        at: None,
    });
    delivery::enqueue_mark(tx, &conversation.id, &known.id).await?;
    let sentence = replies::corrected(pressed.user.as_str());
    delivery::reword(tx, &conversation, &edit.notice, sentence.into()).await?;
    Ok(())
    })
    .await
}
