//! The `[delivery]` and `[desk]` sections.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Value;

use super::written::{Text, flag, time, whole};
use super::{Delivery, Desk, Problems, duration};

#[derive(Deserialize, Default)]
pub(super) struct FileDelivery {
    request_timeout: Option<Text>,
    validity: Option<Text>,
    settle_after: Option<Text>,
    backfill_every: Option<Text>,
    stale_reply: Option<Text>,
}

#[derive(Deserialize, Default)]
pub(super) struct FileDesk {
    new_thread_after: Option<Text>,
    renotify_after: Option<Text>,
    remind_after: Option<Text>,
    page_after: Option<Text>,
    timezone: Option<Text>,
    keep_texts: Option<Text>,
    smart_encoding: Option<Value>,
    collision_guard: Option<Value>,
    warn_segments: Option<Value>,
}

/// The values that Twilio allows for `ValidityPeriod`. <https://www.twilio.com/docs/messaging/api/message-resource>
const VALIDITY: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(36_000);

pub(super) fn delivery(file: FileDelivery, problems: &mut Problems) -> Delivery {
    let delivery = Delivery {
        request_timeout: time(
            "delivery.request_timeout",
            file.request_timeout,
            "10s",
            problems,
        ),
        validity: time("delivery.validity", file.validity, "60s", problems),
        settle_after: time("delivery.settle_after", file.settle_after, "95s", problems),
        backfill_every: time(
            "delivery.backfill_every",
            file.backfill_every,
            "30s",
            problems,
        ),
        stale_reply: time("delivery.stale_reply", file.stale_reply, "10m", problems),
    };
    if !VALIDITY.contains(&delivery.validity) || delivery.validity.subsec_nanos() != 0 {
        problems.add(
            "delivery.validity",
            format!("{:?}", delivery.validity),
            "Twilio takes whole seconds, 1s to 10h",
        );
    }
    // A request may leave one timeout after its attempt was recorded and reach Twilio another timeout later. Twilio may then
    // queue the SMS for its whole validity period.
    let fence = delivery.request_timeout * 2 + delivery.validity;
    if delivery.settle_after < fence {
        problems.add(
            "delivery.settle_after",
            format!("{:?}", delivery.settle_after),
            format!("it must be at least delivery.validity and twice delivery.request_timeout together ({fence:?}): before that, an SMS that seems absent may still leave Twilio"),
        );
    }
    delivery
}

pub(super) fn desk(file: FileDesk, problems: &mut Problems) -> Desk {
    Desk {
        new_thread_after: time(
            "desk.new_thread_after",
            file.new_thread_after,
            "24h",
            problems,
        ),
        renotify_after: time("desk.renotify_after", file.renotify_after, "3m", problems),
        remind_after: time("desk.remind_after", file.remind_after, "5m", problems),
        page_after: time("desk.page_after", file.page_after, "10m", problems),
        timezone: timezone(file.timezone, problems),
        keep_texts: keep_texts(file.keep_texts, problems),
        smart_encoding: flag(
            "desk.smart_encoding".into(),
            file.smart_encoding,
            true,
            problems,
        ),
        collision_guard: flag(
            "desk.collision_guard".into(),
            file.collision_guard,
            true,
            problems,
        ),
        warn_segments: whole(
            "desk.warn_segments",
            file.warn_segments,
            4,
            1..=1_000,
            problems,
        ),
    }
}

/// The longest value of `desk.keep_texts`: ten years.
const LONGEST_KEPT: Duration = Duration::from_secs(3_650 * 86_400);

/// The shortest value of `desk.keep_texts`. Anything shorter would remove texts of conversations in progress.
const SHORTEST_KEPT: Duration = Duration::from_secs(86_400);

fn keep_texts(value: Option<Text>, problems: &mut Problems) -> Option<Duration> {
    let Text(value) = value?;
    let kept = duration::parse(&value).filter(|kept| (SHORTEST_KEPT..=LONGEST_KEPT).contains(kept));
    if kept.is_none() {
        problems.add(
            "desk.keep_texts",
            format!("\"{value}\""),
            "it must be a time such as 400d, from 1d to 3650d; left out, texts are kept",
        );
    }
    kept
}

fn timezone(value: Option<Text>, problems: &mut Problems) -> TimeZone {
    let value = value.map_or_else(|| "America/Los_Angeles".to_owned(), |Text(value)| value);
    TimeZone::get(&value).unwrap_or_else(|_| {
        problems.add(
            "desk.timezone",
            format!("\"{value}\""),
            "it must be a time zone's name, such as America/Los_Angeles",
        );
        TimeZone::UTC
    })
}
