//! The flow of a counter: a charge is shown, a hand arrives, exactly that charge is paid.

use handfast_model::{ChargeId, Duration, Timestamp};

use crate::clearance::Clearance;
use crate::cue::Cue;
use crate::engine::{Engine, LivenessCue, NotPacked};
use crate::entered_pin::EnteredPin;
use crate::guidance::Guidance;
use crate::hub::{Answer, OpenCharge, Request, RequestId, Situation};
use crate::lane::IDENTIFY_ATTEMPTS;
use crate::palm_watch::{Hover, Pace, PalmWatch};
use crate::session::{Attention, Input};
use crate::touch::Touch;
use crate::turn::{Outcome, Pending, Turn};
use crate::view::{Purpose, Reason, View, WantedSide};

/// Searches for one charge, over all hovers; then it is paid in another way.
const MISSES_PER_CHARGE_MAX: u32 = 5;
/// How long a payment may take before it is called unknown: a gateway's slow answers included.
const PAY_ANSWER_MAX: Duration = Duration::from_secs(20);
/// How often it is asked what became of a charge that a phone may pay meanwhile.
const ASK_OUTCOME_EVERY: Duration = Duration::from_secs(2);
/// An unanswered question about it is asked again after this.
const OUTCOME_ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long "paid" is shown.
const PAID_SHOWN: Duration = Duration::from_secs(5);

/// The flow.
pub(crate) struct Counter<E: Engine> {
    /// The charge that is over for this pedestal, whatever an older snapshot says.
    finished: Option<ChargeId>,
    /// The charge whose customer was told that palms wait for the vault.
    sent_on: Option<ChargeId>,
    /// How often palms were not recognised for the charge that was last shown.
    misses: Option<(ChargeId, u32)>,
    step: Step<E>,
}

enum Step<E: Engine> {
    Idle,
    Prompt {
        charge: OpenCharge,
        watch: PalmWatch<E::Sample>,
        attempt: u32,
    },
    Paying {
        charge: OpenCharge,
        watch: PalmWatch<E::Sample>,
        pending: Pending,
        attempt: u32,
    },
    /// The charge is on its way without a palm in front: a PIN was entered, a phone pays, or the
    /// customer stepped back.
    Settling {
        charge: OpenCharge,
        pending: Pending,
        until: Timestamp,
    },
    Pin {
        charge: OpenCharge,
        pad: Pad,
    },
    Outcome(Outcome),
}

/// The PIN pad, or the wait for the phone.
struct Pad {
    tries_left: Option<u32>,
    wrong: bool,
    until: Timestamp,
    /// The question about what became of it.
    pending: Option<Pending>,
    ask_at: Timestamp,
}

impl<E: Engine> Counter<E> {
    pub(crate) const fn new() -> Self {
        Self { finished: None, sent_on: None, misses: None, step: Step::Idle }
    }

    /// Handles one input.
    pub(crate) fn on(mut self, input: Input<E::Frame>, turn: &mut Turn<'_, E>) -> Self {
        self.step = self.heed_time(turn);
        self.step = self.heed_situation(turn);
        self.step = match input {
            Input::Frame(frame) => self.frame(&frame, turn),
            Input::Touch(Touch::Cancel) => self.cancel(turn),
            Input::Touch(Touch::Pin { pin: Some(pin) }) => self.pin(pin, turn),
            Input::Changed => self.look_again(turn),
            Input::Answer(id, answer) => self.answer(id, answer, turn),
            Input::Touch(_) | Input::Tick => self.step,
        };
        self
    }

    /// The screen.
    pub(crate) fn view(&self, situation: Option<&Situation>) -> View {
        match (&self.step, situation) {
            (Step::Idle, None) => View::Working {},
            (Step::Paying { charge, .. } | Step::Settling { charge, .. }, _) => {
                View::Paying { charge: charge.brief.clone() }
            }
            (Step::Pin { charge, pad }, _) => View::Pin {
                charge: charge.brief.clone(),
                tries_left: pad.tries_left,
                wrong: pad.wrong,
            },
            (Step::Idle, Some(now)) => View::WaitingForCharge {
                shop_name: now.shop_name.clone(),
                biometrics: now.biometrics,
            },
            (Step::Prompt { charge, watch, .. }, _) => View::Palm {
                purpose: Purpose::Pay,
                side: watch.wanted(),
                palm: 1,
                palms: 1,
                taken: watch.taken(),
                wanted: watch.frames_wanted(),
                charge: Some(charge.brief.clone()),
            },
            (Step::Outcome(outcome), _) => outcome.view.clone(),
        }
    }

    /// The advice, while a palm is waited for.
    pub(crate) fn guidance(&self) -> Option<Guidance> {
        match &self.step {
            Step::Prompt { watch, .. } => Some(watch.guidance()),
            _ => None,
        }
    }

    /// What a simulated person should do.
    pub(crate) const fn cue(&self) -> Cue {
        match &self.step {
            Step::Prompt { watch, .. } => watch.cue(),
            Step::Paying { .. } => Cue::Hand { side: WantedSide::Either },
            Step::Idle | Step::Settling { .. } | Step::Pin { .. } | Step::Outcome(_) => {
                Cue::Nothing
            }
        }
    }

    /// What frames are wanted for.
    pub(crate) const fn attention(&self) -> Attention {
        match self.step {
            Step::Prompt { .. } => Attention::Palm,
            Step::Idle
            | Step::Paying { .. }
            | Step::Settling { .. }
            | Step::Pin { .. }
            | Step::Outcome(_) => Attention::None,
        }
    }

    fn heed_time(&mut self, turn: &mut Turn<'_, E>) -> Step<E> {
        let now = turn.now;
        match self.take_step() {
            Step::Prompt { charge, watch, .. } if now >= charge.expires_at => {
                if watch.here_since().is_some() {
                    turn.tell(Request::CaptureFailed { last: watch.guidance().state });
                }
                self.end(&charge, Reason::ChargeExpired, turn)
            }
            Step::Paying { charge, pending, .. } if pending.is_overdue(now) => {
                self.end(&charge, Reason::PaymentUnknown, turn)
            }
            Step::Settling { charge, until, .. } if now >= until => {
                self.end(&charge, Reason::PaymentUnknown, turn)
            }
            Step::Settling { charge, pending, until } if pending.is_overdue(now) => {
                settle(charge, until, turn)
            }
            Step::Pin { charge, pad } if now >= pad.until => {
                self.end(&charge, Reason::ChargeExpired, turn)
            }
            Step::Pin { charge, mut pad } => {
                if now >= pad.ask_at {
                    pad.ask(&charge, turn);
                }
                Step::Pin { charge, pad }
            }
            Step::Outcome(outcome) if outcome.is_over(now) => Step::Idle,
            step => step,
        }
    }

    /// Follows the register: shows the open charge, and drops a prompt whose charge is not the open
    /// one any more. A payment under way is not touched: the hub decides about its charge.
    fn heed_situation(&mut self, turn: &mut Turn<'_, E>) -> Step<E> {
        let step = self.take_step();
        let Some(situation) = turn.situation else { return self.heed_silence(step, turn) };
        match step {
            Step::Idle => self.prompt_if_open(situation, turn),
            Step::Prompt { charge, watch, attempt } => {
                let is_open = situation.charge.as_ref() == Some(&charge);
                match (&situation.charge, situation.biometrics.refusal()) {
                    (_, None) if is_open => Step::Prompt { charge, watch, attempt },
                    (_, Some(reason)) if is_open => self.refuse(&charge, reason, turn),
                    // Another amount is another question: it is shown, and a hand has to arrive.
                    (Some(_), _) => self.prompt_if_open(situation, turn),
                    // The register took it back, or a phone pays it: the hub knows.
                    (None, _) => settle(charge, turn.now + PAY_ANSWER_MAX, turn),
                }
            }
            Step::Paying { .. } | Step::Settling { .. } | Step::Pin { .. } | Step::Outcome(_) => {
                step
            }
        }
    }

    /// Without the hub's word no palm is looked at; the charge may still be open when it is back.
    fn heed_silence(&self, step: Step<E>, turn: &Turn<'_, E>) -> Step<E> {
        match step {
            Step::Prompt { .. } => Step::Outcome(turn.turned_away(Reason::VaultUnavailable)),
            other => other,
        }
    }

    fn prompt_if_open(&mut self, situation: &Situation, turn: &Turn<'_, E>) -> Step<E> {
        let Some(charge) = situation.charge.clone() else { return Step::Idle };
        if self.finished == Some(charge.charge_id) || turn.now >= charge.expires_at {
            return Step::Idle;
        }
        match Clearance::to_pay(situation, &charge) {
            None => {
                let reason = situation.biometrics.refusal().unwrap_or(Reason::Internal);
                self.refuse(&charge, reason, turn)
            }
            Some(clearance) => {
                let watch = PalmWatch::new(clearance, WantedSide::Either, Pace::PROBE, turn.now);
                Step::Prompt { charge, watch, attempt: 1 }
            }
        }
    }

    fn frame(&mut self, frame: &E::Frame, turn: &mut Turn<'_, E>) -> Step<E> {
        match self.take_step() {
            Step::Prompt { charge, mut watch, attempt } => {
                match watch.frame(turn.engine, frame, turn.now) {
                    Some(hover) => self.pay(charge, watch, attempt, hover, turn),
                    None => Step::Prompt { charge, watch, attempt },
                }
            }
            step => step,
        }
    }

    /// The customer pays in another way. Before the hand the register's charge stays and the prompt
    /// goes; after it the hub is asked to let go, which it can until the money is taken.
    fn cancel(&mut self, turn: &mut Turn<'_, E>) -> Step<E> {
        match self.take_step() {
            Step::Paying { charge, .. }
            | Step::Settling { charge, .. }
            | Step::Pin { charge, .. } => {
                let request = Request::StepBack { charge: charge.charge_id };
                let pending = turn.ask(request, OUTCOME_ANSWER_MAX);
                Step::Settling { charge, pending, until: turn.now + PAY_ANSWER_MAX }
            }
            Step::Prompt { charge, .. } => {
                self.finished = Some(charge.charge_id);
                Step::Idle
            }
            // An outcome that was read need not be waited for.
            Step::Outcome(_) => Step::Idle,
            step => step,
        }
    }

    /// A PIN was entered; nothing else may be asked before its answer.
    fn pin(&mut self, pin: EnteredPin, turn: &mut Turn<'_, E>) -> Step<E> {
        match self.take_step() {
            Step::Pin { charge, pad } if pad.tries_left.is_some() => {
                let request = Request::EnterPin { charge: charge.charge_id, pin };
                let pending = turn.ask(request, PAY_ANSWER_MAX);
                Step::Settling { charge, pending, until: turn.now + PAY_ANSWER_MAX }
            }
            step => step,
        }
    }

    /// Something changed: perhaps a phone paid what waits for a PIN here.
    fn look_again(&mut self, turn: &mut Turn<'_, E>) -> Step<E> {
        match self.take_step() {
            Step::Pin { charge, mut pad } => {
                pad.ask(&charge, turn);
                Step::Pin { charge, pad }
            }
            step => step,
        }
    }

    /// What became of a charge whose palm is not needed any more.
    fn settled(
        &mut self,
        charge: OpenCharge,
        answer: Answer,
        until: Timestamp,
        wrong: bool,
        turn: &mut Turn<'_, E>,
    ) -> Step<E> {
        match answer {
            Answer::Paid { .. } => self.paid(&charge, answer, turn),
            Answer::FactorWanted { tries_left, until } => {
                let ask_at = turn.now + ASK_OUTCOME_EVERY;
                let pad = Pad { tries_left, wrong, until, pending: None, ask_at };
                Step::Pin { charge, pad }
            }
            Answer::StillPaying => {
                // Asked again when this is overdue.
                let pending = turn.wait(ASK_OUTCOME_EVERY);
                Step::Settling { charge, pending, until }
            }
            Answer::Refused(reason) => self.end(&charge, reason, turn),
            _ => self.end(&charge, Reason::PaymentUnknown, turn),
        }
    }

    fn paid(&mut self, charge: &OpenCharge, answer: Answer, turn: &Turn<'_, E>) -> Step<E> {
        self.finished = Some(charge.charge_id);
        let Answer::Paid { number, amount, credit_used, receipt_url, held, discount } = answer
        else {
            return Step::Outcome(turn.turned_away(Reason::PaymentUnknown));
        };
        let view = View::Paid { number, amount, credit_used, receipt_url, held, discount };
        Step::Outcome(turn.show(view, PAID_SHOWN))
    }

    fn answer(&mut self, id: RequestId, answer: Answer, turn: &mut Turn<'_, E>) -> Step<E> {
        match self.take_step() {
            Step::Settling { charge, pending, until } if pending.awaits(id) => {
                self.settled(charge, answer, until, true, turn)
            }
            Step::Pin { charge, pad } if pad.pending.is_some_and(|asked| asked.awaits(id)) => {
                match answer {
                    // Still waited for: what is on the screen stays as it is.
                    Answer::FactorWanted { .. } => {
                        Step::Pin { charge, pad: Pad { pending: None, ..pad } }
                    }
                    other => self.settled(charge, other, turn.now + PAY_ANSWER_MAX, false, turn),
                }
            }
            Step::Paying { charge, watch, pending, attempt } if pending.awaits(id) => {
                match answer {
                    Answer::Paid { .. } | Answer::FactorWanted { .. } | Answer::StillPaying => {
                        let until = turn.now + PAY_ANSWER_MAX;
                        self.settled(charge, answer, until, false, turn)
                    }
                    Answer::Refused(reason) if is_miss(reason) => {
                        self.missed(charge, watch, attempt, reason, turn)
                    }
                    Answer::Refused(reason) if leaves_charge_open(reason) => {
                        Step::Outcome(turn.turned_away(reason))
                    }
                    Answer::Refused(reason) => self.end(&charge, reason, turn),
                    _ => self.end(&charge, Reason::PaymentUnknown, turn),
                }
            }
            step => step,
        }
    }

    fn pay(
        &mut self,
        charge: OpenCharge,
        mut watch: PalmWatch<E::Sample>,
        attempt: u32,
        hover: Hover<E::Sample>,
        turn: &mut Turn<'_, E>,
    ) -> Step<E> {
        match turn.engine.pack_presentation(hover.samples) {
            Ok(presentation) => {
                let request = Request::Pay { charge: charge.clone(), presentation };
                let pending = turn.ask(request, PAY_ANSWER_MAX);
                Step::Paying { charge, watch, pending, attempt }
            }
            Err(NotPacked::Suspect(cue)) => self.suspected(&charge, cue, turn),
            Err(NotPacked::Unfit(_)) => {
                watch.collect_again();
                Step::Prompt { charge, watch, attempt }
            }
        }
    }

    /// The charge stays for another hand, as after a miss, and as often.
    fn suspected(
        &mut self,
        charge: &OpenCharge,
        cue: LivenessCue,
        turn: &mut Turn<'_, E>,
    ) -> Step<E> {
        turn.tell(Request::CaptureRefused { cue });
        if self.count_miss(charge) >= MISSES_PER_CHARGE_MAX {
            return self.end(charge, Reason::CaptureRefused, turn);
        }
        Step::Outcome(turn.turned_away(Reason::CaptureRefused))
    }

    fn missed(
        &mut self,
        charge: OpenCharge,
        mut watch: PalmWatch<E::Sample>,
        attempt: u32,
        reason: Reason,
        turn: &Turn<'_, E>,
    ) -> Step<E> {
        if self.count_miss(&charge) >= MISSES_PER_CHARGE_MAX {
            return self.end(&charge, reason, turn);
        }
        if attempt >= IDENTIFY_ATTEMPTS {
            return Step::Outcome(turn.turned_away(reason));
        }
        watch.resume(turn.now);
        Step::Prompt { charge, watch, attempt: attempt + 1 }
    }

    /// Sends the customer on from a charge that no palm may answer now. One that waits for the vault
    /// is shown again when the vault is back, and said once until then.
    fn refuse(&mut self, charge: &OpenCharge, reason: Reason, turn: &Turn<'_, E>) -> Step<E> {
        if reason != Reason::VaultUnavailable {
            return self.end(charge, reason, turn);
        }
        if self.sent_on == Some(charge.charge_id) {
            return Step::Idle;
        }
        self.sent_on = Some(charge.charge_id);
        Step::Outcome(turn.turned_away(reason))
    }

    /// How often palms were not taken for this charge, this time included.
    fn count_miss(&mut self, charge: &OpenCharge) -> u32 {
        let before = self.misses.filter(|(of, _)| *of == charge.charge_id).map_or(0, |(_, n)| n);
        self.misses = Some((charge.charge_id, before + 1));
        before + 1
    }

    fn end(&mut self, charge: &OpenCharge, reason: Reason, turn: &Turn<'_, E>) -> Step<E> {
        self.finished = Some(charge.charge_id);
        Step::Outcome(turn.turned_away(reason))
    }

    const fn take_step(&mut self) -> Step<E> {
        std::mem::replace(&mut self.step, Step::Idle)
    }
}

impl Pad {
    fn ask<E: Engine>(&mut self, charge: &OpenCharge, turn: &mut Turn<'_, E>) {
        let request = Request::Outcome { charge: charge.charge_id };
        self.pending = Some(turn.ask(request, OUTCOME_ANSWER_MAX));
        self.ask_at = turn.now + ASK_OUTCOME_EVERY;
    }
}

/// Asks what became of a charge.
fn settle<E: Engine>(charge: OpenCharge, until: Timestamp, turn: &mut Turn<'_, E>) -> Step<E> {
    let request = Request::Outcome { charge: charge.charge_id };
    let pending = turn.ask(request, OUTCOME_ANSWER_MAX);
    Step::Settling { charge, pending, until }
}

/// Nobody was found: other frames, or another person, may still pay this charge.
const fn is_miss(reason: Reason) -> bool {
    matches!(reason, Reason::NotRecognised | Reason::Ambiguous)
}

/// The charge was not touched and may be answered by another palm, or later.
const fn leaves_charge_open(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoWallet | Reason::AgeNotKnown | Reason::WalletFrozen | Reason::VaultUnavailable
    )
}
