//! Where a delivery stands, and how an attempt at one ended.

words! {
    /// Where a delivery stands.
    DeliveryState, "state of a delivery":
    /// To be tried when its time comes and it is first in its lane.
    Waiting = "waiting",
    /// An attempt is under way, or was when the process died.
    Sending = "sending",
    /// The request may have been acted on; being settled.
    Unknown = "unknown",
    /// Refused for a reason that lies with the channel or the account; tried again until that is mended.
    Blocked = "held",
    /// Done.
    Delivered = "delivered",
    /// The remote said no for good.
    Refused = "refused",
    /// Could not be settled; a person decides.
    Undecided = "undecided",
    /// Given up by a person, or no longer needed.
    Dropped = "dropped",
    /// Not tried before its writer says so.
    AwaitingWriter = "asked",
}

impl DeliveryState {
    /// Whether the worker still has to do with it.
    pub(crate) fn is_pending(self) -> bool {
        match self {
            DeliveryState::Waiting
            | DeliveryState::Sending
            | DeliveryState::Unknown
            | DeliveryState::Blocked => true,
            DeliveryState::Delivered
            | DeliveryState::Refused
            | DeliveryState::Undecided
            | DeliveryState::Dropped
            | DeliveryState::AwaitingWriter => false,
        }
    }
}

words! {
    /// How an attempt ended.
    AttemptResult, "result of an attempt":
    /// It is under way, or its process died.
    UnderWay = "",
    /// Done.
    Delivered = "delivered",
    /// Not acted on; it is tried again.
    NotSent = "not sent",
    /// Blocked until the channel or the account is mended.
    Blocked = "held",
    /// Slack did not take the message in this form.
    NotTaken = "not taken",
    /// Slack did not take the message as bare text either.
    NotTakenPlain = "not taken as text",
    /// Refused for good.
    Refused = "refused",
    /// It may have been acted on.
    Unknown = "unknown",
    /// Two complete looks have proved that it was not acted on.
    Absent = "absent",
    /// It may have been acted on, and no look is possible.
    NotRead = "not read",
    /// A person has to decide.
    Undecided = "undecided",
    /// The names in a reply are known: texts take its place.
    Resolved = "resolved",
    /// One more file of a reply is ready.
    Prepared = "prepared",
    /// A caller's file is at Slack, where nobody sees it yet.
    Uploaded = "uploaded",
    /// A caller's upload was lost at Slack; it is fetched again.
    Lost = "upload lost",
    /// A mark was brought up to date and is looked at again later.
    NotYet = "not yet",
}
