//! Connects a phone number with a Slack channel: texts become threads, replies become texts, calls ring people.
//!
//! **Inbound.** A caller's text: `http` verifies Twilio's signature → `bridge::texts::inbound_sms` decides → one
//! transaction saves the message *and* the outbox row for its post → 200 → the worker in `outbox` → [`slack`].
//!
//! **Outbound.** A dispatcher's reply: `http` verifies Slack's signature → `bridge::replies::slack_reply` → one
//! transaction → 200 → the worker → [`twilio`] → later a status callback → `bridge::deliveries::sms_status` → an
//! outbox row → the mark on the reply.
//!
//! `bridge` has no client, so no request leaves without a durable row. Only `outbox` sends, and it passes the outcome of
//! each delivery to `bridge::deliveries::outcome`. [`twilio`] and [`slack`] do not depend on the rest and can be read with
//! only the vendor's documentation at hand. The crate `qdn-sandbox` simulates both vendors, in [`demo`] and in the tests.

mod app;
pub mod availability;
mod backfill;
mod bridge;
mod callback;
mod calls;
pub mod cli;
mod clients;
pub mod clock;
pub mod config;
mod connections;
mod conversation;
mod delivery;
pub mod demo;
pub mod faultpoints;
mod http;
mod log_limit;
mod media;
mod outbox;
pub mod phone;
mod private_files;
pub mod remote;
pub mod routing;
mod serve;
pub mod slack;
mod slack_directory;
pub mod store;
mod thread_sync;
pub mod twilio;
pub mod vocabulary;

pub use serve::{Running, serve};
