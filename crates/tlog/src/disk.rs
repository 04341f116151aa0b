//! The folder that holds a log, as the few operations that durability is made of, so that tests can
//! interrupt each of them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Files are public: whoever serves the folder over HTTP may read them.
const FILE_MODE: u32 = 0o644;
const DIR_MODE: u32 = 0o755;
const LOCK: &str = "lock";

/// Where tiles are read from: a folder, or a copy of one behind a URL. Paths have forward slashes
/// and are relative to the log's prefix.
pub trait TileSource: Send + Sync {
    /// The bytes at `path`; `None` where there is nothing.
    ///
    /// # Errors
    /// Where it could not be found out.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

/// A folder that a log writes. What was written is safe only once it was synced, and a name only
/// once its folder was.
pub trait Disk: TileSource {
    /// Names in folder `dir`, in order; none where it does not exist.
    ///
    /// # Errors
    /// Where the operating system refuses.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Writes `bytes` at `offset`, making the file where it does not exist.
    ///
    /// # Errors
    /// Where the operating system refuses, for example because the disk is full.
    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// Where the operating system refuses.
    fn set_len(&self, path: &str, len: u64) -> io::Result<()>;

    /// Makes the file's contents durable.
    ///
    /// # Errors
    /// Where the operating system refuses; what is durable is then unknown.
    fn sync(&self, path: &str) -> io::Result<()>;

    /// Gives a file another name in the same folder, in place of whatever had it.
    ///
    /// # Errors
    /// Where the operating system refuses.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes folder `dir`; whether it was missing.
    ///
    /// # Errors
    /// Where the operating system refuses.
    fn make_dir(&self, dir: &str) -> io::Result<bool>;

    /// Makes the names in folder `dir` durable; the empty path is the log's own folder.
    ///
    /// # Errors
    /// Where the operating system refuses.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Removes a file, or a folder with what is in it; nothing happens where it does not exist.
    ///
    /// # Errors
    /// Where the operating system refuses.
    fn remove(&self, path: &str) -> io::Result<()>;
}

/// The folder part of a path, empty for a file in the log's own folder.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Puts files in place so that after a crash each is there whole or not at all, and after this
/// returns each is there. They are written, then synced together: the disk's own journal makes one
/// round of many.
pub(crate) fn place(
    disk: &dyn Disk,
    files: &[(String, Vec<u8>)],
) -> Result<(), (&'static str, String, io::Error)> {
    let mut dirs = std::collections::BTreeSet::new();
    for (path, bytes) in files {
        make_dirs(disk, parent(path), &mut dirs)?;
        let unfinished = unfinished(path);
        // A leftover of a crash may be longer.
        let write = disk.remove(&unfinished).and_then(|()| disk.write_at(&unfinished, 0, bytes));
        write.map_err(|error| ("write", path.clone(), error))?;
    }
    for (path, _) in files {
        disk.sync(&unfinished(path)).map_err(|error| ("sync", path.clone(), error))?;
    }
    for (path, _) in files {
        let renamed = disk.rename(&unfinished(path), path);
        renamed.map_err(|error| ("rename", path.clone(), error))?;
        dirs.insert(parent(path).to_owned());
    }
    dirs.into_iter()
        .try_for_each(|dir| disk.sync_dir(&dir).map_err(|error| ("sync", dir.clone(), error)))
}

fn unfinished(path: &str) -> String {
    format!("{path}.unfinished")
}

fn make_dirs(
    disk: &dyn Disk,
    dir: &str,
    changed: &mut std::collections::BTreeSet<String>,
) -> Result<(), (&'static str, String, io::Error)> {
    let ends = dir.match_indices('/').map(|(at, _)| at).chain([dir.len()]);
    for dir in ends.map(|end| &dir[..end]).filter(|dir| !dir.is_empty()) {
        if disk.make_dir(dir).map_err(|error| ("make", dir.to_owned(), error))? {
            changed.insert(parent(dir).to_owned());
        }
    }
    Ok(())
}

/// A folder of the machine's file system.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    /// Held as long as the folder is open for writing.
    _lock: Option<File>,
}

impl Folder {
    /// A folder to read from: a verifier needs no more.
    #[must_use]
    pub fn read_only(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), _lock: None }
    }

    /// A folder to write to, for this process alone; it is made where it does not exist.
    ///
    /// # Errors
    /// With [`io::ErrorKind::WouldBlock`] where another process has it, and where the operating
    /// system refuses.
    pub fn exclusive(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(dir.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _lock: Some(lock) }),
            Err(fs::TryLockError::Error(error)) => Err(error),
            Err(fs::TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("the log in {} is in use by another process; stop it first", dir.display()),
            )),
        }
    }

    fn open(&self, path: &str) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(self.dir.join(path))
    }
}

/// `None` where there is nothing.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl TileSource for Folder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.dir.join(path)) {
            // The names of folders, and names below those of files, are no files either.
            Err(error)
                if [io::ErrorKind::IsADirectory, io::ErrorKind::NotADirectory]
                    .contains(&error.kind()) =>
            {
                Ok(None)
            }
            read => found(read),
        }
    }
}

impl Disk for Folder {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let Some(entries) = found(fs::read_dir(self.dir.join(dir)))? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not Unicode is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.open(path)?.write_all_at(bytes, offset)
    }

    fn set_len(&self, path: &str, len: u64) -> io::Result<()> {
        self.open(path)?.set_len(len)
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        self.open(path)?.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn make_dir(&self, dir: &str) -> io::Result<bool> {
        match DirBuilder::new().mode(DIR_MODE).create(self.dir.join(dir)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.dir.join(dir))?.sync_all()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.dir.join(path);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        found(removed).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_placed_whole_over_leftovers_and_in_new_folders() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Folder::exclusive(dir.path()).unwrap();
        disk.write_at("a.unfinished", 0, b"a longer leftover").unwrap();
        let files = [("a".to_owned(), b"one".to_vec()), ("x/y/b".to_owned(), b"two".to_vec())];
        place(&disk, &files).unwrap();
        assert_eq!(disk.read("a").unwrap().as_deref(), Some(b"one".as_slice()));
        assert_eq!(disk.read("x/y/b").unwrap().as_deref(), Some(b"two".as_slice()));
        assert_eq!(disk.list("x/y").unwrap(), ["b"]);
        for none in ["none", "x", "x/y", "a/b"] {
            assert_eq!(disk.read(none).unwrap(), None, "{none}");
        }
        disk.remove("x").unwrap();
        assert!(disk.list("x").unwrap().is_empty());
    }

    #[test]
    fn a_folder_has_one_writer() {
        let dir = tempfile::tempdir().unwrap();
        let held = Folder::exclusive(dir.path()).unwrap();
        let error = Folder::exclusive(dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(Folder::exclusive(dir.path()).is_ok());
    }
}
