//! The callback URLs that we give to Twilio, and the data that they carry.
//!
//! The data is one value in the path, `/api/twilio/dial/<value>`: the base64url of a JSON object whose `v` is its version.
//! A query does not work: users report that Twilio signs a query as given and requests it sorted (twilio-php#790,
//! twilio-node#1079), and some gateways rebuild queries, after which the signature is not valid.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// The data of a callback URL cannot be parsed. The message does not contain the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is not base64url")]
    Encoding,
    #[error("it is not a JSON object")]
    Json,
    #[error("its version is not {VERSION}")]
    Version,
    #[error("a field is missing or misshapen")]
    Fields,
}

/// Returns the callback URL for `what`, the last part of the route, such as `dial`.
pub(crate) fn address(public_url: &str, what: &str, carried: &impl Serialize) -> String {
    format!("{public_url}/api/twilio/{what}/{}", value(carried))
}

fn value(carried: &impl Serialize) -> String {
    // A struct of numbers and strings always serializes to an object.
    let mut fields = match serde_json::to_value(carried) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.insert("v".to_owned(), VERSION.into());
    URL_SAFE_NO_PAD.encode(Value::Object(fields).to_string())
}

/// Parses the data from the last part of a callback URL's path.
pub(crate) fn read<T: DeserializeOwned>(value: &str) -> Result<T, Unreadable> {
    let bytes = URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|_| Unreadable::Encoding)?;
    let carried: Value = serde_json::from_slice(&bytes).map_err(|_| Unreadable::Json)?;
    let fields = carried.as_object().ok_or(Unreadable::Json)?;
    if fields.get("v").and_then(Value::as_u64) != Some(VERSION) {
        return Err(Unreadable::Version);
    }
    if fields.values().any(has_nul) {
        return Err(Unreadable::Fields);
    }
    serde_json::from_value(carried).map_err(|_| Unreadable::Fields)
}

/// Parses the data from a query, where earlier versions put it. Callbacks of calls and texts from that time may still arrive.
pub(crate) fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Unreadable> {
    if query.contains("%00") {
        return Err(Unreadable::Fields);
    }
    serde_urlencoded::from_str(query).map_err(|_| Unreadable::Fields)
}

/// Whether the value contains U+0000. None of our names, numbers and ids does, and Postgres refuses it.
fn has_nul(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Carried {
        call: String,
        round: i64,
        #[serde(default)]
        names: String,
    }

    fn carried() -> Carried {
        Carried {
            call: "CA1".into(),
            round: 2,
            names: "Zoë José/?+&".into(),
        }
    }

    fn encoded(json: &Value) -> String {
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    #[test]
    fn what_an_address_carries_is_read_again() {
        let address = address("https://desk.example.com", "dial", &carried());
        let value = address
            .strip_prefix("https://desk.example.com/api/twilio/dial/")
            .unwrap();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(value.bytes().all(is_plain), "{value}");
        assert_eq!(read(value), Ok(carried()));
    }

    /// A call can last for hours, so a version has to read what the previous one wrote.
    #[test]
    fn version_1_is_read_as_it_was_written() {
        let value = "eyJjYWxsIjoiQ0ExIiwibmFtZXMiOiJBIEIiLCJyb3VuZCI6MiwidiI6MX0";
        let names = "A B".to_owned();
        assert_eq!(read(value), Ok(Carried { names, ..carried() }));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (value, why) in [
            (String::new(), Unreadable::Json),
            ("%%%".into(), Unreadable::Encoding),
            ("a".into(), Unreadable::Encoding),
            ("AAAA".into(), Unreadable::Json),
            (encoded(&json!([1])), Unreadable::Json),
            (
                encoded(&json!({"call": "CA1", "round": 2})),
                Unreadable::Version,
            ),
            (
                encoded(&json!({"v": 2, "call": "CA1", "round": 2})),
                Unreadable::Version,
            ),
            (
                encoded(&json!({"v": "1", "call": "CA1", "round": 2})),
                Unreadable::Version,
            ),
            (encoded(&json!({"v": 1, "call": "CA1"})), Unreadable::Fields),
            (
                encoded(&json!({"v": 1, "call": "C\0", "round": 2})),
                Unreadable::Fields,
            ),
            (
                encoded(&json!({"v": 1, "call": 7, "round": 2})),
                Unreadable::Fields,
            ),
        ] {
            assert_eq!(read::<Carried>(&value), Err(why), "{value}");
        }
    }

    #[test]
    fn a_query_of_an_older_version_is_read_in_any_order() {
        let names = "A B".to_owned();
        for query in ["call=CA1&round=2&names=A+B", "names=A%20B&round=2&call=CA1"] {
            let names = names.clone();
            assert_eq!(read_query(query), Ok(Carried { names, ..carried() }));
        }
        for query in ["", "call=CA1", "call=CA1&round=x", "call=%00&round=2"] {
            let read = read_query::<Carried>(query);
            assert_eq!(read, Err(Unreadable::Fields), "{query}");
        }
    }
}
