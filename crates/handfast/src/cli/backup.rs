//! `handfast backup`: a copy of a data folder that a running service goes on using.
//!
//! Every SQLite database is copied at one instant of its own. They may differ by what happened in
//! between; the log is copied last, so whatever the copies tell of, the log knows of it. That is what
//! lets a service that starts from a copy replay the deletions that came after it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use handfast_model::{SystemClock, SystemRandom};
use handfast_store::copy_sqlite;
use handfast_tlog::{
    AtOpen, CHECKPOINT, COSIGNED_CHECKPOINT, Folder, KeyKind, Log, LogConfig, LogError, SecretKey,
};
use handfast_trust::signing_key;
use serde_json::json;
use zeroize::Zeroizing;

use super::runtime::block_on;
use super::{Answer, print_json};
use crate::cli::folder::bytes_below;

/// The folder of the public log inside a data folder.
const LOG: &str = "log";
/// The list of deletions in a data folder.
const DELETIONS: &str = "deletions";
/// Where the log's key is in a data folder.
const LOG_KEY: &str = "keys/log.key";
/// How often the log is copied until one copy is whole: it changes with each checkpoint, every few
/// seconds, and a copy takes less.
const LOG_TRIES: usize = 5;
/// Files that say something about running processes alone.
const NOT_KEPT: [&str; 1] = ["lock"];

/// Arguments of `handfast backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The folder that the copy is made in; it must not be there yet
    to: PathBuf,
    /// The data folder: of a service, or of a vault's node or front
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Copies and prints what was copied.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        if !self.data.is_dir() {
            bail!("{} is no folder; name the data folder with --data", self.data.display());
        }
        if self.to.exists() {
            bail!("{} is there already; name a folder that is not", self.to.display());
        }
        if is_inside(&self.to, &self.data)? {
            bail!("{} lies in the data folder; copy to another place", self.to.display());
        }
        let plan = Plan::of(&self.data)?;
        // Half a backup never has the name of a whole one.
        let unfinished = unfinished_of(&self.to);
        let copied = block_on(plan.copy(&self.data, &unfinished))
            .inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))?;
        fs::rename(&unfinished, &self.to).context("the copy cannot be given its name")?;
        self.print(out, &copied)?;
        Ok(Answer::Positive)
    }

    fn print(&self, out: &mut dyn Write, copied: &Copied) -> anyhow::Result<()> {
        if self.json {
            return print_json(
                out,
                &json!({ "to": self.to, "databases": copied.databases, "files": copied.files, "bytes": copied.bytes, "log_leaves": copied.leaves }),
            );
        }
        writeln!(out, "databases  {}", copied.databases)?;
        writeln!(out, "files      {}", copied.files)?;
        writeln!(out, "bytes      {}", copied.bytes)?;
        if let Some(leaves) = copied.leaves {
            writeln!(out, "log        {leaves} leaves, checked")?;
        }
        writeln!(
            out,
            "The copy is in {}. It holds keys: keep it as safe as the original.",
            self.to.display()
        )?;
        Ok(())
    }
}

/// What there is to copy, by paths relative to the data folder.
struct Plan {
    folders: Vec<PathBuf>,
    databases: Vec<PathBuf>,
    files: Vec<PathBuf>,
    has_log: bool,
}

/// What was copied.
struct Copied {
    databases: usize,
    files: usize,
    bytes: u64,
    /// How many leaves the log's copy has.
    leaves: Option<u64>,
}

impl Plan {
    fn of(data: &Path) -> anyhow::Result<Self> {
        let mut plan = Self { folders: vec![], databases: vec![], files: vec![], has_log: false };
        plan.look_into(data, Path::new(""))?;
        if plan.databases.is_empty() {
            bail!("{} holds no database; name the data folder with --data", data.display());
        }
        Ok(plan)
    }

    fn look_into(&mut self, data: &Path, folder: &Path) -> anyhow::Result<()> {
        self.folders.push(folder.to_owned());
        let full = data.join(folder);
        let cannot = || format!("{} cannot be read", full.display());
        for entry in fs::read_dir(&full).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().with_context(cannot)?;
            match kind.is_dir() {
                true if path == Path::new(LOG) => self.has_log = true,
                true => self.look_into(data, &path)?,
                false if kind.is_file() => self.add_file(path),
                // Sockets and links are no data.
                false => (),
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: PathBuf) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".db") {
            self.databases.push(path);
        } else if !NOT_KEPT.contains(&name.as_str())
            && !name.ends_with(".db-wal")
            && !name.ends_with(".db-shm")
        {
            self.files.push(path);
        }
    }

    async fn copy(&self, data: &Path, to: &Path) -> anyhow::Result<Copied> {
        if to.exists() {
            fs::remove_dir_all(to).with_context(|| format!("{} is in the way", to.display()))?;
        }
        for folder in &self.folders {
            private_folder(&to.join(folder))?;
        }
        for database in &self.databases {
            copy_sqlite(&data.join(database), &to.join(database)).await?;
            private(&to.join(database))?;
        }
        // Whose deletions the log tells of has to be known to the copy: that list is copied last.
        let (deletions, files): (Vec<_>, Vec<_>) =
            self.files.iter().partition(|file| **file == Path::new(DELETIONS));
        for file in files {
            copy_file(&data.join(file), &to.join(file))?;
        }
        let leaves = self.has_log.then(|| copy_log(data, to)).transpose()?;
        for file in deletions {
            copy_file(&data.join(file), &to.join(file))?;
        }
        Ok(Copied {
            databases: self.databases.len(),
            files: self.files.len(),
            bytes: bytes_below(to)?,
            leaves,
        })
    }
}

/// Copies the log until a service could start from the copy: the log goes on while it is read. The
/// journal is read first, then the checkpoint, then the tree, so that no leaf falls between them.
/// Answers how many leaves the copy holds.
fn copy_log(data: &Path, to: &Path) -> anyhow::Result<u64> {
    let key = signing_key(&to.join(LOG_KEY), "", KeyKind::Note, &SystemRandom)?;
    let mut problem = None;
    for _ in 0..LOG_TRIES {
        let log = to.join(LOG);
        if log.exists() {
            fs::remove_dir_all(&log).context("a copy of the log cannot be removed")?;
        }
        private_folder(&log)?;
        for part in ["journal", CHECKPOINT, COSIGNED_CHECKPOINT, "tile"] {
            copy_while_it_changes(&data.join(LOG).join(part), &log.join(part))?;
        }
        match leaves_of(&log, key.clone()) {
            Ok(leaves) => return Ok(leaves),
            Err(error) => problem = Some(error),
        }
    }
    let problem = problem.map(anyhow::Error::from).unwrap_or_else(|| anyhow!("it was never tried"));
    Err(problem
        .context("the log changed under each of several copies; try again when it is calmer"))
}

/// Opens a copied log as a service would, with every leaf checked.
fn leaves_of(log: &Path, key: SecretKey) -> Result<u64, LogError> {
    let config = LogConfig { key, cosigners: vec![], at_open: AtOpen::CheckEverything };
    let log = Log::open(Arc::new(Folder::read_only(log)), config, Arc::new(SystemClock))?;
    Ok(log.status().promised)
}

/// Copies a file or all below a folder; what is gone by the time it is read is left out.
fn copy_while_it_changes(from: &Path, to: &Path) -> anyhow::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let cannot = || format!("{} cannot be copied", from.display());
    if !from.is_dir() {
        return match copy_file(from, to) {
            Err(error) if error.downcast_ref::<io::Error>().is_some_and(gone) => Ok(()),
            copied => copied,
        };
    }
    private_folder(to)?;
    for entry in fs::read_dir(from).with_context(cannot)? {
        let name = entry.with_context(cannot)?.file_name();
        copy_while_it_changes(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Where a copy is while it is not whole.
fn unfinished_of(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

/// Whether the folder that is to be made would lie in another one.
fn is_inside(to: &Path, folder: &Path) -> anyhow::Result<bool> {
    let folder = folder.canonicalize().context("the data folder cannot be found")?;
    let absolute = std::path::absolute(to).context("the copy's place is no path")?;
    // What is not there yet has no canonical path; its nearest ancestor that is there has one.
    let there = absolute.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    Ok(there.is_some_and(|there| there.starts_with(folder)))
}

fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
    // It may be a key.
    let bytes = Zeroizing::new(bytes);
    File::create(to)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .with_context(|| format!("{} cannot be written", to.display()))?;
    private(to)
}

/// Keys and people's data are for their owner's eyes.
fn private(file: &Path) -> anyhow::Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("{} cannot be made private", file.display()))
}

fn private_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("{} cannot be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_tlog::{Draft, Opening, PublicText, Statement};

    #[test]
    fn a_log_that_goes_on_is_copied_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (data, to) = (dir.path().join("data"), dir.path().join("to"));
        let key = signing_key(&data.join(LOG_KEY), "log.example", KeyKind::Note, &SystemRandom);
        let disk = Arc::new(Folder::exclusive(&data.join(LOG)).unwrap());
        let config = LogConfig { key: key.unwrap(), cosigners: vec![], at_open: AtOpen::CheckEdge };
        let log = Log::open(disk, config, Arc::new(SystemClock)).unwrap();
        copy_file(&data.join(LOG_KEY), &made(&to).join(LOG_KEY)).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    log.append_all(vec![draft(); 100]).unwrap();
                    log.publish().unwrap();
                }
            });
            let mut last = 0;
            for _ in 0..10 {
                let before = log.status().promised;
                // A log that changes a hundred times a second may spoil all the copies of a try.
                let Ok(leaves) = copy_log(&data, &to) else { continue };
                assert!(leaves >= before.max(last), "{leaves} copied, {before} were promised");
                assert!(leaves <= log.status().promised);
                last = leaves;
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(copy_log(&data, &to).unwrap(), log.status().promised);
    }

    #[test]
    fn a_damaged_log_is_no_backup() {
        let dir = tempfile::tempdir().unwrap();
        let (data, to) = (dir.path().join("data"), dir.path().join("to"));
        let key = signing_key(&data.join(LOG_KEY), "log.example", KeyKind::Note, &SystemRandom);
        let disk = Arc::new(Folder::exclusive(&data.join(LOG)).unwrap());
        let config = LogConfig { key: key.unwrap(), cosigners: vec![], at_open: AtOpen::CheckEdge };
        let log = Log::open(disk, config, Arc::new(SystemClock)).unwrap();
        log.append(draft()).unwrap();
        log.publish().unwrap();
        fs::remove_dir_all(data.join(LOG).join("tile")).unwrap();
        copy_file(&data.join(LOG_KEY), &made(&to).join(LOG_KEY)).unwrap();
        assert!(copy_log(&data, &to).unwrap_err().to_string().contains("changed under"));
    }

    fn made(to: &Path) -> &Path {
        private_folder(&to.join("keys")).unwrap();
        to
    }

    fn draft() -> Draft {
        let word = || PublicText::new("1.0.0").unwrap();
        let statement =
            Statement::SoftwareVersion { component: word(), version: word(), digest: [7; 32] };
        let commitment = Opening::new(&[], &SystemRandom).unwrap().commitment();
        Draft { statement, commitment }
    }
}
