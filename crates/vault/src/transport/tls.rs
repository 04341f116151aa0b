//! TLS 1.3 with certificates that are pinned: who presents another one is refused, with the reason.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use handfast_model::Clock;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError,
    RootCertStore, ServerConfig, SignatureScheme,
};
use zeroize::Zeroizing;

use super::{Endpoint, TransportError};
use crate::deployment::{Deployment, Member};
use crate::setup::{TLS_KEY_FILE, server_name};
use crate::{VaultError, private_file};

/// The protocol's name within TLS.
const ALPN: &[u8] = b"handfast-vault/1";
/// Largest key file: an Ed25519 key takes 83 bytes.
const KEY_BYTES_MAX: u64 = 4096;

/// A member's TLS key. Zeroed when dropped; `Debug` prints nothing of it.
#[derive(Clone)]
pub(crate) struct TlsSecrets(Arc<Zeroizing<Vec<u8>>>);

impl fmt::Debug for TlsSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSecrets(hidden)")
    }
}

impl TlsSecrets {
    /// Reads the key in a member's folder.
    pub(crate) fn load(dir: &Path) -> Result<Self, VaultError> {
        let path = dir.join(TLS_KEY_FILE);
        let Some(file) = private_file::open(&path)? else {
            return Err(VaultError::KeyFileMissing { path });
        };
        let mut key = Zeroizing::new(Vec::with_capacity(KEY_BYTES_MAX as usize));
        file.take(KEY_BYTES_MAX)
            .read_to_end(&mut key)
            .map_err(|source| VaultError::file("read", &path, source))?;
        Ok(Self(Arc::new(key)))
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.to_vec()))
    }
}

/// Why a certificate was not accepted.
#[derive(Debug)]
struct NotAccepted(String);

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAccepted {}

fn not_accepted(reason: impl Into<String>) -> rustls::Error {
    let reason = NotAccepted(reason.into());
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
}

const STRANGER: &str = "its certificate belongs to no member of this deployment; all four use the \
                        deployment.json that was made with their keys";

/// Our clock, as TLS wants it.
struct ClockOfTls(Arc<dyn Clock>);

impl fmt::Debug for ClockOfTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockOfTls")
    }
}

impl TimeProvider for ClockOfTls {
    fn current_time(&self) -> Option<UnixTime> {
        let micros = u64::try_from(self.0.now().as_micros()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_micros(micros)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(deployment: &Deployment) -> Result<Arc<RootCertStore>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for member in Member::ALL {
        roots.add(CertificateDer::from(deployment.member(member).certificate.clone()))?;
    }
    Ok(Arc::new(roots))
}

/// The members' certificates and no others. Expiry, names and signatures are left to webpki.
#[derive(Debug)]
struct Pinned<V: ?Sized> {
    deployment: Arc<Deployment>,
    expected: Option<Member>,
    inner: Arc<V>,
}

impl<V: ?Sized> Pinned<V> {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let found = self
            .deployment
            .member_of_certificate(certificate)
            .ok_or_else(|| not_accepted(STRANGER))?;
        match self.expected {
            Some(expected) if expected != found => Err(not_accepted(format!(
                "{found} answers where {expected} should: are the addresses mixed up?"
            ))),
            _ => Ok(()),
        }
    }
}

/// webpki's words for what it found, with what to do.
fn explained(error: rustls::Error) -> rustls::Error {
    let rustls::Error::InvalidCertificate(reason) = &error else { return error };
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => not_accepted(
            "its certificate has expired; make a new deployment, or set this machine's clock if \
             it is wrong",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            not_accepted("its certificate is not valid yet; set this machine's clock")
        }
        _ => error,
    }
}

impl ServerCertVerifier for Pinned<WebPkiServerVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity)?;
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(explained)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Pinned<dyn ClientCertVerifier> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Who may connect is nobody's business.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(end_entity)?;
        self.inner.verify_client_cert(end_entity, intermediates, now).map_err(explained)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl Endpoint {
    fn own_certificate(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from(self.deployment.member(self.own).certificate.clone())]
    }

    fn time(&self) -> Arc<ClockOfTls> {
        Arc::new(ClockOfTls(self.clock.clone()))
    }

    /// How this member is connected to.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, TransportError> {
        let build = || -> Result<ServerConfig, rustls::Error> {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots(&self.deployment)?, provider())
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
            let verifier: Arc<Pinned<dyn ClientCertVerifier>> = Arc::new(Pinned {
                deployment: self.deployment.clone(),
                expected: None,
                inner: verifier,
            });
            let mut config = ServerConfig::builder_with_details(provider(), self.time())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_client_cert_verifier(verifier)
                .with_single_cert(self.own_certificate(), self.tls.key())?;
            // Every connection shows its certificate anew: none is resumed after its end.
            config.send_tls13_tickets = 0;
            config.alpn_protocols = vec![ALPN.to_vec()];
            Ok(config)
        };
        build().map(Arc::new).map_err(own_key)
    }

    /// How this member connects to `to`.
    pub(crate) fn client_config(&self, to: Member) -> Result<Arc<ClientConfig>, TransportError> {
        let build = || -> Result<ClientConfig, rustls::Error> {
            let inner =
                WebPkiServerVerifier::builder_with_provider(roots(&self.deployment)?, provider())
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
            let deployment = self.deployment.clone();
            let verifier = Arc::new(Pinned { deployment, expected: Some(to), inner });
            let mut config = ClientConfig::builder_with_details(provider(), self.time())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_client_auth_cert(self.own_certificate(), self.tls.key())?;
            config.resumption = rustls::client::Resumption::disabled();
            config.alpn_protocols = vec![ALPN.to_vec()];
            Ok(config)
        };
        build().map(Arc::new).map_err(own_key)
    }

    /// The name in the certificate of `to`.
    pub(crate) fn name_of(&self, to: Member) -> ServerName<'static> {
        let name = server_name(self.deployment.id(), to);
        ServerName::try_from(name).expect("the name is made of letters, digits and dots")
    }
}

fn own_key(error: rustls::Error) -> TransportError {
    TransportError::OwnKey { reason: error.to_string() }
}

/// Why a handshake failed, in words for people.
pub(crate) fn reason_of(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason)))) => {
            reason.to_string()
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the other side refused this one's certificate ({alert:?}); its log says why")
        }
        Some(other) => other.to_string(),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the other side hung up".to_owned()
        }
        None => error.to_string(),
    }
}
