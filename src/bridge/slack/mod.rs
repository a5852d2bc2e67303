//! What people do in Slack besides replying: commands, buttons, the Home tab.

pub(crate) mod button;
pub(crate) mod command;
pub(crate) mod home;
pub(crate) mod once;
mod opt_out;
