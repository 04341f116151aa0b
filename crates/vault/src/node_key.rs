//! The node key: one random key in a file of its own, under which row keys and the relying
//! parties' keys are sealed. A copy of the database, or of the row keys, is nothing without it.
//!
//! File: the 8 bytes of [`MAGIC`] (the last one is the version), then the 32 bytes of the key.

use std::io::Read;
use std::path::Path;

use handfast_model::Random;
use zeroize::Zeroizing;

use crate::sealing::{KEY_LEN, SealingKey};
use crate::{VaultError, private_file};

const MAGIC: [u8; 8] = *b"HFNODEK1";

/// Reads the node key; `None` where there is no such file.
pub(crate) fn load(path: &Path) -> Result<Option<SealingKey>, VaultError> {
    let Some(file) = private_file::open(path)? else { return Ok(None) };
    // One byte more than a key file has, so that a longer one is noticed.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAGIC.len() + KEY_LEN + 1));
    file.take((MAGIC.len() + KEY_LEN + 1) as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| VaultError::file("read", path, source))?;
    let key = bytes.strip_prefix(&MAGIC).and_then(SealingKey::from_slice);
    key.map(Some).ok_or_else(|| VaultError::key_file(path, "it is not a node key of version 1"))
}

/// Generates the node key of a new vault and writes its file.
pub(crate) fn create(path: &Path, random: &dyn Random) -> Result<SealingKey, VaultError> {
    let key = SealingKey::generate(random);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAGIC.len() + KEY_LEN));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(key.expose());
    private_file::create(path, &bytes)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use handfast_model::SeededRandom;

    use super::*;

    #[test]
    fn what_was_created_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        assert!(load(&path).unwrap().is_none());
        let key = create(&path, &SeededRandom::new(1)).unwrap();
        assert!(load(&path).unwrap() == Some(key));
    }

    #[test]
    fn a_file_that_is_no_node_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        for contents in [&b""[..], b"HFNODEK1short", &[0; 40], b"HFNODEK2", &[7; 99]] {
            private_file::create(&path, contents).unwrap();
            assert!(matches!(load(&path), Err(VaultError::KeyFile { .. })));
        }
        let mut longer = b"HFNODEK1".to_vec();
        longer.extend([7; KEY_LEN + 1]);
        private_file::create(&path, &longer).unwrap();
        assert!(matches!(load(&path), Err(VaultError::KeyFile { .. })));
    }
}
