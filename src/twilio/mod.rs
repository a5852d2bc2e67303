//! Twilio's API as its documentation describes it. Imports nothing of the desk's domain.
//!
//! Inbound: [`signature`] verifies a webhook request and [`form`] parses it. Outbound: [`client`] calls the REST API, and
//! [`twiml`] writes the instructions for a call. [`message`] is the message resource, [`error_code`] explains its errors,
//! [`segment`] and [`segments`] count what a text takes.

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
