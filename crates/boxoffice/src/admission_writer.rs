//! Deciding many attempts in one transaction: group commit. One task takes what has gathered while
//! the last transaction was made durable, decides it in order, and answers after the commit. An
//! attempt that comes alone is decided alone, at once; under a rush the cost of a durable commit is
//! shared.

use std::sync::Arc;

use handfast_model::{AdmissionId, Clock, Random};
use handfast_store::{Store, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::attempt::{Attempt, Doors};
use crate::gathered::Gathered;
use crate::{BoxOfficeError, Result, Verdict};

/// The most attempts of one transaction: few enough that the last of them waits some milliseconds.
const GROUP_MAX: usize = 64;
/// Attempts that wait at most; whoever comes then waits for a place first.
const WAITING_MAX: usize = 1024;
/// A duplicate means that another process was quicker by the blink between our reading and writing;
/// the next reading sees what it did.
const ATTEMPTS_MAX: u32 = 3;

/// Where attempts are handed in.
#[derive(Clone)]
pub(crate) struct AdmissionWriter {
    inbox: mpsc::Sender<Waiting>,
}

struct Waiting {
    attempt: Attempt,
    answer: oneshot::Sender<Result<Verdict>>,
}

struct Desk {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl AdmissionWriter {
    /// Starts the task, which ends with the last clone of what is returned.
    pub fn start(store: Store, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let (inbox, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Desk { store, clock, random }.work(waiting));
        Self { inbox }
    }

    /// Hands an attempt in and waits for its verdict. Once handed in it is decided and recorded
    /// even if nobody waits any more; its nonce gets the same verdict again.
    pub async fn decide(&self, attempt: Attempt) -> Result<Verdict> {
        let (answer, verdict) = oneshot::channel();
        let gone = |_| BoxOfficeError::Stopped;
        self.inbox.send(Waiting { attempt, answer }).await.map_err(|_| BoxOfficeError::Stopped)?;
        verdict.await.map_err(gone)?
    }
}

impl Desk {
    async fn work(self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
            let (attempts, answers): (Vec<_>, Vec<_>) =
                group.drain(..).map(|one| (one.attempt, one.answer)).unzip();
            for (answer, verdict) in answers.into_iter().zip(self.decide(&attempts).await) {
                // Whoever asked may be gone; the record is there for the next time they ask.
                drop(answer.send(verdict));
            }
        }
    }

    /// The verdict of each, in order.
    async fn decide(&self, attempts: &[Attempt]) -> Vec<Result<Verdict>> {
        if let [_, _, ..] = attempts {
            match self.transaction("admission.admit_group", attempts).await {
                Ok(verdicts) => return verdicts,
                Err(error) => {
                    let count = attempts.len();
                    tracing::debug!(%error, count, "attempts of a group are decided one by one");
                }
            }
        }
        let mut verdicts = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            verdicts.push(self.decide_alone(attempt).await);
        }
        verdicts
    }

    /// Where a group failed as a whole, each is on its own: one's trouble is not another's.
    async fn decide_alone(&self, attempt: &Attempt) -> Result<Verdict> {
        let mut tries = 0;
        loop {
            tries += 1;
            let alone = std::slice::from_ref(attempt);
            match self.transaction("admission.admit", alone).await {
                Ok(mut verdicts) => return verdicts.pop().unwrap_or(Err(BoxOfficeError::Stopped)),
                Err(BoxOfficeError::Store(StoreError::Duplicate { .. }))
                    if tries < ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Decides attempts in one transaction. A database's error undoes all of it; an attempt that is
    /// refused before it wrote anything (a revoked device, a nonce used before) is its own alone.
    async fn transaction(
        &self,
        name: &'static str,
        attempts: &[Attempt],
    ) -> Result<Vec<Result<Verdict>>> {
        self.store
            .transaction(name, |tx| {
                Box::pin(async move {
                    let now = self.clock.now();
                    let mut doors = Doors::ahead(tx, attempts).await?;
                    let mut gathered = Gathered::ahead(tx, attempts).await?;
                    let mut verdicts = Vec::with_capacity(attempts.len());
                    for attempt in attempts {
                        let id = AdmissionId::new(&*self.clock, &*self.random);
                        match attempt.run(tx, (&mut doors, &mut gathered), id, now).await {
                            Err(BoxOfficeError::Store(error)) => return Err(error.into()),
                            verdict => verdicts.push(verdict),
                        }
                    }
                    gathered.unwritten.write(tx).await?;
                    Ok(verdicts)
                })
            })
            .await
    }
}
