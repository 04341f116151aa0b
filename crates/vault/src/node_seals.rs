//! A node's signing, opening and sealing, with the keys in its folder.
//!
//! `daily.keys` holds the private halves of the keys of the day. It is replaced whole when a key is
//! made or destroyed, and what it held before is overwritten first; it belongs in no backup.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use handfast_model::{Random, Timestamp};
use handfast_mpc::{Role, ShareSet};
use zeroize::Zeroizing;

use crate::daily_keys::DailyKeys;
use crate::deployment::{Deployment, Member};
use crate::identity::NodeSecrets;
use crate::node::{NodeKeys, Reason, Refusal, Seals};
use crate::share_sealing::{Binding, RecipientKey, SealError, SealedShares, seal_result};
use crate::{VaultError, private_file};

/// The keys' file in a node's folder.
const DAILY_KEYS_FILE: &str = "daily.keys";
/// Longest file: eight keys.
const FILE_BYTES_MAX: u64 = 4096;

/// [`Seals`] with the keys of a node's folder.
pub struct FolderSeals {
    secrets: Arc<NodeSecrets>,
    keys: DailyKeys,
    file: PathBuf,
    random: Arc<dyn Random>,
}

impl FolderSeals {
    /// Reads the keys of the day; a node that never ran, or was rebuilt, has none yet.
    ///
    /// # Errors
    /// When the file is damaged or others may read it.
    pub fn open(
        dir: &Path,
        secrets: Arc<NodeSecrets>,
        random: Arc<dyn Random>,
    ) -> Result<Self, VaultError> {
        let file = dir.join(DAILY_KEYS_FILE);
        let keys = match private_file::open(&file)? {
            None => DailyKeys::default(),
            Some(open) => {
                let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
                open.take(FILE_BYTES_MAX)
                    .read_to_end(&mut bytes)
                    .map_err(|source| VaultError::file("read", &file, source))?;
                DailyKeys::from_bytes(&bytes).ok_or_else(|| {
                    VaultError::key_file(
                        &file,
                        "it is no file of daily keys of version 1 (removing it is safe: what was \
                         sealed in the last two days and not taken yet is captured again)",
                    )
                })?
            }
        };
        Ok(Self { secrets, keys, file, random })
    }

    /// Makes and destroys keys as the time demands, on disk first.
    fn renew(&mut self, now: Timestamp) {
        if !self.keys.renew(now, &*self.random) {
            return;
        }
        if let Err(error) = self.keep() {
            // The new key works as long as this process does; the old file is tried again with the
            // next key.
            tracing::error!(%error, "a key of the day could not be written");
        }
    }

    fn keep(&self) -> Result<(), VaultError> {
        overwrite(&self.file)
            .map_err(|source| VaultError::file("overwrite", &self.file, source))?;
        private_file::create(&self.file, &self.keys.to_bytes())
    }
}

/// Overwrites a file where it lies, so that its blocks do not keep what it held.
fn overwrite(file: &Path) -> std::io::Result<()> {
    let mut open = match OpenOptions::new().write(true).open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let length = open.metadata()?.len().min(FILE_BYTES_MAX);
    open.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
    open.sync_all()
}

impl Seals for FolderSeals {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secrets.sign(message)
    }

    fn share_keys(&mut self, now: Timestamp) -> Vec<u8> {
        self.renew(now);
        self.keys.notice(&self.secrets).map_or_else(Vec::new, |notice| notice.to_bytes().to_vec())
    }

    fn open(
        &mut self,
        device: &[u8; 32],
        binding: &Binding,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<ShareSet, Refusal> {
        let device = VerifyingKey::from_bytes(device).map_err(|_| Reason::DeviceUnknown)?;
        let sealed = SealedShares::from_bytes(sealed.to_vec());
        let opened = sealed.open(self.secrets.role(), &self.keys, binding, &device, now);
        opened.map_err(|error| match error {
            SealError::Shares(_) => Reason::Shares.into(),
            _ => Reason::Seal.into(),
        })
    }

    fn seal_part(&mut self, recipient: &[u8; 32], binding: &[u8], part: &[u8; 16]) -> Vec<u8> {
        // A recipient that is no key was refused when its gallery was opened; what is sealed to
        // nobody opens for nobody.
        seal_result(part, RecipientKey(*recipient), binding, &*self.random).unwrap_or_default()
    }

    fn seal_audit(
        &mut self,
        recipient: &[u8; 32],
        context: &[u8; 32],
        components: &[u8],
    ) -> Option<Vec<u8>> {
        crate::audit::seal_components(components, recipient, context, &*self.random)
    }
}

/// What a node's state machine is given of its secrets.
#[must_use]
pub fn node_keys(secrets: &NodeSecrets, deployment: &Deployment) -> NodeKeys {
    let role = secrets.role();
    NodeKeys {
        role,
        deployment: deployment.id(),
        verifying: Role::ALL.map(|role| *deployment.verifying_key(Member::Node(role))),
        masters: secrets.pair_masters(),
        with_next: secrets.pair_key(role.next(), b"node"),
        with_previous: secrets.pair_key(role.previous(), b"node"),
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::{Clock as _, Duration, SystemRandom};

    use super::*;
    use crate::daily_keys::SignedDailyKey;
    use crate::deployment_testing;

    #[test]
    fn keys_of_the_day_outlive_the_process_and_no_more_than_two_days() {
        let dir = tempfile::tempdir().unwrap();
        crate::setup::testing::init(dir.path());
        let folder = dir.path().join("b");
        let clock = deployment_testing::clock();
        let open = || {
            let (secrets, deployment) = NodeSecrets::load(&folder).unwrap();
            let random = Arc::new(SystemRandom);
            (FolderSeals::open(&folder, Arc::new(secrets), random).unwrap(), deployment)
        };
        let key = |seals: &mut FolderSeals, deployment: &Deployment| {
            let notice: [u8; SignedDailyKey::LEN] =
                seals.share_keys(clock.now()).try_into().unwrap();
            SignedDailyKey::from_bytes(&notice).verify(deployment, Role::B).unwrap().clone()
        };
        let (mut seals, deployment) = open();
        let first = key(&mut seals, &deployment);
        let kept = std::fs::read(folder.join(DAILY_KEYS_FILE)).unwrap();
        drop(seals);
        let (mut seals, _) = open();
        assert_eq!(key(&mut seals, &deployment), first);
        clock.advance(Duration::from_hours(49));
        assert_ne!(key(&mut seals, &deployment), first);
        let now = std::fs::read(folder.join(DAILY_KEYS_FILE)).unwrap();
        let secret = &kept[kept.len() - 32..];
        assert!(!now.windows(32).any(|window| window == secret), "the old key is gone");
        std::fs::write(folder.join(DAILY_KEYS_FILE), b"junk").unwrap();
        let (secrets, _) = NodeSecrets::load(&folder).unwrap();
        let opened = FolderSeals::open(&folder, Arc::new(secrets), Arc::new(SystemRandom));
        let Err(error) = opened else { panic!("junk was taken for keys") };
        assert!(error.to_string().contains("captured again"), "{error}");
    }
}
