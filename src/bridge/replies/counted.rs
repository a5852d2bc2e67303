//! Counts the parts in which a reply is billed, also while the names in it are not known yet.
//!
//! Names are looked up after a person has decided. Until then the user ID stands for each name, which is about as long. The
//! count is stored in the row, so that it is counted once.

use serde_json::Value;

use crate::app::App;
use crate::bridge::desk::limits;
use crate::bridge::replies::as_texts;
use crate::slack::mrkdwn::Names;
use crate::store::Tx;
use crate::store::outbox::{self, Row};
use crate::vocabulary::Kind;

/// Where it is noted in a row's payload.
const COUNTED: &str = "counted";

/// The words of these deliveries as a phone will show them.
pub(crate) fn bodies(app: &App, rows: &[Row]) -> Vec<String> {
    rows.iter()
        .flat_map(|row| match payload(row)["slack_text"].as_str() {
            Some(text) => as_texts::to_texts(app, text, &Names::default()),
            None => vec![row.words()],
        })
        .collect()
}

/// In how many parts these deliveries are billed.
pub(crate) fn parts(app: &App, rows: &[Row]) -> usize {
    limits::parts(bodies(app, rows).iter().map(String::as_str))
}

/// In how many parts these rows are billed beyond what was counted for them already.
pub(crate) fn uncounted(app: &App, rows: &[Row]) -> usize {
    let before: usize = rows.iter().map(before).sum();
    parts(app, rows).saturating_sub(before)
}

/// How many parts of this delivery were counted before its names were known.
pub(crate) fn before(row: &Row) -> usize {
    let counted = payload(row)[COUNTED].as_u64().unwrap_or_default();
    usize::try_from(counted).unwrap_or(usize::MAX)
}

/// Notes on these deliveries that they are counted, where that would be asked again when their names are known.
pub(crate) async fn note(tx: &mut Tx, app: &App, rows: &[Row]) -> anyhow::Result<()> {
    for row in rows.iter().filter(|row| row.kind == Kind::Reply) {
        let mut payload = payload(row);
        let counted = parts(app, std::slice::from_ref(row)).max(before(row));
        payload[COUNTED] = counted.into();
        outbox::set_payload(tx, &row.id, Kind::Reply, &payload.to_string()).await?;
    }
    Ok(())
}

fn payload(row: &Row) -> Value {
    serde_json::from_str(&row.payload).unwrap_or_default()
}
