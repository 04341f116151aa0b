//! Devices that capture palms: each has a name, a key and a budget of its own at the nodes.
//!
//! A device is made known to the nodes when it captures for the first time, or by
//! `handfast vault device add`. Its key follows from the front's secrets, its name and a generation;
//! `devices.json` beside them says which generation is in use and which devices are revoked. Every
//! capture looks whether the file is another one than was read last, so that a revocation counts at
//! once in a front that is at work; whoever changes it holds `devices.lock` meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use handfast_model::DeviceId;
use serde::{Deserialize, Serialize};

use super::dealing::Device;
use super::{Inner, NodeClient, SplitVault};
use crate::identity::FrontSecrets;
use crate::node::{Change, DeviceName, Hash, OperationName, Reason};
use crate::share_sealing::DeviceKey;
use crate::{VaultError, private_file};

/// The devices' file in the front's folder.
const FILE: &str = "devices.json";
/// Held by whoever changes it.
const LOCK: &str = "devices.lock";
const FILE_VERSION: u32 = 1;
/// Longest file: some ten thousand devices.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The label of the device that a front captures with when no pedestal is named.
const DEVICE_NAME: &[u8] = b"handfast device";

/// Which pedestal captures, and under which consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// The pedestal; the front's own device where none is named.
    pub device: Option<DeviceId>,
    /// The first half of the hash of the consent; zeros where the gallery's arming holds it.
    pub consent: [u8; 16],
}

#[derive(Default, Serialize, Deserialize)]
struct DeviceFile {
    version: u32,
    devices: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Entry {
    generation: u32,
    revoked: bool,
}

/// Tells two versions of a file apart: each change makes a new file and renames it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    file: u64,
    length: u64,
    modified: (i64, i64),
}

impl Version {
    /// Of the file at a path; `None` where there is none.
    fn of(path: &Path) -> Result<Option<Self>, VaultError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self {
                file: found.ino(),
                length: found.len(),
                modified: (found.mtime(), found.mtime_nsec()),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(VaultError::file("inspect", path, source)),
        }
    }
}

/// The list as it was read last.
#[derive(Default)]
struct Read {
    version: Option<Version>,
    devices: BTreeMap<String, Entry>,
}

/// Keys of devices, and which of them the nodes know.
pub(super) struct Devices {
    file: PathBuf,
    lock: PathBuf,
    read: Mutex<Read>,
    secrets: FrontSecrets,
    own: Arc<Device>,
    provisioned: Mutex<HashSet<OperationName>>,
}

impl Device {
    /// What makes the nodes know it; the same name every time, so that it is done once.
    fn provisioning(&self) -> (OperationName, Change) {
        let key = self.key.verifying_key().to_bytes();
        let hash = Hash::of(b"handfast vault provisioning 1", &[&self.name.0[..], &key].concat());
        let name = OperationName(std::array::from_fn(|at| hash.0[at]));
        (name, Change::ProvisionDevice { device: self.name, key })
    }
}

impl Devices {
    pub(super) fn new(dir: &Path, secrets: FrontSecrets) -> Self {
        let key = DeviceKey::from_seed(&secrets.derived(DEVICE_NAME));
        let name = std::array::from_fn(|at| key.verifying_key().as_bytes()[at]);
        let own = Arc::new(Device { name: DeviceName(name), key });
        let (file, lock) = (dir.join(FILE), dir.join(LOCK));
        let (read, provisioned) = (Mutex::default(), Mutex::default());
        Self { file, lock, read, secrets, own, provisioned }
    }

    /// The front's own.
    pub(super) const fn own(&self) -> &Arc<Device> {
        &self.own
    }

    fn of(&self, id: DeviceId) -> Result<Device, VaultError> {
        let name = DeviceName::from(id);
        match self.entry(name)? {
            Entry { revoked: true, .. } => Err(VaultError::DeviceRevoked { device: id }),
            Entry { generation, .. } => Ok(self.device(name, generation)),
        }
    }

    /// A device's entry in the list as it is now: read again only where it is another file.
    fn entry(&self, name: DeviceName) -> Result<Entry, VaultError> {
        // Before the file is read: one that changes meanwhile is read again next time.
        let version = Version::of(&self.file)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.version != version {
            *read = Read { version, devices: self.read_file()?.devices };
        }
        Ok(read.devices.get(&hex(name)).copied().unwrap_or_default())
    }

    fn device(&self, name: DeviceName, generation: u32) -> Device {
        let label = [DEVICE_NAME, &name.0, &generation.to_le_bytes()].concat();
        Device { name, key: DeviceKey::from_seed(&self.secrets.derived(&label)) }
    }

    fn read_file(&self) -> Result<DeviceFile, VaultError> {
        let Some(open) = private_file::open(&self.file)? else { return Ok(DeviceFile::default()) };
        let mut bytes = Vec::new();
        open.take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(|source| VaultError::file("read", &self.file, source))?;
        let file: Option<DeviceFile> = serde_json::from_slice(&bytes).ok();
        file.filter(|file| file.version == FILE_VERSION).ok_or_else(|| {
            VaultError::key_file(&self.file, "it is no list of devices of version 1")
        })
    }

    /// Waits until nobody else changes the list.
    fn lock(&self) -> Result<File, VaultError> {
        let file = private_file::open_or_make(&self.lock)?;
        file.lock().map_err(|source| VaultError::file("lock", &self.lock, source))?;
        Ok(file)
    }

    /// Changes a device's entry and writes the file whole.
    fn change(
        &self,
        id: DeviceId,
        change: impl FnOnce(&mut Entry) -> Result<(), VaultError>,
    ) -> Result<Device, VaultError> {
        let name = DeviceName::from(id);
        let _alone = self.lock()?;
        let mut file = self.read_file()?;
        file.version = FILE_VERSION;
        let entry = file.devices.entry(hex(name)).or_default();
        change(entry)?;
        let device = self.device(name, entry.generation);
        let bytes = serde_json::to_vec_pretty(&file).map_err(|source| {
            VaultError::file("write", &self.file, std::io::Error::other(source))
        })?;
        private_file::create(&self.file, &bytes)?;
        Ok(device)
    }
}

fn hex(name: DeviceName) -> String {
    name.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl SplitVault {
    /// As [`Vault::captured`](crate::Vault::captured).
    pub(crate) fn captured(&self, capture: Capture) -> Self {
        Self(self.0.clone(), capture)
    }
}

impl Inner {
    /// The device of a capture, known to the nodes.
    pub(super) async fn device(&self, capture: Capture) -> Result<Arc<Device>, VaultError> {
        let Some(id) = capture.device else { return Ok(self.devices.own().clone()) };
        let device = self.devices.of(id)?;
        let (name, change) = device.provisioning();
        let known = |set: &Mutex<HashSet<OperationName>>| {
            set.lock().unwrap_or_else(PoisonError::into_inner).contains(&name)
        };
        if !known(&self.devices.provisioned) {
            self.nodes.operate(name, &change, None).await?;
            let mut set = self.devices.provisioned.lock().unwrap_or_else(PoisonError::into_inner);
            set.insert(name);
        }
        Ok(Arc::new(device))
    }
}

impl NodeClient {
    /// Lets a device capture, before it does so for the first time.
    ///
    /// # Errors
    /// [`VaultError::DeviceRevoked`] for one that was revoked; when a node is away, or refuses.
    pub async fn add_device(&self, id: DeviceId) -> Result<(), VaultError> {
        let device = self.devices.change(id, |entry| match entry.revoked {
            true => Err(VaultError::DeviceRevoked { device: id }),
            false => Ok(()),
        })?;
        self.provision(&device).await
    }

    /// Gives a device another key, also one that was revoked: what it sealed with the one before is
    /// refused from now on.
    ///
    /// # Errors
    /// When a node is away, or refuses.
    pub async fn rotate_device(&self, id: DeviceId) -> Result<(), VaultError> {
        let device = self.devices.change(id, |entry| {
            *entry = Entry { generation: entry.generation + 1, revoked: false };
            Ok(())
        })?;
        self.provision(&device).await
    }

    /// Takes a device out of use: nothing that it captures is searched any more.
    ///
    /// # Errors
    /// When a node is away, or refuses; the front takes nothing of the device even then.
    pub async fn revoke_device(&self, id: DeviceId) -> Result<(), VaultError> {
        let device = self.devices.change(id, |entry| {
            entry.revoked = true;
            Ok(())
        })?;
        let name = OperationName::draw(&*self.random);
        match self.nodes.operate(name, &Change::RevokeDevice(device.name), None).await {
            // It never captured.
            Err(VaultError::Refused { refusal, .. } | VaultError::GivenUp { refusal })
                if refusal.reason == Reason::DeviceUnknown =>
            {
                Ok(())
            }
            done => done.map(drop),
        }
    }

    async fn provision(&self, device: &Device) -> Result<(), VaultError> {
        let (name, change) = device.provisioning();
        self.nodes.operate(name, &change, None).await.map(drop)
    }
}
