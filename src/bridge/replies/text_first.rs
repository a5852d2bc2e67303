//! The desk texts somebody first: by `/qdn text NUMBER words` or by the form behind the *New text* shortcut.
//!
//! Only ordinary numbers that a member of the line's channel typed, in countries the line serves, within the limits. The
//! text stands in the caller's thread, whose root says who began it, and bears its mark there. Of one that costs much its
//! writer is asked first, as of a reply.

mod begin;

use serde_json::{Value, json};

pub(crate) use self::begin::show;

use crate::app::App;
use crate::bridge::desk::membership;
use crate::bridge::wording::{self, replies};
use crate::config::Line;
use crate::delivery::{self, Delivery};
use crate::phone::{self, Address, NotTexted, PhoneNumber};
use crate::slack::UserId;
use crate::slack::event::{Shortcut, SlashCommand, ViewSubmission};
use crate::slack::mrkdwn::{Names, plain_text};
use crate::store::audit::NewEntry;
use crate::store::{self, Tx};
use crate::vocabulary::Decision;

/// What the shortcut and its form are called.
pub(crate) const FORM: &str = "new_text";

/// The command, without its first word; the sentence for its writer.
pub(crate) async fn command(app: &App, command: &SlashCommand) -> String {
    let rest = command.text.split_once(char::is_whitespace);
    let typed = plain_text(rest.map_or("", |(_, rest)| rest), &Names::default());
    let Some(line) = line_of(app, command) else {
        return replies::which_line();
    };
    let (number, words) = phone::number_and_words(&typed, &region(line));
    if words.is_empty() {
        return replies::how_to_text(&command.command);
    }
    let to = match recipient(app, line, number) {
        Ok(to) => to,
        Err(sentence) => {
            not_a_number_to_text(app, line, &command.user_id).await;
            return replies::not_texted(&sentence, words);
        }
    };
    if let Err(sentence) = membership::may_act(app, line, &command.user_id).await {
        return sentence;
    }
    let key = command.trigger_id.clone().unwrap_or_else(store::new_id);
    let typed = Typed {
        words,
        by: &command.user_id,
        key: &key,
    };
    match begin::begin(app, line, &to, &typed).await {
        Ok(Ok(sentence)) => sentence,
        Ok(Err(sentence)) => replies::not_texted(&sentence, words),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "saving a text that somebody typed failed"
            );
            replies::not_texted(&wording::not_saved(), words)
        }
    }
}

/// The line of the channel where the command was typed; the only one, wherever it was.
fn line_of<'a>(app: &'a App, command: &SlashCommand) -> Option<&'a Line> {
    let lines = &app.config.lines;
    let here = lines.iter().find(|line| {
        let channel = app.directory.known_channel_id(&line.channel);
        channel.as_ref() == Some(&command.channel_id)
    });
    here.or(lines.first().filter(|_| lines.len() == 1))
}

/// Asks for the form. It has to stand there within 3 seconds of the shortcut, so it is not tried for longer.
pub(crate) async fn open(app: &App, chosen: &Shortcut) -> anyhow::Result<()> {
    let Some(trigger_id) = &chosen.trigger_id else {
        return Ok(());
    };
    let lines: Vec<(&str, &str)> = app
        .config
        .lines
        .iter()
        .map(|line| (line.name.as_str(), line.number.as_str()))
        .collect();
    let form = Delivery::Form {
        trigger_id: trigger_id.clone(),
        view: replies::new_text_form(FORM, &lines, &store::new_id()),
    };
    let mut tx = app.store.begin().await?;
    let lane = delivery::form_lane(chosen.user.as_str());
    delivery::enqueue(&mut tx, &lane, None, None, &form).await?;
    tx.commit().await
}

/// The form was sent; back comes what Slack shows in it, nothing where it closes.
pub(crate) async fn submit(app: &App, sent: &ViewSubmission) -> anyhow::Result<Option<Value>> {
    let entered = |field: &str| {
        let key = (field.to_owned(), field.to_owned());
        sent.values.get(&key).map_or("", String::as_str).trim()
    };
    let wrong = |field: &str, sentence: String| {
        let sentence = plain_text(&sentence, &Names::default());
        Ok(Some(
            json!({ "response_action": "errors", "errors": { field: sentence } }),
        ))
    };
    let lines = &app.config.lines;
    let chosen = lines
        .iter()
        .find(|line| line.number.as_str() == entered("line"));
    let Some(line) = chosen.or(lines.first().filter(|_| lines.len() == 1)) else {
        return wrong("line", replies::which_line());
    };
    let to = match recipient(app, line, entered("number")) {
        Ok(to) => to,
        Err(sentence) => {
            not_a_number_to_text(app, line, &sent.user).await;
            return wrong("number", sentence);
        }
    };
    if let Err(sentence) = membership::may_act(app, line, &sent.user).await {
        return wrong("number", sentence);
    }
    let words = entered("words");
    let typed = Typed {
        words,
        by: &sent.user,
        key: &sent.private_metadata,
    };
    match begin::begin(app, line, &to, &typed).await? {
        Ok(_) => Ok(None),
        Err(sentence) => wrong("words", sentence),
    }
}

fn region(line: &Line) -> String {
    line.number.region().unwrap_or_else(|| "US".to_owned())
}

/// The number that somebody typed, or the sentence that says why it is not texted.
fn recipient(app: &App, line: &Line, typed: &str) -> Result<PhoneNumber, String> {
    let region = region(line);
    let to = phone::screen(typed, &region, &line.allow_countries)
        .map_err(|why| replies::number_not_texted(&why))?;
    match app.config.line_of(to.as_str()) {
        Some(own) => Err(replies::our_own_line(&own.name)),
        None => Ok(to),
    }
}

/// What somebody typed to be texted.
#[derive(Debug, Clone, Copy)]
struct Typed<'a> {
    words: &'a str,
    by: &'a UserId,
    /// What makes it count once.
    key: &'a str,
}

/// Audits that a text to a new caller was refused.
fn refused(tx: &mut Tx, line: &Line, number: &str, by: &UserId, reason: &str) {
    tx.audit(NewEntry {
        line: line.name.clone(),
        number: number.to_owned(),
        subject: "text_first".into(),
        decision: Decision::TextRefused,
        reason: reason.to_owned(),
        detail: json!({ "by": by.as_str() }),
        at: None,
    });
}

/// Audits that somebody typed what is no number to text. What they typed is not kept: it may be anything.
async fn not_a_number_to_text(app: &App, line: &Line, by: &UserId) {
    let kept = async {
        let mut tx = app.store.begin().await?;
        refused(&mut tx, line, "", by, "the number is none that is texted");
        tx.commit().await
    };
    if let Err(error) = kept.await {
        tracing::warn!(
            error = format!("{error:#}"),
            "auditing a refused number failed"
        );
    }
}

/// How such a message's external id begins.
pub(crate) const FIRST: &str = "first:";

/// Why a number that nobody typed cannot be answered, if it cannot.
pub(crate) fn cannot_answer(app: &App, caller: &Address) -> Option<String> {
    if let Some(own) = app.config.line_of(caller.as_str()) {
        return Some(replies::our_own_line(&own.name));
    }
    let is_special = caller.phone().is_some_and(|phone| phone.is_special());
    is_special.then(|| replies::number_not_texted(&NotTexted::Special))
}
