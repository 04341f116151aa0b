//! `handfast scan-cards`: look for card numbers in what programs left behind. No field takes one, so
//! none may be found in a log, a database or a test's output; CI asks after every run.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use handfast_till::CardNumberFinder;

use super::Answer;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// Arguments of `handfast scan-cards`.
#[derive(Debug, Args)]
pub struct ScanCards {
    /// Files and folders: logs, databases, test output
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// What was looked at, and what was found.
#[derive(Default)]
struct Scan {
    files: u64,
    bytes: u64,
    found: u64,
}

impl ScanCards {
    /// Looks through every file; negative where a number was found. Never prints one.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<Answer> {
        control()?;
        let mut scan = Scan::default();
        for path in &self.paths {
            let kind = std::fs::metadata(path);
            kind.with_context(|| format!("{} cannot be read", path.display()))?;
            scan.path(path, out)?;
        }
        let Scan { files, bytes, found } = scan;
        writeln!(out, "{files} files, {bytes} bytes, {found} card numbers")?;
        ensure!(files > 0, "there is no file in what was named; name logs, databases, output");
        Ok(if found == 0 { Answer::Positive } else { Answer::Negative })
    }
}

impl Scan {
    fn path(&mut self, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let readable = || format!("{} cannot be read", path.display());
        let kind = match std::fs::symlink_metadata(path) {
            Ok(kind) => kind,
            // Gone since its folder was listed, as a running program's files may be.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(readable),
        };
        if kind.is_dir() {
            for entry in std::fs::read_dir(path).with_context(readable)? {
                self.path(&entry.with_context(readable)?.path(), out)?;
            }
            return Ok(());
        }
        if !kind.is_file() {
            return Ok(());
        }
        let (bytes, places) = search(File::open(path).with_context(readable)?)?;
        for place in &places {
            writeln!(out, "{}: what reads as a card number ends at byte {place}", path.display())?;
        }
        self.files += 1;
        self.bytes += bytes;
        self.found += places.len() as u64;
        Ok(())
    }
}

fn search(mut source: impl Read) -> anyhow::Result<(u64, Vec<u64>)> {
    let mut finder = CardNumberFinder::default();
    let (mut chunk, mut all) = (vec![0; CHUNK], 0);
    loop {
        match source.read(&mut chunk)? {
            0 => return Ok((all, finder.finish())),
            length => {
                finder.feed(&chunk[..length]);
                all += length as u64;
            }
        }
    }
}

/// A check that cannot fail checks nothing: each run first finds a number that is put in its way
/// (put together here, so that no file of the source holds one), across the edge of a chunk.
fn control() -> anyhow::Result<()> {
    let number = "4111".to_owned() + &"1".repeat(12);
    let mut planted = vec![b' '; CHUNK - 8];
    planted.extend_from_slice(number.as_bytes());
    planted.extend_from_slice(b" and on");
    let (_, places) = search(planted.as_slice())?;
    ensure!(places.len() == 1, "the scan does not find a number that is there; do not trust it");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(paths: &[&Path]) -> (anyhow::Result<Answer>, String) {
        let mut out = Vec::new();
        let paths = paths.iter().map(|path| path.to_path_buf()).collect();
        let answer = ScanCards { paths }.run(&mut out);
        (answer, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_planted_number_is_found_and_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("logs");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("clean.log"), "charge 17 captured at 1790000000000000\n")
            .unwrap();
        let (answer, said) = scan(&[folder.path()]);
        assert_eq!(answer.unwrap(), Answer::Positive, "{said}");
        let number = "5555 5555 5555 ".to_owned() + "4444";
        std::fs::write(inside.join("bad.db"), format!("\0\0paid with {number}\0")).unwrap();
        let (answer, said) = scan(&[folder.path()]);
        assert_eq!(answer.unwrap(), Answer::Negative);
        assert!(said.contains("bad.db") && !said.contains("4444"), "{said}");
    }

    #[test]
    fn nothing_to_look_at_is_no_good_answer() {
        let folder = tempfile::tempdir().unwrap();
        assert!(scan(&[folder.path()]).0.is_err());
        assert!(scan(&[&folder.path().join("missing")]).0.is_err());
    }
}
