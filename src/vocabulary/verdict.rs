//! Why a person is rung or not.

words! {
    /// Why a person is rung or not.
    Verdict, "verdict":
    /// Rung: available.
    Rung = "rung",
    /// Rung: the step has `always`.
    RungAlways = "rung_always",
    /// Rung although not available: nobody else is left.
    RungAsLast = "rung_as_last",
    /// Rung although on the phone with another caller: nobody else is left.
    RungThoughOnThePhone = "rung_though_on_the_phone",
    /// Not rung: away or on DND.
    Skipped = "skipped",
    /// Not rung: on the phone with another caller of this desk.
    OnThePhone = "on_the_phone",
    /// Not rung: declined this call, or a mailbox picked up.
    AlreadyTried = "already_tried",
    /// Not rung: somebody else in this step has the same phone.
    SameTelephone = "same_telephone",
}

impl Verdict {
    /// Returns the sentence in the audit trail.
    pub fn in_words(self) -> &'static str {
        match self {
            Verdict::Rung => "rung",
            Verdict::RungAlways => "rung: always",
            Verdict::RungAsLast => "rung: nobody else is left",
            Verdict::RungThoughOnThePhone => {
                "rung: on the phone with another caller, but nobody else is left"
            }
            Verdict::Skipped => "skipped: not available",
            Verdict::OnThePhone => "skipped: on the phone with another caller",
            Verdict::AlreadyTried => "left out: already tried",
            Verdict::SameTelephone => "left out: same telephone as somebody else",
        }
    }

    /// Parses the sentence of [`in_words`](Self::in_words): older audit rows have no code.
    pub(crate) fn from_words(words: &str) -> Option<Verdict> {
        let mut all = Verdict::ALL.iter().copied();
        all.find(|verdict| verdict.in_words() == words)
    }

    /// Whether the phone rings.
    pub fn rings(self) -> bool {
        match self {
            Verdict::Rung
            | Verdict::RungAlways
            | Verdict::RungAsLast
            | Verdict::RungThoughOnThePhone => true,
            Verdict::Skipped
            | Verdict::OnThePhone
            | Verdict::AlreadyTried
            | Verdict::SameTelephone => false,
        }
    }
}
