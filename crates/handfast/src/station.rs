//! One pedestal that is switched on: a thread of its own that holds the session, because looking
//! at a frame is work for a processor and must not hold up anybody's requests.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration as StdDuration;

use handfast_model::{Clock, Duration, Timestamp};
use handfast_palm::Picture;
use handfast_pedestal::{
    Answer, Attention, Errand, FramePusher, FrameSource, Input, Language, Mode, PalmEngine,
    PushedFrames, RequestId, Session, Snapshot, SourceError, Touch, pushed_frames,
};

use crate::simulated::SimulatedPerson;

mod kiosk;
#[cfg(test)]
mod tests;

pub(crate) use kiosk::Kiosk;
use kiosk::{CAMERA_REST, CAMERA_WAIT};

/// A session wants to hear that time passes at least every 250 ms.
const TICK: StdDuration = StdDuration::from_millis(100);
/// A frame that waited longer shows what was, not what is.
const STALE_AFTER: Duration = Duration::from_millis(500);
/// 15 frames a second, as the cheapest real cameras.
const SIMULATED_FRAME_EVERY: Duration = Duration::from_micros(66_667);
/// While frames are wanted for nothing, drawing them is work for nothing too.
const SIMULATED_REST: Duration = Duration::from_millis(300);
/// Quality of the preview that the page shows of a simulated hand.
const PREVIEW_QUALITY: u8 = 80;

/// What goes into a station.
pub(crate) enum Message {
    /// A browser's frame was pushed.
    FrameArrived,
    /// A touch at the page.
    Touch(Touch),
    /// An answer of the hub.
    Answer(RequestId, Answer),
    /// What applies here may have changed.
    Changed,
    /// From now on the station looks here.
    Look(Eye),
}

/// Where a station looks.
pub(crate) enum Eye {
    /// At the frames that the page sends.
    Browser,
    /// Through a camera (or files) of this machine; the page only draws.
    Kiosk(Kiosk),
    /// At a simulated person.
    Simulated(Box<SimulatedPerson>),
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
    /// The camera of this machine gives none; it is tried again.
    NoCamera(SourceError),
}

/// A snapshot with whether a simulated person stands there.
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
    frames: Arc<FramePusher>,
}

impl StationHandle {
    /// Tells the station something; a station that has ended hears nothing.
    pub(crate) fn tell(&self, message: Message) {
        // The station's end shows at its other side: the events stop.
        drop(self.messages.send(message));
    }

    /// Hands over an encoded frame of the browser; one that was not looked at yet is replaced.
    pub(crate) fn show(&self, frame: Vec<u8>) -> Result<(), SourceError> {
        self.frames.push(frame)?;
        self.tell(Message::FrameArrived);
        Ok(())
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
    let (pusher, browser) = pushed_frames(clock.clone());
    std::thread::Builder::new().name("station".into()).spawn(move || {
        let session = Session::new(mode, language, PalmEngine, clock.now());
        let (eye, drawn, next_frame_at) = (Eye::Browser, None, None);
        Station { session, clock, browser, eye, drawn, next_frame_at, sink }.run(&inbox);
    })?;
    Ok(StationHandle { messages, frames: Arc::new(pusher) })
}

struct Station<S> {
    session: Session<PalmEngine>,
    clock: Arc<dyn Clock>,
    browser: PushedFrames,
    eye: Eye,
    drawn: Option<Drawing>,
    /// When to look next, where frames do not come by themselves.
    next_frame_at: Option<Timestamp>,
    sink: S,
}

/// Nobody listens any more.
struct Ended;

impl<S: Fn(Event) -> bool> Station<S> {
    fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let turn = match inbox.recv_timeout(self.wait()) {
                Ok(message) => self.hear(message).and_then(|()| self.catch_up()),
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
            Message::FrameArrived => self.look_at_the_page(),
            Message::Touch(touch) => self.input(Input::Touch(touch)),
            Message::Answer(id, answer) => self.input(Input::Answer(id, answer)),
            Message::Changed => self.input(Input::Changed),
            Message::Look(eye) => {
                self.next_frame_at = match eye {
                    Eye::Browser => None,
                    Eye::Kiosk(_) | Eye::Simulated(_) => Some(self.clock.now()),
                };
                self.eye = eye;
                self.input(Input::Touch(Touch::Cancel))
            }
        }
    }

    /// Messages that come one after the other must not keep the eye closed.
    fn catch_up(&mut self) -> Result<(), Ended> {
        let is_due = self.next_frame_at.is_some_and(|at| self.clock.now() >= at);
        if is_due { self.pass_time() } else { Ok(()) }
    }

    fn pass_time(&mut self) -> Result<(), Ended> {
        let now = self.clock.now();
        if self.next_frame_at.is_none_or(|at| now < at) {
            return self.input(Input::Tick);
        }
        match &mut self.eye {
            Eye::Browser => self.input(Input::Tick),
            Eye::Kiosk(_) => self.look_through_the_camera(now),
            Eye::Simulated(person) => {
                let picture = person.frame(self.session.cue(), now);
                self.look_at_the_simulated(picture, now)
            }
        }
    }

    /// Decodes the page's frame, if frames are wanted at all, and shows it to the session; otherwise
    /// forgets it. Time passes either way: a page that never stops sending stops no deadline.
    fn look_at_the_page(&mut self) -> Result<(), Ended> {
        let wanted = matches!(self.eye, Eye::Browser) && self.wants_frames();
        if !wanted {
            // A page that is gone shows itself at the connection.
            drop(self.browser.forget());
            return self.input(Input::Tick);
        }
        match self.browser.next(Duration::ZERO) {
            Ok(Some(frame)) if self.clock.now() - frame.taken_at < STALE_AFTER => {
                self.input(Input::Frame(frame.picture))
            }
            Ok(_) => self.input(Input::Tick),
            Err(error) => {
                self.emit(Event::BadFrame(error.to_string()))?;
                self.input(Input::Tick)
            }
        }
    }

    fn look_through_the_camera(&mut self, now: Timestamp) -> Result<(), Ended> {
        let wanted = self.wants_frames();
        let Eye::Kiosk(kiosk) = &mut self.eye else { return Ok(()) };
        let looked = kiosk.look(wanted, &*self.clock);
        self.next_frame_at = Some(now + if wanted { kiosk.pace() } else { CAMERA_WAIT });
        match looked {
            Ok(Some(picture)) => return self.input(Input::Frame(picture)),
            Ok(None) => {}
            Err(error) if error.is_of_one_frame() => {
                self.emit(Event::BadFrame(error.to_string()))?;
            }
            Err(error) => {
                self.next_frame_at = Some(now + CAMERA_REST);
                if kiosk.is_news(&error) {
                    self.emit(Event::NoCamera(error))?;
                }
            }
        }
        self.input(Input::Tick)
    }

    fn look_at_the_simulated(&mut self, picture: Picture, now: Timestamp) -> Result<(), Ended> {
        let pace = if self.wants_frames() { SIMULATED_FRAME_EVERY } else { SIMULATED_REST };
        self.next_frame_at = Some(now + pace);
        if let Some(preview) = encode_preview(&picture) {
            self.emit(Event::Preview(preview))?;
        }
        self.input(if self.wants_frames() { Input::Frame(picture) } else { Input::Tick })
    }

    fn wants_frames(&self) -> bool {
        self.session.attention() != Attention::None
    }

    /// Whatever waits to be looked at was taken for something that is over.
    fn forget_frames(&mut self) {
        drop(self.browser.forget());
        if let Eye::Kiosk(kiosk) = &mut self.eye {
            kiosk.distrust();
        }
    }

    fn input(&mut self, input: Input<Picture>) -> Result<(), Ended> {
        let before = self.session.attention();
        let errands = self.session.on(input, self.clock.now());
        if self.session.attention() != before {
            self.forget_frames();
        }
        for errand in errands {
            self.emit(Event::Errand(errand))?;
        }
        let simulated = matches!(self.eye, Eye::Simulated(_));
        let drawing = Drawing { simulated, snapshot: self.session.snapshot() };
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
