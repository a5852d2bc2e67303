//! SMS of ours whose last word never reached us.

use jiff::SignedDuration;

use crate::app::App;
use crate::bridge::deliveries::delivery_status;
use crate::outbox::Clients;
use crate::remote::Failure;
use crate::store::sms;
use crate::twilio::MessageSid;

/// How long after its send an SMS is asked about: carriers that report at all have done so by then.
const ASK_FOR: SignedDuration = SignedDuration::from_hours(4);

/// How many are asked about in one round.
const AT_ONCE: i64 = 20;

/// Asks Twilio about the SMS that were asked about longest ago.
pub(super) async fn catch_up(app: &App, clients: &Clients) -> anyhow::Result<()> {
    let since = app.clock.now().checked_sub(ASK_FOR)?;
    let patience = SignedDuration::try_from(app.config.delivery.backfill_every)?;
    for sid in sms::take_unfinished(&app.store, since, patience, AT_ONCE).await? {
        match clients.twilio.message(&MessageSid::parse(&sid)?).await {
            Ok(message) => delivery_status::receive_looked_up(app, &message).await?,
            // One that Twilio does not know any more must not keep the others from being asked about.
            Err(failure @ Failure::Refused { .. }) => {
                tracing::warn!(sid, %failure, "Twilio does not say what became of an SMS");
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}
