//! The flow of enrolment: ticket, consent, one or two palms, linked.

use handfast_model::{Duration, Timestamp};

use crate::clearance::{AcceptedConsent, Clearance};
use crate::cue::Cue;
use crate::engine::{Engine, NotPacked, Side, Unfit};
use crate::guidance::Guidance;
use crate::hub::{AgeSaid, AgeTerms, Answer, ConsentOffer, Request, RequestId, Situation};
use crate::palm_watch::{Hover, Pace, PalmWatch};
use crate::session::{Attention, Input};
use crate::ticket_code::TicketCode;
use crate::touch::{AgeChoice, HandsChoice, Touch};
use crate::turn::{Outcome, Pending, Turn};
use crate::view::{AgeAsked, Purpose, Reason, Scope, TicketProblem, View, WantedSide};

/// How long a ticket is waited for: time to find a phone and open the right page.
const TICKET_SHOWN_WITHIN: Duration = Duration::from_secs(90);
/// How long the same code in front of the camera is not looked up again.
const SAME_CODE_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long the consent text may be read: slowly, by two people, with questions.
const CONSENT_READ_WITHIN: Duration = Duration::from_secs(300);
/// How long the choice of hands may take.
const HANDS_CHOSEN_WITHIN: Duration = Duration::from_secs(60);
/// How long one palm may take: enrolment's median is to stay within a minute.
const CAPTURE_WITHIN: Duration = Duration::from_secs(30);
/// Captures of one palm that may show no living hand, before the person is sent on: a living hand
/// seldom looks like none twice, and each further one helps an artefact as well.
const SUSPECTS_MAX: u32 = 2;
/// How long a lookup may take before the person is told.
const LOOKUP_ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long storing and linking may take: three durable writes and a search.
const ENROL_ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long success is shown: what was linked, until when, and that a mail is under way.
const LINKED_SHOWN: Duration = Duration::from_secs(15);

/// The flow.
pub(crate) enum Enrol<E: Engine> {
    Welcome,
    ShowTicket(ShowTicket),
    LookingUp {
        code: TicketCode,
        /// As in [`Reading`].
        anew: bool,
        pending: Pending,
    },
    Consent(Reading),
    /// How old somebody is who is not of age.
    Younger(Reading),
    ChooseHands {
        accepted: AcceptedConsent,
        until: Timestamp,
    },
    Palm(Box<PalmStep<E>>),
    Enrolling {
        code: TicketCode,
        pending: Pending,
    },
    Outcome(Outcome),
}

/// Somebody reads a consent text.
pub(crate) struct Reading {
    code: TicketCode,
    offer: Box<ConsentOffer>,
    /// What accepting would say of their age.
    age: AgeSaid,
    /// Whether they have agreed to another text, which does not hold by now.
    anew: bool,
    until: Timestamp,
}

/// Waits for a code.
pub(crate) struct ShowTicket {
    problem: Option<TicketProblem>,
    refused: Option<(TicketCode, Timestamp)>,
    until: Timestamp,
}

/// Takes one palm.
pub(crate) struct PalmStep<E: Engine> {
    accepted: AcceptedConsent,
    palms: u32,
    first: Option<(Side, E::Palm)>,
    /// Captures of this palm that may have shown no living hand.
    suspects: u32,
    watch: PalmWatch<E::Sample>,
    until: Timestamp,
}

impl<E: Engine> Enrol<E> {
    /// Handles one input.
    pub(crate) fn on(self, input: Input<E::Frame>, turn: &mut Turn<'_, E>) -> Self {
        let current = self.heed_time(turn).heed_situation(turn);
        match input {
            Input::Frame(frame) => current.frame(&frame, turn),
            Input::Touch(touch) => current.touch(touch, turn),
            Input::Answer(id, answer) => current.answer(id, answer, turn),
            Input::Changed | Input::Tick => current,
        }
    }

    /// The screen.
    pub(crate) fn view(&self, situation: Option<&Situation>) -> View {
        match self {
            Self::Welcome => match situation {
                Some(now) => View::Welcome { event: now.event.clone(), biometrics: now.biometrics },
                None => View::Working {},
            },
            Self::ShowTicket(step) => View::ShowTicket { problem: step.problem },
            Self::LookingUp { .. } | Self::Enrolling { .. } => View::Working {},
            Self::Consent(reading) => reading.view(),
            Self::Younger(Reading { offer, .. }) => {
                let AgeTerms { minimum, own_consent_from, .. } = offer.age;
                View::Younger { minimum, own_consent_from }
            }
            Self::ChooseHands { .. } => View::ChooseHands {},
            Self::Palm(step) => step.view(),
            Self::Outcome(outcome) => outcome.view.clone(),
        }
    }

    /// The advice, where a palm is wanted.
    pub(crate) fn guidance(&self) -> Option<Guidance> {
        match self {
            Self::Palm(step) => Some(step.watch.guidance()),
            _ => None,
        }
    }

    /// What a simulated person should do.
    pub(crate) const fn cue(&self) -> Cue {
        match self {
            Self::ShowTicket(_) => Cue::Ticket,
            Self::Palm(step) => step.watch.cue(),
            _ => Cue::Nothing,
        }
    }

    /// What frames are wanted for.
    pub(crate) const fn attention(&self) -> Attention {
        match self {
            Self::ShowTicket(_) => Attention::Code,
            Self::Palm(_) => Attention::Palm,
            _ => Attention::None,
        }
    }

    fn heed_time(self, turn: &mut Turn<'_, E>) -> Self {
        let now = turn.now;
        match self {
            Self::ShowTicket(step) if now >= step.until => Self::Welcome,
            Self::Consent(reading) | Self::Younger(reading) if now >= reading.until => {
                Self::Welcome
            }
            Self::ChooseHands { until, .. } if now >= until => Self::Welcome,
            Self::LookingUp { pending, .. } if pending.is_overdue(now) => {
                Self::turned_away(Reason::Internal, turn)
            }
            Self::Palm(step) if now >= step.until => {
                turn.tell(Request::CaptureFailed { last: step.watch.guidance().state });
                Self::turned_away(Reason::CaptureTimeout, turn)
            }
            Self::Enrolling { pending, .. } if pending.is_overdue(now) => {
                Self::turned_away(Reason::VaultUnavailable, turn)
            }
            Self::Outcome(outcome) if outcome.is_over(now) => Self::Welcome,
            other => other,
        }
    }

    /// Ends whatever leads to a palm once biometrics are forbidden or the vault is away, or the hub
    /// no longer says that they are allowed. What was captured is dropped with the state.
    fn heed_situation(self, turn: &Turn<'_, E>) -> Self {
        match self {
            Self::Welcome | Self::Enrolling { .. } | Self::Outcome(_) => self,
            _ if refusal(turn).is_some() => Self::turned_away_by_situation(turn),
            Self::Palm(_) if turn.situation.is_none() => {
                Self::turned_away(Reason::VaultUnavailable, turn)
            }
            other => other,
        }
    }

    fn frame(self, frame: &E::Frame, turn: &mut Turn<'_, E>) -> Self {
        match self {
            Self::ShowTicket(step) => match turn.engine.read_code(frame) {
                Some(code) if step.may_look_up(&code, turn.now) => Self::look_up(code, false, turn),
                _ => Self::ShowTicket(step),
            },
            Self::Palm(step) => step.frame(frame, turn),
            other => other,
        }
    }

    fn touch(self, touch: Touch, turn: &mut Turn<'_, E>) -> Self {
        match (self, touch) {
            // What is being stored is stored: the person is told how it ended.
            (Self::Enrolling { code, pending }, _) => Self::Enrolling { code, pending },
            (_, Touch::Cancel) => Self::Welcome,
            (Self::Welcome | Self::Outcome(_), Touch::Begin) => Self::begin(turn),
            (Self::Welcome, Touch::TicketCode { code }) => Self::begin(turn).touch_code(code, turn),
            (state @ Self::ShowTicket(_), Touch::TicketCode { code }) => {
                state.touch_code(code, turn)
            }
            (Self::Consent(reading), Touch::Accept { scope }) => Self::accept(reading, scope, turn),
            (Self::Consent(_), Touch::Decline) => Self::turned_away(Reason::DeclinedConsent, turn),
            (Self::Consent(reading), Touch::Younger) if reading.offer.age.takes_minors() => {
                Self::Younger(reading)
            }
            (Self::Consent(_), Touch::Younger)
            | (Self::Younger(_), Touch::Age { choice: AgeChoice::TooYoung }) => {
                Self::turned_away(Reason::TooYoung, turn)
            }
            (Self::Younger(reading), Touch::Age { choice: AgeChoice::Minor }) => {
                Self::ask_guardian(reading, turn)
            }
            // The consent is given to a text in the language that is read.
            (
                Self::Consent(Reading { code, anew, .. }) | Self::LookingUp { code, anew, .. },
                Touch::Language { .. },
            ) => Self::look_up(code, anew, turn),
            (Self::ChooseHands { accepted, .. }, Touch::Hands { choice }) => {
                Self::ask_first_palm(accepted, choice, turn)
            }
            (state, _) => state,
        }
    }

    fn answer(self, id: RequestId, answer: Answer, turn: &Turn<'_, E>) -> Self {
        match self {
            Self::LookingUp { code, anew, pending } if pending.awaits(id) => match answer {
                Answer::ConsentOffer(offer) => Self::offered(code, offer, anew, turn),
                Answer::TicketProblem(problem) => Self::unfit(code, problem, turn),
                Answer::Refused(reason) => Self::turned_away(reason, turn),
                _ => Self::turned_away(Reason::Internal, turn),
            },
            Self::Enrolling { code, pending } if pending.awaits(id) => match answer {
                Answer::Enrolled { palms, scope, until, enters_tonight, mail_sent } => {
                    let view = View::Linked { palms, scope, until, enters_tonight, mail_sent };
                    Self::Outcome(turn.show(view, LINKED_SHOWN))
                }
                Answer::ConsentOffer(offer) => Self::offered(code, offer, true, turn),
                Answer::TicketProblem(problem) => Self::unfit(code, problem, turn),
                Answer::Refused(reason) => Self::turned_away(reason, turn),
                _ => Self::turned_away(Reason::Internal, turn),
            },
            other => other,
        }
    }

    fn begin(turn: &Turn<'_, E>) -> Self {
        match turn.situation {
            // The screen says "working" until the hub has said what applies.
            None => Self::Welcome,
            Some(_) if refusal(turn).is_some() => Self::turned_away_by_situation(turn),
            Some(_) => Self::ShowTicket(ShowTicket {
                problem: None,
                refused: None,
                until: turn.now + TICKET_SHOWN_WITHIN,
            }),
        }
    }

    fn touch_code(self, code: Option<TicketCode>, turn: &mut Turn<'_, E>) -> Self {
        match (self, code) {
            (Self::ShowTicket(_), Some(code)) => Self::look_up(code, false, turn),
            (Self::ShowTicket(step), None) => {
                let problem = Some(TicketProblem::UnknownCode);
                Self::ShowTicket(ShowTicket { problem, ..step })
            }
            (state, _) => state,
        }
    }

    /// A consent is to be read; the palms that were taken under another are gone.
    fn offered(code: TicketCode, offer: ConsentOffer, anew: bool, turn: &Turn<'_, E>) -> Self {
        let (age, until) = (AgeSaid::OfAge, turn.now + CONSENT_READ_WITHIN);
        Self::Consent(Reading { code, offer: Box::new(offer), age, anew, until })
    }

    /// The ticket cannot be linked; another may be shown.
    fn unfit(code: TicketCode, problem: TicketProblem, turn: &Turn<'_, E>) -> Self {
        Self::ShowTicket(ShowTicket {
            problem: Some(problem),
            refused: Some((code, turn.now)),
            until: turn.now + TICKET_SHOWN_WITHIN,
        })
    }

    fn look_up(code: TicketCode, anew: bool, turn: &mut Turn<'_, E>) -> Self {
        let request = Request::LookUpTicket { code: code.clone(), language: turn.language };
        Self::LookingUp { code, anew, pending: turn.ask(request, LOOKUP_ANSWER_MAX) }
    }

    fn accept(reading: Reading, scope: Scope, turn: &Turn<'_, E>) -> Self {
        match AcceptedConsent::accept(&reading.offer, &reading.code, scope, reading.age) {
            Some(accepted) => Self::ChooseHands { accepted, until: turn.now + HANDS_CHOSEN_WITHIN },
            None => Self::Consent(reading),
        }
    }

    /// Somebody younger reads the text themselves once a guardian has consented; before, whoever
    /// holds the ticket is written to, and its code goes on working.
    fn ask_guardian(reading: Reading, turn: &mut Turn<'_, E>) -> Self {
        if reading.offer.age.guardian {
            let until = turn.now + CONSENT_READ_WITHIN;
            return Self::Consent(Reading { age: AgeSaid::ByGuardian, until, ..reading });
        }
        turn.tell(Request::AskGuardian { code: reading.code });
        Self::turned_away(Reason::GuardianWanted, turn)
    }

    fn ask_first_palm(accepted: AcceptedConsent, choice: HandsChoice, turn: &Turn<'_, E>) -> Self {
        PalmStep::ask(accepted, choice.palms(), None, turn)
    }

    fn turned_away_by_situation(turn: &Turn<'_, E>) -> Self {
        Self::turned_away(refusal(turn).unwrap_or(Reason::Internal), turn)
    }

    fn turned_away(reason: Reason, turn: &Turn<'_, E>) -> Self {
        Self::Outcome(turn.turned_away(reason))
    }
}

impl Reading {
    fn view(&self) -> View {
        let ConsentOffer { ticket, text, scopes, age } = self.offer.as_ref().clone();
        let age = match self.age {
            AgeSaid::OfAge => AgeAsked { from: age.of_age_from(), by_guardian: false },
            AgeSaid::ByGuardian => AgeAsked { from: age.minimum, by_guardian: true },
        };
        View::Consent { ticket, text, scopes, age, anew: self.anew }
    }
}

impl ShowTicket {
    fn may_look_up(&self, code: &TicketCode, now: Timestamp) -> bool {
        let is_refused = |(refused, at): &(TicketCode, Timestamp)| {
            refused == code && now - *at < SAME_CODE_AGAIN_AFTER
        };
        !self.refused.as_ref().is_some_and(is_refused)
    }
}

impl<E: Engine> PalmStep<E> {
    /// Asks for the next palm: any hand first, then the other one.
    fn ask(
        accepted: AcceptedConsent,
        palms: u32,
        first: Option<(Side, E::Palm)>,
        turn: &Turn<'_, E>,
    ) -> Enrol<E> {
        let wanted =
            first.as_ref().map_or(WantedSide::Either, |(side, _)| WantedSide::other_than(*side));
        let clearance =
            turn.situation.and_then(|situation| Clearance::to_enrol(situation, &accepted));
        match clearance {
            None => Enrol::turned_away(Reason::VaultUnavailable, turn),
            Some(clearance) => Enrol::Palm(Box::new(Self {
                accepted,
                palms,
                first,
                suspects: 0,
                watch: PalmWatch::new(clearance, wanted, Pace::ENROL, turn.now),
                until: turn.now + CAPTURE_WITHIN,
            })),
        }
    }

    fn frame(mut self: Box<Self>, frame: &E::Frame, turn: &mut Turn<'_, E>) -> Enrol<E> {
        match self.watch.frame(turn.engine, frame, turn.now) {
            Some(hover) => (*self).captured(hover, turn),
            None => Enrol::Palm(self),
        }
    }

    fn captured(mut self, hover: Hover<E::Sample>, turn: &mut Turn<'_, E>) -> Enrol<E> {
        let side = hover.side;
        match (turn.engine.pack_palm(hover.samples), self.first.take()) {
            (Err(NotPacked::Suspect(cue)), first) => {
                turn.tell(Request::CaptureRefused { cue });
                self.suspects += 1;
                if self.suspects >= SUSPECTS_MAX {
                    return Enrol::turned_away(Reason::CaptureRefused, turn);
                }
                self.first = first;
                self.watch.resume(turn.now);
                Enrol::Palm(Box::new(self))
            }
            (Err(NotPacked::Unfit(_)), first) => {
                self.first = first;
                self.watch.collect_again();
                Enrol::Palm(Box::new(self))
            }
            (Ok(palm), None) if self.palms > 1 => {
                Self::ask(self.accepted, self.palms, Some((side, palm)), turn)
            }
            (Ok(palm), first) => {
                let palms = first.into_iter().map(|(_, palm)| palm).chain([palm]).collect();
                self.enrol(palms, turn)
            }
        }
    }

    fn enrol(self, palms: Vec<E::Palm>, turn: &mut Turn<'_, E>) -> Enrol<E> {
        match turn.engine.pack_enrolment(palms) {
            // Nobody can say which of the two was the wrong one: both are taken again.
            Err(Unfit) => Self::ask(self.accepted, self.palms, None, turn),
            Ok(palms) => {
                let (code, consent) = self.accepted.into_parts();
                let request = Request::Enrol { code: code.clone(), consent, palms };
                Enrol::Enrolling { code, pending: turn.ask(request, ENROL_ANSWER_MAX) }
            }
        }
    }

    fn view(&self) -> View {
        View::Palm {
            purpose: Purpose::Enrol,
            side: self.watch.wanted(),
            palm: if self.first.is_some() { 2 } else { 1 },
            palms: self.palms,
            taken: self.watch.taken(),
            wanted: self.watch.frames_wanted(),
            charge: None,
        }
    }
}

/// Why palms are not looked at here now, as far as the hub has said.
fn refusal<E: Engine>(turn: &Turn<'_, E>) -> Option<Reason> {
    turn.situation.and_then(|situation| situation.biometrics.refusal())
}
