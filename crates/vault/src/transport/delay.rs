//! Distance for benches: messages that arrive later than they would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration as StdDuration;

/// How much later every message arrives than it would; none outside benches. Clones are the same one:
/// what is set holds for every message that is sent from then on.
#[derive(Clone, Debug, Default)]
pub struct Delay(Arc<AtomicU64>);

impl Delay {
    /// So much from the start.
    #[must_use]
    pub fn of(delay: StdDuration) -> Self {
        let new = Self::default();
        new.set(delay);
        new
    }

    /// So much from now on.
    pub fn set(&self, delay: StdDuration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> StdDuration {
        StdDuration::from_micros(self.0.load(Ordering::Relaxed))
    }
}
