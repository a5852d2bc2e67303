use jiff::Timestamp;
use serde_json::Value;

use super::request::filter_time;
use super::{Client, json};
use crate::phone::Address;
use crate::remote::Failure;
use crate::twilio::CallSid;
use crate::twilio::message::Direction;

/// Which calls to list; all of the account's where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    pub to: Option<Address>,
    pub from: Option<Address>,
    /// Begun then or later, to the second.
    pub start_time_after: Option<Timestamp>,
    /// The legs that this call led to.
    pub parent_call_sid: Option<CallSid>,
}

/// One leg of a call (<https://www.twilio.com/docs/voice/api/call-resource#call-properties>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResource {
    pub sid: CallSid,
    /// The caller's leg, where this is one that it led to.
    pub parent_call_sid: Option<CallSid>,
    pub from: Address,
    pub to: Address,
    pub status: String,
    pub direction: Direction,
    /// To the second.
    pub start_time: Option<Timestamp>,
    /// To the second, once it has ended.
    pub end_time: Option<Timestamp>,
    /// Seconds, once it has ended.
    pub duration: Option<u32>,
}

impl Client {
    /// All calls that fit the filter, the most recent first; what could not be read to the end is an error.
    pub async fn list_calls(&self, filter: &CallFilter) -> Result<Vec<CallResource>, Failure> {
        let mut query = Vec::new();
        if let Some(to) = &filter.to {
            query.push(("To", to.as_str().to_owned()));
        }
        if let Some(from) = &filter.from {
            query.push(("From", from.as_str().to_owned()));
        }
        if let Some(after) = filter.start_time_after {
            query.push(("StartTime>", filter_time(after)));
        }
        if let Some(parent) = &filter.parent_call_sid {
            query.push(("ParentCallSid", parent.as_str().to_owned()));
        }
        self.list("/Calls.json", query, "calls", read, |_| false)
            .await
    }
}

fn read(value: &Value) -> Option<CallResource> {
    let sid = |name| CallSid::parse(json::text(value, name)?).ok();
    Some(CallResource {
        sid: sid("sid")?,
        parent_call_sid: sid("parent_call_sid"),
        from: Address::new(json::text(value, "from").unwrap_or_default()),
        to: Address::new(json::text(value, "to").unwrap_or_default()),
        status: json::text(value, "status").unwrap_or_default().to_owned(),
        direction: Direction::parse(json::text(value, "direction").unwrap_or_default()),
        start_time: json::time(value, "start_time"),
        end_time: json::time(value, "end_time"),
        duration: json::number(value, "duration"),
    })
}
