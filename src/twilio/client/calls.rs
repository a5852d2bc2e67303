use jiff::Timestamp;
use serde_json::Value;

use super::request::{List, filter_time};
use super::{Client, json};
use crate::phone::Address;
use crate::remote::Failure;
use crate::twilio::CallSid;
use crate::twilio::message::Direction;

/// Selects the calls to list; by default all calls of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    pub to: Option<Address>,
    pub from: Option<Address>,
    /// Only calls that started at this time or later, to the second.
    pub start_time_after: Option<Timestamp>,
    /// Only the child legs of this call.
    pub parent_call_sid: Option<CallSid>,
}

/// A call resource: one leg of a call (<https://www.twilio.com/docs/voice/api/call-resource#call-properties>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResource {
    pub sid: CallSid,
    /// The caller's leg, if this is a leg that a `Dial` created.
    pub parent_call_sid: Option<CallSid>,
    pub from: Address,
    pub to: Address,
    pub status: String,
    pub direction: Direction,
    /// To the second.
    pub start_time: Option<Timestamp>,
    /// To the second, once it has ended.
    pub end_time: Option<Timestamp>,
    /// In seconds, once it has ended.
    pub duration: Option<u32>,
}

impl Client {
    /// Lists all calls that match the filter, the most recent first. An incomplete list is an error.
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
        let list = List {
            path: "/Calls.json",
            query,
            key: "calls",
        };
        self.list(list, read, |_| false).await
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
