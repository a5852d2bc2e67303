//! Row ids that a person can read aloud and type.

use rand::RngExt;

/// Crockford's base32 alphabet, without letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 60 random bits: among a million ids, the probability of a collision is below one in a million, and the primary key would
/// refuse it.
const LENGTH: usize = 12;

/// Returns a new random id.
pub(crate) fn new_id() -> String {
    let mut rng = rand::rng();
    (0..LENGTH)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}
