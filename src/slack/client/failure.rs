//! Maps slack-morphism's errors to `Failure`, by whether Slack may have acted on the request.

use serde_json::Value;
use slack_morphism::errors::{SlackClientApiError, SlackClientError, SlackClientHttpProtocolError};

use crate::remote::Failure;
use crate::slack::lenient;

/// The longest explanation of Slack's that we keep, in characters.
const MAX_MESSAGE: usize = 300;

/// Maps an error by whether Slack may have acted on the request. Does not use the error's message, which contains whole
/// bodies.
pub(super) fn from(err: SlackClientError) -> Failure {
    let unknown = |why: String| Failure::Unknown { why };
    match err {
        SlackClientError::ApiError(no) => from_word(no),
        SlackClientError::RateLimitError(limit) => Failure::RateLimited {
            retry_after: limit.retry_after,
        },
        SlackClientError::HttpError(http) => {
            let status = http.status_code.as_u16();
            // A proxy in front of Slack sends 408 without knowing what Slack behind it did.
            if http.status_code.is_client_error() && status != 408 {
                Failure::Refused {
                    code: format!("http {status}"),
                    message: String::new(),
                }
            } else {
                unknown(format!("http {status}"))
            }
        }
        SlackClientError::HttpProtocolError(err) => from_transport(err),
        SlackClientError::ProtocolError(err) => unknown(format!(
            "unreadable answer: {:?}",
            err.json_error.classify()
        )),
        SlackClientError::SystemError(err) => unknown(
            err.cause
                .map_or_else(String::new, |cause| cause.to_string()),
        ),
        SlackClientError::EndOfStream(_) | SlackClientError::SocketModeProtocolError(_) => {
            unknown("not something a Web API call ends with".to_owned())
        }
    }
}

/// Maps an error code of a method, such as those of
/// <https://docs.slack.dev/reference/methods/chat.postMessage#errors>.
fn from_word(no: SlackClientApiError) -> Failure {
    match no.code.as_str() {
        // Slack documents of `fatal_error`: "It's possible some aspect of the operation succeeded".
        "fatal_error" | "internal_error" | "service_unavailable" | "request_timeout" => {
            Failure::Unknown { why: no.code }
        }
        // The workspace is being migrated and Slack did nothing. The request can be sent again later.
        "team_added_to_org" | "org_login_required" => Failure::NotSent { why: no.code },
        _ => Failure::Refused {
            message: explanation(no.http_response_body.as_deref().unwrap_or_default()),
            code: no.code,
        },
    }
}

/// Returns the missing scopes or the invalid blocks. Slack names scopes and positions there, never texts.
fn explanation(body: &str) -> String {
    let Ok(body) = lenient::parse(body.as_bytes()) else {
        return String::new();
    };
    let scopes = ["needed", "provided"]
        .iter()
        .filter_map(|key| Some(format!("{key} {}", lenient::word(&body, key)?)));
    let details = body
        .get("response_metadata")
        .map_or(&[][..], |metadata| lenient::list(metadata, "messages"))
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    let all: Vec<String> = scopes.chain(details).collect();
    all.join("; ").chars().take(MAX_MESSAGE).collect()
}

fn from_transport(err: SlackClientHttpProtocolError) -> Failure {
    let Some(cause) = err.cause else {
        return Failure::Unknown {
            why: "the connection failed".to_owned(),
        };
    };
    if cause.is::<url::ParseError>() {
        return Failure::NotSent {
            why: "the method's address is not a URL".to_owned(),
        };
    }
    let why = root_cause(cause.as_ref());
    match cause.downcast_ref::<reqwest::Error>() {
        Some(err) if err.is_connect() || err.is_builder() => Failure::NotSent { why },
        _ => Failure::Unknown { why },
    }
}

/// Returns the message of the innermost error, such as "connection refused" or "operation timed out".
fn root_cause(err: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = err;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(code: &str, body: &str) -> Failure {
        let error =
            SlackClientApiError::new(code.to_owned()).with_http_response_body(body.to_owned());
        from(SlackClientError::ApiError(error))
    }

    #[test]
    fn slacks_words_are_sorted_by_what_may_have_happened() {
        for code in [
            "fatal_error",
            "internal_error",
            "service_unavailable",
            "request_timeout",
        ] {
            assert!(matches!(word(code, ""), Failure::Unknown { .. }), "{code}");
        }
        for code in ["team_added_to_org", "org_login_required"] {
            assert!(matches!(word(code, ""), Failure::NotSent { .. }), "{code}");
        }
        for code in [
            "channel_not_found",
            "is_archived",
            "not_in_channel",
            "token_revoked",
            "never_heard_of",
        ] {
            let Failure::Refused { code: said, .. } = word(code, "") else {
                panic!("{code}")
            };
            assert_eq!(said, code);
        }
    }

    #[test]
    fn a_refusal_says_which_scope_or_block() {
        let message = |body: &str| match word("missing_scope", body) {
            Failure::Refused { message, .. } => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            message(r#"{"ok":false,"needed":"channels:read","provided":"chat:write"}"#),
            "needed channels:read; provided chat:write"
        );
        assert_eq!(
            message(r#"{"response_metadata":{"messages":["[ERROR] no more than 50 items", 7]}}"#),
            "[ERROR] no more than 50 items"
        );
        assert_eq!(message("not json"), "");
    }
}
