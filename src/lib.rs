//! One phone number, one Slack channel: texts become threads, replies become texts, calls find a person.
//!
//! **The way in.** A caller's text: `http` checks Twilio's signature → `bridge::texts::inbound_sms` decides → one
//! transaction keeps the message *and* the row that asks for its post → 200 → the worker in `outbox` → [`slack`].
//!
//! **The way back.** A dispatcher's reply: `http` checks Slack's signature → `bridge::replies::slack_reply` → one
//! transaction → 200 → the worker → [`twilio`] → later a status callback → `bridge::deliveries::delivery_status` → a row →
//! the mark on the reply.
//!
//! `bridge` holds no client, so nothing happens outside without a durable row first; `outbox` alone sends, and hands
//! how each delivery ended to `bridge::deliveries::outcome`. [`twilio`] and [`slack`] know nothing of us and read with only the
//! vendor's documentation at hand. The crate `qdn-sandbox` stands in for both vendors, in [`demo`] and in the tests.

mod app;
pub mod availability;
mod backfill;
mod bridge;
mod callback;
mod calls;
pub mod cli;
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

pub use serve::{Running, serve};
