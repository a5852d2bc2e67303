//! What happens: one file for each thing that can come in, each with `receive`. No network clients here, so nothing
//! happens outside without a durable row first.

pub(crate) mod away;
pub(crate) mod button;
pub(crate) mod call_ledger;
pub(crate) mod call_memory;
mod call_record;
pub(crate) mod call_screening;
pub(crate) mod call_thread;
pub(crate) mod claim;
pub(crate) mod command;
pub(crate) mod delivery_status;
pub(crate) mod edited;
mod flood;
pub(crate) mod found_call;
pub(crate) mod held;
pub(crate) mod home;
pub(crate) mod inbound_call;
pub(crate) mod inbound_sms;
mod limits;
pub(crate) mod matter;
mod members;
mod missed_text;
pub(crate) mod opt_out;
pub(crate) mod outcome;
mod own_text;
pub(crate) mod page;
mod pictures_in;
mod pictures_out;
pub(crate) mod reminder;
pub(crate) mod root;
pub(crate) mod settlement;
pub(crate) mod slack_reply;
pub(crate) mod stuck;
pub(crate) mod text_first;
pub(crate) mod unheard_call;
pub(crate) mod voicemail;
pub(crate) mod wording;
