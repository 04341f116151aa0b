//! The pedestal page's WebSocket: touches and frames in, drawings (and simulated previews) out.
//!
//! The first message is `hello` with the device's API key: a browser's WebSocket can send no
//! header. Nothing else is listened to before.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message as WsMessage, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use handfast_model::{Clock, DeviceId, SecretText};
use handfast_pedestal::{
    Camera, FRAME_BYTES_MAX, FrameSource, Language, PictureFiles, Snapshot, SourceError, Touch,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{Receiver, channel};
use zeroize::Zeroize;

use crate::errands::Errands;
use crate::http::access::DeviceCaller;
use crate::http::problem::{Problem, sentence};
use crate::hub::{Hub, SharedHub};
use crate::qr;
use crate::simulated::SimulatedPerson;
use crate::station::{self, Drawing, Event, Eye, Kiosk, Message, StationHandle};

#[cfg(test)]
mod tests;

/// A page sends its hello at once.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Events that may wait for a slow connection; a station whose page reads nothing ends.
const EVENTS_WAITING_MAX: usize = 64;
/// Longest message: a frame that is too long for a pedestal is read all the same, so that its page
/// hears why it is not taken. What is longer still ends the connection.
const MESSAGE_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// What a page sends besides touches.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control {
    Hello { api_key: SecretText, language: Language },
    Source(Source),
}

/// Where the frames come from.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Source {
    Camera,
    /// The camera of this machine, where one is configured.
    Kiosk,
    Simulated {
        fan: u64,
        code: Option<String>,
    },
}

/// What a page is sent.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToPage<'a> {
    View {
        simulated: bool,
        #[serde(flatten)]
        snapshot: &'a Snapshot,
    },
    Problem {
        slug: &'a str,
        detail: &'a str,
    },
}

/// The pedestal page's connection (WebSocket).
#[utoipa::path(get, path = "/api/v1/pedestal", tag = "pedestal",
    responses((status = 101, description = "Switches to a WebSocket; see docs/pedestal-protocol.md"),
              (status = "4XX", body = Problem)))]
pub(crate) async fn link(State(hub): State<SharedHub>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| async move { serve(hub, socket).await })
}

async fn serve(hub: SharedHub, socket: WebSocket) {
    let (mut to_page, mut from_page) = socket.split();
    let greeting = match greet(&hub, &mut from_page).await {
        Ok(greeting) => greeting,
        Err(problem) => return farewell(&mut to_page, &problem).await,
    };
    if let Err(problem) = attend(&hub, greeting, &mut to_page, from_page).await {
        farewell(&mut to_page, &problem).await;
    }
}

/// What a hello said.
struct Greeting {
    device: DeviceCaller,
    api_key: SecretText,
    language: Language,
}

/// Waits for the hello and finds the device.
async fn greet(
    hub: &SharedHub,
    from_page: &mut SplitStream<WebSocket>,
) -> Result<Greeting, Problem> {
    let first = tokio::time::timeout(HELLO_WITHIN, from_page.next()).await;
    let Ok(Some(Ok(WsMessage::Text(text)))) = first else {
        return Err(Problem::malformed(
            "Send a `hello` message first; see docs/pedestal-protocol.md.",
        ));
    };
    let Ok(Control::Hello { api_key, language }) = serde_json::from_str(&text) else {
        return Err(Problem::malformed(
            "Send a `hello` message first; see docs/pedestal-protocol.md.",
        ));
    };
    let device = hub.authenticate_device(&api_key).await?;
    if device.pedestal_mode().is_none() {
        return Err(Problem::forbidden(
            "This API key is of a device that is no pedestal. Provision one for this page.",
        ));
    }
    Ok(Greeting { device, api_key, language })
}

async fn attend(
    hub: &SharedHub,
    greeting: Greeting,
    to_page: &mut SplitSink<WebSocket, WsMessage>,
    mut from_page: SplitStream<WebSocket>,
) -> Result<(), Problem> {
    let Greeting { device, api_key, language } = greeting;
    let mode = device.pedestal_mode().ok_or_else(|| Problem::forbidden("No pedestal."))?;
    let (sender, mut events) = channel(EVENTS_WAITING_MAX);
    // A full queue means that the page reads nothing any more: the station ends, and with it all
    // that it holds.
    let station = station::start(mode, language, hub.clock.clone(), move |event| {
        sender.try_send(event).is_ok()
    })
    .map_err(|error| Problem::from_failure(&error))?;
    let enlisted = hub.stations.enlist(device.id, station.clone());
    let device_id = device.id;
    let errands = Errands::new(hub.clone(), device, api_key, station.clone());
    let mut talk = Talk { hub, device: device_id, station, errands, to_page };
    let result = talk.go_on(&mut from_page, &mut events).await;
    drop(enlisted);
    result
}

impl Hub {
    /// The camera of this machine, for one session to open.
    fn kiosk_camera(&self, device: DeviceId) -> Result<Kiosk, Problem> {
        let path = self.camera.clone().ok_or_else(|| {
            Problem::conflict("No camera is configured here. Start the service with `--camera`.")
        })?;
        if !self.stations.take_camera(device, self.clock.now()) {
            return Err(Problem::conflict(
                "Another pedestal looks through this machine's camera. Load this page again to use the browser's.",
            ));
        }
        let clock = self.clock.clone();
        Ok(Kiosk::new(Box::new(move || open_camera(&path, clock.clone()))))
    }
}

fn open_camera(path: &Path, clock: Arc<dyn Clock>) -> Result<Box<dyn FrameSource>, SourceError> {
    // A camera that is unplugged is no file at all: whoever names a device means a camera.
    let is_device = path.starts_with("/dev")
        || path.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device());
    if is_device {
        Ok(Box::new(Camera::open(path, clock)?))
    } else {
        Ok(Box::new(PictureFiles::open(path, clock)?))
    }
}

/// A simulated person is part of the demo: elsewhere a hand that is no hand opens nothing.
fn simulated_person(
    hub: &SharedHub,
    fan: u64,
    code: Option<&str>,
) -> Result<SimulatedPerson, Problem> {
    if hub.demo.is_none() {
        return Err(Problem::forbidden("Simulated people are there in the demo alone."));
    }
    let ticket = code.map(qr::modules).transpose();
    let ticket = ticket.map_err(|_| Problem::malformed("This code is too long for a QR code."))?;
    Ok(SimulatedPerson::new(fan, ticket))
}

struct Talk<'a> {
    hub: &'a SharedHub,
    device: DeviceId,
    station: StationHandle,
    errands: Errands,
    to_page: &'a mut SplitSink<WebSocket, WsMessage>,
}

impl Talk<'_> {
    async fn go_on(
        &mut self,
        from_page: &mut SplitStream<WebSocket>,
        events: &mut Receiver<Event>,
    ) -> Result<(), Problem> {
        loop {
            tokio::select! {
                message = from_page.next() => match message {
                    Some(Ok(WsMessage::Text(text))) => self.hear(&text).await?,
                    Some(Ok(WsMessage::Binary(frame))) => {
                        if self.show(frame).await.is_err() { return Ok(()) }
                    }
                    Some(Ok(WsMessage::Ping(_) | WsMessage::Pong(_))) => {}
                    // A broken line hears nothing of it any more.
                    Some(Err(_)) => return Err(Problem::too_large(format!(
                        "A message could not be read; the longest may have {MESSAGE_BYTES_MAX} bytes."
                    ))),
                    Some(Ok(WsMessage::Close(_))) | None => return Ok(()),
                },
                () = self.errands.shut_out() => return Err(Problem::unauthenticated(
                    "This device was revoked or set up anew. Provision it again, or load this page again.",
                )),
                event = events.recv() => match event {
                    Some(event) => if self.tell(event).await.is_err() { return Ok(()) },
                    None => return Ok(()),
                },
            }
        }
    }

    /// Hands the frame to the station, which zeroes it; what the connection read it into is zeroed
    /// here, where it is ours alone.
    async fn show(&mut self, frame: Bytes) -> Result<(), axum::Error> {
        let shown = self.station.show(frame.to_vec());
        if let Ok(mut buffer) = frame.try_into_mut() {
            buffer.as_mut().zeroize();
        }
        match shown {
            Ok(()) => Ok(()),
            Err(error) => self.say(&Problem::too_large(sentence(&error))).await,
        }
    }

    async fn hear(&mut self, text: &str) -> Result<(), Problem> {
        if let Ok(touch) = serde_json::from_str::<Touch>(text) {
            self.station.tell(Message::Touch(touch));
            return Ok(());
        }
        match serde_json::from_str(text) {
            Ok(Control::Source(source)) => self.choose(source).await,
            Ok(Control::Hello { .. }) => {
                Err(Problem::conflict("There was a hello already. Connect again to begin anew."))
            }
            Err(error) => Err(Problem::malformed(format!(
                "This message was not understood ({error}). See docs/pedestal-protocol.md."
            ))),
        }
    }

    async fn choose(&mut self, source: Source) -> Result<(), Problem> {
        let eye = match source {
            Source::Camera => Eye::Browser,
            Source::Kiosk => match self.hub.kiosk_camera(self.device) {
                Ok(kiosk) => Eye::Kiosk(kiosk),
                // Connecting again would not help.
                Err(problem) => {
                    drop(self.say(&problem).await);
                    return Ok(());
                }
            },
            Source::Simulated { fan, code } => {
                let hub = self.hub.clone();
                let drawn = move || simulated_person(&hub, fan, code.as_deref());
                let person = tokio::task::spawn_blocking(drawn).await;
                let person = person.map_err(|error| Problem::from_failure(&error))??;
                Eye::Simulated(Box::new(person))
            }
        };
        self.station.tell(Message::Look(eye));
        Ok(())
    }

    async fn tell(&mut self, event: Event) -> Result<(), axum::Error> {
        match event {
            Event::Draw(Drawing { simulated, snapshot }) => {
                self.send(&ToPage::View { simulated, snapshot: &snapshot }).await
            }
            Event::Preview(jpeg) => self.to_page.send(WsMessage::Binary(jpeg.into())).await,
            Event::Errand(errand) => {
                self.errands.run(errand);
                Ok(())
            }
            Event::BadFrame(why) => {
                self.say(&Problem::malformed(format!("A frame was no picture: {why}."))).await
            }
            Event::NoCamera(error) => self.say(&Problem::unavailable(sentence(&error))).await,
        }
    }

    async fn say(&mut self, problem: &Problem) -> Result<(), axum::Error> {
        self.send(&ToPage::Problem { slug: problem.slug(), detail: problem.detail() }).await
    }

    async fn send(&mut self, message: &ToPage<'_>) -> Result<(), axum::Error> {
        send(self.to_page, message).await
    }
}

async fn send(
    to_page: &mut SplitSink<WebSocket, WsMessage>,
    message: &ToPage<'_>,
) -> Result<(), axum::Error> {
    let text = serde_json::to_string(message).map_err(axum::Error::new)?;
    to_page.send(WsMessage::Text(text.into())).await
}

/// Says why the connection ends; whoever does not listen any more need not hear it.
async fn farewell(to_page: &mut SplitSink<WebSocket, WsMessage>, problem: &Problem) {
    let last = ToPage::Problem { slug: problem.slug(), detail: problem.detail() };
    if send(to_page, &last).await.is_ok() {
        drop(to_page.close().await);
    }
}
