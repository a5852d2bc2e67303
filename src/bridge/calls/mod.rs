//! Calls, from the first webhook to the voicemail.

pub(crate) mod call_record;
pub(crate) mod call_screening;
pub(crate) mod call_thread;
pub(crate) mod found_call;
pub(crate) mod inbound_call;
pub(crate) mod missed_text;
pub(crate) mod unheard_call;
pub(crate) mod voicemail;
pub(crate) mod writer;
