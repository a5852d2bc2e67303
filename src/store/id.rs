//! Ids that a person can read aloud and type.

use rand::RngExt;

/// Crockford's alphabet: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 60 random bits: two of a million ids collide once in a million desks, and a primary key would refuse it.
const LENGTH: usize = 12;

/// A new id for a row of ours.
pub(crate) fn new_id() -> String {
    let mut rng = rand::rng();
    (0..LENGTH)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}
