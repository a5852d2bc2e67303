//! Work that got stuck shows itself: a reply that has not left says so in its thread, once.

use crate::app::App;
use crate::bridge::desk::escalation;
use crate::bridge::wording;
use crate::store::outbox;
use crate::vocabulary::DeliveryState;

/// Tells the threads of replies that have waited since before `since`. One sentence speaks for all that wait in a
/// conversation.
pub(crate) async fn tell(app: &App, since: jiff::Timestamp) -> anyhow::Result<()> {
    for found in outbox::stuck(&app.store, since).await? {
        let mut tx = app.store.begin().await?;
        let Some(row) = outbox::by_id(&mut tx, &found.id).await? else {
            continue;
        };
        let sentence = match row.state.known() {
            Some(DeliveryState::Unknown) => wording::still_unclear(),
            Some(DeliveryState::Waiting | DeliveryState::Sending | DeliveryState::Blocked) => {
                wording::not_sent_yet()
            }
            _ => continue,
        };
        if row.notified != 0 {
            continue;
        }
        outbox::set_notified(&mut tx, &row.id).await?;
        escalation::notice(&mut tx, &row, sentence.into()).await?;
        tx.commit().await?;
    }
    Ok(())
}
