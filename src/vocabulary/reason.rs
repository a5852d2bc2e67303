//! Why a delivery stands where it stands: a code that the program acts on, and words for people.

words! {
    /// A reason of ours on which something depends.
    ReasonCode, "reason":
    /// A part of a reply was dropped because its writer made the reply shorter. It says nothing of what became of the rest.
    EditedAway = "edited_away",
    /// Something harmless is done again though it may have been done.
    Unsure = "unsure",
    /// A file waits for the words of its text.
    WordsFirst = "words_first",
    /// A file waits for the thread of a caller who is only listed.
    ThreadFirst = "thread_first",
    /// A file waits for the one in front of it.
    InOrder = "in_order",
    /// Twilio does not have a file yet.
    NotThere = "not_there",
    /// A file could not be fetched from Twilio though it may be there.
    FromTwilio = "from_twilio",
}

/// Whether this is the code of a reason for which a delivery waits for nothing but its turn.
pub(crate) fn is_for_order(code: &str) -> bool {
    let for_order = [
        ReasonCode::WordsFirst,
        ReasonCode::ThreadFirst,
        ReasonCode::InOrder,
    ];
    for_order.iter().any(|one| one.as_str() == code)
}

/// Why a delivery stands where it stands, or why an attempt ended as it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reason {
    /// A word of ours or the vendor's own code; empty where nothing depends on it.
    pub(crate) code: String,
    /// For people.
    pub(crate) words: String,
}

impl Reason {
    /// A reason of ours on which something depends.
    pub(crate) fn of(code: ReasonCode, words: impl Into<String>) -> Reason {
        Reason::by_vendor(code.as_str(), words)
    }

    /// A reason that the vendor has named.
    pub(crate) fn by_vendor(code: &str, words: impl Into<String>) -> Reason {
        Reason {
            code: code.to_owned(),
            words: words.into(),
        }
    }

    /// Whether a delivery waits for nothing but its turn.
    pub(crate) fn is_for_order(&self) -> bool {
        is_for_order(&self.code)
    }
}

impl From<String> for Reason {
    fn from(words: String) -> Reason {
        Reason {
            code: String::new(),
            words,
        }
    }
}

impl From<&str> for Reason {
    fn from(words: &str) -> Reason {
        words.to_owned().into()
    }
}

impl From<&String> for Reason {
    fn from(words: &String) -> Reason {
        words.clone().into()
    }
}

impl From<&Reason> for Reason {
    fn from(reason: &Reason) -> Reason {
        reason.clone()
    }
}
