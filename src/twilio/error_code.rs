//! Maps Twilio's error codes to what they mean for the writer of a text (<https://www.twilio.com/docs/api/errors>).
//!
//! Twilio may change its codes. An unknown one is [`Meaning::Other`] and counts as permanent.

/// The reason why a text was refused or did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The recipient has opted out by texting STOP.
    OptedOut,
    /// A landline, or a carrier that does not accept texts.
    Landline,
    /// A number that cannot receive texts.
    NotAMobile,
    /// The phone is off or has no signal.
    Unreachable,
    /// The number is not in service.
    UnknownNumber,
    /// The recipient, the carrier or Twilio blocks messages from the sender.
    Blocked,
    /// A carrier's or Twilio's filter took the text for spam.
    Filtered,
    /// Not a phone number.
    InvalidNumber,
    /// The account has no permission to text that country.
    CountryNotEnabled,
    /// Twilio has no route from the sending number to the recipient.
    NoRoute,
    /// The sending number, its campaign or its verification is not registered with the carriers (A2P 10DLC, toll-free).
    NotRegistered,
    /// The registration of the sending number with the carriers is not finished.
    StillBeingSetUp,
    /// Twilio's queue of the sending number is full.
    QueueFull,
    /// Twilio or the carrier limits the rate of messages.
    Congested,
    /// A trial account can only text numbers that it has verified.
    TrialAccount,
    /// The account is suspended or closed.
    AccountSuspended,
    /// The API key is wrong or lacks the permission.
    BadCredentials,
    /// The sending number does not belong to the account or cannot send this kind of message.
    SenderNotOurs,
    /// The body has more than 1,600 characters.
    TooLong,
    /// The message has neither a body nor media.
    NothingToSend,
    /// A media file is too large or missing, there are too many, or these numbers cannot exchange media.
    BadMedia,
    /// The account's or the carrier's daily limit is reached.
    DailyLimit,
    /// Twilio dropped the message because it was still queued after its validity period.
    Expired,
    /// The carrier did not answer Twilio; the message may have arrived.
    TimedOutAtCarrier,
    /// Twilio's fraud protection blocks the number for SMS pumping.
    PumpingBlock,
    /// The request was invalid: a bug of ours.
    BadRequest,
    /// An unknown code, or one that Twilio itself calls unknown.
    Other,
}

/// Returns the meaning of a code from an API error or from a status callback.
pub fn meaning(code: u32) -> Meaning {
    match code {
        21610 => Meaning::OptedOut,
        30006 => Meaning::Landline,
        21614 => Meaning::NotAMobile,
        30003 => Meaning::Unreachable,
        30005 => Meaning::UnknownNumber,
        30004 => Meaning::Blocked,
        21618 | 30007 => Meaning::Filtered,
        20023 | 21211 | 21217 | 30014 => Meaning::InvalidNumber,
        21408 => Meaning::CountryNotEnabled,
        21214 | 21612 | 30016 => Meaning::NoRoute,
        30018 | 30032..=30034 => Meaning::NotRegistered,
        30024 | 30035 => Meaning::StillBeingSetUp,
        21611 | 30001 => Meaning::QueueFull,
        14107 | 20429 | 20503 | 30017 | 30022 => Meaning::Congested,
        21219 | 21607 | 21608 => Meaning::TrialAccount,
        10001 | 20005 | 20010 | 30002 => Meaning::AccountSuspended,
        20003 | 20006 | 20008 | 20403 => Meaning::BadCredentials,
        21210 | 21212 | 21601 | 21603 | 21606 | 21616 | 21657 | 21701..=21705 => {
            Meaning::SenderNotOurs
        }
        21605 | 21617 => Meaning::TooLong,
        21602 => Meaning::NothingToSend,
        11200 | 11751 | 12300 | 21620..=21623 | 30011 | 30019 | 63019 => Meaning::BadMedia,
        30023 | 30027 | 63038 => Meaning::DailyLimit,
        30036 => Meaning::Expired,
        30410 => Meaning::TimedOutAtCarrier,
        30450 | 60410 => Meaning::PumpingBlock,
        20001 | 20004 | 20404 | 21604 | 21609 | 21619 | 21624 | 21626 | 30012 | 30013 | 30045
        | 30400 | 90007 | 90014 => Meaning::BadRequest,
        _ => Meaning::Other,
    }
}

impl Meaning {
    /// Whether the same text may succeed later without anybody changing anything.
    pub fn temporary(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::StillBeingSetUp
                | Self::QueueFull
                | Self::Congested
                | Self::DailyLimit
                | Self::Expired
                | Self::TimedOutAtCarrier
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Meaning::*;
    use super::*;

    #[test]
    fn codes_mean_what_the_documentation_says() {
        let table = [
            (21610, OptedOut, false),
            (30006, Landline, false),
            (21614, NotAMobile, false),
            (30003, Unreachable, true),
            (30005, UnknownNumber, false),
            (30004, Blocked, false),
            (30007, Filtered, false),
            (21211, InvalidNumber, false),
            (21408, CountryNotEnabled, false),
            (21612, NoRoute, false),
            (30032, NotRegistered, false),
            (30033, NotRegistered, false),
            (30034, NotRegistered, false),
            (30035, StillBeingSetUp, true),
            (21611, QueueFull, true),
            (30001, QueueFull, true),
            (20429, Congested, true),
            (30017, Congested, true),
            (21608, TrialAccount, false),
            (30002, AccountSuspended, false),
            (20003, BadCredentials, false),
            (21606, SenderNotOurs, false),
            (21703, SenderNotOurs, false),
            (21617, TooLong, false),
            (21602, NothingToSend, false),
            (21620, BadMedia, false),
            (21623, BadMedia, false),
            (63038, DailyLimit, true),
            (30036, Expired, true),
            (30410, TimedOutAtCarrier, true),
            (30450, PumpingBlock, false),
            (20404, BadRequest, false),
            (30008, Other, false),
            (99999, Other, false),
        ];
        for (code, expected, temporary) in table {
            assert_eq!(meaning(code), expected, "{code}");
            assert_eq!(meaning(code).temporary(), temporary, "{code}");
        }
    }
}
