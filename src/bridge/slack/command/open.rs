//! `/qdn open`: who waits for an answer, longest first, with the way to each thread.

use super::why;
use crate::app::App;
use crate::bridge::desk::membership;
use crate::bridge::desk::thread_header;
use crate::bridge::wording::{self, desk};
use crate::config::Line;
use crate::phone::Address;
use crate::slack::event::SlashCommand;
use crate::store::conversation_status;

/// How many are listed; of the others it is said how many they are.
const LISTED: i64 = 20;

pub(super) async fn answer(app: &App, command: &SlashCommand) -> String {
    let lines = why::lines_here(app, command);
    // A caller is nobody's business outside the channel of their line.
    let lines = match membership::own_lines(app, &lines, &command.user_id).await {
        Ok(lines) => lines,
        Err(refusal) => return refusal,
    };
    match list(app, &lines, LISTED).await {
        Ok(listed) if listed.is_empty() => desk::nobody_waits(),
        Ok(listed) => listed.join("\n"),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "who waits cannot be listed");
            wording::reasons::cannot_look_up()
        }
    }
}

/// A line of text each for those who wait, and one for the others.
pub(crate) async fn list(app: &App, lines: &[&Line], limit: i64) -> anyhow::Result<Vec<String>> {
    let numbers: Vec<&str> = lines.iter().map(|line| line.number.as_str()).collect();
    let (waiting, count) = conversation_status::waiting(&app.store, &numbers, limit).await?;
    let now = app.store.now();
    let mut listed = Vec::with_capacity(waiting.len());
    for one in &waiting {
        let caller = Address::new(&one.caller);
        let name = thread_header::name(&app.store, &app.config, &caller).await?;
        let line = app.line_name(&one.line);
        listed.push(desk::waits(&desk::Waits {
            who: desk::who_bold(&caller, name.as_deref()),
            line: (lines.len() > 1).then_some(line.as_str()),
            age: now.duration_since(one.since()),
            claimed_by: &one.claimed_by,
            link: app.directory.link(&one.channel, &one.thread_ts),
        }));
    }
    let others = count - i64::try_from(waiting.len())?;
    if others > 0 {
        listed.push(desk::and_others(others));
    }
    Ok(listed)
}
