//! Replaces U+0000 in signed requests with `␀` (U+2400). Postgres refuses U+0000 in text, so the vendor would retry the
//! request in vain and its text would be lost.

use axum::body::Bytes;

/// The replacement: SYMBOL FOR NULL.
const PICTURE: &str = "\u{2400}";

/// U+0000 as a JSON escape. JSON does not allow it unescaped.
const ESCAPE: &str = "\\u0000";

/// Replaces U+0000 in the parameters of a form.
pub(super) fn form(mut params: Vec<(String, String)>) -> Vec<(String, String)> {
    for (name, value) in &mut params {
        for text in [name, value] {
            if text.contains('\0') {
                *text = text.replace('\0', PICTURE);
            }
        }
    }
    params
}

/// Replaces U+0000 in the parameters of a form, including its escape in values that are JSON.
pub(super) fn form_of_json(params: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut params = form(params);
    for (_, value) in &mut params {
        if value.starts_with('{') && value.contains(ESCAPE) {
            *value = json(value);
        }
    }
    params
}

/// Replaces the escape of U+0000 in a JSON body; returns any other body unchanged.
pub(super) fn body(body: Bytes) -> Bytes {
    match std::str::from_utf8(&body) {
        Ok(text) if text.starts_with('{') && text.contains(ESCAPE) => json(text).into(),
        _ => body,
    }
}

fn json(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        // In `\\u0000` the first two characters are an escape of their own, so skip an escape as a whole.
        let escape = rest
            .char_indices()
            .nth(2)
            .map_or(rest.len(), |(end, _)| end);
        match rest.strip_prefix(ESCAPE) {
            Some(behind) => {
                clean.push_str(PICTURE);
                rest = behind;
            }
            None => {
                clean.push_str(&rest[..escape]);
                rest = &rest[escape..];
            }
        }
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_u0000_is_replaced() {
        for (text, clean) in [
            (r#"{"a":"x\u0000y"}"#, "{\"a\":\"x\u{2400}y\"}"),
            (r#"{"a":"\u0000\u0000"}"#, "{\"a\":\"\u{2400}\u{2400}\"}"),
            (r#"{"\u0000":1}"#, "{\"\u{2400}\":1}"),
            (r#"{"a":"\\u0000"}"#, r#"{"a":"\\u0000"}"#),
            (r#"{"a":"\\\u0000"}"#, "{\"a\":\"\\\\\u{2400}\"}"),
            (r#"{"a":"\u00001\é"}"#, "{\"a\":\"\u{2400}1\\é\"}"),
            (r#"{"a":"\u0001\n"}\"#, r#"{"a":"\u0001\n"}\"#),
            ("{}", "{}"),
        ] {
            assert_eq!(json(text), clean, "{text}");
            assert_eq!(body(text.to_owned().into()), clean.as_bytes(), "{text}");
        }
    }

    #[test]
    fn the_fields_of_a_form_are_cleaned() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let params = vec![pair("a\0", "b\0c"), pair("payload", r#"{"a":"\u0000"}"#)];
        assert_eq!(form(params.clone())[0], pair("a\u{2400}", "b\u{2400}c"));
        assert_eq!(form(params.clone())[1], params[1]);
        assert_eq!(form_of_json(params)[1].1, "{\"a\":\"\u{2400}\"}");
    }
}
