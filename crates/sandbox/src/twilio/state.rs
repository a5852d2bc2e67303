//! The state of the stand-in: everything that was created, and what a test has scripted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use jiff::Timestamp;

use super::Settings;
use super::call::LiveCall;
use super::callback::{Callback, Callbacks};
use super::messages::{Created, MessageRecord};
use super::number::NumberRecord;
use super::people::Phone;
use super::rest::services::ServiceRecord;

/// The address of the relay.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    /// Its public origin, without a trailing slash.
    pub(super) base: String,
    /// The address to connect to instead.
    pub(super) connect_to: Option<SocketAddr>,
}

/// A picture or other file of a message.
#[derive(Debug, Clone)]
pub(super) struct MediaRecord {
    pub(super) sid: String,
    pub(super) message_sid: String,
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
}

/// One side of a call, in the account's log of calls.
#[derive(Debug, Clone)]
pub(super) struct CallRecord {
    pub(super) sid: String,
    /// The SID of the caller's side, if this is the called person's.
    pub(super) parent: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) direction: String,
    pub(super) status: String,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    /// In seconds from the pick-up.
    pub(super) duration: u64,
}

/// A message left by a caller.
#[derive(Debug, Clone)]
pub(super) struct RecordingRecord {
    pub(super) sid: String,
    pub(super) call_sid: String,
    /// In seconds.
    pub(super) duration: u64,
    pub(super) words: String,
    /// Whether its audio can be fetched yet.
    pub(super) available: bool,
    pub(super) url: String,
    /// `recordingStatusCallback` and its method.
    pub(super) callback: Option<(String, String)>,
    pub(super) transcribe_callback: Option<String>,
}

pub(super) struct State {
    pub(super) relay: Option<Relay>,
    pub(super) auth_token: String,
    /// The id and the secret of the shared key that a Webhook Rule for every webhook names.
    pub(super) shared_key: Option<(String, String)>,
    pub(super) api_key_valid: bool,
    pub(super) uses_of_auth_token: usize,
    pub(super) violations: Vec<String>,
    pub(super) numbers: Vec<NumberRecord>,
    pub(super) services: Vec<ServiceRecord>,
    /// Oldest first.
    pub(super) messages: Vec<MessageRecord>,
    pub(super) created: Vec<Created>,
    pub(super) media: Vec<MediaRecord>,
    /// Whether media are served only to requests with credentials.
    pub(super) media_auth: bool,
    /// The address that every request for media or a recording is redirected to.
    pub(super) files_elsewhere: Option<String>,
    pub(super) callbacks: Callbacks,
    pub(super) callback_log: Vec<Callback>,
    /// (our number, their number) of everybody who said STOP.
    pub(super) opted_out: HashSet<(String, String)>,
    /// Numbers to which creates are refused, with the error code.
    pub(super) refused: HashMap<String, u32>,
    /// Numbers to which accepted messages fail, with their final status and error code.
    pub(super) failing: HashMap<String, (String, u32)>,
    /// How long a new message is missing from lists.
    pub(super) list_lag: Duration,
    pub(super) page_size_limit: usize,
    /// Both sides of every call, oldest first.
    pub(super) calls: Vec<CallRecord>,
    pub(super) recordings: Vec<RecordingRecord>,
    /// Transcriptions: SID, SID of the recording, words.
    pub(super) transcriptions: Vec<(String, String, String)>,
    pub(super) live_calls: Vec<LiveCall>,
    /// How each number's phone behaves, call by call. The last entry stays.
    pub(super) phones: HashMap<String, VecDeque<Phone>>,
}

impl State {
    pub(super) fn new(settings: &Settings) -> Self {
        State {
            relay: None,
            auth_token: settings.auth_token.clone(),
            shared_key: None,
            api_key_valid: true,
            uses_of_auth_token: 0,
            violations: Vec::new(),
            numbers: Vec::new(),
            services: Vec::new(),
            messages: Vec::new(),
            created: Vec::new(),
            media: Vec::new(),
            media_auth: false,
            files_elsewhere: None,
            callbacks: Callbacks::default(),
            callback_log: Vec::new(),
            opted_out: HashSet::new(),
            refused: HashMap::new(),
            failing: HashMap::new(),
            list_lag: Duration::ZERO,
            page_size_limit: 1000,
            calls: Vec::new(),
            recordings: Vec::new(),
            transcriptions: Vec::new(),
            live_calls: Vec::new(),
            phones: HashMap::new(),
        }
    }

    pub(super) fn owns(&self, number: &str) -> bool {
        self.numbers.iter().any(|own| own.number == number)
    }

    pub(super) fn number(&self, number: &str) -> Option<&NumberRecord> {
        self.numbers.iter().find(|own| own.number == number)
    }

    pub(super) fn message(&self, sid: &str) -> Option<&MessageRecord> {
        self.messages.iter().find(|message| message.sid == sid)
    }

    pub(super) fn message_mut(&mut self, sid: &str) -> Option<&mut MessageRecord> {
        self.messages.iter_mut().find(|message| message.sid == sid)
    }
}
