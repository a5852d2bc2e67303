//! A word of a row that must stay readable though a later version wrote it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sqlx::any::{AnyTypeInfo, AnyValueRef};
use sqlx::error::BoxDynError;
use sqlx::{Any, Decode, Type};

/// A word as the database has it. The outbox uses this, so that a delivery of an unknown kind can be listed and set aside.
#[derive(Debug, Clone)]
pub enum Stored<T> {
    /// This version knows it.
    Known(T),
    /// A later version wrote it.
    Unknown(String),
}

impl<T: Copy> Stored<T> {
    /// The word, if this version knows it.
    pub fn known(&self) -> Option<T> {
        match self {
            Stored::Known(word) => Some(*word),
            Stored::Unknown(_) => None,
        }
    }
}

impl<T: PartialEq> PartialEq<T> for Stored<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Stored::Known(word) if word == other)
    }
}

impl<T> From<T> for Stored<T> {
    fn from(word: T) -> Stored<T> {
        Stored::Known(word)
    }
}

impl<T: fmt::Display> fmt::Display for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stored::Known(word) => word.fmt(f),
            Stored::Unknown(word) => f.pad(word),
        }
    }
}

impl<T: fmt::Display> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<T> Type<Any> for Stored<T> {
    fn type_info() -> AnyTypeInfo {
        <String as Type<Any>>::type_info()
    }

    fn compatible(other: &AnyTypeInfo) -> bool {
        <String as Type<Any>>::compatible(other)
    }
}

impl<'r, T: FromStr> Decode<'r, Any> for Stored<T> {
    fn decode(value: AnyValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <String as Decode<'r, Any>>::decode(value)?;
        Ok(match word.parse() {
            Ok(known) => Stored::Known(known),
            Err(_) => Stored::Unknown(word),
        })
    }
}
