//! One pedestal that is switched on: a thread of its own that holds the session, because looking
//! at a frame is work for a processor and must not hold up anybody's requests.
//!
//! Frames: the latest wins. A camera that is faster than the engine loses frames, never time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use handfast_model::{Clock, Duration, Timestamp};
use handfast_palm::{Picture, decode};
use handfast_pedestal::{
    Answer, Attention, Errand, Input, Language, Mode, PalmEngine, RequestId, Session, Snapshot,
    Touch,
};
use zeroize::Zeroizing;

use crate::simulated::SimulatedPerson;

/// A session wants to hear that time passes at least every 250 ms.
const TICK: StdDuration = StdDuration::from_millis(100);
/// 15 frames a second, as the cheapest real cameras.
const SIMULATED_FRAME_EVERY: Duration = Duration::from_micros(66_667);
/// Quality of the preview that the page shows of a simulated hand.
const PREVIEW_QUALITY: u8 = 80;

/// What goes into a station.
pub(crate) enum Message {
    /// A frame lies in the mailbox.
    FrameArrived,
    /// A touch at the page.
    Touch(Touch),
    /// An answer of the hub.
    Answer(RequestId, Answer),
    /// What applies here may have changed.
    Changed,
    /// From now on a simulated person stands here (or, `None`, nobody but the camera).
    Simulate(Option<Box<SimulatedPerson>>),
}

/// What comes out of a station.
pub(crate) enum Event {
    /// The page has something new to draw.
    Draw(Drawing),
    /// A picture of the simulated scene, as JPEG. Never of a camera.
    Preview(Vec<u8>),
    /// Something to ask the hub.
    Errand(Errand<PalmEngine>),
    /// A frame that was no picture.
    BadFrame(String),
}

/// A snapshot with who is in front of the camera.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) simulated: bool,
    pub(crate) snapshot: Snapshot,
}

/// The way into a running station. The station ends when the last handle is dropped; everything it
/// held of a capture is zeroed with it.
#[derive(Clone)]
pub(crate) struct StationHandle {
    messages: Sender<Message>,
    latest_frame: LatestFrame,
}

type LatestFrame = Arc<Mutex<Option<Zeroizing<Vec<u8>>>>>;

impl StationHandle {
    /// Tells the station something; a station that has ended hears nothing.
    pub(crate) fn tell(&self, message: Message) {
        // The station's end shows at its other side: the events stop.
        drop(self.messages.send(message));
    }

    /// Hands over an encoded frame; a frame that was not looked at yet is replaced and zeroed.
    pub(crate) fn show(&self, frame: Zeroizing<Vec<u8>>) {
        let waiting = self.take_or_put(Some(frame));
        if waiting.is_none() {
            self.tell(Message::FrameArrived);
        }
    }

    fn take_or_put(&self, frame: Option<Zeroizing<Vec<u8>>>) -> Option<Zeroizing<Vec<u8>>> {
        let mut latest = self.latest_frame.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *latest, frame)
    }
}

/// Switches a station on. Events go to `sink` from the station's own thread; it ends when `sink`
/// says that nobody listens any more (`false`), or when the last handle is dropped.
pub(crate) fn start(
    mode: Mode,
    language: Language,
    clock: Arc<dyn Clock>,
    sink: impl Fn(Event) -> bool + Send + 'static,
) -> std::io::Result<StationHandle> {
    let (messages, inbox) = channel();
    let latest_frame = LatestFrame::default();
    let frames = Arc::clone(&latest_frame);
    std::thread::Builder::new().name("station".into()).spawn(move || {
        let session = Session::new(mode, language, PalmEngine, clock.now());
        let station = Station {
            session,
            clock,
            frames,
            person: None,
            drawn: None,
            next_frame_at: None,
            sink,
        };
        station.run(&inbox);
    })?;
    Ok(StationHandle { messages, latest_frame })
}

struct Station<S> {
    session: Session<PalmEngine>,
    clock: Arc<dyn Clock>,
    frames: LatestFrame,
    person: Option<Box<SimulatedPerson>>,
    drawn: Option<Drawing>,
    next_frame_at: Option<Timestamp>,
    sink: S,
}

/// Nobody listens any more.
struct Ended;

impl<S: Fn(Event) -> bool> Station<S> {
    fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let turn = match inbox.recv_timeout(self.wait()) {
                Ok(message) => self.hear(message),
                Err(RecvTimeoutError::Timeout) => self.pass_time(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if turn.is_err() {
                return;
            }
        }
    }

    fn wait(&self) -> StdDuration {
        let Some(at) = self.next_frame_at else { return TICK };
        let left = (at - self.clock.now()).as_micros().max(0).unsigned_abs();
        StdDuration::from_micros(left).min(TICK)
    }

    fn hear(&mut self, message: Message) -> Result<(), Ended> {
        match message {
            Message::FrameArrived => self.look(),
            Message::Touch(touch) => self.input(Input::Touch(touch)),
            Message::Answer(id, answer) => self.input(Input::Answer(id, answer)),
            Message::Changed => self.input(Input::Changed),
            Message::Simulate(person) => {
                self.next_frame_at = person.is_some().then(|| self.clock.now());
                self.person = person;
                self.input(Input::Touch(Touch::Cancel))
            }
        }
    }

    fn pass_time(&mut self) -> Result<(), Ended> {
        let now = self.clock.now();
        if self.next_frame_at.is_some_and(|at| at <= now) {
            self.simulate(now)
        } else {
            self.input(Input::Tick)
        }
    }

    /// Decodes the waiting frame, if frames are wanted at all, and shows it to the session.
    fn look(&mut self) -> Result<(), Ended> {
        let waiting = self.frames.lock().unwrap_or_else(PoisonError::into_inner).take();
        let wanted = self.person.is_none() && self.session.attention() != Attention::None;
        let Some(bytes) = waiting.filter(|_| wanted) else { return Ok(()) };
        match decode(&bytes) {
            Ok(picture) => self.input(Input::Frame(picture)),
            Err(error) => self.emit(Event::BadFrame(error.to_string())),
        }
    }

    fn simulate(&mut self, now: Timestamp) -> Result<(), Ended> {
        let Some(person) = &mut self.person else { return Ok(()) };
        let picture = person.frame(self.session.cue(), now);
        self.next_frame_at = Some(now + SIMULATED_FRAME_EVERY);
        if let Some(preview) = encode_preview(&picture) {
            self.emit(Event::Preview(preview))?;
        }
        let input = if self.session.attention() == Attention::None {
            Input::Tick
        } else {
            Input::Frame(picture)
        };
        self.input(input)
    }

    fn input(&mut self, input: Input<Picture>) -> Result<(), Ended> {
        let errands = self.session.on(input, self.clock.now());
        for errand in errands {
            self.emit(Event::Errand(errand))?;
        }
        let drawing =
            Drawing { simulated: self.person.is_some(), snapshot: self.session.snapshot() };
        if self.drawn.as_ref() != Some(&drawing) {
            self.drawn = Some(drawing.clone());
            self.emit(Event::Draw(drawing))?;
        }
        Ok(())
    }

    fn emit(&self, event: Event) -> Result<(), Ended> {
        if (self.sink)(event) { Ok(()) } else { Err(Ended) }
    }
}

fn encode_preview(picture: &Picture) -> Option<Vec<u8>> {
    let mut jpeg = Vec::new();
    let mut encoder =
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, PREVIEW_QUALITY);
    encoder
        .encode(&picture.rgb(), picture.width(), picture.height(), image::ExtendedColorType::Rgb8)
        .ok()?;
    Some(jpeg)
}
