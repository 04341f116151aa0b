//! The flow of an entry lane: a hand arrives, is searched among tonight's palms, and so many enter.

use handfast_model::{Duration, Timestamp};

use crate::clearance::Clearance;
use crate::cue::Cue;
use crate::engine::{Engine, NotPacked};
use crate::guidance::Guidance;
use crate::hub::{Answer, Request, RequestId, Situation};
use crate::palm_watch::{Hover, Pace, PalmWatch};
use crate::session::{Attention, Input};
use crate::touch::Touch;
use crate::turn::{Outcome, Pending, Turn};
use crate::view::{Biometrics, EventBrief, Purpose, Reason, View, WantedSide};

/// Captures of one hover: fresh frames help whom the first ones missed, and living hands that looked
/// like none. Every further one adds the same chance of a false match, and of an artefact that
/// passes, so there is one more and no third.
pub const IDENTIFY_ATTEMPTS: u32 = 2;
/// How long a hand may be there without a good frame before its person is sent on: the queue waits.
const CAPTURE_WITHIN: Duration = Duration::from_secs(8);
/// How long "hold your palm over the pedestal" stays after somebody asked for it.
const INVITED_FOR: Duration = Duration::from_secs(15);
/// How long a search may take (its target is well under a second).
const IDENTIFY_ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long recording the entry may take.
const ADMIT_ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long the number of people is waited for. Nobody enters without an answer.
const COUNT_CHOSEN_WITHIN: Duration = Duration::from_secs(20);
/// How long "go in" is shown: 20 people a minute leave three seconds for each.
const ADMITTED_SHOWN: Duration = Duration::from_secs(2);
/// The most people who enter on one hover, whatever the hub allows.
pub const ENTER_AT_ONCE_MAX: u32 = 8;

/// The flow.
pub(crate) enum Lane<E: Engine> {
    /// No palm is looked at: biometrics are forbidden, no event is on, or the hub is silent.
    Shut,
    Open(Box<Open<E>>),
}

/// A lane of an event that allows biometrics.
pub(crate) struct Open<E: Engine> {
    event: EventBrief,
    /// `None` once palms must not be looked at any more, and an entry is only brought to its end.
    watch: Option<PalmWatch<E::Sample>>,
    step: Step,
}

#[expect(clippy::large_enum_variant, reason = "one a pedestal: its outcome is a whole screen")]
enum Step {
    Waiting { attempt: u32, invited_until: Option<Timestamp> },
    Identifying { pending: Pending, attempt: u32 },
    Choosing { identified: RequestId, available: u32, max: u32, until: Timestamp },
    Admitting(Pending),
    Outcome(Outcome),
}

impl<E: Engine> Lane<E> {
    /// Handles one input.
    pub(crate) fn on(self, input: Input<E::Frame>, turn: &mut Turn<'_, E>) -> Self {
        match self.heed_situation(turn) {
            Self::Shut => Self::Shut,
            Self::Open(mut open) => {
                open.step = open.heed_time(turn);
                open.step = match input {
                    Input::Frame(frame) => open.frame(&frame, turn),
                    Input::Touch(touch) => open.touch(&touch, turn),
                    Input::Answer(id, answer) => open.answer(id, answer, turn),
                    Input::Changed | Input::Tick => open.step,
                };
                Self::Open(open)
            }
        }
    }

    /// The screen.
    pub(crate) fn view(&self, situation: Option<&Situation>) -> View {
        match (self, situation) {
            (Self::Open(open), _) => open.view(),
            (Self::Shut, None) => View::Working {},
            (Self::Shut, Some(now)) => {
                View::Welcome { event: now.event.clone(), biometrics: now.biometrics }
            }
        }
    }

    /// The advice, while a palm is waited for.
    pub(crate) fn guidance(&self) -> Option<Guidance> {
        match self {
            Self::Open(open) if matches!(open.step, Step::Waiting { .. }) => {
                open.watch.as_ref().map(PalmWatch::guidance)
            }
            Self::Open(_) | Self::Shut => None,
        }
    }

    /// What a simulated person should do: it comes when it asked to enter, as people at the lane
    /// come without being asked.
    pub(crate) fn cue(&self) -> Cue {
        let Self::Open(open) = self else { return Cue::Nothing };
        match (&open.step, &open.watch) {
            (Step::Identifying { .. }, _) => Cue::Hand { side: WantedSide::Either },
            (Step::Waiting { invited_until: Some(_), .. }, Some(watch)) => watch.cue(),
            (Step::Waiting { .. }, Some(watch)) if watch.here_since().is_some() => watch.cue(),
            _ => Cue::Nothing,
        }
    }

    /// What frames are wanted for.
    pub(crate) const fn attention(&self) -> Attention {
        match self {
            Self::Open(open) if open.watch.is_some() && open.step.looks() => Attention::Palm,
            Self::Open(_) | Self::Shut => Attention::None,
        }
    }

    fn heed_situation(self, turn: &mut Turn<'_, E>) -> Self {
        match self {
            Self::Shut => Self::open(turn),
            Self::Open(open) => open.heed_situation(turn),
        }
    }

    fn open(turn: &Turn<'_, E>) -> Self {
        let Some(situation) = turn.situation else { return Self::Shut };
        let Some(event) = situation.event.clone() else { return Self::Shut };
        let Some(clearance) = Clearance::to_enter(situation, &event) else { return Self::Shut };
        let watch = Some(PalmWatch::new(clearance, WantedSide::Either, Pace::PROBE, turn.now));
        Self::Open(Box::new(Open { event, watch, step: Step::WAITING }))
    }
}

impl Step {
    const WAITING: Self = Self::Waiting { attempt: 1, invited_until: None };

    /// Whether frames matter: for a palm, or to see that the hand has left.
    const fn looks(&self) -> bool {
        matches!(self, Self::Waiting { .. } | Self::Outcome(_))
    }
}

impl<E: Engine> Open<E> {
    /// Closes the lane when its event is over or forbids biometrics, or the hub is silent. An entry
    /// that is being recorded is brought to its end, without looking at palms.
    fn heed_situation(mut self: Box<Self>, turn: &mut Turn<'_, E>) -> Lane<E> {
        if self.watch.is_some() && self.is_permitted(turn.situation) {
            return Lane::Open(self);
        }
        self.watch = None;
        match self.step {
            Step::Admitting(_) => Lane::Open(self),
            Step::Outcome(ref outcome) if !outcome.is_over(turn.now) => Lane::Open(self),
            Step::Choosing { identified, .. } => {
                turn.tell(Request::Release { identified });
                Lane::Shut
            }
            Step::Waiting { .. } | Step::Identifying { .. } | Step::Outcome(_) => Lane::Shut,
        }
    }

    fn is_permitted(&self, situation: Option<&Situation>) -> bool {
        situation.is_some_and(|now| {
            now.biometrics == Biometrics::Allowed && now.event.as_ref() == Some(&self.event)
        })
    }

    fn view(&self) -> View {
        match &self.step {
            Step::Waiting { attempt, invited_until } => {
                let is_asked = *attempt > 1 || invited_until.is_some();
                match &self.watch {
                    Some(watch) if is_asked || watch.here_since().is_some() => palm_view(watch),
                    _ => self.welcome(),
                }
            }
            Step::Identifying { .. } | Step::Admitting(_) => View::Working {},
            Step::Choosing { available, max, .. } => {
                View::ChooseCount { available: *available, max: *max }
            }
            Step::Outcome(outcome) => outcome.view.clone(),
        }
    }

    fn welcome(&self) -> View {
        View::Welcome { event: Some(self.event.clone()), biometrics: Biometrics::Allowed }
    }

    fn heed_time(&mut self, turn: &mut Turn<'_, E>) -> Step {
        let now = turn.now;
        match self.take_step() {
            Step::Waiting { attempt, invited_until } => {
                self.heed_time_waiting(attempt, invited_until, turn)
            }
            Step::Identifying { pending, .. } if pending.is_overdue(now) => {
                self.turn_away(Reason::VaultUnavailable, turn)
            }
            Step::Choosing { identified, until, .. } if now >= until => {
                turn.tell(Request::Release { identified });
                self.next_person()
            }
            Step::Admitting(pending) if pending.is_overdue(now) => {
                self.turn_away(Reason::Internal, turn)
            }
            Step::Outcome(outcome) if outcome.is_over(now) => self.next_person(),
            step => step,
        }
    }

    fn heed_time_waiting(
        &mut self,
        attempt: u32,
        invited_until: Option<Timestamp>,
        turn: &mut Turn<'_, E>,
    ) -> Step {
        let now = turn.now;
        let Some(watch) = &mut self.watch else { return Step::WAITING };
        if let Some(hover) = watch.due(now) {
            return self.identify(hover, attempt, invited_until, turn);
        }
        match watch.here_since() {
            Some(since) if now - since >= CAPTURE_WITHIN => {
                turn.tell(Request::CaptureFailed { last: watch.guidance().state });
                self.turn_away(Reason::CaptureTimeout, turn)
            }
            Some(_) => Step::Waiting { attempt, invited_until },
            // Whoever comes next starts with a first attempt.
            None => Step::Waiting { attempt: 1, invited_until: invited_until.filter(|u| now < *u) },
        }
    }

    fn frame(&mut self, frame: &E::Frame, turn: &mut Turn<'_, E>) -> Step {
        let step = self.take_step();
        let Some(watch) = self.watch.as_mut().filter(|_| step.looks()) else { return step };
        match (watch.frame(turn.engine, frame, turn.now), step) {
            (Some(hover), Step::Waiting { attempt, invited_until }) => {
                self.identify(hover, attempt, invited_until, turn)
            }
            (_, step) => step,
        }
    }

    fn touch(&mut self, touch: &Touch, turn: &mut Turn<'_, E>) -> Step {
        match (self.take_step(), touch) {
            (Step::Waiting { attempt, .. }, Touch::Begin) => {
                Step::Waiting { attempt, invited_until: Some(turn.now + INVITED_FOR) }
            }
            // An outcome that was read need not be waited for.
            (Step::Waiting { .. } | Step::Identifying { .. } | Step::Outcome(_), Touch::Cancel) => {
                self.next_person()
            }
            (Step::Choosing { identified, .. }, Touch::Cancel) => {
                turn.tell(Request::Release { identified });
                self.next_person()
            }
            (Step::Choosing { identified, max, .. }, Touch::Count { count })
                if (1..=max).contains(count) =>
            {
                admit(identified, *count, turn)
            }
            (step, _) => step,
        }
    }

    fn answer(&mut self, id: RequestId, answer: Answer, turn: &mut Turn<'_, E>) -> Step {
        match self.take_step() {
            Step::Identifying { pending, attempt } if pending.awaits(id) => {
                self.identified(id, answer, attempt, turn)
            }
            Step::Admitting(pending) if pending.awaits(id) => match answer {
                Answer::Admitted { count, direction } => {
                    let view = View::Admitted { count, direction };
                    Step::Outcome(turn.show(view, ADMITTED_SHOWN))
                }
                Answer::Refused(reason) => self.turn_away(reason, turn),
                _ => self.turn_away(Reason::Internal, turn),
            },
            step => step,
        }
    }

    fn identified(
        &mut self,
        identified: RequestId,
        answer: Answer,
        attempt: u32,
        turn: &mut Turn<'_, E>,
    ) -> Step {
        match answer {
            Answer::Identified { available, max } => {
                let max = max.min(available).min(ENTER_AT_ONCE_MAX);
                match (available, max) {
                    (0, _) | (_, 0) => self.turn_away(Reason::NoTicket, turn),
                    (1, _) => admit(identified, 1, turn),
                    _ => {
                        let until = turn.now + COUNT_CHOSEN_WITHIN;
                        Step::Choosing { identified, available, max, until }
                    }
                }
            }
            Answer::Refused(reason @ (Reason::NotRecognised | Reason::Ambiguous)) => {
                self.missed(reason, attempt, turn)
            }
            Answer::Refused(reason) => self.turn_away(reason, turn),
            _ => self.turn_away(Reason::Internal, turn),
        }
    }

    fn identify(
        &mut self,
        hover: Hover<E::Sample>,
        attempt: u32,
        invited_until: Option<Timestamp>,
        turn: &mut Turn<'_, E>,
    ) -> Step {
        match turn.engine.pack_presentation(hover.samples) {
            Ok(presentation) => {
                let pending = turn.ask(Request::Identify { presentation }, IDENTIFY_ANSWER_MAX);
                Step::Identifying { pending, attempt }
            }
            Err(NotPacked::Suspect(cue)) => {
                turn.tell(Request::CaptureRefused { cue });
                self.missed(Reason::CaptureRefused, attempt, turn)
            }
            Err(NotPacked::Unfit(_)) => {
                if let Some(watch) = &mut self.watch {
                    watch.collect_again();
                }
                Step::Waiting { attempt, invited_until }
            }
        }
    }

    /// Fresh frames of the same hand may do better, once.
    fn missed(&mut self, reason: Reason, attempt: u32, turn: &Turn<'_, E>) -> Step {
        if attempt >= IDENTIFY_ATTEMPTS {
            return self.turn_away(reason, turn);
        }
        if let Some(watch) = &mut self.watch {
            watch.resume(turn.now);
        }
        Step::Waiting { attempt: attempt + 1, invited_until: None }
    }

    fn turn_away(&mut self, reason: Reason, turn: &Turn<'_, E>) -> Step {
        if let Some(watch) = &mut self.watch {
            watch.rest();
        }
        Step::Outcome(turn.turned_away(reason))
    }

    fn next_person(&mut self) -> Step {
        if let Some(watch) = &mut self.watch {
            watch.next_person();
        }
        Step::WAITING
    }

    const fn take_step(&mut self) -> Step {
        std::mem::replace(&mut self.step, Step::WAITING)
    }
}

fn admit<E: Engine>(identified: RequestId, count: u32, turn: &mut Turn<'_, E>) -> Step {
    Step::Admitting(turn.ask(Request::Admit { identified, count }, ADMIT_ANSWER_MAX))
}

fn palm_view<S>(watch: &PalmWatch<S>) -> View {
    View::Palm {
        purpose: Purpose::Enter,
        side: watch.wanted(),
        palm: 1,
        palms: 1,
        taken: watch.taken(),
        wanted: watch.frames_wanted(),
        charge: None,
    }
}
