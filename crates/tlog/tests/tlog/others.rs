//! What this crate writes, read by implementations that others wrote, unmodified: Go's
//! `golang.org/x/mod/sumdb` (skipped, and said so, where `go` or the package is missing) and the
//! crates `signed_note` and `tlog_tiles`. They accept our log, and refuse one that is forked,
//! truncated, edited or signed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use handfast_model::SeededRandom;
use handfast_tlog::{
    Folder, KeyKind, Log, Note, SecretKey, SignedCheckpoint, TileSource, TreeHash, VerifierKey,
};

use crate::common::{ORIGIN, draft, drafts, folder, grown, log_key};

/// Where Debian's `golang-golang-x-mod-dev` puts its packages.
const GO_PACKAGES: &str = "/usr/share/gocode";

/// Somebody else's implementation.
trait Judge {
    fn name(&self) -> &'static str;
    /// The folder's checkpoint is signed by the log, its tiles are that tree, its entries are the
    /// leaves; and it continues an older checkpoint, by a proof of ours.
    fn folder(&self, dir: &Path, older: Option<(&str, &[TreeHash])>) -> Result<(), String>;
    /// A `.tlog-proof` file proves a leaf.
    fn proof(&self, text: &str, leaf: TreeHash) -> Result<(), String>;
}

struct Go {
    program: PathBuf,
    scratch: tempfile::TempDir,
}

impl Go {
    /// Compiles the program that uses Go's packages, once.
    fn find() -> Option<Self> {
        static BUILT: OnceLock<Option<tempfile::TempDir>> = OnceLock::new();
        let built = BUILT.get_or_init(|| {
            if !Path::new(GO_PACKAGES).join("src/golang.org/x/mod/sumdb/tlog").exists() {
                println!("skipped: no {GO_PACKAGES}; apt install golang-golang-x-mod-dev");
                return None;
            }
            let out = tempfile::tempdir().unwrap();
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/check.go");
            let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
            let build = Command::new("go")
                .args(["build", "-o"])
                .arg(out.path().join("check"))
                .arg(source)
                .envs([("GO111MODULE", "off"), ("GOPATH", GO_PACKAGES), ("GOFLAGS", "")])
                .env("GOCACHE", cache)
                .output();
            match build {
                Err(error) => {
                    println!("skipped: go does not run ({error}); apt install golang-go");
                    None
                }
                Ok(build) => {
                    let problem = String::from_utf8_lossy(&build.stderr).into_owned();
                    assert!(build.status.success(), "{problem}");
                    Some(out)
                }
            }
        });
        let program = built.as_ref()?.path().join("check");
        Some(Self { program, scratch: tempfile::tempdir().unwrap() })
    }

    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new(&self.program)
            .arg(log_key().public().to_string())
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // A program that broke has not judged.
        assert!(said.starts_with("holds") || said.starts_with("refused"), "{output:?}");
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.scratch.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn lines(hashes: &[TreeHash]) -> String {
    hashes.iter().map(|hash| format!("{hash}\n")).collect()
}

impl Judge for Go {
    fn name(&self) -> &'static str {
        "golang.org/x/mod/sumdb"
    }

    fn folder(&self, dir: &Path, older: Option<(&str, &[TreeHash])>) -> Result<(), String> {
        let dir = dir.to_str().unwrap();
        match older {
            None => self.run(&[dir]),
            Some((older, proof)) => {
                let (older, proof) = (self.file("older", older), self.file("steps", &lines(proof)));
                self.run(&[dir, &older, &proof])
            }
        }
    }

    fn proof(&self, text: &str, leaf: TreeHash) -> Result<(), String> {
        self.run(&["-proof", &self.file("proof", text), &leaf.to_string()])
    }
}

/// The crates `signed_note` and `tlog_tiles`.
struct Crates;

struct CratesTiles<'a>(&'a Folder);

impl tlog_tiles::TileReader for CratesTiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            let (full, len) = (path.split(".p/").next().unwrap(), tile.width() as usize * 32);
            let bytes = self.0.read(&path).unwrap().or_else(|| self.0.read(full).unwrap());
            let bytes = bytes.filter(|bytes| bytes.len() >= len);
            bytes.map(|bytes| bytes[..len].to_vec()).ok_or(tlog_tiles::Error::InvalidTile)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn text_of(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

impl Crates {
    fn open(note: &[u8]) -> Result<tlog_tiles::Checkpoint, String> {
        let key = signed_note::StandardVerifier::new(&log_key().public().to_string());
        let known = signed_note::VerifierList::new(vec![Box::new(key.map_err(text_of)?)]);
        let note = signed_note::Note::from_bytes(note).map_err(text_of)?;
        note.verify(&known).map_err(text_of)?;
        let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(text_of)?;
        assert_eq!(checkpoint.origin(), ORIGIN);
        Ok(checkpoint)
    }

    fn hashes(ours: &[TreeHash]) -> Vec<tlog_tiles::Hash> {
        ours.iter().map(|hash| tlog_tiles::Hash(*hash.as_bytes())).collect()
    }
}

impl Judge for Crates {
    fn name(&self) -> &'static str {
        "signed_note and tlog_tiles"
    }

    fn folder(&self, dir: &Path, older: Option<(&str, &[TreeHash])>) -> Result<(), String> {
        use tlog_tiles::HashReader as _;
        let source = Folder::read_only(dir);
        let tree = Self::open(&source.read("checkpoint").unwrap().unwrap())?;
        if let Some((older, proof)) = older {
            let older = Self::open(older.as_bytes())?;
            let proof = Self::hashes(proof);
            tlog_tiles::check_tree(&proof, tree.size(), *tree.hash(), older.size(), *older.hash())
                .map_err(text_of)?;
        }
        let tiles = CratesTiles(&source);
        let reader = tlog_tiles::TileHashReader::new(tree.size(), *tree.hash(), &tiles);
        let root = tlog_tiles::tree_hash(tree.size(), &reader).map_err(text_of)?;
        assert_eq!(root, *tree.hash());
        for first in (0..tree.size()).step_by(256) {
            let last = (first + 256).min(tree.size());
            let indexes: Vec<u64> =
                (first..last).map(|at| tlog_tiles::stored_hash_index(0, at)).collect();
            let stored = reader.read_hashes(&indexes).map_err(text_of)?;
            let mut tile = tlog_tiles::Tile::new(8, 0, first / 256, (last - first) as u32, false);
            tile.set_is_data();
            let path = tile.path().replacen("tile/8/data/", "tile/entries/", 1);
            let bundle = source.read(&path).unwrap().ok_or("no bundle")?;
            let mut rest = bundle.as_slice();
            for hash in stored {
                let (len, after) = rest.split_at_checked(2).ok_or("a short bundle")?;
                let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
                let (entry, after) = after.split_at_checked(len).ok_or("a short bundle")?;
                if tlog_tiles::record_hash(entry) != hash {
                    return Err("a leaf is not the one in the tree".to_owned());
                }
                rest = after;
            }
        }
        Ok(())
    }

    fn proof(&self, text: &str, leaf: TreeHash) -> Result<(), String> {
        let (head, note) = text.split_once("\n\n").ok_or("no empty line")?;
        let tree = Self::open(note.as_bytes())?;
        let mut lines = head.lines().skip(1).filter(|line| !line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or("no index")?;
        let hashes: Result<Vec<_>, _> = lines.map(tlog_tiles::Hash::parse_hash).collect();
        let (index, leaf) = (index.parse().map_err(text_of)?, tlog_tiles::Hash(*leaf.as_bytes()));
        let hashes = hashes.map_err(text_of)?;
        tlog_tiles::check_record(&hashes, tree.size(), *tree.hash(), index, leaf).map_err(text_of)
    }
}

fn judges() -> Vec<Box<dyn Judge>> {
    let mut judges: Vec<Box<dyn Judge>> = vec![Box::new(Crates)];
    if let Some(go) = Go::find() {
        judges.push(Box::new(go));
    }
    judges
}

fn consistency(log: &Log, old: u64) -> Vec<TreeHash> {
    log.request_to_witness(old).unwrap().proof
}

#[test]
fn others_accept_our_log_at_every_size_and_its_growth() {
    for size in [1, 2, 255, 256, 257, 1_003, 66_000] {
        let (dir, log) = folder(size);
        let seen = log.checkpoint().to_string();
        for judge in judges() {
            judge
                .folder(dir.path(), None)
                .unwrap_or_else(|e| panic!("{} {size}: {e}", judge.name()));
        }
        drop(log);
        let disk = std::sync::Arc::new(Folder::exclusive(dir.path()).unwrap());
        let log = grown(disk, size + 300);
        let proof = consistency(&log, size);
        for judge in judges() {
            judge
                .folder(dir.path(), Some((&seen, &proof)))
                .unwrap_or_else(|e| panic!("{} {size}: {e}", judge.name()));
        }
    }
}

#[test]
fn others_accept_our_proofs_and_no_changed_ones() {
    let (_dir, log) = folder(1_003);
    for index in [0, 1, 255, 256, 511, 768, 1_001, 1_002] {
        let leaf = log.leaf(index).unwrap().hash();
        let text = log.prove(index).unwrap().to_string();
        for judge in judges() {
            judge.proof(&text, leaf).unwrap_or_else(|e| panic!("{} {index}: {e}", judge.name()));
            let other = log.leaf((index + 1) % 1_003).unwrap().hash();
            assert!(judge.proof(&text, other).is_err(), "{} {index}", judge.name());
            let moved =
                text.replace(&format!("index {index}\n"), &format!("index {}\n", index ^ 1));
            assert!(judge.proof(&moved, leaf).is_err(), "{} {index}", judge.name());
            let resized = text.replace("\n1003\n", "\n1004\n");
            assert!(judge.proof(&resized, leaf).is_err(), "{} {index}", judge.name());
        }
    }
}

#[test]
fn others_refuse_a_forked_truncated_edited_or_re_signed_log() {
    let (dir, log) = folder(600);
    let seen = log.checkpoint().to_string();
    drop(log);
    for judge in judges() {
        let name = judge.name();
        // Forked: another leaf 599, signed by the log itself, then grown; its own best proof.
        let (forked, log) = folder(599);
        log.append_all(drafts(9_000, 9_200)).unwrap();
        log.publish().unwrap();
        let refused = judge.folder(forked.path(), Some((&seen, &consistency(&log, 600))));
        assert!(refused.is_err(), "{name}: forked");
        assert!(judge.folder(forked.path(), None).is_ok(), "{name}: a fork alone looks sound");
        // Truncated: signed by the log itself.
        let (cut, _log) = folder(500);
        assert!(judge.folder(cut.path(), Some((&seen, &[]))).is_err(), "{name}: truncated");
        // Truncated: files alone.
        fs::rename(dir.path().join("tile/0/001"), dir.path().join("away")).unwrap();
        // Go's reader fails before it judges where a tile is missing; that is a refusal, too.
        assert!(judge.folder(dir.path(), None).is_err(), "{name}: a tile is missing");
        fs::rename(dir.path().join("away"), dir.path().join("tile/0/001")).unwrap();
        // Edited.
        for file in ["tile/entries/001", "tile/0/000", "tile/1/000.p/2", "tile/0/002.p/88"] {
            let path = dir.path().join(file);
            let bytes = fs::read(&path).unwrap();
            let mut edited = bytes.clone();
            edited[40] ^= 1;
            fs::write(&path, edited).unwrap();
            assert!(judge.folder(dir.path(), None).is_err(), "{name}: {file} was edited");
            fs::write(&path, bytes).unwrap();
        }
        assert!(judge.folder(dir.path(), None).is_ok(), "{name}: all is as it was");
        // Signed again, by another key of the same name.
        let thief = SecretKey::generate(ORIGIN, KeyKind::Note, &SeededRandom::new(99)).unwrap();
        let config = handfast_tlog::LogConfig {
            key: thief,
            cosigners: vec![],
            at_open: handfast_tlog::AtOpen::CheckEdge,
        };
        let stolen = tempfile::tempdir().unwrap();
        let disk = std::sync::Arc::new(Folder::exclusive(stolen.path()).unwrap());
        let log = Log::open(disk, config, crate::common::clock()).unwrap();
        log.append(draft(1)).unwrap();
        log.publish().unwrap();
        assert!(judge.folder(stolen.path(), None).is_err(), "{name}: signed again");
    }
}

#[test]
fn keys_and_notes_go_both_ways() {
    let ours = log_key();
    let secret = ours.to_secret_text();
    let signer = signed_note::StandardSigner::new(secret.expose()).unwrap();
    let (_dir, log) = folder(3);
    let text = log.checkpoint().note().text().to_owned();
    let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let theirs = SignedCheckpoint::parse(&note.to_bytes()).unwrap();
    assert_eq!(theirs.check_log(ours.public()), Ok(()));
    // Ed25519 signatures are deterministic: two implementations sign the same bytes.
    assert_eq!(theirs.to_string(), log.checkpoint().to_string());
    // A promise is an ordinary note for them, and no checkpoint.
    let promise = log.append(draft(5)).unwrap().to_string();
    assert!(Crates::open(promise.as_bytes()).is_err());
    let note = Note::parse(promise.as_bytes()).unwrap();
    let key = VerifierKey::parse(&ours.public().to_string()).unwrap();
    assert_eq!(note.check_signed_by(&key), Ok(()));
}
