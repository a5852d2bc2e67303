//! The words of a message.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The words of a message: `text` for notifications and screen readers, `blocks` for the eye.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// mrkdwn, escaped.
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blocks: Option<Value>,
}

impl From<String> for Content {
    fn from(text: String) -> Content {
        Content { text, blocks: None }
    }
}
