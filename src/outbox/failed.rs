//! Turns a failed request into an outcome: try again, blocked, refused or unknown.

use std::time::Duration;

use rand::RngExt;

use super::kinds::inbound_file;
use crate::app::App;
use crate::delivery::{self, Delivery, Outcome, Unreadable};
use crate::remote::Failure;
use crate::slack::refusal::{
    is_about_channel, is_about_content, is_about_one_channel, is_on_the_way,
};
use crate::store::outbox::{Attempt, Row};
use crate::twilio::error_code::{self, Meaning};
use crate::vocabulary::{InBadChannel, Kind, OnRefusal, Reason, ReasonCode, Settle};

/// Why something harmless is done again though it may have been done.
pub(super) fn unsure(why: &str) -> Reason {
    Reason::of(ReasonCode::Unsure, format!("it may have been done: {why}"))
}

/// How many seconds to wait before each further try at a request that was not acted on.
const BACK_OFF: [f64; 5] = [1.0, 2.0, 5.0, 10.0, 30.0];

/// The shortest back-off, however short the other times are configured.
const LEAST_BACK_OFF: Duration = Duration::from_millis(100);

/// How long to wait when Twilio's queue is full or a carrier is congested.
const CONGESTED: Duration = Duration::from_secs(30);

/// The outcome of a failed request.
pub(super) fn outcome_of(app: &App, row: &Row, attempt: &Attempt, failure: Failure) -> Outcome {
    let Some(kind) = row.kind.known() else {
        return Outcome::Unreadable(Unreadable::Kind);
    };
    match failure {
        Failure::NotSent { why } => Outcome::Again {
            after: back_off(app, attempt.n),
            why: why.into(),
        },
        Failure::RateLimited { retry_after } => Outcome::Again {
            after: retry_after.unwrap_or_else(|| back_off(app, attempt.n)),
            why: "too many requests".into(),
        },
        Failure::Refused { code, message } => refusal(app, (kind, row), attempt, code, &message),
        Failure::Unknown { why } if is_repeatable(kind, row) => Outcome::Again {
            after: back_off(app, attempt.n),
            why: unsure(&why),
        },
        Failure::Unknown { why } => Outcome::Unknown { why },
    }
}

/// Whether the delivery can be repeated blindly: it is idempotent, or a second one harms nobody.
pub(super) fn is_repeatable(kind: Kind, row: &Row) -> bool {
    match kind.policy().settle {
        Settle::Repeat => true,
        Settle::TwilioLog | Settle::SlackHistory | Settle::RecordingInThread => false,
        Settle::PictureInThread => inbound_file::is_unseen(row),
    }
}

fn refusal(
    app: &App,
    (kind, row): (Kind, &Row),
    attempt: &Attempt,
    code: String,
    message: &str,
) -> Outcome {
    let why = format!("{code}: {message}");
    let policy = kind.policy();
    if policy.on_refusal == OnRefusal::TwilioCode {
        return refused_by_twilio(code, why);
    }
    if is_about_channel(&code) {
        if !is_about_one_channel(&code) {
            return blocked(why, true);
        }
        return match policy.in_bad_channel {
            InBadChannel::GiveUp => Outcome::Refused { code, why },
            // Of a channel that is no line's any more nobody needs to see how things stand.
            InBadChannel::HoldItselfInOwnChannel if !is_of_a_line(app, row) => {
                Outcome::Refused { code, why }
            }
            // Worth having when the channel is mended.
            InBadChannel::HoldItselfInOwnChannel | InBadChannel::HoldItself => blocked(why, false),
            InBadChannel::HoldThrottle => blocked(why, true),
        };
    }
    let after = back_off(app, attempt.n);
    match policy.on_refusal {
        // It was no word of Slack's: something on the way there lets nothing through.
        OnRefusal::MakePlainer if is_on_the_way(&code) => blocked(why, false),
        // A caller's text is never given up, and holds nothing up either.
        OnRefusal::MakePlainer => Outcome::NotTaken {
            after,
            why,
            was_plain: is_about_content(&code),
        },
        OnRefusal::RetryBriefly if attempt.n < EDITS && !is_about_content(&code) => {
            let why = why.into();
            Outcome::Again { after, why }
        }
        OnRefusal::RetryBriefly | OnRefusal::GiveUp | OnRefusal::TwilioCode => {
            Outcome::Refused { code, why }
        }
    }
}

/// What Twilio's error code means for a text.
fn refused_by_twilio(code: String, why: String) -> Outcome {
    match code.parse().map(error_code::meaning) {
        Ok(Meaning::BadCredentials | Meaning::AccountSuspended) => blocked(why, true),
        Ok(Meaning::QueueFull | Meaning::Congested) => Outcome::Again {
            after: CONGESTED,
            why: why.into(),
        },
        // Without an error of Twilio's own nothing says that it was Twilio who refused: a proxy's page is no verdict. Only
        // one that asks for credentials is about more than this text.
        Err(_) if code.starts_with("http ") => blocked(
            format!("{code}, without an error of Twilio's"),
            matches!(code.as_str(), "http 401" | "http 403"),
        ),
        _ => Outcome::Refused { code, why },
    }
}

/// How often an edit of a call's message is tried that Slack refuses: all later notices of the call wait behind it.
const EDITS: i64 = 4;

/// Whether this goes to the channel of one of the lines.
fn is_of_a_line(app: &App, row: &Row) -> bool {
    let (Ok(Delivery::Root { channel, .. }) | Ok(Delivery::Update { channel, .. })) =
        row.delivery()
    else {
        return false;
    };
    app.config.lines.iter().any(|line| {
        let id = app.directory.known_channel_id(&line.channel);
        id.is_none_or(|id| id.as_str() == channel)
    })
}

fn blocked(why: String, is_of_throttle: bool) -> Outcome {
    Outcome::Blocked {
        why,
        is_of_throttle,
    }
}

/// How long to wait after the `n`th attempt, with a jitter of ±25 %.
pub(super) fn back_off(app: &App, n: i64) -> Duration {
    let index = usize::try_from(n - 1)
        .unwrap_or_default()
        .min(BACK_OFF.len() - 1);
    delivery::scaled(app.config.delivery.settle_after, BACK_OFF[index])
        .max(LEAST_BACK_OFF)
        .mul_f64(rand::rng().random_range(0.75..1.25))
}
