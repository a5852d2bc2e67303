//! What is said where deliveries met trouble.

/// Why the later parts of a long reply were not sent.
pub(crate) const EARLIER_PART_REFUSED: &str = "an earlier part of the same reply was refused";
