//! The hourly limits on texts: a stolen account or a slip must not run up a bill.
//!
//! The limits count parts as Twilio bills them. What a line sends by itself has a small budget of its own: anybody can
//! cause it by calling in false names, and must not use up what people may send.

use jiff::Timestamp;

use crate::app::App;
use crate::config::{Config, Line};
use crate::conversation::limit::{Reached, Whose};
use crate::store::Tx;
use crate::store::text_counts::{self, Counted, Of, WINDOW};
use crate::twilio::segments;

pub(crate) use crate::store::text_counts::Text;

/// The number of parts in which these texts are billed. A text without words yet counts as one.
pub(crate) fn parts<'a>(bodies: impl IntoIterator<Item = &'a str>) -> usize {
    let parts: usize = bodies.into_iter().map(segments::count).sum();
    parts.max(1)
}

/// The limit that this text of a person would pass, if there is one.
pub(crate) async fn reached(
    tx: &mut Tx,
    app: &App,
    text: &Text<'_>,
) -> anyhow::Result<Option<Reached>> {
    let limits = &app.config.limits;
    for (whose, of, limit) in [
        (
            Whose::Person,
            Of::Author(text.author),
            limits.person_per_hour,
        ),
        (
            Whose::Number,
            Of::Caller(text.caller),
            limits.number_per_hour,
        ),
        (Whose::Line, Of::Line(text.line), limits.line_per_hour),
    ] {
        let sent = text_counts::within_the_hour(tx, of).await?;
        if let Some(oldest) = full_until(&sent, text.parts, limit) {
            return Ok(Some(Reached {
                whose,
                limit,
                free_at: oldest.checked_add(WINDOW)?,
            }));
        }
    }
    Ok(None)
}

/// The text that has to be an hour old before `parts` more may leave; `None` if they may now. What is longer than the
/// whole limit may leave alone: its writer was asked because of its length.
fn full_until(sent: &[Counted], parts: usize, limit: u32) -> Option<Timestamp> {
    let allowed = usize::try_from(limit).unwrap_or(usize::MAX);
    let allowed = allowed.saturating_sub(parts.min(allowed));
    let mut counted: usize = sent.iter().map(|text| text.parts).sum();
    let mut last = None;
    for text in sent {
        if counted <= allowed {
            break;
        }
        counted -= text.parts;
        last = Some(text.at);
    }
    last
}

/// Counts a text that leaves.
pub(crate) async fn spend(tx: &mut Tx, text: &Text<'_>) -> anyhow::Result<()> {
    text_counts::add(tx, text).await
}

/// Whether a line has sent by itself all that it may within an hour, `words` included.
pub(crate) async fn is_machine_spent(
    tx: &mut Tx,
    config: &Config,
    line: &Line,
    words: &str,
) -> anyhow::Result<bool> {
    let sent = text_counts::within_the_hour(tx, Of::Machine(line.number.as_str())).await?;
    let limit = config.limits.automatic_per_hour;
    Ok(full_until(&sent, parts([words]), limit).is_some())
}

/// Counts a text that a line sends by itself.
pub(crate) async fn spend_machine(
    tx: &mut Tx,
    line: &str,
    caller: &str,
    words: &str,
) -> anyhow::Result<()> {
    let text = Text {
        line,
        caller,
        author: "",
        parts: parts([words]),
    };
    text_counts::add(tx, &text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_and_the_oldest_make_room() {
        let at = |minutes: i64| Timestamp::from_second(1_000_000 + 60 * minutes).unwrap();
        let sent = |parts: &[usize]| -> Vec<Counted> {
            let minutes = 0_i64..;
            let counted = minutes.zip(parts);
            counted
                .map(|(minute, parts)| Counted {
                    at: at(minute),
                    parts: *parts,
                })
                .collect()
        };
        for (before, parts, limit, expected) in [
            (vec![], 1, 3, None),
            (vec![1, 1], 1, 3, None),
            (vec![1, 1, 1], 1, 3, Some(0)),
            (vec![1, 1, 1], 2, 3, Some(1)),
            (vec![3], 1, 3, Some(0)),
            (vec![1, 5, 1], 1, 7, Some(0)),
            (vec![1, 5, 1], 2, 7, Some(1)),
            // Longer than the limit: alone.
            (vec![], 180, 120, None),
            (vec![1], 180, 120, Some(0)),
            (vec![180], 1, 120, Some(0)),
        ] {
            let found = full_until(&sent(&before), parts, limit);
            assert_eq!(found, expected.map(at), "{before:?} + {parts} of {limit}");
        }
    }
}
