//! A moment on the clock of the place where it happens, so that every language reads it.

use handfast_model::Timestamp;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// `2026-09-21 08:13`, so many minutes ahead of UTC.
pub(crate) fn local_time(at: Timestamp, offset_minutes: i32) -> String {
    let seconds = at.as_micros().div_euclid(1_000_000);
    let offset = UtcOffset::from_whole_seconds(offset_minutes.saturating_mul(60));
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    at.to_offset(offset.unwrap_or(UtcOffset::UTC)).format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_by_the_clock_on_the_wall() {
        let at = Timestamp::from_micros(1_790_000_000_000_000);
        assert_eq!(local_time(at, 0), "2026-09-21 14:13");
        assert_eq!(local_time(at, -360), "2026-09-21 08:13");
        assert_eq!(local_time(at, 840), "2026-09-22 04:13");
        assert_eq!(local_time(Timestamp::from_micros(-1), 0), "1969-12-31 23:59");
    }
}
