//! Slack as its documentation has it: signatures, the events we act on, text in both directions, the Web API. Knows nothing of us.

pub mod blocks;
pub mod client;
pub mod emoji;
mod emoji_table;
pub mod event;
mod ids;
mod lenient;
pub mod mrkdwn;
pub mod signature;

pub use ids::{ChannelId, InvalidMessageTs, MessageTs, TeamId, UserId};
