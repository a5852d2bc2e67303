//! Message metadata, by which we recognize our messages later.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::slack::lenient;

/// A message's metadata (<https://docs.slack.dev/messaging/message-metadata>). Everyone in the workspace can read it.
///
/// Values are strings: with numbers and objects, slack-morphism, and possibly other readers of the channel, lose the
/// message's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// The metadata's type, which also names its app.
    pub event_type: String,
    /// The values by key.
    pub event_payload: BTreeMap<String, String>,
}

impl Metadata {
    /// Parses a message's `metadata`, of any app. Values that are not strings are returned in their JSON spelling.
    pub(super) fn read(message: &Value) -> Option<Self> {
        let metadata = message.get("metadata")?;
        let payload = metadata.get("event_payload").and_then(Value::as_object);
        Some(Self {
            event_type: lenient::word(metadata, "event_type")?,
            event_payload: payload
                .into_iter()
                .flatten()
                .map(|(key, value)| match value {
                    Value::String(text) => (key.clone(), text.clone()),
                    other => (key.clone(), other.to_string()),
                })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_any_type_are_read() {
        let message = json!({"metadata": {"event_type": "qdn", "event_payload": {"id": "7", "n": 7, "deep": {"er": []}}}});
        let metadata = Metadata::read(&message).unwrap();
        assert_eq!(metadata.event_payload["id"], "7");
        assert_eq!(metadata.event_payload["n"], "7");
        assert_eq!(metadata.event_payload["deep"], r#"{"er":[]}"#);
    }

    #[test]
    fn no_metadata_is_none() {
        for message in [
            json!({}),
            json!({"metadata": {}}),
            json!({"metadata": null}),
        ] {
            assert_eq!(Metadata::read(&message), None);
        }
    }
}
