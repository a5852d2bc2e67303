//! Whether a person can be rung.

words! {
    /// A person's presence.
    AvailabilityState, "availability":
    /// The person can be rung.
    Available = "available",
    /// The person is not there.
    Away = "away",
    /// The person is there but must not be rung.
    Dnd = "dnd",
}
