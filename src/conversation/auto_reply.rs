//! Recognizes automatic replies, which must not get an automatic reply.

/// Phrases of automatic replies that a person in need hardly ever writes: of phones in driving or do-not-disturb mode, of
/// unread mailboxes, and of bulk senders that explain how to opt out.
const TELLING: [&str; 27] = [
    "auto-reply",
    "auto reply",
    "autoreply",
    "auto-response",
    "auto response",
    "automatic reply",
    "automatic response",
    "automated",
    "out of office",
    "out of the office",
    "do not reply",
    "don't reply",
    "don’t reply",
    "no-reply",
    "not monitored",
    "unmonitored",
    "driving focus",
    "do not disturb while driving",
    "i'm driving with",
    "i’m driving with",
    "i'm driving right now",
    "i’m driving right now",
    "i'm not receiving notifications",
    "i’m not receiving notifications",
    "reply stop",
    "text stop",
    "respuesta automática",
];

/// The keywords that carriers and Twilio answer themselves if they are the whole text.
const KEYWORDS: [&str; 12] = [
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "optout",
    "revoke",
    "start",
    "unstop",
    "help",
    "info",
];

/// Whether a text looks like an automatic reply or is a keyword that Twilio answers.
pub(crate) fn looks_like_one(body: &str) -> bool {
    let words = body.trim().to_lowercase();
    KEYWORDS.contains(&words.as_str()) || is_by_a_machine(body)
}

/// Whether a text contains a phrase of an automatic reply. Keywords do not count: "Help" may be all that a person in need
/// writes.
pub(crate) fn is_by_a_machine(body: &str) -> bool {
    let words = body.to_lowercase();
    TELLING.iter().any(|telling| words.contains(telling))
}

#[cfg(test)]
mod tests {
    use super::looks_like_one;

    #[test]
    fn machines_are_told_from_people() {
        for text in [
            "Auto-Reply: I am on holiday until Monday",
            "I’m driving with Do Not Disturb While Driving turned on.",
            "I'm not receiving notifications. If this is urgent, reply \"urgent\"",
            "This number is not monitored.",
            "ACME: your parcel is here. Reply STOP to end.",
            "Out of office until 3 May",
            "  STOP ",
            "help",
            "Respuesta automática: vuelvo el lunes",
        ] {
            assert!(looks_like_one(text), "{text}");
        }
        for text in [
            "My car broke down, please help",
            "Stop at the bridge, I am there",
            "I'm driving on the 94 and something smells",
            "Are you open?",
            "",
            "¿Están abiertos?",
        ] {
            assert!(!looks_like_one(text), "{text}");
        }
    }
}
