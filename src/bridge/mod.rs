//! What happens: one file for each event that comes in. No network clients here, so nothing happens outside without a
//! durable row first.
//!
//! | event | file |
//! |---|---|
//! | a caller's text (webhook or backfill) | `texts/inbound_sms` |
//! | a status of one of our texts | `deliveries/sms_status` |
//! | a call comes in, or a ring ends | `calls/ring` |
//! | somebody picks up, presses a key, hangs up | `calls/screening` |
//! | a recording, its file, its transcription | `calls/voicemail` |
//! | a call that only Twilio's log knows | `calls/backfilled`, its end `calls/backfilled_end` |
//! | a message in a thread, its edit, its deletion | `replies/slack_reply`, `replies/edited`, `replies/deleted` |
//! | a slash command | `slack/command` |
//! | a button | `slack/button` |
//! | the *New text* shortcut and its form | `replies/text_first` |
//! | the app's Home tab is opened | `slack/home` |
//! | an attempt or a look for a delivery ended | `deliveries/outcome` |
//! | time passes | `desk/reminder`, `desk/away_text`, `desk/newcomers`, `desk/stuck`, `replies/confirmation`, `slack/home` |
//!
//! Folders import downwards only: `slack`, `deliveries`, then `calls`, `replies`, `texts`, then `desk`, then `wording`.

pub(crate) mod calls;
pub(crate) mod deliveries;
pub(crate) mod desk;
pub(crate) mod replies;
pub(crate) mod slack;
pub(crate) mod texts;
pub(crate) mod wording;
