//! Files that only the vault may read: made whole or not at all, and refused when others can read
//! them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::VaultError;

/// Owner reads and writes, nobody else anything.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// The permission bits of group and others.
const OTHERS: u32 = 0o077;

/// Makes `dir`, closed to others, where it does not exist yet.
pub(crate) fn make_dir(dir: &Path) -> Result<(), VaultError> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(dir)
        .map_err(|source| VaultError::file("make", dir, source))
}

/// Creates a file with these contents: after a crash at any moment it is there whole, or not there.
pub(crate) fn create(path: &Path, contents: &[u8]) -> Result<(), VaultError> {
    let unfinished = unfinished_path(path);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(VaultError::file("remove", &unfinished, error));
        }
        _ => {}
    }
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&unfinished)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        // A rename is durable only once the folder that holds the name is.
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| VaultError::file("create", path, source))
}

fn unfinished_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    path.with_file_name(name)
}

/// Whether nothing is there, or a file where its folder would be.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Opens a file for reading and writing; `None` where there is no such file.
pub(crate) fn open(path: &Path) -> Result<Option<File>, VaultError> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(VaultError::file("open", path, source)),
    };
    let mode = file
        .metadata()
        .map_err(|source| VaultError::file("inspect", path, source))?
        .permissions()
        .mode();
    if mode & OTHERS != 0 {
        return Err(VaultError::KeyFileExposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    Ok(Some(file))
}

/// Opens a file that is there to be locked, and makes it where there is none.
pub(crate) fn open_or_make(path: &Path) -> Result<File, VaultError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(|source| VaultError::file("open", path, source))
}

/// Takes the folder for this process alone until the returned file is dropped.
pub(crate) fn lock_dir(dir: &Path) -> Result<File, VaultError> {
    let path = dir.join("lock");
    let file = open_or_make(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(VaultError::AlreadyOpen { dir: dir.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(VaultError::file("lock", &path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create(&path, b"key").unwrap();
        assert!(open(&path).unwrap().is_some());
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = open(&path).unwrap_err();
            assert!(matches!(error, VaultError::KeyFileExposed { .. }), "{mode:o}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_leftover_of_a_crash_does_not_hinder_creation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(unfinished_path(&path), b"half").unwrap();
        create(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(!unfinished_path(&path).exists());
    }

    #[test]
    fn a_folder_is_held_by_one_process() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock_dir(dir.path()).unwrap();
        assert!(matches!(lock_dir(dir.path()), Err(VaultError::AlreadyOpen { .. })));
        drop(held);
        assert!(lock_dir(dir.path()).is_ok());
    }
}
