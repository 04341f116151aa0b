//! A disk in memory that can crash at any operation: what was not synced is then lost, kept or
//! half kept, as a seed decides; so are names in folders that were not synced.
//!
//! Not simulated: a disk that loses what it has synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use handfast_model::{Random, SeededRandom};
use handfast_tlog::{Disk, TileSource};

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Everything stops at this operation, which may be half done.
    Crash,
    /// This operation fails, half done, with this error; later ones work.
    Error(io::ErrorKind),
}

#[derive(Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    dirs: Vec<String>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
}

pub struct SimDisk {
    state: Mutex<State>,
    random: SeededRandom,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::default(), random: SeededRandom::new(seed) }
    }

    /// Plans a fault at the `at`-th operation from the beginning.
    pub fn plan(&self, at: u64, fault: Fault) {
        self.state.lock().unwrap().fault = Some((at, fault));
    }

    pub fn operations(&self) -> u64 {
        self.state.lock().unwrap().operations
    }

    pub fn has_crashed(&self) -> bool {
        self.state.lock().unwrap().crashed
    }

    fn below(&self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        (u64::from_be_bytes(bytes) % limit as u64) as usize
    }

    /// What the next start finds.
    pub fn restart(&self) {
        let mut state = self.state.lock().unwrap();
        let all: Vec<String> =
            state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        let mut names = BTreeMap::new();
        for name in all {
            let (now, durable) = (state.names.get(&name), state.durable_names.get(&name));
            if let Some(&inode) = if self.below(2) == 0 { now } else { durable } {
                names.insert(name, inode);
            }
        }
        for inode in &mut state.inodes {
            inode.now = self.survivor(inode);
            inode.durable = inode.now.clone();
        }
        state.durable_names.clone_from(&names);
        state.names = names;
        state.fault = None;
        state.crashed = false;
    }

    /// What is left of contents that were not synced: the old, the new, or the new with a part that
    /// never arrived.
    fn survivor(&self, inode: &Inode) -> Vec<u8> {
        if inode.now == inode.durable {
            return inode.now.clone();
        }
        let same = inode.now.iter().zip(&inode.durable).take_while(|(a, b)| a == b).count();
        match self.below(4) {
            0 => inode.durable.clone(),
            1 => inode.now.clone(),
            2 => inode.now[..same + self.below(inode.now.len() - same + 1)].to_vec(),
            _ => {
                let from = same + self.below(inode.now.len() - same + 1);
                let mut bytes = inode.now.clone();
                bytes[from..].fill(0);
                bytes
            }
        }
    }

    /// Runs one operation, or its fault; `half` does a part of it.
    fn operate<T>(
        &self,
        whole: impl FnOnce(&mut State) -> T,
        half: impl FnOnce(&mut State),
    ) -> io::Result<T> {
        let mut state = self.state.lock().unwrap();
        if state.crashed {
            return Err(io::Error::other("the machine is off"));
        }
        let at = state.operations;
        state.operations += 1;
        match state.fault {
            Some((planned, fault)) if planned == at => {
                if self.below(2) == 0 {
                    half(&mut state);
                }
                match fault {
                    Fault::Crash => {
                        state.crashed = true;
                        Err(io::Error::other("the machine went off"))
                    }
                    Fault::Error(kind) => Err(kind.into()),
                }
            }
            _ => Ok(whole(&mut state)),
        }
    }
}

impl State {
    fn inode(&mut self, path: &str) -> &mut Inode {
        let next = self.inodes.len();
        let at = *self.names.entry(path.to_owned()).or_insert(next);
        if at == next {
            self.inodes.push(Inode::default());
        }
        &mut self.inodes[at]
    }

    fn write(&mut self, path: &str, offset: usize, bytes: &[u8]) {
        let contents = &mut self.inode(path).now;
        contents.resize(contents.len().max(offset + bytes.len()), 0);
        contents[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn sync_names(&mut self, dir: &str) {
        self.durable_names.retain(|name, _| parent(name) != dir);
        let in_dir = self.names.iter().filter(|(name, _)| parent(name) == dir);
        self.durable_names.extend(in_dir.map(|(name, &inode)| (name.clone(), inode)));
    }
}

impl TileSource for SimDisk {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let state = self.state.lock().unwrap();
        Ok(state.names.get(path).map(|&inode| state.inodes[inode].now.clone()))
    }
}

impl Disk for SimDisk {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state.lock().unwrap();
        let start = format!("{dir}/");
        let names = state.names.keys().filter_map(|name| name.strip_prefix(&start));
        let mut names: Vec<String> =
            names.map(|name| name.split('/').next().unwrap_or(name).to_owned()).collect();
        names.dedup();
        Ok(names)
    }

    fn write_at(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (offset, part) = (offset as usize, self.below(bytes.len() + 1));
        self.operate(
            |state| state.write(path, offset, bytes),
            |state| state.write(path, offset, &bytes[..part]),
        )
    }

    fn set_len(&self, path: &str, len: u64) -> io::Result<()> {
        let whole = |state: &mut State| state.inode(path).now.resize(len as usize, 0);
        self.operate(whole, |_| ())
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        let whole = |state: &mut State| {
            let inode = state.inode(path);
            inode.durable.clone_from(&inode.now);
        };
        self.operate(whole, whole)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let whole = |state: &mut State| {
            let inode = state.names.remove(from).expect("what is renamed was written");
            state.names.insert(to.to_owned(), inode);
        };
        self.operate(whole, whole)
    }

    fn make_dir(&self, dir: &str) -> io::Result<bool> {
        let whole = |state: &mut State| {
            let is_new = !state.dirs.iter().any(|known| known == dir);
            state.dirs.push(dir.to_owned());
            is_new
        };
        self.operate(whole, |_| ())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.operate(|state| state.sync_names(dir), |state| state.sync_names(dir))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let whole = |state: &mut State| {
            let start = format!("{path}/");
            state.names.retain(|name, _| name != path && !name.starts_with(&start));
        };
        self.operate(whole, whole)
    }
}
