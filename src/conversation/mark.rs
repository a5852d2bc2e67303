//! Decides the mark (emoji reaction) of a reply from the states of its parts.

use jiff::{SignedDuration, Timestamp};

use crate::twilio::message::MessageState;
use crate::vocabulary::DeliveryState;

/// The state of one part of a reply, that is, of one SMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The state of its delivery to Twilio.
    pub(crate) state: DeliveryState,
    /// The last status from Twilio and when we received it; `None` if the SID is not known.
    pub(crate) heard: Option<(MessageState, Timestamp)>,
}

/// The mark on a dispatcher's reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// No mark: the result is not known yet.
    None,
    Delivered,
    Failed,
    NotConfirmed,
    KeptInside,
}

impl Mark {
    /// The marks that can replace each other. A lock stays.
    pub(crate) const OF_REPLIES: [Mark; 3] = [Mark::Delivered, Mark::Failed, Mark::NotConfirmed];

    /// Returns Slack's name of the emoji; empty for no mark.
    pub(crate) fn emoji(self) -> &'static str {
        match self {
            Mark::None => "",
            Mark::Delivered => "white_check_mark",
            Mark::Failed => "x",
            Mark::NotConfirmed => "grey_question",
            Mark::KeptInside => "lock",
        }
    }
}

/// How long a text with the status `sent` waits for the carrier's delivery report before it counts as delivered. Carriers
/// that report do so within seconds; many never report.
pub(crate) const CARRIER_SILENCE: SignedDuration = SignedDuration::from_secs(120);

/// Returns the mark of a reply that has these parts, and when to decide again if no status arrives.
///
/// The worst part decides, because a caller cannot understand a text with a part missing.
pub(crate) fn mark_of(parts: &[Part], now: Timestamp) -> (Mark, Option<Timestamp>) {
    if parts.is_empty() {
        return (Mark::None, None);
    }
    let marks: Vec<(Mark, Option<Timestamp>)> =
        parts.iter().map(|part| mark_of_part(part, now)).collect();
    let worst = [Mark::Failed, Mark::NotConfirmed, Mark::None]
        .into_iter()
        .find(|mark| marks.iter().any(|(of_part, _)| of_part == mark))
        .unwrap_or(Mark::Delivered);
    (worst, marks.iter().filter_map(|(_, again)| *again).min())
}

fn mark_of_part(part: &Part, now: Timestamp) -> (Mark, Option<Timestamp>) {
    match part.state {
        DeliveryState::Refused => return (Mark::Failed, None),
        DeliveryState::Unknown | DeliveryState::Undecided | DeliveryState::Dropped => {
            return (Mark::NotConfirmed, None);
        }
        DeliveryState::Waiting
        | DeliveryState::Sending
        | DeliveryState::Blocked
        | DeliveryState::AwaitingWriter => {
            return (Mark::None, None);
        }
        DeliveryState::Delivered => {}
    }
    match &part.heard {
        // Without a SID, a delivery is only `Delivered` if a person said that it arrived.
        None => (Mark::Delivered, None),
        Some((MessageState::Delivered | MessageState::Read, _)) => (Mark::Delivered, None),
        Some((MessageState::Failed | MessageState::Undelivered | MessageState::Canceled, _)) => {
            (Mark::Failed, None)
        }
        Some((MessageState::Sent, at)) => match at.checked_add(CARRIER_SILENCE) {
            Ok(silent_at) if now < silent_at => (Mark::None, Some(silent_at)),
            _ => (Mark::Delivered, None),
        },
        Some(_) => (Mark::None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_part_decides_the_mark() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let part = |state, heard: Option<&str>| Part {
            state,
            heard: heard.map(|word| (MessageState::parse(word), at(1_000))),
        };
        let delivered = || part(DeliveryState::Delivered, Some("delivered"));
        let now = at(1_010);
        for (parts, mark) in [
            (vec![], Mark::None),
            (vec![part(DeliveryState::Waiting, None)], Mark::None),
            (
                vec![part(DeliveryState::Delivered, Some("queued"))],
                Mark::None,
            ),
            (
                vec![part(DeliveryState::Delivered, Some("sent"))],
                Mark::None,
            ),
            (vec![delivered()], Mark::Delivered),
            (
                vec![part(DeliveryState::Delivered, Some("read"))],
                Mark::Delivered,
            ),
            (
                vec![part(DeliveryState::Delivered, Some("undelivered"))],
                Mark::Failed,
            ),
            (
                vec![part(DeliveryState::Delivered, Some("failed"))],
                Mark::Failed,
            ),
            (vec![part(DeliveryState::Refused, None)], Mark::Failed),
            (vec![part(DeliveryState::Unknown, None)], Mark::NotConfirmed),
            (
                vec![part(DeliveryState::Undecided, None)],
                Mark::NotConfirmed,
            ),
            (vec![part(DeliveryState::AwaitingWriter, None)], Mark::None),
            (
                vec![delivered(), part(DeliveryState::Waiting, None)],
                Mark::None,
            ),
            (
                vec![delivered(), part(DeliveryState::Unknown, None)],
                Mark::NotConfirmed,
            ),
            (
                vec![
                    part(DeliveryState::Refused, None),
                    part(DeliveryState::Unknown, None),
                    delivered(),
                ],
                Mark::Failed,
            ),
            (vec![delivered(), delivered()], Mark::Delivered),
        ] {
            assert_eq!(mark_of(&parts, now).0, mark, "{parts:?}");
        }
    }

    #[test]
    fn a_silent_carrier_counts_as_delivered_after_a_while() {
        let sent_at = Timestamp::from_second(1_000).unwrap();
        let parts = [Part {
            state: DeliveryState::Delivered,
            heard: Some((MessageState::Sent, sent_at)),
        }];
        let silent_at = sent_at.checked_add(CARRIER_SILENCE).unwrap();
        assert_eq!(mark_of(&parts, sent_at), (Mark::None, Some(silent_at)));
        assert_eq!(mark_of(&parts, silent_at), (Mark::Delivered, None));
    }
}
