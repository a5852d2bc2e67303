//! Slack's platform as its documentation describes it. Imports nothing of the desk's domain.
//!
//! Inbound: [`signature`] verifies a request and [`event`] parses it. Outbound: [`client`] calls the Web API with [`blocks`].
//! [`mrkdwn`] and [`emoji`] convert between Slack's markup and plain text.

pub mod blocks;
pub mod client;
mod content;
pub mod emoji;
mod emoji_table;
pub mod event;
mod ids;
mod lenient;
pub mod mrkdwn;
pub(crate) mod refusal;
pub mod signature;

pub(crate) use content::Content;
pub use ids::{ChannelId, InvalidMessageTs, MessageTs, TeamId, UserId};
