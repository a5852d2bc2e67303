//! Calls, from the first webhook to the voicemail.

pub(crate) mod apply;
pub(crate) mod backfilled;
pub(crate) mod backfilled_end;
pub(crate) mod missed_text;
pub(crate) mod ring;
pub(crate) mod screening;
pub(crate) mod thread;
pub(crate) mod voicemail;
pub(crate) mod writer;
