//! Where a call stands, and what came of each person in it.

// In the order in which a call goes through them.
words! {
    /// Where a call stands. A later one never goes back to an earlier one, however late a callback comes.
    CallState, "state of a call":
    /// Telephones ring.
    Ringing = "ringing",
    /// Somebody talks with the caller.
    Talking = "talking",
    /// The caller hung up before anybody took the call.
    HungUp = "hung_up",
    /// Nobody took it.
    Missed = "missed",
    /// Somebody has talked with the caller.
    Answered = "answered",
}

impl CallState {
    /// Whether nobody talked with the caller.
    pub(crate) fn is_missed(self) -> bool {
        matches!(self, CallState::Missed | CallState::HungUp)
    }

    /// How far the call has got.
    pub(crate) fn rank(self) -> i64 {
        self as i64
    }
}

words! {
    /// What came of somebody's turn in a call.
    RingOutcome, "outcome of a turn":
    /// Passed over: away.
    Away = "away",
    /// Passed over: not to be disturbed.
    Dnd = "dnd",
    /// Passed over: on the phone with another caller.
    OnThePhone = "on_the_phone",
    /// The telephone rings.
    Rings = "rings",
    /// Somebody or something has picked up.
    PickedUp = "picked_up",
    /// It was picked up, and nobody pressed 1.
    NotTaken = "not_taken",
    /// A key other than 1 was pressed.
    Refused = "refused",
    /// It rang to its end.
    NoAnswer = "no_answer",
    /// Busy, or pressed away.
    Busy = "busy",
    /// It could not be reached.
    Failed = "failed",
    /// Cut off because another telephone was picked up, or the caller hung up.
    CutOff = "cut_off",
    /// Took the call.
    Took = "took",
}
