//! What the audit trail says was decided.

words! {
    /// What was decided. A trail may hold words of other versions: its rows are read as they are.
    Decision, "decision":
    /// A caller's text came in.
    TextReceived = "text_received",
    /// A text was marked as having come late.
    TextMarkedLate = "text_marked_late",
    /// A dispatcher answered in a thread.
    ReplyReceived = "reply_received",
    /// A reply was found too late to be sent unasked.
    ReplyFoundLate = "reply_found_late",
    /// What a dispatcher wrote does not reach the caller.
    KeptInside = "kept_inside",
    /// A dispatcher edited a reply.
    ReplyEdited = "reply_edited",
    /// A dispatcher deleted a reply.
    ReplyDeleted = "reply_deleted",
    /// An edit was sent as a correction.
    CorrectionSent = "correction_sent",
    /// The writer of a reply was asked about it.
    AskedWriter = "asked_writer",
    /// A person had a reply sent.
    DecidedSend = "decided_send",
    /// A person kept a reply inside.
    DecidedInside = "decided_inside",
    /// A person says that a reply arrived.
    DecidedArrived = "decided_arrived",
    /// A person left a reply as it is.
    DecidedLeave = "decided_leave",
    /// A dispatcher began a conversation.
    TextedFirst = "texted_first",
    /// A dispatcher was not let begin one.
    TextRefused = "text_refused",
    /// A reply's names and files are known: texts take its place.
    NamesResolved = "names_resolved",
    /// A later part of a refused reply was given up.
    PartDropped = "part_dropped",
    /// Twilio accepted a text.
    SmsSent = "sms_sent",
    /// Twilio reported on a text.
    SmsStatus = "sms_status",
    /// One reply led to two texts.
    DuplicateDetected = "duplicate_detected",
    /// Slack took a message.
    Posted = "posted",
    /// Slack did not take a message.
    NotTaken = "not_taken",
    /// A copy of a post stays because people have answered under it.
    CopyKept = "copy_kept",
    /// A delivery is blocked until something is mended.
    Blocked = "held",
    /// A delivery was refused for good.
    Refused = "refused",
    /// A delivery was given up.
    Dropped = "dropped",
    /// A delivery that had been in trouble arrived.
    DeliveredAtLast = "delivered_at_last",
    /// The answer to a request was lost.
    Unknown = "unknown",
    /// A request is proved never to have been acted on.
    SettledAbsent = "settled_absent",
    /// No look is possible, and a post is made again.
    SettledUnread = "settled_unread",
    /// A person has to decide about a delivery.
    Undecided = "undecided",
    /// The operator had a delivery tried again.
    OperatorRetry = "operator_retry",
    /// The operator gave a delivery up.
    OperatorDrop = "operator_drop",
    /// Telephones were rung.
    Ring = "ring",
    /// Nobody was left to ring.
    NobodyLeft = "nobody_left",
    /// A telephone was picked up.
    PhonePickedUp = "phone_picked_up",
    /// A key was pressed.
    KeyPressed = "key_pressed",
    /// Somebody took a call.
    CallAnswered = "call_answered",
    /// A caller hung up before anybody answered.
    CallerHungUp = "caller_hung_up",
    /// A call was found in Twilio's log.
    CallFoundLate = "call_found_late",
    /// The end of a call was found in Twilio's log.
    CallEndedUnheard = "call_ended_unheard",
    /// A caller left a message.
    MessageLeft = "message_left",
    /// A message was put in writing.
    MessageTranscribed = "message_transcribed",
    /// A caller was texted for a missed call.
    CallerTexted = "caller_texted",
    /// A caller was not texted for a missed call.
    CallerNotTexted = "caller_not_texted",
    /// A caller was texted while everybody was away.
    AwayTextSent = "away_text_sent",
    /// An availability changed.
    AvailabilityChanged = "availability_changed",
    /// A number was given a name.
    CallerNamed = "caller_named",
    /// A number lost its name.
    NameRemoved = "name_removed",
    /// Somebody has a conversation.
    Claimed = "claimed",
    /// Nobody has a conversation any more.
    Released = "released",
    /// A conversation needs nothing more.
    Closed = "closed",
    /// A conversation was opened again.
    Reopened = "reopened",
    /// The channel was reminded of an unanswered text.
    Reminded = "reminded",
    /// People were texted about an unanswered text.
    Paged = "paged",
    /// A listed caller's thread was asked for.
    ThreadAskedFor = "thread_asked_for",
    /// People were asked whether a caller opts out.
    OptOutAsked = "opt_out_asked",
    /// A caller wants no texts.
    OptedOut = "opted_out",
    /// A caller wants texts again.
    OptedIn = "opted_in",
    /// A number was erased.
    Erased = "erased",
    /// A number was erased at Twilio.
    ErasedAtTwilio = "erased_at_twilio",
    /// Texts older than configured were removed.
    OldTextsRemoved = "old_texts_removed",
    /// A copy of the database was made.
    BackedUp = "backed_up",
    /// A copy of the database was put in place.
    Restored = "restored",
}
