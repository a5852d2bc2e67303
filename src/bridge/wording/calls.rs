//! What is said on the telephone, and what the thread says of a call.

use serde_json::Value;

use crate::delivery::Content;
use crate::phone::Address;
use crate::slack::blocks;
use crate::slack::mrkdwn::escape;
use crate::store::calls::Call;
use crate::store::ring_outcomes::RingOutcomeRow;

use super::desk;
use crate::vocabulary::{CallState, RingOutcome};

/// Spoken to whoever picks up, in their language where it is one of ours.
pub(crate) fn screening(line: &str, language: Option<&str>) -> String {
    match spoken_language(language) {
        "es" => format!("Llamada para {line}, pulse 1 para atenderla."),
        "fr" => format!("Appel pour {line}, appuyez sur 1 pour le prendre."),
        "de" => format!("Anruf für {line}, drücken Sie die 1, um ihn anzunehmen."),
        "pt" => format!("Chamada para {line}, pressione 1 para atender."),
        _ => format!("Call for {line}, press 1 to take it."),
    }
}

/// Spoken to a caller whom nobody took, before the beep. Who is recorded has to know it, and that it is put in writing where
/// it is: California and others want everybody's consent.
pub(crate) fn greeting(language: Option<&str>, is_put_in_writing: bool) -> String {
    let (sorry, recorded, written, leave) = match spoken_language(language) {
        "es" => (
            "Lo sentimos, nadie puede atender su llamada en este momento.",
            "Su mensaje se grabará.",
            "Su mensaje se grabará y se transcribirá.",
            "Deje un mensaje después del tono, o envíe un mensaje de texto a este número.",
        ),
        "fr" => (
            "Désolé, personne ne peut prendre votre appel pour le moment.",
            "Votre message sera enregistré.",
            "Votre message sera enregistré et transcrit.",
            "Laissez un message après le bip, ou envoyez un texto à ce numéro.",
        ),
        "de" => (
            "Leider kann gerade niemand Ihren Anruf annehmen.",
            "Ihre Nachricht wird aufgezeichnet.",
            "Ihre Nachricht wird aufgezeichnet und schriftlich festgehalten.",
            "Bitte sprechen Sie nach dem Ton, oder schreiben Sie uns eine SMS an diese Nummer.",
        ),
        "pt" => (
            "Desculpe, ninguém pode atender a sua chamada agora.",
            "A sua mensagem será gravada.",
            "A sua mensagem será gravada e transcrita.",
            "Deixe uma mensagem após o sinal, ou envie uma mensagem de texto para este número.",
        ),
        _ => (
            "Sorry, nobody can take your call right now.",
            "Your message is recorded.",
            "Your message is recorded and put in writing.",
            "Please leave it after the tone, or send a text to this number.",
        ),
    };
    let told = if is_put_in_writing { written } else { recorded };
    format!("{sorry} {told} {leave}")
}

/// Spoken after the recording.
pub(crate) fn goodbye(language: Option<&str>) -> &'static str {
    match spoken_language(language) {
        "es" => "Gracias. Adiós.",
        "fr" => "Merci. Au revoir.",
        "de" => "Danke. Auf Wiederhören.",
        "pt" => "Obrigado. Até logo.",
        _ => "Thank you. Goodbye.",
    }
}

fn spoken_language(language: Option<&str>) -> &str {
    language.map_or("en", |tag| tag.split('-').next().unwrap_or_default())
}

/// "Call, 2 min 10 s, Sergio did not answer, Backup took it".
pub(crate) fn story(call: &Call, turns: &[RingOutcomeRow]) -> String {
    let mut parts = vec![match call.state() {
        CallState::Ringing | CallState::Talking => "Call".to_owned(),
        CallState::Answered if call.seconds > 0 => format!("Call, {}", duration(call.seconds)),
        CallState::Answered => "Call".to_owned(),
        CallState::Missed | CallState::HungUp => ":red_circle: *Missed call*".to_owned(),
    }];
    parts.extend(
        last_turns(turns)
            .into_iter()
            .filter_map(|turn| of_person(turn, call)),
    );
    if call.state() == CallState::HungUp {
        parts.push(hung_up(turns));
    }
    if !call.recording.is_empty() {
        let seconds = duration(call.recording_seconds);
        parts.push(format!("the caller left a message of {seconds}"));
    }
    if call.is_texted() {
        parts.push("the caller was sent the text for missed calls".to_owned());
    }
    parts.join(", ")
}

/// Everybody's last turn, in the order they had it.
fn last_turns(turns: &[RingOutcomeRow]) -> Vec<&RingOutcomeRow> {
    turns
        .iter()
        .enumerate()
        .filter(|(n, turn)| {
            turns[n + 1..]
                .iter()
                .all(|later| later.person != turn.person)
        })
        .map(|(_, turn)| turn)
        .collect()
}

fn of_person(turn: &RingOutcomeRow, call: &Call) -> Option<String> {
    let name = escape(&turn.person);
    Some(match turn.outcome() {
        RingOutcome::Away => format!("{name} is away"),
        RingOutcome::Dnd => format!("{name} is not to be disturbed"),
        RingOutcome::OnThePhone => format!("{name} is on the phone"),
        RingOutcome::Rings if call.state() == CallState::Ringing => format!("ringing {name}"),
        RingOutcome::PickedUp if call.state() == CallState::Ringing => format!("{name} picked up"),
        RingOutcome::Rings | RingOutcome::CutOff => return None,
        RingOutcome::PickedUp | RingOutcome::NotTaken | RingOutcome::NoAnswer => {
            format!("{name} did not answer")
        }
        RingOutcome::Refused => format!("{name} declined"),
        RingOutcome::Busy => format!("{name} was busy"),
        RingOutcome::Failed => format!("{name} could not be reached"),
        RingOutcome::Took => format!("{name} took it"),
    })
}

fn hung_up(turns: &[RingOutcomeRow]) -> String {
    let rang: Vec<String> = last_turns(turns)
        .into_iter()
        .filter(|turn| matches!(turn.outcome(), RingOutcome::Rings | RingOutcome::CutOff))
        .map(|turn| escape(&turn.person))
        .collect();
    match rang.as_slice() {
        [] => "the caller hung up".to_owned(),
        [one] => format!("the caller hung up while {one}'s phone rang"),
        several => format!(
            "the caller hung up while the phones of {} rang",
            several.join(" and ")
        ),
    }
}

/// "2 min 10 s".
pub(super) fn duration(seconds: i64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes @ 1..60, 0) => format!("{minutes} min"),
        (minutes @ 1..60, seconds) => format!("{minutes} min {seconds} s"),
        (minutes, _) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// A call as a reply in its caller's thread.
pub(crate) fn in_thread(story: &str) -> Content {
    Content {
        text: story.to_owned(),
        blocks: Some(Value::Array(vec![blocks::section(story)])),
    }
}

/// A call as the root of its caller's thread below its head: what came of it, how to answer.
pub(crate) fn root(caller: &Address, story: &str) -> Content {
    let how = match (caller.is_withheld(), caller.can_be_texted()) {
        (_, true) => {
            "Reply in this thread and it is texted to the caller. Begin with `note:` to keep a note inside."
        }
        (true, false) => "The caller withheld the number, so there is nothing to text to.",
        (false, false) => "This caller cannot be texted.",
    };
    Content {
        text: story.to_owned(),
        blocks: Some(Value::Array(vec![
            blocks::section(story),
            blocks::context(how),
        ])),
    }
}

/// Shown in the channel too: somebody should call back.
pub(crate) fn missed(
    caller: &Address,
    name: Option<&str>,
    place: &str,
    line: Option<&str>,
    hung_up: bool,
) -> Content {
    let mut from = desk::who_bold(caller, name);
    if !place.is_empty() {
        from.push_str(&format!(" ({})", escape(place)));
    }
    let to = line.map_or_else(String::new, |line| format!(" to {}", escape(line)));
    let what = match (hung_up, caller.is_withheld()) {
        (true, false) => "the caller hung up after waiting. Call back, or reply here",
        (true, true) => "the caller hung up after waiting",
        (false, false) => "nobody answered. Call back, or reply here",
        (false, true) => "nobody answered. If they leave a message, it comes here",
    };
    Content::from(format!(
        ":rotating_light: *Missed call* from {from}{to}: {what}."
    ))
}

/// What Twilio understood of a recording.
pub(crate) fn transcription(words: &str) -> Content {
    let lead = "What the caller said, as a machine understood it:";
    Content {
        text: format!("{lead} {}", escape(words)),
        blocks: Some(Value::Array(vec![
            blocks::context(lead),
            blocks::literal(words),
        ])),
    }
}

/// The name of a recording's file: by caller and time, which is what somebody looks for later.
pub(crate) fn recording_file(caller: &Address, time: &str, sid: &str) -> String {
    let caller: String = caller
        .display()
        .chars()
        .map(|c| if "\\/:*?\"<>|".contains(c) { '-' } else { c })
        .collect();
    // The end of the SID keeps two recordings of one second apart.
    let end = &sid[sid.len().saturating_sub(4)..];
    format!("{caller} {time} {end}.mp3")
}

/// The file's title in the thread.
pub(crate) fn recording_title(caller: &Address, time: &str) -> String {
    format!("Message of {}, {time}", caller.display())
}

/// A recording that could not be brought here.
pub(crate) fn recording_lost(why: &str) -> String {
    format!(
        "The caller's message could not be fetched ({}). It is kept in Twilio's console, under Monitor > Logs > Call recordings.",
        escape(why)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_as_people_say_them() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (130, "2 min 10 s"),
            (3_660, "1 h 1 min"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn whoever_picks_up_is_asked_in_their_language() {
        for (language, begins) in [
            (None, "Call for QDN, press 1"),
            (Some("en-GB"), "Call for QDN, press 1"),
            (Some("es-MX"), "Llamada para QDN, pulse 1"),
            (Some("xx"), "Call for QDN"),
        ] {
            assert!(screening("QDN", language).starts_with(begins));
        }
    }

    #[test]
    fn a_recording_is_named_by_caller_and_time() {
        let caller = Address::new("+16195550142");
        let sid = "RE00000000000000000000000000000007";
        assert_eq!(
            recording_file(&caller, "2026-07-01 14.02", sid),
            "(619) 555-0142 2026-07-01 14.02 0007.mp3"
        );
    }
}
