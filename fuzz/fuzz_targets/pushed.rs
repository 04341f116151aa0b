//! Any bytes as what a page pushes over the pedestal's connection: a row of frames, each decoded within
//! the limits of frames or refused with a reason, and looked at by a lane's session, whatever sizes
//! follow each other. Never a panic, and never a request but those that a lane makes.
//!
//! A frame is two bytes of length, one of how long nothing happens, and its bytes.

#![no_main]

use std::sync::Arc;

use handfast_model::{Clock, Duration, ManualClock, Timestamp};
use handfast_pedestal::{
    Answer, Biometrics, EventBrief, FRAME_SIDE_PX_MAX, FrameSource, Input, Language, Mode,
    PalmEngine, Request, Session, Situation, SourceError, pushed_frames,
};
use libfuzzer_sys::fuzz_target;

/// Pictures beyond this are left to the target `picture`: here thousands of rows a second count.
const PIXELS_MAX: u32 = 200 * 200;

fuzz_target!(|bytes: &[u8]| {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
    let (pusher, mut frames) = pushed_frames(Arc::<ManualClock>::clone(&clock));
    let mut session = Session::new(Mode::EntryLane, Language::En, PalmEngine, clock.now());
    give(&mut session, Input::Tick, clock.now());
    let mut rest = bytes;
    while let [high, low, wait, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (frame, next) = after.split_at(length);
        rest = next;
        clock.advance(Duration::from_millis(i64::from(*wait)));
        if pusher.push(frame.to_vec()).is_err() {
            continue;
        }
        match frames.next(Duration::ZERO) {
            Ok(Some(timed)) => {
                let (width, height) = (timed.picture.width(), timed.picture.height());
                assert!(width.max(height) <= FRAME_SIDE_PX_MAX);
                if width * height <= PIXELS_MAX {
                    give(&mut session, Input::Frame(timed.picture), clock.now());
                }
            }
            Ok(None) => {}
            Err(SourceError::Gone) => unreachable!("the pusher is there"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let _ = session.snapshot();
});

/// Gives an input and answers what applies here; a search is answered by nobody.
fn give(
    session: &mut Session<PalmEngine>,
    input: Input<handfast_palm::Picture>,
    now: Timestamp,
) {
    for errand in session.on(input, now) {
        match errand.request {
            Request::Situation => {
                let event = EventBrief { name: "Nova".into(), starts_at: now };
                let situation = Situation {
                    event: Some(event),
                    biometrics: Biometrics::Allowed,
                    shop_name: String::new(),
                    charge: None,
                };
                let answer = Input::Answer(errand.id, Answer::Situation(situation));
                give(session, answer, now);
            }
            Request::Identify { .. }
            | Request::CaptureFailed { .. }
            | Request::CaptureRefused { .. } => {}
            other => unreachable!("a lane does not ask for {other:?}"),
        }
    }
}
