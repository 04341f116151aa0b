//! One pedestal's session: inputs in, requests out, and the screen as a snapshot.

use handfast_model::Timestamp;
use serde::Serialize;

use crate::counter::Counter;
use crate::cue::Cue;
use crate::engine::Engine;
use crate::enrol::Enrol;
use crate::guidance::Guidance;
use crate::hub::{Answer, Errand, RequestId};
use crate::lane::Lane;
use crate::standing::Standing;
use crate::touch::Touch;
use crate::turn::{Desk, Turn};
use crate::view::{Language, Mode, View};

/// Something that happens to a session.
pub enum Input<F> {
    /// A frame of the camera. It is dropped, and thereby zeroed, before [`Session::on`] returns.
    Frame(F),
    /// A touch at the page.
    Touch(Touch),
    /// An answer of the hub.
    Answer(RequestId, Answer),
    /// What applies here may have changed (a charge was opened, a switch turned): the session asks
    /// the hub at once instead of soon. It may be left out, and may come for nothing.
    Changed,
    /// Time passes: at least every 250 ms.
    Tick,
}

/// What frames are wanted for now: a frame that is wanted for nothing need not even be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nothing.
    None,
    /// To read a code.
    Code,
    /// To look for a palm.
    Palm,
}

/// What the page draws; equal snapshots need not be sent twice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// What the pedestal is set up for.
    pub mode: Mode,
    /// The screen.
    pub view: View,
    /// The advice, where a palm is wanted.
    pub guidance: Option<Guidance>,
}

/// One pedestal's session. Dropping it, as on a lost connection, forgets everything it held.
///
/// It reads no clock: `now` is a parameter of every input and should not run backwards (where it
/// does, captures start again and deadlines move by as much). It waits for nothing: requests come
/// out as [`Errand`]s and their answers come back as inputs.
pub struct Session<E: Engine> {
    mode: Mode,
    language: Language,
    engine: E,
    desk: Desk<E>,
    standing: Standing,
    /// `None` only while an input is handled, and after a panic in it: then it starts anew.
    flow: Option<Flow<E>>,
    now: Timestamp,
}

enum Flow<E: Engine> {
    Enrol(Enrol<E>),
    Lane(Lane<E>),
    Counter(Counter<E>),
}

impl<E: Engine> Session<E> {
    /// A session that begins at `now`. Its first requests come out of the first input.
    #[must_use]
    pub const fn new(mode: Mode, language: Language, engine: E, now: Timestamp) -> Self {
        Self {
            mode,
            language,
            engine,
            desk: Desk::new(),
            standing: Standing::new(),
            flow: None,
            now,
        }
    }

    /// Handles one input and gives the requests that follow from it.
    pub fn on(&mut self, input: Input<E::Frame>, now: Timestamp) -> Vec<Errand<E>> {
        self.now = now;
        let input = self.hear(input);
        let flow = self.flow.take().unwrap_or_else(|| Flow::start(self.mode));
        let mut turn = Turn {
            now,
            mode: self.mode,
            language: self.language,
            situation: self.standing.current(now),
            engine: &mut self.engine,
            desk: &mut self.desk,
        };
        self.flow = Some(flow.on(input, &mut turn));
        self.standing.ask_if_due(self.mode, &mut self.desk, now);
        self.desk.collect()
    }

    /// What the page draws now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { mode: self.mode, view: self.view(), guidance: self.guidance() }
    }

    /// The screen.
    #[must_use]
    pub fn view(&self) -> View {
        let situation = self.standing.current(self.now);
        match &self.flow {
            None => View::Working {},
            Some(Flow::Enrol(enrol)) => enrol.view(situation),
            Some(Flow::Lane(lane)) => lane.view(situation),
            Some(Flow::Counter(counter)) => counter.view(situation),
        }
    }

    /// The advice, where a palm is wanted.
    #[must_use]
    pub fn guidance(&self) -> Option<Guidance> {
        match self.flow.as_ref()? {
            Flow::Enrol(enrol) => enrol.guidance(),
            Flow::Lane(lane) => lane.guidance(),
            Flow::Counter(counter) => counter.guidance(),
        }
    }

    /// What a simulated person should do now.
    #[must_use]
    pub fn cue(&self) -> Cue {
        match &self.flow {
            None => Cue::Nothing,
            Some(Flow::Enrol(enrol)) => enrol.cue(),
            Some(Flow::Lane(lane)) => lane.cue(),
            Some(Flow::Counter(counter)) => counter.cue(),
        }
    }

    /// What frames are wanted for now.
    #[must_use]
    pub const fn attention(&self) -> Attention {
        match &self.flow {
            None => Attention::None,
            Some(Flow::Enrol(enrol)) => enrol.attention(),
            Some(Flow::Lane(lane)) => lane.attention(),
            Some(Flow::Counter(counter)) => counter.attention(),
        }
    }

    /// Takes what concerns every flow alike; what is left of the input goes on to the flow.
    fn hear(&mut self, input: Input<E::Frame>) -> Input<E::Frame> {
        match input {
            Input::Answer(id, Answer::Situation(situation)) => {
                self.standing.hear(id, situation, self.now);
                Input::Tick
            }
            Input::Changed => {
                self.standing.nudge();
                Input::Changed
            }
            Input::Touch(Touch::Language { language }) => {
                self.language = language;
                Input::Touch(Touch::Language { language })
            }
            other => other,
        }
    }
}

impl<E: Engine> Flow<E> {
    const fn start(mode: Mode) -> Self {
        match mode {
            Mode::EnrolOutside | Mode::EnrolInside => Self::Enrol(Enrol::Welcome),
            Mode::EntryLane => Self::Lane(Lane::Shut),
            Mode::Counter => Self::Counter(Counter::new()),
        }
    }

    fn on(self, input: Input<E::Frame>, turn: &mut Turn<'_, E>) -> Self {
        match self {
            Self::Enrol(enrol) => Self::Enrol(enrol.on(input, turn)),
            Self::Lane(lane) => Self::Lane(lane.on(input, turn)),
            Self::Counter(counter) => Self::Counter(counter.on(input, turn)),
        }
    }
}
