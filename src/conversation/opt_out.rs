//! Recognizes opt-outs: Twilio's keywords, other unmistakable words, and phrases that a person has to judge.
//!
//! Twilio blocks a number that sends one of its keywords as the whole message
//! (<https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out>). In the US people may opt out in any reasonable way
//! (47 CFR 64.1200(a)(10)), which Twilio does not detect.

/// Twilio's opt-out keywords, as the whole message.
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

/// Unmistakable opt-outs as the whole message, with or without punctuation. "Cancel." is not one: it can be about a ride.
const PLAIN: [&str; 7] = [
    "stop",
    "stop all",
    "stopall",
    "unsubscribe",
    "opt out",
    "optout",
    "revoke",
];

/// Polite words that are ignored beside an opt-out word.
const POLITE: [&str; 16] = [
    "a", "and", "gracias", "hello", "hey", "hi", "just", "now", "ok", "okay", "please", "pls",
    "plz", "thank", "thanks", "you",
];

/// Phrases that suggest an opt-out, in lower case and without accents.
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

/// Twilio's opt-in keywords. YES is one too, but most people who write it have never opted out.
const START: [&str; 2] = ["START", "UNSTOP"];

/// What a text says about receiving further texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// An opt-out keyword of Twilio's: Twilio blocks the number.
    StopAtTwilio,
    /// An unmistakable opt-out that Twilio does not detect.
    Stop,
    /// A possible opt-out: a person decides.
    SoundsLikeStop,
    /// An opt-in keyword of Twilio's.
    Start,
    /// Twilio's opt-in keyword YES, which people also write to say yes.
    Yes,
    /// Nothing about opting out or in.
    Nothing,
}

/// Classifies a text.
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
    // Match phrases as prefixes: "no me escriba" also has to match "no me escriban".
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

/// Returns the words in lower case, separated by single spaces, without accents, apostrophes and punctuation.
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
