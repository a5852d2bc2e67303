//! The buttons of a header message: claim, release, close and reopen a conversation.

use serde_json::json;

use crate::app::App;
use crate::bridge::desk::decision::{Stop, decide_or_tell};
use crate::bridge::desk::status;
use crate::bridge::wording::desk::{
    self, BUTTON_CLAIM, BUTTON_CLOSE, BUTTON_RELEASE, BUTTON_REOPEN,
};
use crate::slack::event::BlockActions;
use crate::store::audit::NewEntry;
use crate::store::conversation_status::ConversationStatus;
use crate::store::conversations::Conversation;
use crate::store::{Tx, conversation_status, conversations};
use crate::vocabulary::ConversationId;
use crate::vocabulary::Decision;

/// Whether a button is one of these.
pub(crate) fn is_its_button(action: &str) -> bool {
    [BUTTON_CLAIM, BUTTON_RELEASE, BUTTON_CLOSE, BUTTON_REOPEN].contains(&action)
}

/// Applies what somebody pressed to the conversation with this id.
pub(crate) async fn receive(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    conversation_id: &ConversationId,
) -> anyhow::Result<()> {
    let user = pressed.user.as_str();
    decide_or_tell(app, pressed, async |tx| {
        let Some(conversation) = conversations::find(tx, conversation_id).await? else {
            return Err(Stop::Refused(desk::is_gone()));
        };
        if is_of_an_older_thread(tx, pressed, &conversation).await? {
            let link = app
                .directory
                .link(&conversation.channel, &conversation.thread_ts);
            return Err(Stop::Refused(desk::is_over(link.as_deref())));
        }
        let stands = conversation_status::of(&mut *tx, &conversation.id).await?;
        let decision = decision(&stands, action, user).map_err(Stop::Refused)?;
        let (now, desk) = (tx.now(), &app.config.desk);
        status::change(tx, &conversation, false, |status| {
            apply(status, decision, user);
            // Nobody has it, and its caller still waits.
            if decision == Decision::Released && status.waiting_since.is_some() {
                status::start_clock(status, now, desk);
            }
        })
        .await?;
        tx.audit(NewEntry {
            line: app.line_name(&conversation.line),
            number: conversation.caller.clone(),
            subject: conversation.id.to_string(),
            decision,
            reason: "a person pressed the button".into(),
            detail: json!({ "conversation": conversation.id, "by": user }),
            at: None,
        });
        Ok(())
    })
    .await
}

/// Whether the button stands under the header message of an older thread of the conversation.
async fn is_of_an_older_thread(
    tx: &mut Tx,
    pressed: &BlockActions,
    conversation: &Conversation,
) -> anyhow::Result<bool> {
    let (Some(channel), Some(ts)) = (&pressed.channel, &pressed.message_ts) else {
        return Ok(false);
    };
    // A header message that is not known yet is the newest: its post has only just been made.
    let known = conversations::by_thread(tx, channel.as_str(), ts.as_str()).await?;
    Ok(ts.as_str() != conversation.thread_ts && known.is_some())
}

/// The audit word for what the press does, or the sentence to tell where it does nothing.
fn decision(stands: &ConversationStatus, action: &str, user: &str) -> Result<Decision, String> {
    let is_closed = !stands.closed_by.is_empty();
    let holder = stands.claimed_by.as_str();
    match action {
        BUTTON_CLAIM if is_closed => Err(desk::is_so_already()),
        BUTTON_CLAIM if holder == user => Err(desk::is_so_already()),
        BUTTON_CLAIM if !holder.is_empty() => Err(desk::has_it(holder)),
        BUTTON_CLAIM => Ok(Decision::Claimed),
        BUTTON_RELEASE if holder.is_empty() => Err(desk::is_so_already()),
        BUTTON_RELEASE => Ok(Decision::Released),
        BUTTON_CLOSE if is_closed => Err(desk::is_so_already()),
        BUTTON_CLOSE => Ok(Decision::Closed),
        BUTTON_REOPEN if !is_closed => Err(desk::is_so_already()),
        _ => Ok(Decision::Reopened),
    }
}

fn apply(status: &mut ConversationStatus, decision: Decision, user: &str) {
    match decision {
        Decision::Claimed => {
            user.clone_into(&mut status.claimed_by);
            status::stop_clock(status);
        }
        Decision::Released => status.claimed_by.clear(),
        Decision::Closed => {
            status.closed_by = format!("<@{user}>");
            // Since when the caller waits is kept: it may be reopened.
            status.claimed_by.clear();
            status::stop_clock(status);
        }
        _ => {
            status.closed_by.clear();
            user.clone_into(&mut status.claimed_by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_has_one_effect() {
        let status = |claimed: &str, closed: &str| {
            let mut status = conversation_status::fresh(&ConversationId::new("c1"));
            status.claimed_by = claimed.into();
            status.closed_by = closed.into();
            status.waiting_since = Some(1);
            status
        };
        for (claimed, closed, action, expected) in [
            ("", "", BUTTON_CLAIM, Some(Decision::Claimed)),
            ("U1", "", BUTTON_CLAIM, None),
            ("U2", "", BUTTON_CLAIM, None),
            ("U2", "", BUTTON_RELEASE, Some(Decision::Released)),
            ("", "", BUTTON_RELEASE, None),
            ("", "", BUTTON_CLOSE, Some(Decision::Closed)),
            ("", "<@U1>", BUTTON_CLOSE, None),
            ("", "<@U1>", BUTTON_CLAIM, None),
            ("", "<@U1>", BUTTON_REOPEN, Some(Decision::Reopened)),
            ("", "", BUTTON_REOPEN, None),
        ] {
            let mut stands = status(claimed, closed);
            let decided = decision(&stands, action, "U1").ok();
            assert_eq!(decided, expected, "{action} on {claimed} {closed}");
            if let Some(word) = decided {
                apply(&mut stands, word, "U1");
                let again = decision(&stands, action, "U1");
                assert!(again.is_err(), "{action} twice");
                assert_eq!(stands.waiting_since, Some(1), "{action}");
            }
        }
    }
}
