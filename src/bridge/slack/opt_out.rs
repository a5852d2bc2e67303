//! A member opts a caller out, or takes that back: with a button in the thread, or with `/qdn optout NUMBER`.

use serde_json::json;

use super::command::{name, why};
use crate::app::App;
use crate::bridge::desk::decision::{self, Stop, decide_or_tell};
use crate::bridge::desk::opt_out::kept;
use crate::bridge::desk::{membership, status, tell};
use crate::bridge::wording::{self as sentences, opt_outs as wording};
use crate::config::Line;
use crate::delivery::{self, Content};
use crate::phone::{Address, PhoneNumber};
use crate::slack::UserId;
use crate::slack::event::{BlockActions, SlashCommand};
use crate::slack::mrkdwn::{Names, plain_text};
use crate::store::audit::NewEntry;
use crate::store::conversations::Conversation;
use crate::store::opt_outs::{self, Said};
use crate::store::{Tx, conversations};
use crate::vocabulary::ConversationId;
use crate::vocabulary::Decision;
use crate::vocabulary::KeptBy;

/// Behind the number: take it back.
const UNDO: &str = "undo";

/// Somebody pressed *Opt out* or *Undo*.
pub(crate) async fn press(
    app: &App,
    pressed: &BlockActions,
    action: &str,
    conversation_id: &ConversationId,
) -> anyhow::Result<()> {
    decide_or_tell(app, pressed, async |tx| {
        let Some(conversation) = conversations::find(tx, conversation_id).await? else {
            return Err(Stop::Refused(sentences::desk::is_gone()));
        };
        let leaves = action == wording::BUTTON_OUT;
        let change = Change {
            line: &conversation.line,
            caller: &conversation.caller,
            conversation: Some(&conversation),
            leaves,
            by: &pressed.user,
        };
        record(tx, app, &change).await?;
        let told = told(leaves, &pressed.user, &conversation.id);
        tell::replace_buttons(tx, &conversation.line, pressed, told).await?;
        Ok(())
    })
    .await
}

/// `/qdn optout NUMBER`, or `/qdn optout NUMBER undo`: back comes the sentence for its writer.
pub(crate) async fn command(app: &App, command: &SlashCommand) -> String {
    let lines = why::lines_here(app, command);
    let typed = plain_text(&command.text, &Names::default());
    let region = lines.first().and_then(|line| line.number.region());
    let parsed = name::parse(&typed, region.as_deref().unwrap_or("US"));
    let Some((number, rest)) = parsed.filter(|(_, rest)| is_understood(rest)) else {
        return wording::how_to(&command.command);
    };
    let lines = match membership::own_lines(app, &lines, &command.user_id).await {
        Ok(lines) => lines,
        Err(refusal) => return refusal,
    };
    let [line] = lines[..] else {
        return wording::which_line();
    };
    let leaves = rest.is_empty();
    match change(app, line, &number, leaves, &command.user_id).await {
        Ok(Ok(())) => wording::done(&Address::from(&number), leaves, &command.command),
        Ok(Err(sentence)) => sentence,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "an opt-out was not saved");
            sentences::not_saved()
        }
    }
}

fn is_understood(rest: &str) -> bool {
    rest.is_empty() || rest.eq_ignore_ascii_case(UNDO)
}

async fn change(
    app: &App,
    line: &Line,
    number: &PhoneNumber,
    leaves: bool,
    by: &UserId,
) -> anyhow::Result<Result<(), String>> {
    decision::decide(app, async |tx| {
        let known = conversations::all_of_caller(tx, number.as_str()).await?;
        let conversation = known
            .iter()
            .find(|conversation| conversation.line == line.number.as_str());
        let change = Change {
            line: line.number.as_str(),
            caller: number.as_str(),
            conversation,
            leaves,
            by,
        };
        record(tx, app, &change).await?;
        if let Some(conversation) = conversation
            && !conversation.thread_ts.is_empty()
        {
            let told = told(leaves, by, &conversation.id);
            delivery::enqueue_notice(tx, &conversation.line, &conversation.id, told).await?;
        }
        Ok(())
    })
    .await
}

/// What a member wants.
struct Change<'a> {
    line: &'a str,
    caller: &'a str,
    conversation: Option<&'a Conversation>,
    leaves: bool,
    by: &'a UserId,
}

/// Records the change, or refuses it where there is nothing to change.
async fn record(tx: &mut Tx, app: &App, change: &Change<'_>) -> Result<(), Stop> {
    let (line, caller) = (change.line, change.caller);
    match (change.leaves, opt_outs::kept_by(tx, line, caller).await?) {
        (true, Some(_)) => return Err(Stop::Refused(wording::is_out_already())),
        (false, None) => return Err(Stop::Refused(wording::is_not_out())),
        (false, Some(KeptBy::Twilio)) => return Err(Stop::Refused(wording::only_they_can())),
        (true, None) | (false, Some(KeptBy::Us)) => {}
    }
    let out = change.leaves.then_some(KeptBy::Us);
    let said = Said {
        line,
        caller,
        out,
        said_by: change.by.as_str(),
        as_of: tx.now(),
    };
    if !opt_outs::set(tx, &said).await? {
        return Err(Stop::Refused(sentences::already_decided()));
    }
    if let (true, Some(conversation)) = (change.leaves, change.conversation) {
        // Whoever opts a caller out has read what they want.
        let by = format!("<@{}>", change.by);
        status::answered(tx, conversation, &by).await?;
    }
    let id = change.conversation.map(|conversation| &conversation.id);
    tx.audit(NewEntry {
        line: app.line_name(line),
        number: caller.to_owned(),
        subject: id.map_or_else(String::new, ToString::to_string),
        decision: if change.leaves {
            Decision::OptedOut
        } else {
            Decision::OptedIn
        },
        reason: "a member said so".into(),
        detail: json!({ "conversation": id, "by": change.by.as_str(), "kept_by": kept(out) }),
        at: None,
    });
    Ok(())
}

fn told(leaves: bool, by: &UserId, conversation: &str) -> Content {
    if leaves {
        wording::left_by_member(by.as_str(), conversation)
    } else {
        wording::undone(by.as_str()).into()
    }
}
