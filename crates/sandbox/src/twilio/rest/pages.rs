//! The pages of lists, and their filters by date.

use axum::Json;
use axum::response::IntoResponse;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, parameter};

/// The parameters that every list accepts.
pub(super) const PARAMETERS: [&str; 3] = ["PageSize", "Page", "PageToken"];
const DEFAULT_PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 1000;
/// A page's token is this and the SID of the entry before the page, so new entries do not shift the pages.
const TOKEN_PREFIX: &str = "PA";

/// Which page of a list was asked for.
struct Page {
    number: usize,
    size: usize,
    /// The index of its first entry.
    start: usize,
}

/// Answers with the page of `entries` (SID and JSON, in order) that was asked for.
pub(super) fn answer(
    key: &str,
    entries: Vec<(String, Value)>,
    asked: &Asked,
    size_limit: usize,
) -> Answer {
    let page = Page::read(&asked.query, &entries, size_limit)?;
    let shown: Vec<_> = entries.iter().skip(page.start).take(page.size).collect();
    let end = page.start + shown.len();
    let next = shown.last().filter(|_| end < entries.len());
    let uri = |number: usize, last: Option<&str>| page_uri(asked, number, page.size, last);
    let mut body = json!({
        "first_page_uri": uri(0, None),
        "next_page_uri": next.map(|(sid, _)| uri(page.number + 1, Some(sid))),
        "previous_page_uri": page.number.checked_sub(1).map(|previous| uri(previous, None)),
        "uri": uri(page.number, None),
        "page": page.number,
        "page_size": page.size,
        "start": page.start,
        "end": end.saturating_sub(1),
    });
    body[key] = shown.iter().map(|(_, json)| json.clone()).collect();
    Ok(Json(body).into_response())
}

impl Page {
    fn read(
        query: &[(String, String)],
        entries: &[(String, Value)],
        size_limit: usize,
    ) -> Result<Self, Refusal> {
        let refused = |why: &str| Refusal::bad_request(20001, why);
        let count = |name: &str, default: usize| match parameter(query, name) {
            None => Ok(default),
            Some(value) => value
                .parse()
                .map_err(|_| refused(&format!("{name} is not a number"))),
        };
        let size = count("PageSize", DEFAULT_PAGE_SIZE)?;
        let number = count("Page", 0)?;
        if size == 0 {
            return Err(refused("PageSize is too small"));
        }
        let start = match parameter(query, "PageToken") {
            Some(token) => {
                let last = token.strip_prefix(TOKEN_PREFIX);
                let last = last.and_then(|sid| entries.iter().position(|(known, _)| known == sid));
                last.ok_or_else(|| refused("PageToken is invalid"))? + 1
            }
            None if number > 0 => return Err(refused("Page needs a PageToken")),
            None => 0,
        };
        Ok(Page {
            number,
            size: size.min(MAX_PAGE_SIZE).min(size_limit),
            start,
        })
    }
}

/// The address of a page of the list, which begins after the entry whose SID is `last`.
fn page_uri(asked: &Asked, number: usize, size: usize, last: Option<&str>) -> String {
    let mut query: Vec<(&str, &str)> = asked
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !PARAMETERS.contains(name))
        .collect();
    let (size, number) = (size.to_string(), number.to_string());
    query.extend([("PageSize", size.as_str()), ("Page", number.as_str())]);
    let token = last.map(|sid| format!("{TOKEN_PREFIX}{sid}"));
    if let Some(token) = &token {
        query.push(("PageToken", token));
    }
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    format!("{}?{query}", asked.path)
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

    /// Whether an entry with this date passes. An entry without a date passes if no date was asked for.
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

/// Reads a moment, or a day as its first and last second in UTC.
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
