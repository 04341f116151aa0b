use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use handfast_model::{Duration, ManualClock};
use handfast_mpc::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::*;
use crate::deployment_testing;
use crate::setup;

const A: Member = Member::Node(Role::A);
const B: Member = Member::Node(Role::B);

/// A deployment on disk, with what its members connect with.
struct Members {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Members {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        setup::testing::init(dir.path());
        Self { dir, clock: Arc::new(deployment_testing::clock()) }
    }

    fn endpoint(&self, own: Member) -> Endpoint {
        let folder = self.dir.path().join(own.word());
        Endpoint {
            own,
            deployment: Arc::new(Deployment::load(&folder).unwrap()),
            clock: self.clock.clone(),
            tls: TlsSecrets::load(&folder).unwrap(),
            delay: Delay::default(),
        }
    }

    /// An endpoint that believes `to` to be at `address`.
    fn endpoint_towards(&self, own: Member, address: SocketAddrText) -> Endpoint {
        let endpoint = self.endpoint(own);
        let deployment = (*endpoint.deployment).clone().with_addresses([
            address.clone(),
            address.clone(),
            address,
        ]);
        Endpoint { deployment: Arc::new(deployment), ..endpoint }
    }
}

type SocketAddrText = String;

/// A node that listens, and what it heard.
struct Heard {
    listening: Listening,
    events: mpsc::Receiver<Event>,
    refusals: mpsc::UnboundedReceiver<String>,
}

async fn listening(endpoint: Endpoint) -> Heard {
    let (events_in, events) = mpsc::channel(8);
    let (refusals_in, refusals) = mpsc::unbounded_channel();
    let refused = move |error: &TransportError| drop(refusals_in.send(error.to_string()));
    let listening = listen(endpoint, "127.0.0.1:0", events_in, refused).await.unwrap().unwrap();
    Heard { listening, events, refusals }
}

impl Heard {
    fn address(&self) -> String {
        self.listening.address.to_string()
    }

    async fn up(&mut self) -> (Member, Outbox) {
        match self.events.recv().await.unwrap() {
            Event::Up { from, outbox, .. } => (from, outbox),
            other => panic!("{other:?}"),
        }
    }

    async fn message(&mut self) -> Vec<u8> {
        match self.events.recv().await.unwrap() {
            Event::Message { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        }
    }

    async fn down(&mut self) -> String {
        match self.events.recv().await.unwrap() {
            Event::Down { error, .. } => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

struct Dialled {
    events: mpsc::Receiver<Event>,
    failures: Arc<Mutex<Vec<String>>>,
    failed: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

fn dialling(endpoint: Endpoint, to: Member) -> Dialled {
    let (events_in, events) = mpsc::channel(8);
    let failures = Arc::new(Mutex::new(Vec::new()));
    let failed = Arc::new(AtomicUsize::new(0));
    let (texts, count) = (failures.clone(), failed.clone());
    let task = tokio::spawn(keep_connected(endpoint, to, events_in, move |error| {
        texts.lock().unwrap().push(error.to_string());
        count.fetch_add(1, Ordering::Release);
    }));
    Dialled { events, failures, failed, task }
}

impl Dialled {
    async fn up(&mut self) -> Outbox {
        match self.events.recv().await.unwrap() {
            Event::Up { outbox, .. } => outbox,
            other => panic!("{other:?}"),
        }
    }

    /// Why there was no connection, once that is known.
    async fn failure(&self) -> String {
        let patience = StdDuration::from_secs(30);
        let told = async {
            while self.failed.load(Ordering::Acquire) == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(patience, told).await.unwrap();
        self.failures.lock().unwrap()[0].clone()
    }
}

use tokio::time::timeout;

#[tokio::test]
async fn members_know_each_other_and_messages_arrive_in_order() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let mut a = dialling(members.endpoint_towards(A, b.address()), B);
    let to_b = a.up().await;
    let (from, to_a) = b.up().await;
    assert_eq!(from, A);
    for number in 0..100_u32 {
        to_b.send(vec![number as u8; 1 + 999 * number as usize]).unwrap();
    }
    for number in 0..100_u32 {
        assert_eq!(b.message().await, vec![number as u8; 1 + 999 * number as usize]);
    }
    to_a.send(b"back".to_vec()).unwrap();
    let Event::Message { bytes, from, .. } = a.events.recv().await.unwrap() else { panic!() };
    assert_eq!((bytes, from), (b"back".to_vec(), B));
    a.task.abort();
    drop((a, to_b));
    assert!(b.down().await.contains("node A"), "and says with whom");
}

#[tokio::test]
async fn both_may_write_much_before_either_reads() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let mut a = dialling(members.endpoint_towards(A, b.address()), B);
    let to_b = a.up().await;
    let (_, to_a) = b.up().await;
    // Far more than sockets hold.
    const MESSAGES: usize = 16;
    for _ in 0..MESSAGES {
        to_b.send(vec![1; MESSAGE_MAX]).unwrap();
        to_a.send(vec![2; MESSAGE_MAX]).unwrap();
    }
    for _ in 0..MESSAGES {
        assert_eq!(b.message().await.len(), MESSAGE_MAX);
    }
    for _ in 0..MESSAGES {
        assert!(matches!(a.events.recv().await, Some(Event::Message { bytes, .. })
            if bytes.len() == MESSAGE_MAX));
    }
}

#[tokio::test]
async fn who_does_not_read_loses_the_connection_not_our_memory() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let mut a = dialling(members.endpoint_towards(A, b.address()), B);
    let to_b = a.up().await;
    let _to_a = b.up().await;
    let mut sent = 0;
    while to_b.send(vec![0; MESSAGE_MAX]).is_ok() {
        sent += MESSAGE_MAX;
        assert!(sent <= 2 * OUTBOX_BYTES_MAX, "there is a limit");
    }
    assert!(to_b.is_closed());
}

#[tokio::test]
async fn a_node_that_comes_back_is_found() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let address = b.address();
    let mut a = dialling(members.endpoint_towards(A, address.clone()), B);
    drop(a.up().await);
    b.up().await;
    // Without anybody who holds its outbox the connection ends, and is made again.
    assert!(matches!(a.events.recv().await, Some(Event::Down { .. })));
    let _to_b = a.up().await;
    drop(b);
    assert!(matches!(a.events.recv().await, Some(Event::Down { .. })));
    let (events_in, mut events) = mpsc::channel(8);
    let again = listen(members.endpoint(B), &address, events_in, |_| {}).await.unwrap();
    let _listening = again.unwrap();
    a.up().await;
    assert!(matches!(events.recv().await, Some(Event::Up { from: A, .. })));
}

#[tokio::test]
async fn members_of_another_deployment_are_refused_with_the_reason() {
    let (ours, theirs) = (Members::new(), Members::new());
    let mut b = listening(ours.endpoint(B)).await;
    let stranger = dialling(theirs.endpoint_towards(A, b.address()), B);
    let failure = stranger.failure().await;
    assert!(failure.contains("no member of this deployment"), "{failure}");
    // A stranger that takes everybody for a member is refused by the listener.
    let mut gullible = theirs.endpoint_towards(A, b.address());
    let mut deployment = (*ours.endpoint(A).deployment).clone();
    deployment = deployment.with_addresses([b.address(), b.address(), b.address()]);
    let certificate = gullible.deployment.member(A).certificate.clone();
    gullible.deployment = Arc::new(deployment.danger_with_certificate(A, certificate));
    let stranger = dialling(gullible, B);
    let failure = stranger.failure().await;
    assert!(failure.contains("refused this one's certificate"), "{failure}");
    let refusal = b.refusals.recv().await.unwrap();
    let refusal =
        if refusal.contains("no member") { refusal } else { b.refusals.recv().await.unwrap() };
    assert!(refusal.contains("no member of this deployment"), "{refusal}");
}

#[tokio::test]
async fn nodes_that_changed_places_notice() {
    let members = Members::new();
    let c = listening(members.endpoint(Member::Node(Role::C))).await;
    let a = dialling(members.endpoint_towards(A, c.address()), B);
    let failure = a.failure().await;
    assert!(failure.contains("node C answers where node B should"), "{failure}");
}

#[tokio::test]
async fn expired_certificates_are_refused_with_the_remedy() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    members.clock.advance(Duration::from_days(731));
    let a = dialling(members.endpoint_towards(A, b.address()), B);
    let failure = a.failure().await;
    assert!(failure.contains("has expired"), "{failure}");
    assert!(b.refusals.recv().await.is_some());
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    // The server's clock alone is wrong: it refuses the client.
    let early = Members { dir: tempfile::tempdir().unwrap(), clock: Arc::default_clock() };
    members.clock.advance(Duration::from_days(-30));
    let endpoint =
        Endpoint { clock: early.clock.clone(), ..members.endpoint_towards(A, b.address()) };
    let a = dialling(endpoint, B);
    let refusal = b.refusals.recv().await.unwrap();
    assert!(refusal.contains("not valid yet"), "{refusal}");
    drop(a);
}

trait DefaultClock {
    fn default_clock() -> Self;
}

impl DefaultClock for Arc<ManualClock> {
    fn default_clock() -> Self {
        Self::new(deployment_testing::clock())
    }
}

#[tokio::test]
async fn what_is_no_greeting_is_refused() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let a = members.endpoint_towards(A, b.address());
    let version = 1_u16.to_le_bytes();
    let id = a.deployment.id().to_bytes();
    let other_version = [&b"HFVW"[..], &[9, 0], &id, &[0]].concat();
    let other_deployment = [&b"HFVW"[..], &version, &[0; 16], &[0]].concat();
    let other_member = [&b"HFVW"[..], &version, &id, &[2]].concat();
    for (greeting, expected) in [
        (b"GET / HTTP/1.1\r\n\r\nsomething".to_vec(), "greeting is none"),
        (b"HFVW".to_vec(), "greeting is none"),
        (other_version, "speaks version 9"),
        (other_deployment, "another deployment"),
        (other_member, "somebody else"),
    ] {
        let mut stream = a.dial(B).await.unwrap();
        let length = u32::try_from(greeting.len()).unwrap().to_le_bytes();
        stream.write_all(&length).await.unwrap();
        stream.write_all(&greeting).await.unwrap();
        let refusal = b.refusals.recv().await.unwrap();
        assert!(refusal.contains(expected), "{refusal}");
    }
    // And a connection that ends in the middle of a message tells so.
    let mut stream = a.dial(B).await.unwrap();
    let greeting = [&b"HFVW"[..], &version, &id, &[0]].concat();
    stream.write_all(&23_u32.to_le_bytes()).await.unwrap();
    stream.write_all(&greeting).await.unwrap();
    let _to_a = b.up().await;
    stream.write_all(&[9, 0, 0, 0, 1]).await.unwrap();
    stream.shutdown().await.unwrap();
    let down = b.down().await;
    assert!(down.contains("middle of a message"), "{down}");
}

#[tokio::test]
async fn strangers_that_say_nothing_keep_nobody_out() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let mut quiet = Vec::new();
    for _ in 0..40 {
        quiet.push(TcpStream::connect(b.listening.address).await.unwrap());
    }
    let mut a = dialling(members.endpoint_towards(A, b.address()), B);
    let _to_b = a.up().await;
    let _to_a = b.up().await;
    // Bytes that are no TLS are refused at once.
    quiet[0].write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(b.refusals.recv().await.is_some());
    let mut rest = Vec::new();
    drop(quiet[0].read_to_end(&mut rest).await);
}

#[tokio::test]
async fn only_members_with_a_certificate_get_in() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let endpoint = members.endpoint_towards(A, b.address());
    let config = Arc::into_inner(endpoint.client_config(B).unwrap()).unwrap();
    let mut anonymous = config;
    anonymous.client_auth_cert_resolver = Arc::new(NoCertificate);
    let tcp = TcpStream::connect(b.listening.address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(anonymous));
    let stream = connector.connect(endpoint.name_of(B), tcp).await;
    let refusal = b.refusals.recv().await.unwrap();
    assert!(refusal.contains("certificate"), "{refusal}");
    drop(stream);
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_simulated_distance_delays_but_does_not_queue() {
    let members = Members::new();
    let mut b = listening(members.endpoint(B)).await;
    let far = StdDuration::from_millis(60);
    let endpoint = Endpoint { delay: Delay::of(far), ..members.endpoint_towards(A, b.address()) };
    let mut a = dialling(endpoint, B);
    let to_b = a.up().await;
    let _to_a = b.up().await;
    let begin = tokio::time::Instant::now();
    for _ in 0..50 {
        to_b.send(vec![1; 100]).unwrap();
    }
    for _ in 0..50 {
        b.message().await;
    }
    // Fifty messages are as late as one, not fifty times.
    assert!(begin.elapsed() >= far && begin.elapsed() < 40 * far, "{:?}", begin.elapsed());
}
