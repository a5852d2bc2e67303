//! Looks up whether each line's number has a voice fallback, which the app's Home tab shows.

use std::time::Duration;

use crate::app::App;
use crate::bridge::slack::home::fallback_fact;
use crate::bridge::wording::home::Fallback;
use crate::clients::Clients;
use crate::config::Line;
use crate::store::{home_views, kv};

/// How often to look. Only people change the setting.
pub(super) const EVERY: Duration = Duration::from_secs(600);

/// Looks up the numbers of all lines.
pub(super) async fn look(app: &App, clients: &Clients) {
    for line in &app.config.lines {
        if let Err(error) = look_at(app, clients, line).await {
            tracing::debug!(
                line = line.name,
                error = format!("{error:#}"),
                "looking up the number's voice fallback failed"
            );
        }
    }
}

async fn look_at(app: &App, clients: &Clients, line: &Line) -> anyhow::Result<()> {
    let number = clients.twilio.incoming_phone_number(&line.number).await?;
    let url = number.and_then(|number| number.voice_fallback_url);
    let found = if url.is_some_and(|url| !url.is_empty()) {
        Fallback::Set
    } else {
        Fallback::Missing
    };
    let fact = fallback_fact(line);
    if kv::read(&app.store, &fact).await?.as_deref() != Some(found.as_str()) {
        let mut tx = app.store.begin().await?;
        kv::write(&mut tx, &fact, found.as_str()).await?;
        home_views::mark_stale(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(())
}
