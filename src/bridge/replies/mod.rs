//! Replies of dispatchers: sending, confirming, editing, deleting, and texts that the desk begins.

pub(crate) mod as_texts;
pub(crate) mod confirmation;
pub(crate) mod correction;
pub(crate) mod counted;
pub(crate) mod deferred;
mod deleted;
pub(crate) mod edited;
pub(crate) mod files;
pub(crate) mod reached;
mod save;
mod send;
pub(crate) mod slack_reply;
pub(crate) mod text_first;
pub(crate) mod undecided;
