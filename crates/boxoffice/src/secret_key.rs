//! Keys that we hand out once and keep only as a hash: API keys, session keys, mail links' keys.

use handfast_model::{Random, SecretText};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::base32;

/// Random bytes in a key: 256 bits, so that an unsalted hash of it cannot be searched.
const KEY_BYTES: usize = 32;
/// No key of ours is longer; a longer text is not even hashed.
const KEY_LEN_MAX: usize = 128;

/// A hash as it is stored.
pub(crate) type KeyHash = [u8; 32];

/// A new key beginning with `prefix`, and the hash to store.
pub(crate) fn fresh(random: &dyn Random, prefix: &str) -> (SecretText, KeyHash) {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    random.fill(&mut *bytes);
    let body = Zeroizing::new(base32::encode(&*bytes));
    let key = format!("{prefix}{}", body.as_str());
    let hash = Sha256::digest(key.as_bytes()).into();
    (SecretText::new(key), hash)
}

/// The hash to look a presented key up by; `None` for a text that is no key of ours. Looking up by
/// hash leaks no usable timing: what is compared is not what the caller chose.
pub(crate) fn hash(key: &str) -> Option<KeyHash> {
    (key.len() <= KEY_LEN_MAX).then(|| Sha256::digest(key.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn a_key_is_found_by_its_hash_and_no_two_are_equal() {
        let random = SeededRandom::new(1);
        let (key, stored) = fresh(&random, "HFD1.");
        assert_eq!(hash(key.expose()), Some(stored));
        assert!(key.expose().starts_with("HFD1.") && key.expose().len() == 5 + 52);
        assert_ne!(fresh(&random, "HFD1.").1, stored);
        assert_eq!(hash(&"x".repeat(KEY_LEN_MAX + 1)), None);
    }
}
