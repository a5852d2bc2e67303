//! Recognizes replies that address a colleague by name: "Sergio can you take this one?".
//!
//! If the caller has the same name, the writer is asked unnecessarily. That costs one press of a button; texting a remark
//! about a caller to that caller costs more.

use crate::slack::mrkdwn;

/// Whether the text begins with the first word of one of these names, as a whole word, with or without an `@`.
pub(crate) fn is_spoken_to<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> bool {
    let words = mrkdwn::beginning(text);
    let words = words.strip_prefix('@').unwrap_or(words).to_lowercase();
    names.into_iter().any(|name| {
        // People use first names.
        let name = name.split_whitespace().next().unwrap_or_default();
        let name = name.trim_start_matches('@').to_lowercase();
        let after = words.strip_prefix(name.as_str());
        name.chars().any(char::is_alphabetic) && after.is_some_and(ends_word)
    })
}

/// Whether a word ends before `rest`. "Sergio's" and "Ann-Marie" are other words than "Sergio" and "Ann".
fn ends_word(rest: &str) -> bool {
    let mut rest = rest.chars();
    match rest.next() {
        Some('\'' | '’' | '-' | '_') => !rest.next().is_some_and(char::is_alphanumeric),
        Some(c) => !c.is_alphanumeric(),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_as_a_whole_word_at_the_beginning() {
        let names = ["Sergio", "Ann Lee", "José", "42"];
        for (text, expected) in [
            ("Sergio can you take this one?", true),
            ("Sergio, can you?", true),
            ("sergio", true),
            ("SERGIO: yours", true),
            ("@Sergio yours", true),
            ("*Sergio* yours", true),
            ("&gt; Sergio, quoted", true),
            ("  Sergio yours", true),
            ("Ann, yours", true),
            ("josé yours", true),
            ("Sergio's car is white", false),
            ("Sergio’s car is white", false),
            ("Sergios is open", false),
            ("Ann-Marie, your car is here", false),
            ("Annabel, your car is here", false),
            ("Your driver is Sergio", false),
            ("Lee, yours", false),
            ("42 Main Street", false),
            ("", false),
        ] {
            assert_eq!(is_spoken_to(text, names), expected, "{text}");
        }
    }
}
