//! What a synthetic set says of itself: whose palms they are, and which pictures are its own.
//!
//! Pictures are shown in a report only where their bytes are those that the generator wrote: a real
//! picture that was put into a synthetic folder is never shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::EvalError;

/// Version of the file's format.
pub const MANIFEST_VERSION: u32 = 1;
/// The file's name, beside the palms' folders.
pub const MANIFEST_FILE: &str = "synthetic.json";
/// The longest file that is read: about a million pictures.
const MANIFEST_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What is known of a synthetic palm: what error rates are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PalmTraits {
    /// 0 very light to 1 very dark.
    pub skin_tone: f32,
    /// 0 the smallest to 1 the largest.
    pub hand_size: f32,
    /// 0 smooth to 1 very wrinkled.
    pub wrinkling: f32,
}

/// The description of a synthetic set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// The command that drew the set.
    pub generator: String,
    /// Traits by the palm's folder.
    pub palms: BTreeMap<String, PalmTraits>,
    /// SHA-256 of each picture in hexadecimal, by `palm/file`.
    pub pictures: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the description beside a set's palms; none where there is none.
    ///
    /// # Errors
    /// Where there is one and it cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, EvalError> {
        let path = dir.join(MANIFEST_FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let wrong = |reason: String| EvalError::Manifest { path: path.clone(), reason };
        let length = fs::metadata(&path).map_err(|e| wrong(e.to_string()))?.len();
        if length > MANIFEST_BYTES_MAX {
            return Err(wrong(format!("{length} bytes are more than {MANIFEST_BYTES_MAX}")));
        }
        let text = fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if manifest.version != MANIFEST_VERSION {
            let version = manifest.version;
            return Err(wrong(format!(
                "it has version {version}, this build reads version {MANIFEST_VERSION}"
            )));
        }
        Ok(Some(manifest))
    }

    /// Whether these bytes are the picture of this name that the generator wrote.
    #[must_use]
    pub fn wrote(&self, palm: &str, file: &str, bytes: &[u8]) -> bool {
        self.pictures.get(&format!("{palm}/{file}")).is_some_and(|own| *own == sha256(bytes))
    }
}

/// The digest of a picture, as a [`Manifest`] keeps it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Manifest::read(dir.path()).unwrap().is_none());
        let traits = PalmTraits { skin_tone: 0.25, hand_size: 0.5, wrinkling: 1.0 };
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            generator: "test".into(),
            palms: BTreeMap::from([("p1".into(), traits)]),
            pictures: BTreeMap::from([("p1/s1_1.png".into(), sha256(b"drawn"))]),
        };
        let text = serde_json::to_string(&manifest).unwrap();
        fs::write(dir.path().join(MANIFEST_FILE), text).unwrap();
        let read = Manifest::read(dir.path()).unwrap().unwrap();
        assert_eq!(read, manifest);
        assert!(read.wrote("p1", "s1_1.png", b"drawn"));
        assert!(!read.wrote("p1", "s1_1.png", b"a real palm"), "put there by somebody");
        assert!(!read.wrote("p2", "s1_1.png", b"drawn"));
    }

    #[test]
    fn a_broken_manifest_says_where_and_why() {
        let dir = tempfile::tempdir().unwrap();
        for (text, reason) in [
            ("{", "EOF"),
            (r#"{"version":9,"generator":"x","palms":{},"pictures":{}}"#, "version 9"),
            (r#"{"version":1,"generator":"x","palms":{},"pictures":{},"more":1}"#, "more"),
        ] {
            fs::write(dir.path().join(MANIFEST_FILE), text).unwrap();
            let message = Manifest::read(dir.path()).unwrap_err().to_string();
            assert!(message.contains(reason) && message.contains(MANIFEST_FILE), "{message}");
        }
    }
}
