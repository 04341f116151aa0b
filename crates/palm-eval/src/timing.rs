//! How long each stage takes, by a stopwatch that the caller hands in.

use crate::bootstrap::quantile;

/// A running watch. The library reads no clock of its own, so tests can hand in one that stands
/// still.
pub trait Stopwatch: Sync {
    /// Nanoseconds since some start; never goes back.
    fn nanos(&self) -> u64;
}

/// What one stage took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Timing {
    /// Half the runs were faster.
    pub median: f64,
    /// 95 % of the runs were faster.
    pub p95: f64,
    /// How many runs were timed.
    pub runs: usize,
}

/// What the stages took, one run at a time on one core; none where a stage did not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct StageTimings {
    /// File to pixels.
    pub decode: Option<Timing>,
    /// Pixels to hand. None for ready crops.
    pub hand: Option<Timing>,
    /// Hand, or ready crop, to sample.
    pub roi: Option<Timing>,
    /// Sample to its quality.
    pub quality: Option<Timing>,
    /// Sample to probe.
    pub template: Option<Timing>,
    /// One probe with one reference, all probe vectors.
    pub compare: Option<Timing>,
}

/// A row of measured times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Laps(Vec<f64>);

impl Laps {
    /// Runs `work` and notes the milliseconds that it takes.
    pub(crate) fn time<T>(&mut self, watch: &dyn Stopwatch, work: impl FnOnce() -> T) -> T {
        self.time_each(watch, 1, work)
    }

    /// Runs `work`, which does `times` equal things, and notes the milliseconds of one of them.
    pub(crate) fn time_each<T>(
        &mut self,
        watch: &dyn Stopwatch,
        times: usize,
        work: impl FnOnce() -> T,
    ) -> T {
        let start = watch.nanos();
        let result = work();
        let nanos = watch.nanos().saturating_sub(start);
        self.0.push(nanos as f64 / 1e6 / times.max(1) as f64);
        result
    }

    pub(crate) fn timing(mut self) -> Option<Timing> {
        self.0.sort_by(f64::total_cmp);
        let (median, p95) = (quantile(&self.0, 0.5)?, quantile(&self.0, 0.95)?);
        Some(Timing { median, p95, runs: self.0.len() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A watch that jumps ahead by a millisecond at every look.
    #[derive(Default)]
    pub(crate) struct Ticking(AtomicU64);

    impl Stopwatch for Ticking {
        fn nanos(&self) -> u64 {
            self.0.fetch_add(1_000_000, Ordering::SeqCst)
        }
    }

    #[test]
    fn laps_are_milliseconds_of_one_thing() {
        let watch = Ticking::default();
        let mut laps = Laps::default();
        assert_eq!(laps.time(&watch, || 7), 7);
        laps.time_each(&watch, 4, || ());
        let timing = laps.timing().unwrap();
        assert_eq!((timing.median, timing.runs), (0.625, 2));
        assert_eq!(Laps::default().timing(), None);
    }
}
