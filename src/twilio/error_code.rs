//! What Twilio's error codes mean for whoever wrote the text (<https://www.twilio.com/docs/api/errors>).
//!
//! Twilio asks not to build on its codes, since they may change: an unknown one is [`Meaning::Other`], and final.

/// Why a text was refused or did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// The recipient has answered STOP.
    OptedOut,
    /// A landline, or a carrier that takes no texts.
    Landline,
    /// A number that cannot receive texts, such as a fixed line.
    NotAMobile,
    /// The phone is off or without signal.
    Unreachable,
    /// The number is not in service.
    UnknownNumber,
    /// The recipient, the carrier or Twilio blocks the sender.
    Blocked,
    /// A filter took the text for unwanted.
    Filtered,
    /// Not a phone number.
    InvalidNumber,
    /// The account may not text that country.
    CountryNotEnabled,
    /// There is no way from this number to that one.
    NoRoute,
    /// The sending number, its campaign or its verification is not registered with the carriers.
    NotRegistered,
    /// The sending number is still being set up with the carriers.
    StillBeingSetUp,
    /// Too many texts are waiting to be sent from our number.
    QueueFull,
    /// Too many at once, for Twilio or for the carrier.
    Congested,
    /// A trial account only texts numbers it has verified.
    TrialAccount,
    /// The account is suspended or closed.
    AccountSuspended,
    /// The API key is wrong, or may not do this.
    BadCredentials,
    /// The sending number is not the account's, or cannot send this.
    SenderNotOurs,
    /// More than 1,600 characters.
    TooLong,
    /// Neither words nor pictures.
    NothingToSend,
    /// A picture that is too large, missing, one too many or not possible between these numbers.
    BadMedia,
    /// No more today, says the account's or the carrier's limit.
    DailyLimit,
    /// It was not sent within its validity period and has been dropped.
    Expired,
    /// The carrier did not answer; it may have arrived.
    TimedOutAtCarrier,
    /// Twilio suspects the number of earning by the texts it gets.
    PumpingBlock,
    /// The request itself was wrong: our mistake.
    BadRequest,
    /// What is wrong is not known: also to Twilio.
    Other,
}

/// What a code stands for, whether it came with a refusal or with a status callback.
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
    /// Whether the same text may well get through later, without anybody changing anything.
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
