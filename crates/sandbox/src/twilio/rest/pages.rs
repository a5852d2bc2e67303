//! Lists a page at a time, and their filters by date.

use axum::Json;
use axum::response::IntoResponse;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, parameter};

/// The parameters every list knows.
pub(super) const PARAMETERS: [&str; 3] = ["PageSize", "Page", "PageToken"];
const DEFAULT_PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 1000;
/// A page's token is this and the SID of the last entry before it, so that entries that come in meanwhile shift nothing.
const TOKEN_PREFIX: &str = "PA";

/// Answers with the page of `entries` (SID and JSON, in order) that was asked for.
pub(super) fn answer(
    key: &str,
    entries: Vec<(String, Value)>,
    asked: &Asked,
    size_limit: usize,
) -> Answer {
    let number = |name: &str, default: usize| match parameter(&asked.query, name) {
        None => Ok(default),
        Some(value) => value
            .parse()
            .map_err(|_| Refusal::bad_request(20001, format!("{name} is not a number"))),
    };
    let page_size = number("PageSize", DEFAULT_PAGE_SIZE)?;
    let page = number("Page", 0)?;
    if page_size == 0 {
        return Err(Refusal::bad_request(20001, "PageSize is too small"));
    }
    let page_size = page_size.min(MAX_PAGE_SIZE).min(size_limit);
    let start = match parameter(&asked.query, "PageToken") {
        Some(token) => {
            let last = token.strip_prefix(TOKEN_PREFIX);
            let last = last.and_then(|sid| entries.iter().position(|(known, _)| known == sid));
            last.ok_or_else(|| Refusal::bad_request(20001, "PageToken is invalid"))? + 1
        }
        None if page > 0 => {
            return Err(Refusal::bad_request(20001, "Page needs a PageToken"));
        }
        None => 0,
    };
    let shown: Vec<_> = entries.iter().skip(start).take(page_size).collect();
    let uri = |page: usize, token: Option<&str>| {
        let mut query: Vec<(&str, &str)> = asked
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !PARAMETERS.contains(name))
            .collect();
        let (size, page) = (page_size.to_string(), page.to_string());
        let token = token.map(|sid| format!("{TOKEN_PREFIX}{sid}"));
        query.extend([("PageSize", size.as_str()), ("Page", page.as_str())]);
        if let Some(token) = &token {
            query.push(("PageToken", token));
        }
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        format!("{}?{query}", asked.path)
    };
    let more = start + shown.len() < entries.len();
    let next = shown.last().filter(|_| more);
    let mut body = json!({
        "first_page_uri": uri(0, None),
        "next_page_uri": next.map(|(sid, _)| uri(page + 1, Some(sid))),
        "previous_page_uri": if page > 0 { Some(uri(page - 1, None)) } else { None },
        "uri": uri(page, None),
        "page": page,
        "page_size": page_size,
        "start": start,
        "end": (start + shown.len()).saturating_sub(1),
    });
    body[key] = shown.iter().map(|(_, json)| json.clone()).collect();
    Ok(Json(body).into_response())
}

/// `DateSent=`, `DateSent<=` and `DateSent>=`, whose parameters are named `DateSent`, `DateSent<` and `DateSent>`.
pub(super) struct DateFilter {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl DateFilter {
    /// The three parameters of the filter by `name`.
    pub(super) fn parameters(name: &str) -> [&'static str; 3] {
        match name {
            "StartTime" => ["StartTime", "StartTime<", "StartTime>"],
            "EndTime" => ["EndTime", "EndTime<", "EndTime>"],
            _ => ["DateSent", "DateSent<", "DateSent>"],
        }
    }

    pub(super) fn new(name: &str, query: &[(String, String)]) -> Result<Self, Refusal> {
        let [on, until, from] = Self::parameters(name);
        let read = |name: &str| parameter(query, name).map(read_date).transpose();
        let on = read(on)?;
        Ok(DateFilter {
            from: read(from)?.or(on).map(|(first, _)| first),
            until: read(until)?.or(on).map(|(_, last)| last),
        })
    }

    /// What has no date passes only when no date was asked for.
    pub(super) fn allows(&self, at: Option<Timestamp>) -> bool {
        let whole_seconds = |at: Timestamp| at.as_second();
        match at {
            None => self.from.is_none() && self.until.is_none(),
            Some(at) => {
                self.from
                    .is_none_or(|from| whole_seconds(at) >= whole_seconds(from))
                    && self
                        .until
                        .is_none_or(|until| whole_seconds(at) <= whole_seconds(until))
            }
        }
    }
}

/// A moment, or the first and last second of a day in UTC.
fn read_date(value: &str) -> Result<(Timestamp, Timestamp), Refusal> {
    if let Ok(at) = value.parse::<Timestamp>() {
        return Ok((at, at));
    }
    let day = value.parse::<Date>().ok();
    let day = day.and_then(|date| {
        let first = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let last = date.at(23, 59, 59, 0).to_zoned(TimeZone::UTC).ok()?;
        Some((first, last.timestamp()))
    });
    day.ok_or_else(|| Refusal::bad_request(20001, format!("{value:?} is not a date")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_by_date_takes_days_and_moments() {
        let at = |time: &str| Some(time.parse().unwrap());
        for (name, value, time, passes) in [
            ("DateSent", "2026-11-22", "2026-11-22T23:59:59Z", true),
            ("DateSent", "2026-11-22", "2026-11-23T00:00:00Z", false),
            ("DateSent>", "2026-11-22", "2026-11-22T00:00:00Z", true),
            (
                "DateSent>",
                "2026-11-22T10:00:00Z",
                "2026-11-22T10:00:00.5Z",
                true,
            ),
            (
                "DateSent>",
                "2026-11-22T10:00:01Z",
                "2026-11-22T10:00:00Z",
                false,
            ),
            (
                "DateSent<",
                "2026-11-22T10:00:00Z",
                "2026-11-22T10:00:01Z",
                false,
            ),
            ("DateSent<", "2026-11-22", "2026-11-22T23:00:00Z", true),
        ] {
            let query = [(name.to_owned(), value.to_owned())];
            let filter = DateFilter::new("DateSent", &query).unwrap();
            assert_eq!(filter.allows(at(time)), passes, "{name}={value} {time}");
            assert!(!filter.allows(None));
        }
        assert!(DateFilter::new("DateSent", &[]).unwrap().allows(None));
        let query = [("DateSent>".to_owned(), "yesterday".to_owned())];
        assert!(DateFilter::new("DateSent", &query).is_err());
    }
}
