//! What is said of calls that never reached us and were found in Twilio's log.

use super::Moment;
use crate::slack::mrkdwn::escape;

/// Below a text that is shown long after it came, or behind one that its caller wrote later.
pub(crate) fn late(at: &str, is_behind: bool) -> String {
    let behind = if is_behind {
        " A text above was written after it."
    } else {
        ""
    };
    format!("Received {at}, delivered late.{behind}")
}

/// A telephone that Twilio rang without us.
pub(crate) struct Rang {
    /// A person's name, or the number as people write it.
    pub(crate) who: String,
    /// How long they talked, if they did.
    pub(crate) talked: Option<i64>,
}

/// A call that never reached us: when it came, and whom Twilio rang by itself.
pub(crate) fn call(at: &Moment, rang: &[Rang], is_texted: bool) -> String {
    let at = at.shown();
    if let Some((Rang { who, .. }, seconds)) = rang
        .iter()
        .find_map(|rang| rang.talked.map(|seconds| (rang, seconds)))
    {
        return format!(
            "Call at {at}, while I could not be reached. Twilio put it through to {} by itself, {}",
            escape(who),
            super::calls::duration(seconds)
        );
    }
    let nobody = match rang {
        [] => "nobody was rung".to_owned(),
        several => format!(
            "Twilio rang {} by itself, without an answer",
            escape(
                &several
                    .iter()
                    .map(|rang| rang.who.as_str())
                    .collect::<Vec<_>>()
                    .join(" and ")
            )
        ),
    };
    let texted = if is_texted {
        ". The caller was sent the text for missed calls"
    } else {
        ""
    };
    format!(":red_circle: *Missed call* at {at}, while I could not be reached: {nobody}{texted}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_call_that_never_reached_us_says_when_it_came_and_who_was_rung() {
        let at: Timestamp = "2026-11-22T14:02:00Z".parse().unwrap();
        let moment = Moment::new(at, at, &TimeZone::UTC);
        let rang = |talked| Rang {
            who: "Backup".into(),
            talked,
        };
        for (rang, expected) in [
            (
                vec![],
                ":red_circle: *Missed call* at 14:02, while I could not be reached: nobody was rung",
            ),
            (
                vec![rang(None)],
                ":red_circle: *Missed call* at 14:02, while I could not be reached: Twilio rang Backup by itself, without an answer",
            ),
            (
                vec![rang(Some(70))],
                "Call at 14:02, while I could not be reached. Twilio put it through to Backup by itself, 1 min 10 s",
            ),
        ] {
            assert_eq!(call(&moment, &rang, false), expected);
        }
    }
}
