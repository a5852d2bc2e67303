//! What callers write.

pub(crate) mod flood;
pub(crate) mod inbound_sms;
pub(crate) mod late;
pub(crate) mod pictures_in;
