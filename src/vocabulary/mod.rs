//! The words that the database keeps, as types.
//!
//! Every enum here has one slug for each variant. A slug that no variant has is an error and never a default: it comes from a
//! later version of the program. This module is a leaf, so every layer may use it.

/// Declares an enum whose variants are kept in the database as words.
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident, $what:literal:
        $($(#[$variant_about:meta])* $variant:ident = $slug:literal,)+
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_about])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word that the database keeps.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $slug,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::vocabulary::UnknownWord;

            fn from_str(word: &str) -> Result<$name, Self::Err> {
                let found = $name::ALL.iter().find(|one| one.as_str() == word);
                found.copied().ok_or_else(|| $crate::vocabulary::UnknownWord {
                    what: $what,
                    word: word.to_owned(),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }

        impl sqlx::Type<sqlx::Any> for $name {
            fn type_info() -> sqlx::any::AnyTypeInfo {
                <String as sqlx::Type<sqlx::Any>>::type_info()
            }

            fn compatible(other: &sqlx::any::AnyTypeInfo) -> bool {
                <String as sqlx::Type<sqlx::Any>>::compatible(other)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Any> for $name {
            fn decode(value: sqlx::any::AnyValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                let word = <String as sqlx::Decode<'r, sqlx::Any>>::decode(value)?;
                Ok(word.parse::<$name>()?)
            }
        }
    };
}

mod availability;
mod calls;
mod decision;
mod delivery;
mod ids;
mod kind;
mod reason;
mod replies;
mod stored;
#[cfg(test)]
mod tests;
mod texts;
mod verdict;

pub use availability::AvailabilityState;
pub use calls::{CallState, RingOutcome};
pub use decision::Decision;
pub use delivery::{AttemptResult, DeliveryState};
pub use ids::{ConversationId, MessageId, OutboxId};
pub use kind::Kind;
pub(crate) use kind::{InBadChannel, OnRefusal, Settle};
pub use reason::ReasonCode;
pub(crate) use reason::{Reason, is_for_order};
pub use replies::{ConfirmationState, EditState};
pub use stored::Stored;
pub use texts::{KeptBy, OptOutState, Origin};
pub use verdict::Verdict;

/// A word that this version of the program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this version of the program knows no {what} named {word:?}")]
pub struct UnknownWord {
    /// What it should be a word for.
    pub what: &'static str,
    /// The word.
    pub word: String,
}
