//! One line on stderr that says how far an evaluation is.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use handfast_palm_eval::{Progress, Step};

/// How often a step's progress is said where nothing can be overwritten: at each quarter.
const QUIET_STEP_PERCENT: usize = 25;

/// One line on stderr that says how far the work is; overwritten on a terminal.
pub struct ProgressLine {
    set: String,
    is_terminal: bool,
    /// The last thing shown, as step * 101 + percent, so that each is shown once.
    shown: AtomicUsize,
}

impl ProgressLine {
    pub fn new(set: String) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { set, is_terminal, shown: AtomicUsize::new(0) }
    }

    pub fn show(&self, progress: Progress) {
        let mut percent = progress.done * 100 / progress.total.max(1);
        if !self.is_terminal {
            percent -= percent % QUIET_STEP_PERCENT;
        }
        let (number, step) = match progress.step {
            Step::Encoding => (0, "encoding samples"),
            Step::Scoring => (1, "comparing every pair"),
            Step::Resampling => (2, "drawing confidence intervals"),
        };
        let place = number * 101 + percent;
        if self.shown.fetch_max(place, Ordering::Relaxed) >= place {
            return;
        }
        let set = &self.set;
        // Progress is a courtesy: where stderr is gone, the work goes on.
        let _ = if self.is_terminal {
            write!(std::io::stderr(), "\r\x1b[K{set}: {step} {percent} %")
        } else {
            writeln!(std::io::stderr(), "{set}: {step} {percent} %")
        };
    }

    pub fn clear(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
