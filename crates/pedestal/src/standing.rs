//! What applies at this pedestal, kept fresh: asked again and again, and forgotten when the hub
//! falls silent, so that a switch turned while the line was down is not overlooked for long.

use handfast_model::{Duration, Timestamp};

use crate::engine::Engine;
use crate::hub::{Request, RequestId, Situation};
use crate::turn::Desk;
use crate::view::Mode;

/// How often a counter asks: a customer waits for the amount to appear. (A nudge is quicker.)
const ASK_COUNTER_EVERY: Duration = Duration::from_millis(500);
/// How often the others ask: a switch in the console takes effect within this.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// An unanswered question is asked again after this.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// What was said longer ago no longer counts, and no palm is looked at on its strength.
const VALID: Duration = Duration::from_secs(15);

/// Asks for the situation and keeps the answer.
pub(crate) struct Standing {
    said: Option<(Situation, Timestamp)>,
    asked: Option<(RequestId, Timestamp)>,
    next: Option<Timestamp>,
}

impl Standing {
    pub(crate) const fn new() -> Self {
        Self { said: None, asked: None, next: None }
    }

    /// What applies, if the hub said so lately.
    pub(crate) fn current(&self, now: Timestamp) -> Option<&Situation> {
        let (situation, at) = self.said.as_ref()?;
        (now - *at <= VALID).then_some(situation)
    }

    /// Takes the answer to the latest question; any other is out of date.
    pub(crate) fn hear(&mut self, id: RequestId, situation: Situation, now: Timestamp) {
        if self.asked.is_some_and(|(asked, _)| asked == id) {
            self.asked = None;
            self.said = Some((situation, now));
        }
    }

    /// Something changed: asks again at once, and what is on its way no longer counts.
    pub(crate) const fn nudge(&mut self) {
        self.asked = None;
        self.next = None;
    }

    /// Asks, if it is time to.
    pub(crate) fn ask_if_due<E: Engine>(&mut self, mode: Mode, desk: &mut Desk<E>, now: Timestamp) {
        let is_answered = self.asked.is_none_or(|(_, at)| now - at >= ANSWER_MAX);
        let is_time = self.next.is_none_or(|next| now >= next);
        if is_answered && is_time {
            self.asked = Some((desk.send(Request::Situation), now));
            let every = if mode == Mode::Counter { ASK_COUNTER_EVERY } else { ASK_EVERY };
            self.next = Some(now + every);
        }
    }
}
