//! What happens: one file for each thing that can come in, each with `receive`. No network clients here, so nothing
//! happens outside without a durable row first.

pub(crate) mod calls;
pub(crate) mod deliveries;
pub(crate) mod desk;
pub(crate) mod replies;
pub(crate) mod slack;
pub(crate) mod texts;
pub(crate) mod wording;
