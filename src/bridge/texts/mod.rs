//! Texts of callers, their files, and floods of them.

pub(crate) mod coalesce;
pub(crate) mod inbound_media;
pub(crate) mod inbound_sms;
pub(crate) mod late;
