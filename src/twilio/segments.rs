//! Counts the segments that Twilio bills for a text, and replaces typography that needs more of them
//! (<https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding>).

use unicode_segmentation::UnicodeSegmentation;

/// The GSM-7 characters that take one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The GSM-7 extension characters, which take two septets.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The septets that fit into a single segment, and into each of several.
const SEPTETS: (usize, usize) = (160, 153);

/// The UTF-16 code units that fit into a single UCS-2 segment, and into each of several.
const UNITS: (usize, usize) = (70, 67);

/// Returns the number of segments, at least 1, as Twilio's calculator counts them.
pub fn count(text: &str) -> usize {
    let septets: Option<Vec<usize>> = text.chars().map(septets).collect();
    let (sizes, (single, part)) = match septets {
        Some(sizes) => (sizes, SEPTETS),
        // UCS-2: a grapheme is never split over two segments, but \r\n counts as two characters.
        None => (
            text.graphemes(true)
                .flat_map(|seen| match seen {
                    "\r\n" => vec![1, 1],
                    seen => vec![seen.encode_utf16().count()],
                })
                .collect(),
            UNITS,
        ),
    };
    if sizes.iter().sum::<usize>() <= single {
        return 1;
    }
    let (mut parts, mut used) = (1, 0);
    for size in sizes {
        if used + size > part && used > 0 {
            (parts, used) = (parts + 1, 0);
        }
        used += size;
    }
    parts
}

/// Returns how many septets the character takes in GSM-7; `None` if GSM-7 does not have it.
fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else {
        EXTENSION.contains(c).then_some(2)
    }
}

/// Replaces typography with GSM-7 characters if that makes the whole text GSM-7; otherwise returns the text unchanged.
///
/// A single curly quote more than doubles the price of a text. A text with an emoji or a letter of another script stays
/// as written, because the replacement would not save anything.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        if septets(c).is_some() {
            folded.push(c);
        } else if let Some(plain) = plain(c) {
            folded.push_str(plain);
        } else {
            return text.to_owned();
        }
    }
    folded
}

/// Returns the GSM-7 replacement of quotes, dashes, dots, blanks and invisible characters.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '‘' | '’' | '‚' | '‛' | '′' | '‵' | '´' | '`' | 'ʼ' | 'ʹ' | 'ˈ' | '＇' | '‹' | '›' => {
            "'"
        }
        '“' | '”' | '„' | '‟' | '″' | '‶' | '«' | '»' | '〝' | '〞' | '＂' => "\"",
        '\u{2010}'..='\u{2015}' | '−' | '⁃' | '﹘' | '﹣' | '－' | '─' => "-",
        '…' => "...",
        '‥' => "..",
        '․' => ".",
        '•' | '◦' | '▪' | '‣' | '·' | '∙' => "-",
        '\u{A0}'
        | '\u{1680}'
        | '\u{2000}'..='\u{200A}'
        | '\u{202F}'
        | '\u{205F}'
        | '\u{3000}'
        | '\t' => " ",
        '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{B}' => "\n",
        // Emoji joiners are among these, but a text with emoji is returned unchanged anyway.
        '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' => "",
        '⁄' | '∕' | '／' => "/",
        '‼' => "!!",
        '⁇' => "??",
        '⁈' => "?!",
        '⁉' => "!?",
        '¦' => "|",
        '×' => "x",
        '¼' => "1/4",
        '½' => "1/2",
        '¾' => "3/4",
        '（' => "(",
        '）' => ")",
        '，' => ",",
        '：' => ":",
        '；' => ";",
        '！' => "!",
        '？' => "?",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use qdn_sandbox::twilio::segments as stand_in;

    use super::*;

    proptest! {
        /// Both counts are written from Twilio's documentation, and neither knows the other.
        #[test]
        fn the_stand_in_counts_as_we_do(text in "([a-z ]{0,60}|[€^{}]|[çé’—]|😀|👨‍👩‍👧|\r\n|\\PC){0,12}") {
            prop_assert_eq!(count(&text), stand_in::count(&text));
        }
    }

    #[test]
    fn parts_are_counted_by_the_alphabet_they_need() {
        for (text, parts) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 of them fill a part but for one septet, which stays empty: none is split.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), 3),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("ж".repeat(134), 2),
            ("ж".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            // 33 of two units each: the 67th stays empty.
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            (format!("{}👨‍👩‍👧‍👦{}", "a".repeat(60), "a".repeat(60)), 3),
            (format!("{}’", "a".repeat(69)), 1),
            (format!("{}’", "a".repeat(70)), 2),
            // The backtick is not in the short alphabet.
            (format!("{}`", "a".repeat(70)), 2),
            ("👨‍👩‍👧‍👦".repeat(30), 5),
        ] {
            assert_eq!(count(&text), parts, "{text}");
        }
    }

    #[test]
    fn only_typography_is_made_plain() {
        for (text, folded) in [
            ("Don’t – “wait”…", "Don't - \"wait\"..."),
            ("20\u{A0}min", "20 min"),
            (
                "it\u{2019}s 5\u{202F}pm \u{2014} bring `tools`",
                "it's 5 pm - bring 'tools'",
            ),
            ("plain", "plain"),
            ("ünïcode’s", "ünïcode’s"),
            ("it’s ok 👍", "it’s ok 👍"),
            ("Ça va – où?", "Ça va - où?"),
            ("Über “Köln”", "Über \"Köln\""),
            ("zero\u{200B}width", "zerowidth"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }
}
