//! What the other groups share about conversations: status, alarms, limits, membership, opt-outs, header messages.

pub(crate) mod automatic_text;
pub(crate) mod away_text;
pub(crate) mod claim;
pub(crate) mod decision;
pub(crate) mod escalation;
pub(crate) mod limits;
pub(crate) mod membership;
pub(crate) mod newcomers;
pub(crate) mod opt_out;
pub(crate) mod post_form;
pub(crate) mod reminder;
pub(crate) mod status;
pub(crate) mod stuck;
pub(crate) mod tell;
pub(crate) mod thread_header;
