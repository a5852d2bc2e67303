//! Files that callers and dispatchers send each other.

use crate::delivery::Unfit;
use crate::slack::mrkdwn::escape;

/// What files are called, and how their names end, by their type. A type that is not here, nor of a family that is, is
/// nothing a phone sends.
const KINDS: [(&str, &str, &str); 34] = [
    ("image/jpeg", "picture", "jpg"),
    ("image/jpg", "picture", "jpg"),
    ("image/png", "picture", "png"),
    ("image/gif", "picture", "gif"),
    ("image/webp", "picture", "webp"),
    ("image/heic", "picture", "heic"),
    ("image/heif", "picture", "heif"),
    ("image/bmp", "picture", "bmp"),
    ("image/tiff", "picture", "tiff"),
    ("image/avif", "picture", "avif"),
    ("video/mp4", "video", "mp4"),
    ("video/3gpp", "video", "3gp"),
    ("video/3gpp2", "video", "3g2"),
    ("video/quicktime", "video", "mov"),
    ("video/mpeg", "video", "mpg"),
    ("video/webm", "video", "webm"),
    ("audio/amr", "sound", "amr"),
    ("audio/mpeg", "sound", "mp3"),
    ("audio/mp4", "sound", "m4a"),
    ("audio/aac", "sound", "aac"),
    ("audio/3gpp", "sound", "3gp"),
    ("audio/ogg", "sound", "ogg"),
    ("audio/wav", "sound", "wav"),
    ("audio/x-wav", "sound", "wav"),
    ("audio/vnd.wave", "sound", "wav"),
    ("text/vcard", "contact", "vcf"),
    ("text/x-vcard", "contact", "vcf"),
    ("text/directory", "contact", "vcf"),
    ("application/vcard", "contact", "vcf"),
    ("text/calendar", "appointment", "ics"),
    ("text/x-vcalendar", "appointment", "vcs"),
    ("text/plain", "text", "txt"),
    ("application/pdf", "document", "pdf"),
    ("application/octet-stream", "file", "bin"),
];

/// A type without its parameters, in small letters.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// "picture 1.jpg": the `number`th file of a text.
pub(crate) fn name(content_type: &str, number: usize) -> String {
    let essence = essence(content_type);
    if let Some((_, word, ending)) = KINDS.iter().find(|(kind, _, _)| *kind == essence) {
        return format!("{word} {number}.{ending}");
    }
    match family(&essence) {
        Some(word) => format!("{word} {number}"),
        None => format!("file {number}"),
    }
}

/// What is not in the table, by its family.
fn family(essence: &str) -> Option<&'static str> {
    match essence.split_once('/')?.0 {
        // A drawing of this kind can hold a program.
        "image" if !essence.starts_with("image/svg") => Some("picture"),
        "video" => Some("video"),
        "audio" => Some("sound"),
        _ => None,
    }
}

/// Whether a caller's file of this type is shown.
pub(crate) fn is_shown(content_type: &str) -> bool {
    let essence = essence(content_type);
    KINDS.iter().any(|(kind, _, _)| *kind == essence) || family(&essence).is_some()
}

/// "a picture", "3 pictures", "2 files".
pub(crate) fn count(names: &[String]) -> String {
    let word = |name: &String| name.split(' ').next().unwrap_or("file").to_owned();
    let first = names.first().map_or_else(|| "file".to_owned(), word);
    let word = if names.iter().all(|name| word(name) == first) {
        first.as_str()
    } else {
        "file"
    };
    match (names.len(), word.starts_with('a')) {
        (1, true) => format!("an {word}"),
        (1, false) => format!("a {word}"),
        (several, _) => format!("{several} {word}s"),
    }
}

/// What comes behind the words of a text.
pub(crate) fn follow(names: &[String]) -> String {
    let count = count(names);
    let mut letters = count.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let verb = if names.len() == 1 {
        "follows"
    } else {
        "follow"
    };
    format!("{}{} {verb}.", first.unwrap_or_default(), letters.as_str())
}

/// A file of a caller's text that is not shown.
pub(crate) fn lost(name: &str, code: &str) -> String {
    let name = escape(name);
    match code {
        "too_large" => format!(
            "*{name}* is not shown: it is larger than 25 MB. It is kept in Twilio's message log."
        ),
        code if code.starts_with("elsewhere")
            || code.starts_with("http")
            || code == "no_answer" =>
        {
            format!(
                "*{name}* could not be fetched from Twilio, so it is missing here. It may still be in Twilio's message log; ask the caller to send it again."
            )
        }
        "" | "bad_sid" | "bad_redirect" => format!(
            "*{name}* is missing here: the address that came with it is not one of Twilio's. Ask the caller to send it again."
        ),
        _ => format!(
            "*{name}* is missing here: Slack did not take it. It is kept in Twilio's message log."
        ),
    }
}

/// A file of a kind that no phone sends.
pub(crate) fn of_no_kind(name: &str, content_type: &str) -> String {
    format!(
        "*{}* is not shown: files of its kind ({}) can do harm. It is kept in Twilio's message log.",
        escape(name),
        escape(&content_type.replace('\0', "\u{2400}"))
    )
}

/// More came than Twilio allows, or than it still has.
pub(crate) fn left_out(count: usize) -> String {
    match count {
        1 => {
            "One more file came with this text and is not shown here. Look in Twilio's message log."
                .to_owned()
        }
        several => format!(
            "{several} more files came with this text and are not shown here. Look in Twilio's message log."
        ),
    }
}

/// Why a text was not sent whose files are not kept any more.
pub(crate) const MEDIA_GONE: &str = "media_gone";

/// The sentence in the thread for a text whose files are not kept any more.
pub(crate) fn media_gone() -> String {
    "Not sent: its files are not kept any more. Put them into the thread again.".to_owned()
}

/// A file that a dispatcher put in the thread and that does not reach the caller.
pub(crate) fn not_sent(name: &str, unfit: Unfit) -> String {
    let name = match name {
        "" => "The file".to_owned(),
        name => format!("*{}*", escape(&name.replace('*', ""))),
    };
    let why = match unfit {
        Unfit::Deleted => "it was deleted before it left",
        Unfit::Elsewhere => {
            "it is not in this Slack workspace itself. Download it and put it into the thread from your own device"
        }
        Unfit::OfNoKind => {
            "phones do not take files of its kind. A picture as JPEG or PNG arrives, or a link to the file"
        }
        Unfit::TooLarge => "it is too large for a phone. Send a smaller one, or a link to it",
        Unfit::Unreadable => "it cannot be read as a picture. Save it as JPEG and try again",
        Unfit::Unreachable => "Slack did not give it out. Put it into the thread again",
    };
    format!("{name} was not sent: {why}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_type() {
        for (content_type, expected, shown) in [
            ("image/jpeg", "picture 1.jpg", true),
            ("IMAGE/PNG; charset=binary", "picture 1.png", true),
            ("image/x-new", "picture 1", true),
            ("video/3gpp", "video 1.3gp", true),
            ("audio/amr", "sound 1.amr", true),
            ("text/x-vcard", "contact 1.vcf", true),
            ("application/pdf", "document 1.pdf", true),
            ("application/octet-stream", "file 1.bin", true),
            ("image/svg+xml", "file 1", false),
            ("text/html", "file 1", false),
            ("application/x-msdownload", "file 1", false),
            ("", "file 1", false),
        ] {
            assert_eq!(name(content_type, 1), expected);
            assert_eq!(is_shown(content_type), shown, "{content_type}");
        }
    }

    #[test]
    fn what_follows_is_counted_in_words() {
        let names = |kinds: &[&str]| -> Vec<String> {
            let kinds = kinds.iter().enumerate();
            kinds.map(|(n, kind)| name(kind, n + 1)).collect()
        };
        for (kinds, expected) in [
            (&["image/jpeg"][..], "A picture follows."),
            (&["text/calendar"], "An appointment follows."),
            (&["image/jpeg", "image/png"], "2 pictures follow."),
            (
                &["image/jpeg", "text/vcard", "audio/amr"],
                "3 files follow.",
            ),
        ] {
            assert_eq!(follow(&names(kinds)), expected);
        }
    }
}
