//! Stand-ins for Twilio and Slack that speak their HTTP as strictly as the vendors do, for the demo and the tests.
pub mod demo;
pub mod faults;
pub mod slack;
pub mod twilio;
