//! One input being handled: the time, what applies, and the way to the hub.

use handfast_model::{Duration, Timestamp};

use crate::engine::Engine;
use crate::hub::{Errand, Request, RequestId, Situation};
use crate::view::{Language, Mode, Reason, View};

/// What a flow may use while it handles one input.
pub(crate) struct Turn<'a, E: Engine> {
    pub(crate) now: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) language: Language,
    /// What applies here; `None` where the hub has not said so lately.
    pub(crate) situation: Option<&'a Situation>,
    pub(crate) engine: &'a mut E,
    pub(crate) desk: &'a mut Desk<E>,
}

/// Numbers requests and collects them.
pub(crate) struct Desk<E: Engine> {
    last_id: u64,
    outbox: Vec<Errand<E>>,
}

/// A request whose answer is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    id: RequestId,
    until: Timestamp,
}

/// A screen that is shown for a fixed time.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) view: View,
    until: Timestamp,
}

/// How long a reason and the way on are shown: two short lines, read by somebody who is surprised.
const TURNED_AWAY_SHOWN: Duration = Duration::from_secs(6);

impl<E: Engine> Desk<E> {
    pub(crate) const fn new() -> Self {
        Self { last_id: 0, outbox: Vec::new() }
    }

    pub(crate) fn send(&mut self, request: Request<E>) -> RequestId {
        let id = RequestId::next_after(self.last_id);
        self.last_id += 1;
        self.outbox.push(Errand { id, request });
        id
    }

    pub(crate) fn collect(&mut self) -> Vec<Errand<E>> {
        std::mem::take(&mut self.outbox)
    }
}

impl<E: Engine> Turn<'_, E> {
    /// Sends a request and waits at most `patience` for its answer.
    pub(crate) fn ask(&mut self, request: Request<E>, patience: Duration) -> Pending {
        Pending { id: self.desk.send(request), until: self.now + patience }
    }

    /// Waits for a time, as for an answer that never comes.
    pub(crate) fn wait(&self, patience: Duration) -> Pending {
        Pending { id: RequestId::NONE, until: self.now + patience }
    }

    /// Sends a request that has no answer.
    pub(crate) fn tell(&mut self, request: Request<E>) {
        self.desk.send(request);
    }

    /// A screen that says why not, and how to go on.
    pub(crate) fn turned_away(&self, reason: Reason) -> Outcome {
        let view = View::TurnedAway { reason, way_on: reason.way_on(self.mode) };
        self.show(view, TURNED_AWAY_SHOWN)
    }

    /// A screen for a time.
    pub(crate) fn show(&self, view: View, shown_for: Duration) -> Outcome {
        Outcome { view, until: self.now + shown_for }
    }
}

impl Pending {
    /// Whether `id` answers this request.
    pub(crate) fn awaits(self, id: RequestId) -> bool {
        self.id == id
    }

    pub(crate) fn is_overdue(self, now: Timestamp) -> bool {
        now >= self.until
    }
}

impl Outcome {
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }
}
