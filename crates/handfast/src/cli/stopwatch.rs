//! The watch that the command line times its work with.

use std::time::Instant;

use handfast_palm_eval::Stopwatch;

/// Runs from the moment it is made, on the machine's monotonic clock.
pub struct SystemStopwatch(Instant);

impl SystemStopwatch {
    /// Starts a watch.
    #[expect(
        clippy::disallowed_methods,
        reason = "durations of work are measured at the edge: here"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Runs `work`; what came of it, and the milliseconds it took.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> (T, f64) {
        let start = self.nanos();
        let result = work();
        (result, (self.nanos() - start) as f64 / 1e6)
    }
}

impl Stopwatch for SystemStopwatch {
    fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
