//! How each kind of delivery is sent.

pub(super) mod call;
pub(super) mod copies;
pub(super) mod inbound_file;
pub(super) mod mark;
pub(super) mod post;
pub(super) mod recording;
pub(super) mod reply_files;
pub(super) mod thread_header;
