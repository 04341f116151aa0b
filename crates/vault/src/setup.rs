//! Making a deployment: keys and pinned certificates for three nodes and a front.
//!
//! One call makes all four folders, which is right for one machine and for trying it out. Where
//! three organisations run the nodes, each folder goes to its own and the original is destroyed:
//! whoever keeps two of them holds two nodes.

use std::path::{Path, PathBuf};

use handfast_model::{Clock, Duration, Random};
use handfast_mpc::Role;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use thiserror::Error;
use time::OffsetDateTime;

use crate::deployment::{
    DEPLOYMENT_FILE, Deployment, DeploymentError, DeploymentId, Member, MemberKeys,
    agreement_message,
};
use crate::identity::NewSecrets;
use crate::{VaultError, private_file};

/// Certificates hold for two years: longer than any season, short enough that somebody still knows
/// how to make new ones.
pub const CERTIFICATES_HOLD_FOR: Duration = Duration::from_days(730);
/// Clocks may be so far behind the one that made the certificates.
const CLOCKS_DIFFER_BY: Duration = Duration::from_hours(2);
/// The TLS key's file in a member's folder.
pub(crate) const TLS_KEY_FILE: &str = "tls.key";
/// The TLS certificate's file, for other programs; ours read the deployment's.
const CERTIFICATE_FILE: &str = "tls.crt";

/// Why no deployment was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// There is one already.
    #[error("{path} exists already: name an empty folder; keys that are in use are never replaced")]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] VaultError),
    /// The made deployment is none.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// No certificate could be made.
    #[error("no certificate could be made for {member}")]
    Certificate {
        /// For whom.
        member: Member,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
}

/// A TLS key and the certificate that it signed for itself.
pub(crate) struct TlsIdentity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: KeyPair,
}

/// The name in a member's certificate; addresses may change, it does not.
#[must_use]
pub(crate) fn server_name(deployment: DeploymentId, member: Member) -> String {
    format!("{}.{deployment}.handfast.invalid", member.word())
}

/// Makes a self-signed certificate for a member.
pub(crate) fn certify(
    deployment: DeploymentId,
    member: Member,
    clock: &dyn Clock,
    hold_for: Duration,
) -> Result<TlsIdentity, SetupError> {
    let failed = |source| SetupError::Certificate { member, source };
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
    let mut params =
        CertificateParams::new(vec![server_name(deployment, member)]).map_err(failed)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("Handfast vault, {member}"));
    params.distinguished_name = name;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let at = |moment: handfast_model::Timestamp| {
        OffsetDateTime::from_unix_timestamp(moment.as_micros().div_euclid(1_000_000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    let now = clock.now();
    params.not_before = at(now - CLOCKS_DIFFER_BY);
    params.not_after = at(now + hold_for);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(TlsIdentity { certificate: certificate.der().to_vec(), key })
}

/// Makes a deployment in `dir`: folders `a`, `b`, `c` and `front`, each with its own keys and the
/// public file, and that file once more beside them. The nodes listen at `addresses`.
///
/// TLS keys are drawn by the library that makes the certificates, from the operating system.
///
/// # Errors
/// When there is a deployment already, or a file cannot be written.
pub fn init(
    dir: &Path,
    addresses: [String; 3],
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Deployment, SetupError> {
    let folders = Member::ALL.map(|member| dir.join(member.word()));
    for path in folders.iter().chain([&dir.join(DEPLOYMENT_FILE)]) {
        if path.exists() {
            return Err(SetupError::Exists { path: path.clone() });
        }
    }
    let mut id = [0; 16];
    random.fill(&mut id);
    let id = DeploymentId::from_bytes(id);
    let mut members = Vec::with_capacity(folders.len());
    let [a, b, c] = addresses;
    let addresses = [Some(a), Some(b), Some(c), None];
    for ((name, folder), address) in Member::ALL.into_iter().zip(&folders).zip(addresses) {
        private_file::make_dir(folder)?;
        let tls = certify(id, name, clock, CERTIFICATES_HOLD_FOR)?;
        let secrets = NewSecrets::generate(name, id, random);
        members.push(public_part(&secrets, name, id, address, tls.certificate.clone()));
        secrets.write(folder)?;
        let key = zeroize::Zeroizing::new(tls.key.serialize_der());
        private_file::create(&folder.join(TLS_KEY_FILE), &key)?;
        let pem = pem_of(&tls.certificate);
        private_file::create(&folder.join(CERTIFICATE_FILE), pem.as_bytes())?;
    }
    let members = members.try_into().expect("four were made");
    let deployment = Deployment::new(id, members)?;
    for folder in folders.iter().map(PathBuf::as_path).chain([dir]) {
        write_deployment(folder, &deployment)?;
    }
    Ok(deployment)
}

/// Puts the deployment's public file into a folder, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_deployment(dir: &Path, deployment: &Deployment) -> Result<(), VaultError> {
    private_file::create(&dir.join(DEPLOYMENT_FILE), deployment.to_json().as_bytes())
}

/// Writes other addresses of the nodes into every folder of a deployment: where they listen is not
/// part of anybody's identity.
///
/// # Errors
/// When a folder has no deployment, when its front is at work, or when it cannot be written.
pub fn move_nodes(dir: &Path, addresses: [String; 3]) -> Result<Deployment, SetupError> {
    let _not_at_work = private_file::lock_dir(&dir.join(Member::Front.word()))?;
    let deployment = Deployment::load(dir)?.with_addresses(addresses);
    for member in Member::ALL {
        write_deployment(&dir.join(member.word()), &deployment)?;
    }
    write_deployment(dir, &deployment)?;
    Ok(deployment)
}

pub(crate) fn public_part(
    secrets: &NewSecrets,
    name: Member,
    id: DeploymentId,
    address: Option<String>,
    certificate: Vec<u8>,
) -> MemberKeys {
    let agreement_key = secrets.agreement_key();
    MemberKeys {
        address,
        certificate,
        verifying_key: secrets.verifying_key(),
        agreement_key,
        agreement_signature: secrets.sign(&agreement_message(id, name, &agreement_key)),
    }
}

fn pem_of(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// The addresses that nodes on one machine listen at unless others are named.
#[must_use]
pub fn local_addresses(first_port: u16) -> [String; 3] {
    Role::ALL.map(|role| format!("127.0.0.1:{}", first_port.saturating_add(role.index() as u16)))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A deployment in a folder, as at the time when the tests were written.
    pub(crate) fn init(dir: &Path) -> Deployment {
        super::init(
            dir,
            local_addresses(7411),
            &crate::deployment_testing::clock(),
            &handfast_model::SystemRandom,
        )
        .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn every_party_gets_its_own_keys_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let deployment = testing::init(dir.path());
        let mut keys = Vec::new();
        for member in Member::ALL {
            let folder = dir.path().join(member.word());
            assert_eq!(Deployment::load(&folder).unwrap(), deployment);
            for file in ["identity.key", TLS_KEY_FILE] {
                let path = folder.join(file);
                let mode = std::fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{file}");
                keys.push(std::fs::read(&path).unwrap());
            }
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 8);
        let public = std::fs::read(dir.path().join(DEPLOYMENT_FILE)).unwrap();
        for key in keys {
            let end = &key[key.len() - 32..];
            assert!(!public.windows(32).any(|window| window == end));
        }
    }

    #[test]
    fn keys_in_use_are_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        testing::init(dir.path());
        let clock = crate::deployment_testing::clock();
        let random = handfast_model::SystemRandom;
        let again = super::init(dir.path(), local_addresses(1), &clock, &random);
        let error = again.unwrap_err();
        assert!(error.to_string().contains("empty folder"), "{error}");
    }

    #[test]
    fn nodes_move_without_new_keys() {
        let dir = tempfile::tempdir().unwrap();
        let before = testing::init(dir.path());
        let moved = move_nodes(dir.path(), local_addresses(9000)).unwrap();
        assert_eq!(moved, before.with_addresses(local_addresses(9000)));
        let read = Deployment::load(&dir.path().join("front")).unwrap();
        assert_eq!(read.node(Role::C).address.as_deref(), Some("127.0.0.1:9002"));
    }
}
