//! Whether a text says that its writer wants no more texts: in one of Twilio's words, in another that is as plain, or in
//! words that only a person can judge.
//!
//! Twilio blocks a number that sends one of its words as a whole message
//! (<https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out>). Callers in the US may say it in any reasonable way
//! (47 CFR 64.1200(a)(10)), which Twilio does not see.

/// Twilio's own words for leaving, as the whole message.
const STOP: [&str; 8] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
];

/// Words that mean nothing else, with or without a full stop. "Cancel." can be about a ride.
const PLAIN: [&str; 7] = [
    "stop",
    "stop all",
    "stopall",
    "unsubscribe",
    "opt out",
    "optout",
    "revoke",
];

/// Said to be polite, beside what is meant.
const POLITE: [&str; 16] = [
    "a", "and", "gracias", "hello", "hey", "hi", "just", "now", "ok", "okay", "please", "pls",
    "plz", "thank", "thanks", "you",
];

/// What people write who want no more texts. Letters without accents, in small letters.
const PHRASES: [&str; 36] = [
    "dar de baja",
    "darme de baja",
    "deja de",
    "dejen de",
    "do not contact",
    "do not message",
    "do not text",
    "dont contact",
    "dont message",
    "dont text",
    "leave me alone",
    "lose my number",
    "no longer want",
    "no longer wish",
    "no mas mensajes",
    "no me escriba",
    "no me mande",
    "no more messages",
    "no more texts",
    "opt me out",
    "opt out",
    "optout",
    "quit texting",
    "remove me",
    "remove my number",
    "revoke",
    "stop all",
    "stop calling",
    "stop contacting",
    "stop message",
    "stop messaging",
    "stop sending",
    "stop text",
    "take me off",
    "take my number off",
    "unsubscribe",
];

/// For coming back. YES is one too, but most who write it have never left.
const START: [&str; 2] = ["START", "UNSTOP"];

/// What a text says about further texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Twilio's word for leaving: Twilio blocks the number.
    StopAtTwilio,
    /// As plain, but Twilio does not know it.
    Stop,
    /// It sounds like it: a person decides.
    SoundsLikeStop,
    /// Twilio's word for coming back.
    Start,
    /// Twilio's other word for coming back, which people also write for its own sake.
    Yes,
    /// Nothing.
    Nothing,
}

/// Reads a text.
pub(crate) fn wish(body: &str) -> Wish {
    let word = body.trim().to_uppercase();
    if STOP.contains(&word.as_str()) {
        return Wish::StopAtTwilio;
    }
    if START.contains(&word.as_str()) {
        return Wish::Start;
    }
    if word == "YES" {
        return Wish::Yes;
    }
    let plain = simplified(body);
    if PLAIN.contains(&plain.as_str()) {
        return Wish::Stop;
    }
    if sounds_like(body, &plain) {
        Wish::SoundsLikeStop
    } else {
        Wish::Nothing
    }
}

fn sounds_like(body: &str, plain: &str) -> bool {
    let spaced = format!(" {plain} ");
    // A phrase may go on in its last word: "no me escriba" is also the beginning of "no me escriban".
    if PHRASES
        .iter()
        .any(|phrase| spaced.contains(&format!(" {phrase}")))
    {
        return true;
    }
    let is_stop = |words: &str| {
        let meant: Vec<&str> = words
            .split(' ')
            .filter(|word| !word.is_empty() && !POLITE.contains(word))
            .collect();
        let meant = meant.join(" ");
        PLAIN.contains(&meant.as_str()) || STOP.contains(&meant.to_uppercase().as_str())
    };
    is_stop(plain)
        || body
            .split(['.', '!', '?', ';', '\n'])
            .any(|sentence| is_stop(&simplified(sentence)))
}

/// Words in small letters with one space between them, without accents, apostrophes and marks.
fn simplified(text: &str) -> String {
    let letters: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '\'' | '\u{2019}'))
        .map(|c| match c {
            'á' => 'a',
            'é' => 'e',
            'í' => 'i',
            'ó' => 'o',
            'ú' | 'ü' => 'u',
            c if c.is_alphanumeric() => c,
            _ => ' ',
        })
        .collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twilios_words_are_told_from_others_and_from_what_a_person_judges() {
        for (wish_of, texts) in [
            (
                Wish::StopAtTwilio,
                &[
                    "stop",
                    " STOP ",
                    "StopAll",
                    "unsubscribe",
                    "cancel",
                    "End",
                    "quit",
                    "revoke",
                    "OPTOUT",
                ][..],
            ),
            (
                Wish::Stop,
                &[
                    "opt out",
                    "Opt-out",
                    "OPT OUT.",
                    "Stop.",
                    "STOP!!",
                    "\"stop\"",
                    "Unsubscribe.",
                    "stop all",
                ],
            ),
            (
                Wish::SoundsLikeStop,
                &[
                    "please stop texting me",
                    "Stop. Thank you",
                    "stop please",
                    "Please unsubscribe me from this",
                    "I'd like to opt out of these",
                    "don’t text me again",
                    "Do not message this number",
                    "remove me from your list",
                    "Cancel.",
                    "Wrong number.\nStop",
                    "no más mensajes",
                    "por favor no me escriban",
                    "dejen de molestar",
                    "I revoke my consent",
                ],
            ),
            (Wish::Start, &["start", " UNSTOP"]),
            (Wish::Yes, &["yes"]),
            (
                Wish::Nothing,
                &[
                    "",
                    "👍",
                    "Stop the car",
                    "stop it",
                    "the end",
                    "Yes please",
                    "the bus stop is closed",
                    "Can you cancel the ride at 5?",
                    "We will end at noon. Quit early?",
                    "nonstop flight",
                    "start the engine",
                    "I do not contest it is full stop",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(wish(text), wish_of, "{text}");
            }
        }
    }
}
