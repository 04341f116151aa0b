//! Time windows.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// From `start` (included) to `end` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// The first moment inside.
    pub start: Timestamp,
    /// The first moment after.
    pub end: Timestamp,
}

impl TimeWindow {
    /// Whether `at` lies inside.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_outside() {
        let at = Timestamp::from_micros;
        let window = TimeWindow { start: at(1), end: at(3) };
        assert!(window.contains(at(1)) && window.contains(at(2)));
        assert!(!window.contains(at(0)) && !window.contains(at(3)));
    }
}
