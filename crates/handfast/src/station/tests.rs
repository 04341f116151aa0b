//! A station without its thread: a camera that is counted, a clock that is moved.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use handfast_model::ManualClock;
use handfast_pedestal::{Biometrics, Cue, Request, Situation, TimedPicture};

use super::*;

const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const FRAME: Duration = Duration::from_millis(66);

type Events = Arc<Mutex<Vec<Event>>>;

struct Bed {
    station: Station<Box<dyn Fn(Event) -> bool>>,
    page: FramePusher,
    clock: Arc<ManualClock>,
    events: Events,
}

impl Bed {
    fn new(mode: Mode) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let (page, browser) = pushed_frames(clock.clone());
        let session = Session::new(mode, Language::En, PalmEngine, clock.now());
        let events = Events::default();
        let heard = events.clone();
        let sink: Box<dyn Fn(Event) -> bool> = Box::new(move |event| {
            heard.lock().unwrap().push(event);
            true
        });
        let station = Station {
            session,
            clock: clock.clone(),
            browser,
            eye: Eye::Browser,
            drawn: None,
            next_frame_at: None,
            sink,
        };
        Self { station, page, clock, events }
    }

    /// A booth at which somebody is to show a ticket's code.
    fn at_the_code() -> Self {
        let mut bed = Self::new(Mode::EnrolInside);
        bed.hear(Message::Changed);
        bed.open();
        bed.hear(Message::Touch(Touch::Begin));
        assert!(bed.station.session.attention() == Attention::Code);
        bed
    }

    fn hear(&mut self, message: Message) {
        assert!(self.station.hear(message).is_ok());
    }

    fn pass(&mut self, span: Duration) {
        self.clock.advance(span);
        assert!(self.station.pass_time().is_ok());
    }

    /// Answers what applies here: palms are looked at.
    fn open(&mut self) {
        let asked = self.take().into_iter().find_map(|event| match event {
            Event::Errand(Errand { id, request: Request::Situation }) => Some(id),
            _ => None,
        });
        let situation = Situation {
            event: None,
            biometrics: Biometrics::Allowed,
            shop_name: String::new(),
            charge: None,
        };
        self.hear(Message::Answer(asked.unwrap(), Answer::Situation(situation)));
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    fn count(&self, wanted: fn(&Event) -> bool) -> usize {
        self.take().iter().filter(|event| wanted(event)).count()
    }

    fn look_through(&mut self, camera: &Arc<Mutex<Fake>>) {
        let camera = camera.clone();
        let open = move || FakeCamera::open(&camera);
        self.hear(Message::Look(Eye::Kiosk(Kiosk::new(Box::new(open)))));
    }
}

fn asks_what_applies(event: &Event) -> bool {
    matches!(event, Event::Errand(Errand { request: Request::Situation, .. }))
}

fn asks_for_a_ticket(event: &Event) -> bool {
    matches!(event, Event::Errand(Errand { request: Request::LookUpTicket { .. }, .. }))
}

const fn is_a_bad_frame(event: &Event) -> bool {
    matches!(event, Event::BadFrame(_))
}

const fn is_no_camera(event: &Event) -> bool {
    matches!(event, Event::NoCamera(_))
}

/// A phone with a ticket's code on it, held to the camera.
fn code() -> Picture {
    let modules = crate::qr::modules("HF1.VISITOR").unwrap();
    SimulatedPerson::new(1, Some(modules)).frame(Cue::Ticket, START)
}

fn jpeg_of(picture: &Picture) -> Vec<u8> {
    encode_preview(picture).unwrap()
}

/// What stands behind every camera that is opened.
#[derive(Default)]
struct Fake {
    waiting: VecDeque<TimedPicture>,
    is_plugged_in: bool,
    is_open: bool,
    opened: u32,
    shown: u32,
    forgotten: u32,
}

impl Fake {
    fn plugged_in() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { is_plugged_in: true, ..Self::default() }))
    }

    fn fault(&self) -> Result<(), SourceError> {
        let path = "/dev/video0".into();
        let source = io::Error::from(io::ErrorKind::BrokenPipe);
        let fault = SourceError::Device { path, doing: "give a picture", source };
        if self.is_plugged_in { Ok(()) } else { Err(fault) }
    }
}

/// Keeps the frames that came first until somebody takes them, as Video4Linux2 does.
struct FakeCamera(Arc<Mutex<Fake>>);

impl FakeCamera {
    fn open(fake: &Arc<Mutex<Fake>>) -> Result<Box<dyn FrameSource>, SourceError> {
        let mut state = fake.lock().unwrap();
        let path = "/dev/video0".into();
        if !state.is_plugged_in {
            return Err(SourceError::NoDevice { path });
        }
        if state.is_open {
            return Err(SourceError::Busy { path });
        }
        state.is_open = true;
        state.opened += 1;
        Ok(Box::new(Self(fake.clone())))
    }
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        // Also while a test fails that holds the lock: then its own message is the one to read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_open = false;
    }
}

impl FrameSource for FakeCamera {
    fn next(&mut self, _: Duration) -> Result<Option<TimedPicture>, SourceError> {
        let mut state = self.0.lock().unwrap();
        state.fault()?;
        let newest = state.waiting.pop_back();
        state.waiting.clear();
        state.shown += u32::from(newest.is_some());
        Ok(newest)
    }

    fn forget(&mut self) -> Result<(), SourceError> {
        let mut state = self.0.lock().unwrap();
        state.fault()?;
        state.forgotten += u32::try_from(state.waiting.len()).unwrap();
        state.waiting.clear();
        Ok(())
    }

    fn pace(&self) -> Option<Duration> {
        None
    }
}

fn film(camera: &Arc<Mutex<Fake>>, picture: Picture, taken_at: Timestamp) {
    camera.lock().unwrap().waiting.push_back(TimedPicture { picture, taken_at });
}

#[test]
fn a_page_that_never_stops_sending_stops_no_clock() {
    // Whatever becomes of the frames: unwanted, unreadable, or too old.
    let unwanted = Bed::new(Mode::Counter);
    for (mut bed, age) in [
        (unwanted, Duration::ZERO),
        (Bed::at_the_code(), Duration::ZERO),
        (Bed::at_the_code(), STALE_AFTER),
    ] {
        bed.take();
        for _ in 0..100 {
            let frame = if age == STALE_AFTER { jpeg_of(&code()) } else { b"junk".to_vec() };
            bed.page.push(frame).unwrap();
            bed.clock.advance(FRAME);
            bed.clock.advance(age);
            bed.hear(Message::FrameArrived);
            if age == STALE_AFTER && bed.clock.now() - START > Duration::from_secs(7) {
                break;
            }
        }
        assert!(bed.count(asks_what_applies) >= 2, "{age:?}: it asks again what applies");
    }
}

#[test]
fn messages_that_never_stop_do_not_close_the_eye() {
    let camera = Fake::plugged_in();
    let mut bed = Bed::at_the_code();
    bed.look_through(&camera);
    bed.hear(Message::Touch(Touch::Begin));
    for _ in 0..3 {
        film(&camera, code(), bed.clock.now());
        bed.clock.advance(FRAME);
        // A page that sends frames of its own does not blind the camera either.
        bed.page.push(b"junk".to_vec()).unwrap();
        bed.hear(Message::FrameArrived);
        assert!(bed.station.catch_up().is_ok());
    }
    assert_eq!(bed.count(asks_for_a_ticket), 1);
}

#[test]
fn a_frame_that_nobody_wants_is_forgotten_unread() {
    let mut bed = Bed::new(Mode::Counter);
    bed.page.push(b"junk".to_vec()).unwrap();
    bed.hear(Message::FrameArrived);
    assert!(bed.station.browser.next(Duration::ZERO).unwrap().is_none());
    assert_eq!(bed.count(is_a_bad_frame), 0);
}

#[test]
fn no_picture_outlives_its_capture_in_the_tray() {
    let mut bed = Bed::at_the_code();
    bed.page.push(jpeg_of(&code())).unwrap();
    bed.hear(Message::Touch(Touch::Cancel));
    assert!(bed.station.session.attention() == Attention::None);
    assert!(bed.station.browser.next(Duration::ZERO).unwrap().is_none());
}

#[test]
fn a_bad_frame_is_told_and_the_next_is_looked_at() {
    let mut bed = Bed::at_the_code();
    bed.page.push(b"junk".to_vec()).unwrap();
    bed.hear(Message::FrameArrived);
    assert_eq!(bed.count(is_a_bad_frame), 1);
    bed.page.push(jpeg_of(&code())).unwrap();
    bed.hear(Message::FrameArrived);
    assert_eq!(bed.count(asks_for_a_ticket), 1);
}

#[test]
fn the_next_visitor_is_not_shown_what_the_one_before_held_to_the_camera() {
    let camera = Fake::plugged_in();
    let mut bed = Bed::new(Mode::EnrolInside);
    bed.hear(Message::Changed);
    bed.open();
    bed.look_through(&camera);
    bed.pass(FRAME);
    // Nobody wants a frame: what the camera keeps is taken out and forgotten.
    film(&camera, code(), bed.clock.now());
    bed.pass(CAMERA_WAIT);
    assert_eq!(camera.lock().unwrap().forgotten, 1);
    // What came since belongs to nobody either, nor what a camera hands out late.
    film(&camera, code(), bed.clock.now());
    bed.hear(Message::Touch(Touch::Begin));
    bed.pass(CAMERA_WAIT);
    film(&camera, code(), bed.clock.now() - STALE_AFTER);
    bed.pass(FRAME);
    assert_eq!(bed.count(asks_for_a_ticket), 0);
    film(&camera, code(), bed.clock.now());
    bed.pass(FRAME);
    assert_eq!(bed.count(asks_for_a_ticket), 1, "what is held to it now is read");
    assert_eq!(camera.lock().unwrap().forgotten, 2);
}

#[test]
fn a_camera_that_stood_still_is_emptied_first() {
    let camera = Fake::plugged_in();
    let mut bed = Bed::at_the_code();
    bed.look_through(&camera);
    bed.hear(Message::Touch(Touch::Begin));
    bed.pass(FRAME);
    bed.pass(FRAME);
    // The machine slept; the camera stamps nothing.
    film(&camera, code(), bed.clock.now() + STALE_AFTER);
    bed.pass(STALE_AFTER);
    let state = camera.lock().unwrap();
    assert_eq!((state.shown, state.forgotten), (0, 1));
}

#[test]
fn a_camera_that_was_unplugged_comes_back() {
    let camera = Fake::plugged_in();
    let mut bed = Bed::at_the_code();
    bed.look_through(&camera);
    bed.hear(Message::Touch(Touch::Begin));
    bed.pass(FRAME);
    camera.lock().unwrap().is_plugged_in = false;
    bed.take();
    for _ in 0..5 {
        bed.pass(CAMERA_REST);
    }
    let told = bed.take();
    assert_eq!(told.iter().filter(|event| is_no_camera(event)).count(), 2, "failed, then missing");
    assert_eq!(told.iter().filter(|event| is_a_bad_frame(event)).count(), 0);
    camera.lock().unwrap().is_plugged_in = true;
    bed.pass(CAMERA_REST);
    film(&camera, code(), bed.clock.now());
    bed.pass(FRAME);
    assert_eq!(bed.count(asks_for_a_ticket), 1);
    assert_eq!(camera.lock().unwrap().opened, 2);
}

#[test]
fn the_same_camera_can_be_chosen_again() {
    let camera = Fake::plugged_in();
    let mut bed = Bed::at_the_code();
    for opened in 1..=3 {
        bed.look_through(&camera);
        bed.pass(FRAME);
        assert_eq!(camera.lock().unwrap().opened, opened);
    }
    assert_eq!(bed.count(is_no_camera), 0);
}
