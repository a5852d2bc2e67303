//! What becomes of a reply that its writer is asked about, and of an edit that came too late.

words! {
    /// Where the question to a writer stands.
    ConfirmationState, "state of a question to a writer":
    /// Nobody has decided.
    Open = "open",
    /// The reply is sent.
    Sent = "sent",
    /// The reply stays inside.
    Inside = "inside",
    /// The reply was deleted or given up.
    Gone = "gone",
}

words! {
    /// Where an edit of a reply stands that had left already.
    EditState, "state of an edit":
    /// It is offered as a correction.
    Offered = "offered",
    /// A person has sent it as a correction.
    Sent = "sent",
    /// A later edit took its place, or there is nothing left to correct.
    Replaced = "replaced",
}
