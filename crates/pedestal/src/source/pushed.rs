//! Frames that somebody else sends, such as a browser over a connection.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use handfast_model::{Clock, Duration, Timestamp};
use zeroize::Zeroizing;

use super::{FRAME_BYTES_MAX, FrameSource, SourceError, TimedPicture, decode_frame};

/// A sender of encoded frames and the source that decodes them. Between the two lies one frame: a
/// newer one takes its place, so that a slow taker sees the present and memory stays bounded.
#[must_use]
pub fn pushed_frames(clock: Arc<dyn Clock>) -> (FramePusher, PushedFrames) {
    let tray = Arc::new(Tray { state: Mutex::default(), changed: Condvar::new() });
    let pusher = FramePusher { tray: Arc::clone(&tray), clock };
    (pusher, PushedFrames { tray })
}

/// The sending half. The source ends when it is dropped.
pub struct FramePusher {
    tray: Arc<Tray>,
    clock: Arc<dyn Clock>,
}

/// The taking half.
pub struct PushedFrames {
    tray: Arc<Tray>,
}

struct Tray {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Option<(Zeroizing<Vec<u8>>, Timestamp)>,
    is_closed: bool,
}

impl FramePusher {
    /// Puts a frame in the place of the one before.
    ///
    /// # Errors
    /// [`SourceError::TooManyBytes`]: it is not taken.
    pub fn push(&self, bytes: Vec<u8>) -> Result<(), SourceError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(SourceError::TooManyBytes { found: bytes.len() });
        }
        self.tray.lock().newest = Some((bytes, self.clock.now()));
        self.tray.changed.notify_one();
        Ok(())
    }
}

impl Drop for FramePusher {
    fn drop(&mut self) {
        self.tray.lock().is_closed = true;
        self.tray.changed.notify_one();
    }
}

impl FrameSource for PushedFrames {
    fn next(&mut self, wait_max: Duration) -> Result<Option<TimedPicture>, SourceError> {
        let wait_max = std::time::Duration::from_micros(wait_max.as_micros().max(0).unsigned_abs());
        let is_waiting = |state: &mut State| state.newest.is_none() && !state.is_closed;
        let state = self.tray.lock();
        let waited = self.tray.changed.wait_timeout_while(state, wait_max, is_waiting);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let newest = state.newest.take();
        let is_closed = state.is_closed;
        drop(state);
        match newest {
            Some((bytes, taken_at)) => {
                Ok(Some(TimedPicture { picture: decode_frame(&bytes)?, taken_at }))
            }
            None if is_closed => Err(SourceError::Gone),
            None => Ok(None),
        }
    }

    fn forget(&mut self) -> Result<(), SourceError> {
        self.tray.lock().newest = None;
        Ok(())
    }

    fn pace(&self) -> Option<Duration> {
        None
    }
}

impl Tray {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use handfast_model::ManualClock;
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    use super::*;

    fn png(width: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&vec![9; (width * 40) as usize], width, 40, ExtendedColorType::L8)
            .expect("encodes");
        bytes
    }

    #[test]
    fn the_newest_frame_is_the_one_that_counts() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1)));
        let (pusher, mut frames) = pushed_frames(Arc::<ManualClock>::clone(&clock));
        pusher.push(png(40)).expect("taken");
        clock.advance(Duration::from_secs(1));
        pusher.push(png(50)).expect("taken");
        let frame = frames.next(Duration::ZERO).expect("no fault").expect("a frame");
        assert_eq!((frame.picture.width(), frame.taken_at), (50, clock.now()));
        assert!(frames.next(Duration::ZERO).expect("no fault").is_none());
    }

    #[test]
    fn a_forgotten_frame_is_gone_and_was_not_decoded() {
        let (pusher, mut frames) = pushed_frames(Arc::new(ManualClock::at(Timestamp::MAX)));
        pusher.push(b"junk".to_vec()).expect("taken");
        frames.forget().expect("no fault, for nothing was decoded");
        assert!(frames.next(Duration::ZERO).expect("no fault").is_none());
    }

    #[test]
    fn a_bad_frame_is_an_error_and_the_next_is_taken() {
        let (pusher, mut frames) = pushed_frames(Arc::new(ManualClock::at(Timestamp::MAX)));
        pusher.push(b"junk".to_vec()).expect("taken");
        assert!(matches!(frames.next(Duration::ZERO), Err(SourceError::Picture(_))));
        let long = pusher.push(vec![0; FRAME_BYTES_MAX + 1]);
        assert!(matches!(long, Err(SourceError::TooManyBytes { .. })));
        pusher.push(png(40)).expect("taken");
        assert!(frames.next(Duration::ZERO).expect("no fault").is_some());
    }

    #[test]
    fn a_frame_wakes_whoever_waits_and_the_end_is_told() {
        let (pusher, mut frames) = pushed_frames(Arc::new(ManualClock::at(Timestamp::MAX)));
        let taker = std::thread::spawn(move || {
            let first = frames.next(Duration::from_minutes(5)).expect("no fault").is_some();
            let end = frames.next(Duration::from_minutes(5));
            (first, matches!(end, Err(SourceError::Gone)))
        });
        pusher.push(png(40)).expect("taken");
        // The taker needs the frame before the end, as a slow one would lose nothing else.
        while pusher.tray.lock().newest.is_some() {
            std::thread::yield_now();
        }
        drop(pusher);
        assert_eq!(taker.join().expect("no panic"), (true, true));
    }
}
