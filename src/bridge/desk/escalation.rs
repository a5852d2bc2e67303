//! Escalation texts: to the people of a line's last ring step, about a caller whom nobody answers.
//!
//! An escalation is an ordinary text in the conversation of the person's own number, so an answer to it never reaches the
//! caller. Its delivery is reported in the caller's thread.

use super::automatic_text;
use crate::bridge::wording::desk;
use crate::config::{Config, Line, Person};
use crate::delivery::{self, Content};
use crate::store::conversations::Conversation;
use crate::store::outbox::Row;
use crate::store::{Tx, conversations, escalations};
use crate::vocabulary::ConversationId;

/// The people of the line's last ring step, except whoever has this phone number.
pub(crate) fn people<'a>(config: &'a Config, line: &Line, but: &str) -> Vec<&'a Person> {
    let names = line.ring.last().map_or(&[][..], |step| &step.people);
    names
        .iter()
        .filter_map(|name| config.person(name))
        .filter(|person| person.phone.as_str() != but)
        .collect()
}

/// Texts a person about a conversation, once for each `occasion`.
pub(crate) async fn send(
    tx: &mut Tx,
    line: &Line,
    person: &Person,
    (conversation_id, occasion): (&ConversationId, &str),
    words: &str,
) -> anyhow::Result<()> {
    let (number, phone) = (line.number.as_str(), person.phone.as_str());
    let own = conversations::begin_unnoticed(tx, number, phone).await?;
    let key = format!("page:{conversation_id}:{occasion}:{phone}");
    let Some(message) = automatic_text::send(tx, number, &own.id, &key, words).await? else {
        return Ok(());
    };
    escalations::insert(tx, &message, conversation_id, &person.name).await
}

/// Queues a notice about one of our texts: in the thread of its caller, or, for an escalation, in the thread of the caller
/// it is about.
pub(crate) async fn notice(tx: &mut Tx, row: &Row, content: Content) -> anyhow::Result<()> {
    let (conversation, content) = place(tx, row, content).await?;
    delivery::enqueue_notice(tx, &conversation.line, &conversation.id, content).await
}

/// Queues a question about one of our texts in that thread.
pub(crate) async fn ask(tx: &mut Tx, row: &Row, content: Content) -> anyhow::Result<()> {
    let (conversation, content) = place(tx, row, content).await?;
    delivery::enqueue_question(tx, &conversation, content)
        .await
        .map(drop)
}

/// The conversation in whose thread it belongs, and the words for there.
async fn place(
    tx: &mut Tx,
    row: &Row,
    content: Content,
) -> anyhow::Result<(Conversation, Content)> {
    let (id, content) = match escalations::of(tx, &row.message_id).await? {
        Some((about, person)) => (about, desk::about_page(&person, content)),
        None => (row.conversation_id.clone(), content),
    };
    Ok((conversations::by_id(&mut *tx, &id).await?, content))
}
