//! A page's connection over a real socket: who is let in, what ends it and what does not.

use std::net::SocketAddr;
use std::time::Duration as StdDuration;

use handfast_boxoffice::{DeviceKind, DeviceMode, NewDevice};
use handfast_model::{SystemClock, SystemRandom};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Sent;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::serve::Settings;

/// A test that waits longer than this fails.
const DEADLINE: StdDuration = StdDuration::from_secs(30);

struct Venue {
    hub: SharedHub,
    address: SocketAddr,
    pedestal: DeviceId,
    pedestal_key: SecretText,
    scanner_key: SecretText,
    _dir: TempDir,
}

impl Venue {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::of_test(dir.path());
        let hub = settings.open_with(Arc::new(SystemClock), Arc::new(SystemRandom), None).await;
        let hub = Arc::new(hub.unwrap());
        let company = hub.boxoffice.create_company("Foothills Tickets").await.unwrap();
        let venue = hub.boxoffice.create_venue(company.id, "Red Rocks").await.unwrap();
        let device = |kind, mode| NewDevice {
            venue_id: venue.id,
            name: "Gate",
            kind,
            mode,
            lane_id: None,
            shop_reference: None,
            paired_with: None,
        };
        let booth = device(DeviceKind::Pedestal, Some(DeviceMode::EnrolOutside));
        let (pedestal, pedestal_key) = hub.boxoffice.register_device(&booth).await.unwrap();
        let scanner = device(DeviceKind::Scanner, None);
        let (_, scanner_key) = hub.boxoffice.register_device(&scanner).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = crate::http::service(hub.clone());
        let service = service.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { hub, address, pedestal, pedestal_key, scanner_key, _dir: dir }
    }

    async fn page(&self) -> Page {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        let asked = format!(
            "GET /api/v1/pedestal HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            self.address
        );
        line.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(line.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Page(WebSocketStream::from_raw_socket(line, Role::Client, None).await)
    }

    /// A page that was let in, and what it draws first.
    async fn greeted(&self) -> (Page, Value) {
        let mut page = self.page().await;
        page.hello(&self.pedestal_key).await;
        let view = page.hear().await.unwrap();
        assert_eq!((&view["type"], &view["mode"]), (&json!("view"), &json!("enrol_outside")));
        (page, view)
    }
}

struct Page(WebSocketStream<TcpStream>);

impl Page {
    async fn say(&mut self, message: Value) {
        self.0.send(Sent::Text(message.to_string().into())).await.unwrap();
    }

    async fn hello(&mut self, key: &SecretText) {
        self.say(json!({ "type": "hello", "api_key": key.expose(), "language": "en" })).await;
    }

    /// The next message; none where the connection ended.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            let next =
                tokio::time::timeout(DEADLINE, self.0.next()).await.expect("it says nothing");
            match next {
                Some(Ok(Sent::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Sent::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next problem that it is told.
    async fn problem(&mut self) -> Value {
        loop {
            let heard = self.hear().await.expect("the connection ended without a word");
            if heard["type"] == "problem" {
                return heard["slug"].clone();
            }
        }
    }

    /// Whether the line is over: nothing but an end comes any more.
    async fn ended(&mut self) -> bool {
        loop {
            match self.hear().await {
                None => return true,
                Some(heard) if heard["type"] == "view" => {}
                Some(_) => return false,
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_listened_to_without_a_pedestals_key() {
    let venue = Venue::new().await;
    let mut page = venue.page().await;
    page.say(json!({ "type": "begin" })).await;
    assert_eq!(page.problem().await, "malformed");
    assert!(page.ended().await);
    let guessed = SecretText::new("dev_guessed".to_owned());
    for (key, slug) in [(&guessed, "unauthenticated"), (&venue.scanner_key, "forbidden")] {
        let mut page = venue.page().await;
        page.hello(key).await;
        assert_eq!(page.problem().await, slug);
        assert!(page.ended().await);
    }
}

#[tokio::test]
async fn a_bad_frame_ends_nothing_and_a_bad_text_does() {
    let venue = Venue::new().await;
    let (mut page, _) = venue.greeted().await;
    page.0.send(Sent::Binary(vec![0; FRAME_BYTES_MAX + 1].into())).await.unwrap();
    assert_eq!(page.problem().await, "too-large");
    page.say(json!({ "type": "source", "kind": "simulated", "fan": 1, "code": null })).await;
    assert_eq!(page.problem().await, "forbidden", "hands are drawn in the demo alone");
    assert!(page.ended().await);
    let (mut page, _) = venue.greeted().await;
    page.say(json!({ "type": "source", "kind": "kiosk" })).await;
    assert_eq!(page.problem().await, "conflict", "there is no camera here, and the page goes on");
    page.say(json!({ "type": "sesame" })).await;
    assert_eq!(page.problem().await, "malformed");
    assert!(page.ended().await);
}

#[tokio::test]
async fn a_second_hello_and_a_revoked_device_end_it() {
    let venue = Venue::new().await;
    let (mut page, _) = venue.greeted().await;
    page.hello(&venue.pedestal_key).await;
    assert_eq!(page.problem().await, "conflict");
    assert!(page.ended().await);
    let (mut page, _) = venue.greeted().await;
    venue.hub.boxoffice.revoke_device(venue.pedestal).await.unwrap();
    assert_eq!(page.problem().await, "unauthenticated", "asked again every few seconds");
    assert!(page.ended().await);
}
