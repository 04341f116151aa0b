//! Watches one palm: that it arrives after the question, which side it is, that it is held still,
//! and when enough good frames are together.

use std::f32::consts::{PI, TAU};

use handfast_model::{Duration, Timestamp};

use crate::clearance::Clearance;
use crate::cue::Cue;
use crate::engine::{Engine, Observation, Placement, SeenPalm, Side};
use crate::guidance::{Guidance, GuidanceState};
use crate::view::WantedSide;

/// Frames without a hand, one after the other, before the place counts as empty: one or two can be
/// a moving hand that the engine missed.
const ABSENT_FRAMES: u32 = 3;
/// The same as a time, for cameras faster than 15 frames a second.
const ABSENT_SPAN: Duration = Duration::from_millis(120);
/// A frame that comes in sooner after the question was taken before anybody could read it.
const ON_SCREEN_AFTER: Duration = Duration::from_millis(100);
/// Longest time between two frames of one hover: over a longer gap nobody watched, and the hand may
/// be another.
const FRAME_GAP_MAX: Duration = Duration::from_secs(1);
/// A palm is still while its centre moves at most so far between two frames (about 8 mm): what is
/// left of it blurs less than a crease is wide.
const STILL_SHIFT_MAX: f32 = 0.03;
/// ... and its radius changes by at most this factor ...
const STILL_SCALE_MAX: f32 = 1.08;
/// ... and it turns by at most so much, in radians (7 degrees).
const STILL_TURN_MAX: f32 = 0.12;
/// A frame less sharp than this fraction of the sharpest of its hover is not taken.
const SHARPNESS_OF_BEST_MIN: f32 = 0.6;
/// Frames older than this do not belong to the hover that is held still now.
const SAMPLE_AGE_MAX: Duration = Duration::from_secs(4);

/// How many good frames a capture takes, and how quickly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Good frames of one palm.
    pub(crate) wanted: usize,
    /// How long the palm is still before the first is taken.
    settle: Duration,
    /// Shortest time between two: frames of one moment add nothing to each other.
    spacing: Duration,
    /// Fewer than wanted are handed over this long after the first.
    patience: Option<Duration>,
}

impl Pace {
    /// Three frames over half a second: small differences of pose are what makes the fused
    /// reference robust.
    pub(crate) const ENROL: Self = Self {
        wanted: 3,
        settle: Duration::from_millis(200),
        spacing: Duration::from_millis(250),
        patience: None,
    };
    /// As quick as a camera gives distinct frames: the verdict is due a second after the hover.
    pub(crate) const PROBE: Self = Self {
        wanted: 3,
        settle: Duration::ZERO,
        spacing: Duration::from_millis(50),
        patience: Some(Duration::from_millis(350)),
    };
}

/// The good frames of one palm, ready to be sealed.
pub(crate) struct Hover<S> {
    pub(crate) side: Side,
    pub(crate) samples: Vec<S>,
}

/// Watches for one palm, on behalf of one question on the screen. Dropping it forgets everything.
pub(crate) struct PalmWatch<S> {
    clearance: Clearance,
    wanted: WantedSide,
    pace: Pace,
    asked_at: Timestamp,
    presence: Presence<S>,
    collecting: bool,
    last_frame: Option<Timestamp>,
    advice: GuidanceState,
    hand: Option<Placement>,
}

enum Presence<S> {
    /// Whatever is there was there before the question: no hand must be seen first.
    Clearing(Streak),
    /// No hand is there: the next one arrives.
    Awaiting,
    /// A hand arrived.
    Here(Here<S>),
}

/// Frames without a hand, one after the other.
#[derive(Clone, Copy, Default)]
struct Streak {
    frames: u32,
    since: Option<Timestamp>,
}

struct Here<S> {
    since: Timestamp,
    gone: Streak,
    previous: Option<Placement>,
    still_since: Option<Timestamp>,
    side: Option<Side>,
    taken: Vec<Taken<S>>,
}

struct Taken<S> {
    at: Timestamp,
    sharpness: f32,
    sample: S,
}

impl<S> PalmWatch<S> {
    /// A watch for a question that comes on the screen at `now`.
    pub(crate) const fn new(
        clearance: Clearance,
        wanted: WantedSide,
        pace: Pace,
        now: Timestamp,
    ) -> Self {
        Self {
            clearance,
            wanted,
            pace,
            asked_at: now,
            presence: Presence::Clearing(Streak { frames: 0, since: None }),
            collecting: true,
            last_frame: None,
            advice: GuidanceState::NoHand,
            hand: None,
        }
    }

    /// Looks at a frame; gives the hover when it is complete.
    pub(crate) fn frame<E>(
        &mut self,
        engine: &mut E,
        frame: &E::Frame,
        now: Timestamp,
    ) -> Option<Hover<S>>
    where
        E: Engine<Sample = S>,
    {
        let since_asked = now - self.asked_at;
        if since_asked >= Duration::ZERO && since_asked < ON_SCREEN_AFTER {
            return None;
        }
        self.notice_gap(now);
        self.last_frame = Some(now);
        match engine.look(frame, &self.clearance) {
            Observation::Empty(advice) => self.absent(advice, now),
            Observation::Unclear(advice) => self.unclear(advice),
            Observation::Awkward { advice, placement } => self.awkward(advice, placement, now),
            Observation::Palm(seen) => self.palm(seen, now),
        }
        self.due(now)
    }

    /// The hover, if it is complete, or if patience with it is over.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Hover<S>> {
        let Presence::Here(here) = &mut self.presence else { return None };
        let (first, side) = (here.taken.first()?, here.side?);
        let is_whole = here.taken.len() >= self.pace.wanted;
        let is_late = self.pace.patience.is_some_and(|patience| now - first.at >= patience);
        if !self.collecting || !(is_whole || is_late) {
            return None;
        }
        self.collecting = false;
        let samples = here.taken.drain(..).map(|taken| taken.sample).collect();
        Some(Hover { side, samples })
    }

    /// Goes on with the hand that is there, for another attempt.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        self.collecting = true;
        if let Presence::Here(here) = &mut self.presence {
            *here = Here::arrived(now);
        }
    }

    /// Takes other frames of the same hover: those that were handed over made no template.
    pub(crate) const fn collect_again(&mut self) {
        self.collecting = true;
    }

    /// From here on only whether a hand is there matters; what was taken is forgotten.
    pub(crate) fn rest(&mut self) {
        self.collecting = false;
        if let Presence::Here(here) = &mut self.presence {
            here.forget();
        }
    }

    /// A new question for the next person: whoever is still there has to leave first.
    pub(crate) fn next_person(&mut self) {
        self.collecting = true;
        if !matches!(self.presence, Presence::Awaiting) {
            self.presence = Presence::Clearing(Streak::default());
        }
    }

    /// Since when a hand that arrived has been there.
    pub(crate) const fn here_since(&self) -> Option<Timestamp> {
        match &self.presence {
            Presence::Here(here) => Some(here.since),
            Presence::Clearing(_) | Presence::Awaiting => None,
        }
    }

    /// How many good frames there are.
    pub(crate) fn taken(&self) -> u32 {
        self.here().map_or(0, |here| u32::try_from(here.taken.len()).unwrap_or(u32::MAX))
    }

    /// How many are wanted.
    pub(crate) fn frames_wanted(&self) -> u32 {
        u32::try_from(self.pace.wanted).unwrap_or(u32::MAX)
    }

    /// Which hand is wanted.
    pub(crate) const fn wanted(&self) -> WantedSide {
        self.wanted
    }

    /// What the person should do.
    pub(crate) fn guidance(&self) -> Guidance {
        Guidance::new(self.advice, self.hold(), self.hand)
    }

    /// What a simulated person should do.
    pub(crate) const fn cue(&self) -> Cue {
        match self.presence {
            Presence::Clearing(_) => Cue::Nothing,
            Presence::Awaiting | Presence::Here(_) => Cue::Hand { side: self.wanted },
        }
    }

    const fn here(&self) -> Option<&Here<S>> {
        match &self.presence {
            Presence::Here(here) => Some(here),
            Presence::Clearing(_) | Presence::Awaiting => None,
        }
    }

    fn hold(&self) -> f32 {
        let (Some(here), Some(now)) = (self.here(), self.last_frame) else { return 0.0 };
        let (start, span) = match here.taken.last() {
            Some(last) => (Some(last.at), self.pace.spacing),
            None => (here.still_since, self.pace.settle),
        };
        let under_way = start.map_or(0.0, |start| share(now - start, span));
        (here.taken.len() as f32 + under_way) / self.pace.wanted as f32
    }

    /// After a gap, or a clock that was set back, the hand may be another one.
    fn notice_gap(&mut self, now: Timestamp) {
        let Some(last) = self.last_frame else { return };
        let gap = now - last;
        if gap <= FRAME_GAP_MAX && gap >= Duration::ZERO {
            return;
        }
        match &mut self.presence {
            Presence::Clearing(streak) => *streak = Streak::default(),
            Presence::Awaiting => {}
            Presence::Here(here) => *here = Here::arrived(now),
        }
    }

    fn absent(&mut self, advice: GuidanceState, now: Timestamp) {
        self.advise(advice, None);
        let is_empty = match &mut self.presence {
            Presence::Clearing(streak) => streak.proves_absence(now),
            Presence::Awaiting => true,
            Presence::Here(here) => here.gone.proves_absence(now),
        };
        if is_empty {
            self.presence = Presence::Awaiting;
        }
    }

    /// Neither proves that a hand is there nor that none is.
    fn unclear(&mut self, advice: GuidanceState) {
        self.advise(advice, None);
        match &mut self.presence {
            Presence::Clearing(streak) => *streak = Streak::default(),
            Presence::Awaiting => {}
            Presence::Here(here) => here.disturbed(),
        }
    }

    fn awkward(&mut self, advice: GuidanceState, hand: Option<Placement>, now: Timestamp) {
        match self.arrived(now) {
            Some(here) => {
                here.disturbed();
                self.advise(advice, hand);
            }
            None => self.advise(GuidanceState::TakeHandAway, hand),
        }
    }

    fn palm(&mut self, seen: SeenPalm<S>, now: Timestamp) {
        let (pace, wanted, collecting) = (self.pace, self.wanted, self.collecting);
        let hand = Some(seen.placement);
        let advice = match self.arrived(now) {
            None => GuidanceState::TakeHandAway,
            Some(here) if !collecting => here.follow(seen.placement, now),
            Some(here) if !wanted.admits(seen.side) => {
                here.forget();
                GuidanceState::WrongHand
            }
            Some(here) => here.consider(seen, pace, now),
        };
        self.advise(advice, hand);
    }

    /// The hand that is there, unless it was there before the question.
    fn arrived(&mut self, now: Timestamp) -> Option<&mut Here<S>> {
        match &mut self.presence {
            Presence::Clearing(streak) => *streak = Streak::default(),
            Presence::Awaiting => self.presence = Presence::Here(Here::arrived(now)),
            Presence::Here(here) => here.gone = Streak::default(),
        }
        match &mut self.presence {
            Presence::Here(here) => Some(here),
            Presence::Clearing(_) | Presence::Awaiting => None,
        }
    }

    const fn advise(&mut self, advice: GuidanceState, hand: Option<Placement>) {
        self.advice = advice;
        self.hand = hand;
    }
}

impl Streak {
    fn proves_absence(&mut self, now: Timestamp) -> bool {
        self.frames += 1;
        let since = *self.since.get_or_insert(now);
        self.frames >= ABSENT_FRAMES && now - since >= ABSENT_SPAN
    }
}

impl<S> Here<S> {
    const fn arrived(now: Timestamp) -> Self {
        Self {
            since: now,
            gone: Streak { frames: 0, since: None },
            previous: None,
            still_since: None,
            side: None,
            taken: Vec::new(),
        }
    }

    /// Takes the frame if it is one to take; says what the person should do.
    fn consider(&mut self, seen: SeenPalm<S>, pace: Pace, now: Timestamp) -> GuidanceState {
        if self.side != Some(seen.side) {
            self.forget();
            self.side = Some(seen.side);
        }
        if self.follow(seen.placement, now) == GuidanceState::HoldStill {
            return GuidanceState::HoldStill;
        }
        self.taken.retain(|taken| now - taken.at <= SAMPLE_AGE_MAX);
        let best = self.taken.iter().map(|taken| taken.sharpness).fold(0.0, f32::max);
        if seen.sharpness < best * SHARPNESS_OF_BEST_MIN {
            return GuidanceState::Blurred;
        }
        let is_settled = self.still_since.is_some_and(|since| now - since >= pace.settle);
        let is_spaced = self.taken.last().is_none_or(|last| now - last.at >= pace.spacing);
        if is_settled && is_spaced && self.taken.len() < pace.wanted {
            let worth = seen.sharpness * SHARPNESS_OF_BEST_MIN;
            self.taken.retain(|taken| taken.sharpness >= worth);
            let SeenPalm { sharpness, sample, .. } = seen;
            self.taken.push(Taken { at: now, sharpness, sample });
        }
        GuidanceState::Ready
    }

    /// Follows the palm from frame to frame: `HoldStill` while it moves, `Ready` when it does not.
    fn follow(&mut self, placement: Placement, now: Timestamp) -> GuidanceState {
        let is_still = self.previous.is_some_and(|previous| is_still(previous, placement));
        self.previous = Some(placement);
        if is_still {
            self.still_since.get_or_insert(now);
            GuidanceState::Ready
        } else {
            self.still_since = None;
            GuidanceState::HoldStill
        }
    }

    /// A frame in between that cannot be used: what was taken stays, stillness starts again.
    const fn disturbed(&mut self) {
        self.gone = Streak { frames: 0, since: None };
        self.previous = None;
        self.still_since = None;
    }

    fn forget(&mut self) {
        self.taken.clear();
        self.side = None;
        self.previous = None;
        self.still_since = None;
    }
}

impl WantedSide {
    const fn admits(self, side: Side) -> bool {
        matches!(
            (self, side),
            (Self::Either, _) | (Self::Left, Side::Left) | (Self::Right, Side::Right)
        )
    }

    /// The hand that `side` is not.
    pub(crate) const fn other_than(side: Side) -> Self {
        match side {
            Side::Left => Self::Right,
            Side::Right => Self::Left,
        }
    }
}

fn is_still(before: Placement, after: Placement) -> bool {
    let shift = (before.centre.0 - after.centre.0).hypot(before.centre.1 - after.centre.1);
    let (small, large) = (before.radius.min(after.radius), before.radius.max(after.radius));
    let turn = (before.angle - after.angle).rem_euclid(TAU);
    let turn = if turn > PI { TAU - turn } else { turn };
    shift <= STILL_SHIFT_MAX && large <= small * STILL_SCALE_MAX && turn <= STILL_TURN_MAX
}

fn share(part: Duration, whole: Duration) -> f32 {
    // The frame that completes a step counts as taken, not as nearly taken.
    const NEARLY: f64 = 0.95;
    if whole <= Duration::ZERO {
        return 0.0;
    }
    (part.as_millis_f64() / whole.as_millis_f64()).clamp(0.0, NEARLY) as f32
}
