//! How many segments a text is sent in and billed as (`num_segments`).
//!
//! A segment has 140 octets. A text whose characters are all in the GSM 7-bit alphabet takes 7 or 14 bits a character,
//! any other 16 bits a UTF-16 unit. As soon as there are several segments, each begins with a header of 6 octets, and
//! nothing that a reader sees as one character is divided between two of them.
//! <https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding>,
//! <https://www.twilio.com/docs/glossary/what-sms-character-limit>

use unicode_segmentation::UnicodeSegmentation;

/// The bits of a segment: 140 octets.
const SEGMENT: usize = 140 * 8;

/// The bits of a segment's header where there are several.
const HEADER: usize = 6 * 8;

/// Bits of a septet and of a UTF-16 unit.
const SEPTET: usize = 7;
const UNIT: usize = 16;

/// 3GPP TS 23.038, the default alphabet, a row for each value of the upper three bits.
/// 0x1B, which leads to the extension table, is not a character.
const GSM_7: [&str; 8] = [
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
];

/// Its extension table: an escape septet comes before each of these.
const GSM_7_EXTENSION: [char; 10] = ['\u{c}', '^', '{', '}', '\\', '[', '~', ']', '|', '€'];

/// The number of segments; an empty text takes one.
pub fn count(text: &str) -> usize {
    let characters = gsm_7(text).unwrap_or_else(|| ucs_2(text));
    if characters.iter().sum::<usize>() <= SEGMENT {
        return 1;
    }
    let mut segments = 1;
    let mut left = SEGMENT - HEADER;
    for bits in characters {
        if bits > left {
            segments += 1;
            left = SEGMENT - HEADER;
        }
        left = left.saturating_sub(bits);
    }
    segments
}

/// The bits of each character in the GSM 7-bit alphabet; `None` where one is not in it.
fn gsm_7(text: &str) -> Option<Vec<usize>> {
    let bits = |c: char| {
        if GSM_7.iter().any(|row| row.contains(c)) {
            Some(SEPTET)
        } else if GSM_7_EXTENSION.contains(&c) {
            Some(2 * SEPTET)
        } else {
            None
        }
    };
    text.chars().map(bits).collect()
}

/// The bits of each character as a reader sees it, in UTF-16.
fn ucs_2(text: &str) -> Vec<usize> {
    let mut characters = Vec::new();
    for seen in text.graphemes(true) {
        // Unicode takes a carriage return and a line feed for one character, Twilio does not.
        if seen == "\r\n" {
            characters.extend([UNIT, UNIT]);
        } else {
            characters.push(seen.encode_utf16().count() * UNIT);
        }
    }
    characters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_as_many_characters_as_the_standard_says() {
        let basic = GSM_7.iter().map(|row| row.chars().count());
        assert_eq!(basic.collect::<Vec<_>>(), [16, 15, 16, 16, 16, 16, 16, 16]);
    }

    #[test]
    fn a_text_takes_as_many_segments_as_its_alphabet_needs() {
        for (text, segments) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("[".repeat(80), 1),
            ("[".repeat(81), 2),
            // An escape stays with its character: 76 of them to a segment, and a septet is left over.
            ("[".repeat(152), 2),
            ("[".repeat(153), 3),
            ("ç".repeat(70), 1),
            ("ç".repeat(71), 2),
            ("ç".repeat(134), 2),
            ("ç".repeat(135), 3),
            // Two units each: 33 to a segment, and a unit is left over.
            ("🚕".repeat(35), 1),
            ("🚕".repeat(66), 2),
            ("🚕".repeat(67), 3),
            // Four units each, seen as one character: 16 to a segment.
            ("🇺🇸".repeat(17), 1),
            ("🇺🇸".repeat(32), 2),
            ("🇺🇸".repeat(33), 3),
        ] {
            assert_eq!(count(&text), segments, "{text}");
        }
    }
}
