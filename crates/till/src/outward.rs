//! HTTP to others: TLS with the public roots that are built in, or with roots of the operator's own.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use thiserror::Error;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Why roots were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RootsError {
    /// A part of the file is not PEM.
    #[error("the roots are not PEM; give a file of -----BEGIN CERTIFICATE----- blocks")]
    NotPem,
    /// There is no certificate in it.
    #[error("the roots hold no certificate; give a file of -----BEGIN CERTIFICATE----- blocks")]
    Empty,
}

/// Whom this process believes when it asks somebody: the public roots, or, where a network has its
/// own, those instead.
#[derive(Clone, Debug, Default)]
pub struct TlsRoots {
    own: Option<Own>,
}

#[derive(Clone, Debug)]
struct Own {
    pem: Arc<[u8]>,
    certificates: Arc<Vec<Certificate<'static>>>,
}

impl TlsRoots {
    /// The certificates of a PEM file, instead of the public roots.
    ///
    /// # Errors
    /// [`RootsError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|_| RootsError::NotPem)? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(RootsError::Empty);
        }
        Ok(Self { own: Some(Own { pem: pem.into(), certificates: Arc::new(certificates) }) })
    }

    /// The PEM of the operator's own roots, for another client.
    #[must_use]
    pub fn pem(&self) -> Option<&[u8]> {
        self.own.as_ref().map(|own| &*own.pem)
    }

    /// A client that believes these roots, follows no redirect (one could lead a signed or keyed
    /// request anywhere) and gives statuses back as they come.
    #[must_use]
    pub fn agent(&self, timeout: StdDuration) -> ureq::Agent {
        let roots = match &self.own {
            Some(own) => RootCerts::Specific(own.certificates.clone()),
            None => RootCerts::WebPki,
        };
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for bad in ["", "nonsense", key] {
            assert!(TlsRoots::from_pem(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(TlsRoots::default().pem().is_none());
    }
}
