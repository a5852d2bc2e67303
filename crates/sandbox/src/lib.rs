//! Stand-ins for Twilio and Slack that speak their HTTP as strictly as the vendors do, for the tests and the demo.
//!
//! This crate imports nothing of qdn-relay. It has its own signatures and its own segment count, written from the
//! vendors' documentation, so that a misreading in the product shows up as a failing test instead of being repeated
//! here. The product's program contains this crate only for its `demo` command.

mod clock;
pub mod faults;
pub mod slack;
pub mod twilio;
