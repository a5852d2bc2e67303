//! Twilio as its documentation has it: signatures, webhook forms, TwiML, the REST API. Knows nothing of us.
//!
//! In come [`form`]s whose [`signature`] holds, out go requests by the [`client`], and a call is answered with [`twiml`];
//! [`message`] is a text on Twilio's side, and [`error_code`] why one failed.

pub mod client;
pub mod error_code;
pub mod form;
pub mod message;
pub mod segment;
pub mod segments;
mod sid;
pub mod signature;
pub mod twiml;

pub use sid::{AccountSid, CallSid, InvalidSid, MessageSid};
