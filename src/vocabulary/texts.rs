//! Where messages come from, and whether a caller may be texted.

words! {
    /// The origin of a message.
    Origin, "origin of a message":
    /// A caller; the external id is the MessageSid.
    Twilio = "twilio",
    /// The desk itself, as with the missed-call text; the external id says for what.
    Desk = "desk",
    /// A dispatcher; the external id is `channel:ts`. Slack's event IDs are not a key: one message was seen under eleven.
    Slack = "slack",
}

words! {
    /// Whether a caller wants texts.
    OptOutState, "state of an opt-out":
    /// The caller has opted out.
    Out = "out",
    /// The caller has opted in again.
    In = "in",
}

words! {
    /// Who enforces an opt-out.
    KeptBy, "keeper of an opt-out":
    /// Twilio refuses our texts until the caller opts in again.
    Twilio = "twilio",
    /// We send no texts, although Twilio would.
    Us = "us",
}
