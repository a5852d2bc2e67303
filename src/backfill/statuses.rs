//! Polls Twilio for outbound texts without a final status.

use jiff::SignedDuration;

use crate::app::App;
use crate::bridge::deliveries::sms_status;
use crate::clients::Clients;
use crate::remote::Failure;
use crate::store::sms;
use crate::twilio::MessageSid;

/// How long after its send a text is polled. Carriers that report have done so by then.
const ASK_FOR: SignedDuration = SignedDuration::from_hours(4);

/// The most texts that are polled in a round.
const AT_ONCE: i64 = 20;

/// Polls the texts whose last poll is longest ago.
pub(super) async fn catch_up(app: &App, clients: &Clients) -> anyhow::Result<()> {
    let since = app.clock.now().checked_sub(ASK_FOR)?;
    let patience = SignedDuration::try_from(app.config.delivery.backfill_every)?;
    for sid in sms::take_unfinished(&app.store, since, patience, AT_ONCE).await? {
        match clients.twilio.message(&MessageSid::parse(&sid)?).await {
            Ok(message) => sms_status::receive_looked_up(app, &message).await?,
            // A text that Twilio has deleted must not keep the others from being polled.
            Err(failure @ Failure::Refused { .. }) => {
                tracing::warn!(sid, %failure, "Twilio refuses to return the status of a text");
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}
