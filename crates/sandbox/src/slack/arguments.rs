//! The arguments of a Web API request, from a query, a form or JSON, as Slack reads them.

use serde_json::{Map, Value};

use super::form;

/// Why a request's arguments could not be read: one of Slack's error words.
pub(super) type Unreadable = &'static str;

/// The arguments of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    values: Map<String, Value>,
    /// Whether they came as JSON, where numbers and booleans have types of their own.
    pub(super) is_json: bool,
}

impl Arguments {
    /// Reads the query string, and the body by its content type.
    pub(super) fn read(
        query: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Self, Unreadable> {
        let mut arguments = Self::default();
        arguments.take_pairs(form::parse(query.as_bytes()))?;
        if body.is_empty() {
            return Ok(arguments);
        }
        let kind = content_type.ok_or("missing_post_type")?;
        match kind.split(';').next().unwrap_or("").trim() {
            "application/json" => {
                let value: Value = serde_json::from_slice(body).map_err(|_| "invalid_json")?;
                let Value::Object(map) = value else {
                    return Err("json_not_object");
                };
                arguments.is_json = true;
                let given = map.into_iter().filter(|(_, value)| !value.is_null());
                arguments.values.extend(given);
            }
            "application/x-www-form-urlencoded" => {
                std::str::from_utf8(body).map_err(|_| "invalid_form_data")?;
                arguments.take_pairs(form::parse(body))?;
            }
            _ => return Err("invalid_post_type"),
        }
        Ok(arguments)
    }

    fn take_pairs(&mut self, pairs: Vec<(String, String)>) -> Result<(), Unreadable> {
        for (key, value) in pairs {
            if key.ends_with(']') {
                return Err("invalid_array_arg");
            }
            self.values.insert(key, Value::String(value));
        }
        Ok(())
    }

    /// The names of all arguments.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A text; an empty one counts as absent, as with Slack.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)?
            .as_str()
            .filter(|value| !value.is_empty())
    }

    /// A yes or no: a JSON boolean, or `true`, `false`, `1`, `0`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Unreadable> {
        match self.values.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(word)) => match word.as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" | "" => Ok(false),
                _ => Err("invalid_arguments"),
            },
            Some(_) => Err("invalid_arguments"),
        }
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Unreadable> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_u64().map(Some).ok_or("invalid_arguments"),
            Some(Value::String(digits)) => {
                digits.parse().map(Some).map_err(|_| "invalid_arguments")
            }
            Some(_) => Err("invalid_arguments"),
        }
    }

    /// A structure: JSON in a JSON body, JSON in a string in a form.
    pub(super) fn structure(&self, name: &str) -> Result<Option<Value>, Unreadable> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text)
                .map(Some)
                .map_err(|_| "invalid_arguments"),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// The first of these arguments that is not a string.
    pub(super) fn not_a_string<'a>(&self, names: &'a [&'a str]) -> Option<&'a str> {
        names
            .iter()
            .copied()
            .find(|name| self.values.get(*name).is_some_and(|v| !v.is_string()))
    }

    /// All arguments, for the log of accepted calls.
    pub(super) fn to_value(&self) -> Value {
        Value::Object(self.values.clone())
    }
}
