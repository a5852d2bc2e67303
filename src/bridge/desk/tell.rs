//! Tells whoever pressed a button what came of it, and takes a question's buttons away.

use crate::app::App;
use crate::delivery::{self, Content, Delivery};
use crate::slack::event::BlockActions;
use crate::store::Tx;

/// Tells who pressed, alone.
pub(crate) async fn tell(
    app: &App,
    pressed: &BlockActions,
    sentence: String,
) -> anyhow::Result<()> {
    let (Some(channel), Some(line)) = (&pressed.channel, app.config.lines.first()) else {
        return Ok(());
    };
    let told = Delivery::Ephemeral {
        channel: channel.as_str().to_owned(),
        user: pressed.user.as_str().to_owned(),
        thread_ts: pressed
            .thread_ts
            .as_ref()
            .map_or_else(String::new, |root| root.as_str().to_owned()),
        content: sentence.into(),
    };
    let mut tx = app.store.begin().await?;
    let lane = delivery::ephemeral_lane(line.number.as_str(), pressed.user.as_str());
    delivery::enqueue(&mut tx, &lane, None, None, &told).await?;
    tx.commit().await
}

/// Tells somebody who need not be in the channel, where no message for them alone can be posted.
pub(crate) async fn tell_outsider(
    app: &App,
    pressed: &BlockActions,
    text: String,
) -> anyhow::Result<()> {
    let Some(response_url) = pressed.response_url.clone() else {
        return Ok(());
    };
    let Some(line) = app.config.lines.first() else {
        return Ok(());
    };
    let mut tx = app.store.begin().await?;
    let lane = delivery::ephemeral_lane(line.number.as_str(), pressed.user.as_str());
    let answer = Delivery::Answer { response_url, text };
    delivery::enqueue(&mut tx, &lane, None, None, &answer).await?;
    tx.commit().await
}

/// The question gives way to its answer, so that nobody answers it again.
pub(crate) async fn replace_buttons(
    tx: &mut Tx,
    line: &str,
    pressed: &BlockActions,
    content: Content,
) -> anyhow::Result<()> {
    let (Some(channel), Some(ts)) = (&pressed.channel, &pressed.message_ts) else {
        return Ok(());
    };
    let update = Delivery::Update {
        channel: channel.as_str().to_owned(),
        ts: ts.as_str().to_owned(),
        content,
    };
    delivery::enqueue(
        tx,
        &delivery::update_lane(line, ts.as_str()),
        None,
        None,
        &update,
    )
    .await?;
    Ok(())
}
