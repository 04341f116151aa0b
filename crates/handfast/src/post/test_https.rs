//! A small TLS server for tests: a certificate of its own, one answer for everybody.

use std::sync::{Arc, Mutex};

use handfast_till::TlsRoots;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate for `localhost`, as a server holds it and as others believe it.
pub(crate) fn localhost() -> (TlsAcceptor, TlsRoots) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let roots = TlsRoots::from_pem(cert.pem().as_bytes()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), roots)
}

/// The server.
pub(crate) struct TestHttps {
    port: u16,
    roots: TlsRoots,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestHttps {
    /// Answers everybody with `status` and `body`.
    pub(crate) async fn open(status: &'static str, body: &'static str) -> Self {
        let (acceptor, roots) = localhost();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heads) = (acceptor.clone(), kept.clone());
                tokio::spawn(async move {
                    drop(answer(stream, &acceptor, &heads, status, body).await);
                });
            }
        });
        Self { port, roots, heads }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    pub(crate) fn roots(&self) -> TlsRoots {
        self.roots.clone()
    }

    /// What was asked, up to the first empty line.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn answer(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    heads: &Mutex<Vec<String>>,
    status: &str,
    body: &str,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    heads.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
