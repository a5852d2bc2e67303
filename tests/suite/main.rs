//! Stories through the real binary's HTTP surface, against the sandbox's stand-ins.

#![expect(
    clippy::unwrap_used,
    reason = "what a story takes for granted fails it where it stands"
)]

#[macro_use]
extern crate qdn_test_support as desk;

mod addresses;
mod aftermath;
mod any_call;
mod automatic_texts;
mod availability;
mod backup;
mod browser;
mod call_audit;
mod calls;
mod catching_up;
mod chain;
mod check;
mod clock;
mod command;
mod connection_flood;
mod connections;
mod cost;
mod degraded;
mod demo;
mod deployed;
mod edited;
mod erase;
mod files_elsewhere;
mod floods;
mod forged;
mod found_calls;
mod fuzz;
mod handover;
mod held;
mod home;
mod large;
mod lost_answers;
mod lost_ends;
mod lost_posts;
mod missed_texts;
mod newcomers;
mod not_taken;
mod odd_requests;
mod old_database;
mod old_threads;
mod once;
mod operator;
mod opt_out;
mod order;
mod page;
mod papers;
mod pictures_in;
mod pictures_out;
mod pressure;
mod reconstruct;
mod refused;
mod replies;
mod screening;
mod set_aside;
mod setup;
mod standing;
mod status_urls;
mod statuses;
mod stopping;
mod stuck;
mod text_first;
mod texts;
mod trouble;
mod unanswered;
mod unheard_calls;
mod unreadable;
mod voicemail;
mod words_on_disk;
