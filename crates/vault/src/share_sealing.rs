//! Sealing shares to nodes, and results to relying parties: HPKE (RFC 9180) in base mode with
//! X25519, HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! A device seals one set of shares to each node's key of the day and signs what it sealed. What
//! the shares are for is associated data, and so is the device: shares that were made for one query
//! of one gallery with one challenge open for nothing else.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use handfast_model::Random;
use handfast_mpc::{DealingError, Role, ShareSet};
use hpke::rand_core::{Infallible, TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::daily_keys::{DailyKeyId, DailyKeys, DailyPublicKey};
use crate::deployment::DeploymentId;

pub(crate) type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::ChaCha20Poly1305;

/// Version of sealed shares and of what they are bound to.
pub const SEALING_VERSION: u8 = 1;
const SHARES_INFO: &[u8] = b"handfast vault 1 shares";
const RESULT_INFO: &[u8] = b"handfast vault 1 result part";
const SIGNED_LABEL: &[u8] = b"handfast vault 1 sealed shares";
/// Version, key, encapsulated key.
const HEADER: usize = 1 + 4 + ENCAPSULATED;
const ENCAPSULATED: usize = 32;
const TAG: usize = 16;
const SIGNATURE: usize = 64;

/// Bytes that sealing adds to a result part.
pub const RESULT_OVERHEAD: usize = ENCAPSULATED + TAG;

/// Why sealed bytes were not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// Too short, or of another version.
    #[error("these bytes are no sealed shares of version {SEALING_VERSION}; update the device")]
    Malformed,
    /// No signature of the device over these bytes for this use.
    #[error(
        "the shares are not signed by this device for this use; provision the device, and seal \
         them anew"
    )]
    NotSigned,
    /// Sealed to a key that is gone.
    #[error("the shares are sealed to a key that was destroyed; fetch today's key, seal them anew")]
    KeyGone,
    /// They do not open: for another use, or damaged.
    #[error("the shares do not open for this use; seal them anew")]
    NotOpen,
    /// What was sealed is no set of shares for this node.
    #[error("what was sealed is no set of shares for this node")]
    Shares(#[from] DealingError),
}

/// What shares are made for; all of it is authenticated, none of it secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The node's single-use challenge.
    pub challenge: [u8; 16],
    /// The purpose's code: what the gallery is searched for, or that a reference is stored.
    pub purpose: u8,
    /// The gallery.
    pub gallery: [u8; 16],
    /// The relying party's nonce of this transaction; zeros where there is none.
    pub nonce: [u8; 16],
    /// Hash of the amount that the person saw; zeros where no money moves.
    pub amount_hash: [u8; 32],
    /// Reference of the consent; zeros where the gallery's arming holds it.
    pub consent: [u8; 16],
    /// Version of the template's model.
    pub model_version: u16,
    /// The query or the enrolment.
    pub query: [u8; 16],
    /// The operation up to which the gallery is searched.
    pub operation: u64,
    /// The device that captured.
    pub device: [u8; 16],
}

impl Binding {
    /// Bytes of a binding: version, then the fields in their order, numbers little-endian.
    pub const LEN: usize = 1 + 16 + 16 + 1 + 16 + 16 + 32 + 16 + 2 + 16 + 8 + 16;

    /// What is authenticated.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.push(SEALING_VERSION);
        bytes.extend_from_slice(&self.deployment.to_bytes());
        bytes.extend_from_slice(&self.challenge);
        bytes.push(self.purpose);
        bytes.extend_from_slice(&self.gallery);
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.amount_hash);
        bytes.extend_from_slice(&self.consent);
        bytes.extend_from_slice(&self.model_version.to_le_bytes());
        bytes.extend_from_slice(&self.query);
        bytes.extend_from_slice(&self.operation.to_le_bytes());
        bytes.extend_from_slice(&self.device);
        debug_assert_eq!(bytes.len(), Self::LEN);
        bytes
    }
}

/// The signing key of a device that captures palms. Its `Debug` prints nothing of it.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey(hidden)")
    }
}

impl DeviceKey {
    /// From 32 secret bytes of the device's own.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// What the nodes know the device by.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.0.verifying_key()
    }

    /// The device's signature over a message that begins with a label of its own.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// One node's shares on their way.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedShares(Vec<u8>);

impl fmt::Debug for SealedShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedShares({} bytes)", self.0.len())
    }
}

/// Seals a node's shares to its key of the day and signs them as the device. The shares are zeroed.
///
/// # Errors
/// [`SealError::KeyGone`] where the node's key is none.
pub fn seal_shares(
    shares: ShareSet,
    binding: &Binding,
    key: &DailyPublicKey,
    device: &DeviceKey,
    random: &dyn Random,
) -> Result<SealedShares, SealError> {
    let plain = shares.to_bytes();
    drop(shares);
    let associated = binding.to_bytes();
    let (encapsulated, ciphertext) =
        seal(&key.key, SHARES_INFO, &plain, &associated, random).ok_or(SealError::KeyGone)?;
    let mut bytes = Vec::with_capacity(HEADER + ciphertext.len() + SIGNATURE);
    bytes.push(SEALING_VERSION);
    bytes.extend_from_slice(&key.id.0.to_le_bytes());
    bytes.extend_from_slice(&encapsulated);
    bytes.extend_from_slice(&ciphertext);
    let signature = device.sign(&signed_message(&associated, &bytes));
    bytes.extend_from_slice(&signature);
    Ok(SealedShares(bytes))
}

fn signed_message(associated: &[u8], sealed: &[u8]) -> Vec<u8> {
    [SIGNED_LABEL, associated, sealed].concat()
}

impl SealedShares {
    /// From what was received; anything else than sealed shares is refused when it is opened.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Version, key, encapsulated key, ciphertext, signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes that sealed shares have, where the shares have `plain`.
    #[must_use]
    pub const fn length(plain: usize) -> usize {
        HEADER + plain + TAG + SIGNATURE
    }

    /// The shares, at the node that they were sealed to.
    ///
    /// # Errors
    /// When they are malformed, not signed by the device for this use, sealed to a key that is gone,
    /// or do not open.
    pub fn open(
        &self,
        role: Role,
        keys: &DailyKeys,
        binding: &Binding,
        device: &VerifyingKey,
        now: handfast_model::Timestamp,
    ) -> Result<ShareSet, SealError> {
        let (sealed, signature) =
            self.0.split_last_chunk::<SIGNATURE>().ok_or(SealError::Malformed)?;
        let (header, ciphertext) =
            sealed.split_first_chunk::<HEADER>().ok_or(SealError::Malformed)?;
        let [version, k0, k1, k2, k3, encapsulated @ ..] = header;
        if *version != SEALING_VERSION {
            return Err(SealError::Malformed);
        }
        let associated = binding.to_bytes();
        device
            .verify_strict(&signed_message(&associated, sealed), &Signature::from_bytes(signature))
            .map_err(|_| SealError::NotSigned)?;
        let id = DailyKeyId(u32::from_le_bytes([*k0, *k1, *k2, *k3]));
        let secret = keys.secret(id, now).ok_or(SealError::KeyGone)?;
        let plain = open(secret, SHARES_INFO, encapsulated, ciphertext, &associated)
            .ok_or(SealError::NotOpen)?;
        Ok(ShareSet::from_bytes(role, &plain)?)
    }
}

/// The public key that result parts are sealed to: a relying party's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientKey(pub [u8; 32]);

/// A relying party's key, as its owner. Zeroed when dropped; `Debug` prints nothing of it.
pub struct RecipientSecret(<Kem as hpke::Kem>::PrivateKey);

impl fmt::Debug for RecipientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientSecret(hidden)")
    }
}

impl RecipientSecret {
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(<Kem as hpke::Kem>::PrivateKey::from_bytes(bytes).expect("every 32 bytes are a key"))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> RecipientKey {
        RecipientKey(Kem::sk_to_pk(&self.0).to_bytes().into())
    }

    /// What a node sealed with these associated data; `None` where it does not open.
    #[must_use]
    pub fn open(&self, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (encapsulated, ciphertext) = sealed.split_first_chunk::<ENCAPSULATED>()?;
        open(&self.0, RESULT_INFO, encapsulated, ciphertext, associated)
    }
}

/// Seals a result part to a relying party; `None` where its key is none.
#[must_use]
pub fn seal_result(
    part: &[u8],
    recipient: RecipientKey,
    associated: &[u8],
    random: &dyn Random,
) -> Option<Vec<u8>> {
    let (encapsulated, ciphertext) = seal(&recipient.0, RESULT_INFO, part, associated, random)?;
    Some([&encapsulated[..], &ciphertext].concat())
}

fn seal(
    key: &[u8; 32],
    info: &[u8],
    plain: &[u8],
    associated: &[u8],
    random: &dyn Random,
) -> Option<([u8; ENCAPSULATED], Vec<u8>)> {
    let key = <Kem as hpke::Kem>::PublicKey::from_bytes(key).ok()?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<Aead, Kdf, Kem>(
        &OpModeS::Base,
        &key,
        info,
        plain,
        associated,
        &mut Drawn(random),
    )
    .ok()?;
    Some((encapsulated.to_bytes().into(), ciphertext))
}

fn open(
    secret: &<Kem as hpke::Kem>::PrivateKey,
    info: &[u8],
    encapsulated: &[u8; ENCAPSULATED],
    ciphertext: &[u8],
    associated: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let mode = OpModeR::Base;
    hpke::single_shot_open::<Aead, Kdf, Kem>(
        &mode,
        secret,
        &encapsulated,
        info,
        ciphertext,
        associated,
    )
    .ok()
    .map(Zeroizing::new)
}

/// Our randomness as other crates want it.
pub(crate) struct Drawn<'a>(pub(crate) &'a dyn Random);

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}

#[cfg(test)]
mod tests {
    use handfast_model::{Duration, SeededRandom, Timestamp};
    use handfast_mpc::Dealt;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn binding() -> Binding {
        Binding {
            deployment: DeploymentId::from_bytes([1; 16]),
            challenge: [2; 16],
            purpose: 3,
            gallery: [4; 16],
            nonce: [5; 16],
            amount_hash: [6; 32],
            consent: [7; 16],
            model_version: 8,
            query: [9; 16],
            operation: 10,
            device: [11; 16],
        }
    }

    struct Sent {
        keys: DailyKeys,
        device: DeviceKey,
        shares: ShareSet,
        sealed: SealedShares,
    }

    fn sent() -> Sent {
        let random = SeededRandom::new(1);
        let mut keys = DailyKeys::default();
        keys.renew(NOW, &random);
        let device = DeviceKey::from_seed(&[7; 32]);
        let [_, shares, _] = Dealt::deal(&[1, -2, 3, 4], 4, &random).unwrap().sets;
        let key = keys.offered().unwrap();
        let sealed = seal_shares(shares.clone(), &binding(), &key, &device, &random).unwrap();
        Sent { keys, device, shares, sealed }
    }

    #[test]
    fn shares_open_at_their_node_for_their_use() {
        let Sent { keys, device, shares, sealed } = sent();
        let opened = sealed.open(Role::B, &keys, &binding(), &device.verifying_key(), NOW).unwrap();
        assert_eq!(*opened.to_bytes(), *shares.to_bytes());
        assert_eq!(sealed.as_bytes().len(), SealedShares::length(shares.to_bytes().len()));
        let wrong_node = sealed.open(Role::C, &keys, &binding(), &device.verifying_key(), NOW);
        assert!(matches!(wrong_node, Err(SealError::Shares(_))));
    }

    #[test]
    fn every_part_of_the_binding_is_bound() {
        let Sent { keys, device, sealed, .. } = sent();
        let others = [
            Binding { deployment: DeploymentId::from_bytes([0; 16]), ..binding() },
            Binding { challenge: [0; 16], ..binding() },
            Binding { purpose: 0, ..binding() },
            Binding { gallery: [0; 16], ..binding() },
            Binding { nonce: [0; 16], ..binding() },
            Binding { amount_hash: [0; 32], ..binding() },
            Binding { consent: [0; 16], ..binding() },
            Binding { model_version: 0, ..binding() },
            Binding { query: [0; 16], ..binding() },
            Binding { operation: 0, ..binding() },
            Binding { device: [0; 16], ..binding() },
        ];
        for other in others {
            let opened = sealed.open(Role::B, &keys, &other, &device.verifying_key(), NOW);
            assert_eq!(opened.unwrap_err(), SealError::NotSigned, "{other:?}");
        }
        assert_eq!(binding().to_bytes().len(), Binding::LEN);
    }

    #[test]
    fn changed_bytes_other_devices_and_dead_keys_are_refused() {
        let Sent { keys, device, sealed, .. } = sent();
        let verifier = device.verifying_key();
        for at in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[at] ^= 1;
            assert!(changed.open(Role::B, &keys, &binding(), &verifier, NOW).is_err(), "{at}");
            let cut = SealedShares::from_bytes(sealed.0[..at].to_vec());
            assert!(cut.open(Role::B, &keys, &binding(), &verifier, NOW).is_err(), "{at}");
        }
        let other = DeviceKey::from_seed(&[8; 32]).verifying_key();
        let opened = sealed.open(Role::B, &keys, &binding(), &other, NOW);
        assert_eq!(opened.unwrap_err(), SealError::NotSigned);
        let later = NOW + Duration::from_hours(48);
        let opened = sealed.open(Role::B, &keys, &binding(), &verifier, later);
        assert_eq!(opened.unwrap_err(), SealError::KeyGone);
    }

    #[test]
    fn results_open_for_their_recipient_with_their_data() {
        let secret = RecipientSecret::from_bytes(&[3; 32]);
        let random = SeededRandom::new(4);
        let sealed = seal_result(b"a token's part", secret.public(), b"query", &random).unwrap();
        assert_eq!(sealed.len(), 14 + RESULT_OVERHEAD);
        assert_eq!(**secret.open(&sealed, b"query").as_ref().unwrap(), *b"a token's part");
        assert!(secret.open(&sealed, b"other").is_none());
        assert!(RecipientSecret::from_bytes(&[4; 32]).open(&sealed, b"query").is_none());
        for end in 0..sealed.len() {
            assert!(secret.open(&sealed[..end], b"query").is_none());
        }
    }
}
