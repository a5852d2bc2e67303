//! How many parts a text is sent in, as Twilio counts them in `num_segments`.
//!
//! <https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding>

const GSM_BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The number of parts; an empty text still is one.
pub(super) fn count(text: &str) -> usize {
    let septets = text.chars().try_fold(0, |sum, c| {
        if GSM_BASIC.contains(c) {
            Some(sum + 1)
        } else if GSM_EXTENSION.contains(c) {
            Some(sum + 2)
        } else {
            None
        }
    });
    let (units, single, part) = match septets {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if units <= single {
        1
    } else {
        usize::div_ceil(units, part)
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn parts_are_counted_by_the_alphabet_they_need() {
        for (text, parts) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
        ] {
            assert_eq!(count(&text), parts, "{text}");
        }
    }
}
