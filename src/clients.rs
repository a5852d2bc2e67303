//! The clients of Twilio and Slack: only what delivers and what compares is given them.

use crate::{slack, twilio};

/// Both clients; cloning them costs nothing.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) twilio: twilio::client::Client,
    pub(crate) slack: slack::client::Client,
}
