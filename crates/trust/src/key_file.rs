//! Files with one secret: made at first use, closed to others, read again afterwards.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::TrustError;

/// Owner reads and writes, nobody else anything.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// Reads the secret in `path`, or makes one there: whole and durable, or not at all.
pub(crate) fn load_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, TrustError>,
) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    match std::fs::read(path) {
        Ok(secret) => Ok(Zeroizing::new(secret)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = make()?;
            create(path, &secret).map_err(|source| TrustError::File {
                action: "create",
                path: path.to_owned(),
                source,
            })?;
            Ok(secret)
        }
        Err(source) => Err(TrustError::File { action: "read", path: path.to_owned(), source }),
    }
}

fn create(path: &Path, secret: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)?;
    let unfinished = path.with_extension("unfinished");
    let options =
        OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).clone();
    let mut file = options.open(&unfinished)?;
    file.write_all(secret)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    // A rename is durable only once the folder that holds the name is.
    File::open(dir)?.sync_all()
}
