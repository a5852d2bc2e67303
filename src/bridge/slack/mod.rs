//! What people do in Slack besides replying.

pub(crate) mod button;
pub(crate) mod command;
pub(crate) mod home;
pub(crate) mod members;
pub(crate) mod once;
