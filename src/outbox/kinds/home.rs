//! Brings a person's Home up to date, composed when it is sent.

use super::{Answer, Sending, done};
use crate::bridge::slack::home;
use crate::slack::UserId;

pub(super) async fn send(sending: Sending<'_>, person: String, notice: &str) -> Answer {
    let person = UserId::new(person);
    let view = home::compose(sending.app, &person, notice).await?;
    let shown = sending.clients.slack.publish_view(&person, &view).await;
    Ok(shown.map(|()| done(String::new(), None)))
}
