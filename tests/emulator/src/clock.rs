//! The emulator's clock: the wall clock at the start, advanced by tokio's clock.
//!
//! On a paused clock, tokens expire and operations end in simulated time.

use std::{cell::Cell, sync::LazyLock, time::Duration};

use time::{OffsetDateTime, macros::format_description};
use tokio::time::Instant;

thread_local! {
    /// What every clock of this thread agrees on, if a test has pinned them: a date, and when it was.
    static PINNED: Cell<Option<(OffsetDateTime, Instant)>> = const { Cell::new(None) };
}

/// A date and time that runs with tokio's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: OffsetDateTime,
    started: Instant,
}

impl Clock {
    /// A clock that agrees with every other one of this process, however far a test has moved tokio's.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn start() -> Self {
        static START: LazyLock<(OffsetDateTime, std::time::Instant)> =
            LazyLock::new(|| (OffsetDateTime::now_utc(), std::time::Instant::now()));
        if let Some((epoch, started)) = PINNED.get() {
            return Self { epoch, started };
        }
        let ((wall, start), started) = (*START, Instant::now());
        // Before the first use no test can have moved the clock backwards.
        Self { epoch: wall + started.into_std().saturating_duration_since(start), started }
    }

    /// Lets every clock that this thread starts from now on show `date` at this moment, so that a run does not depend on
    /// the day on which it happens. A runtime with one thread has no other clocks.
    pub fn pin(date: OffsetDateTime) {
        PINNED.set(Some((date, Instant::now())));
    }

    /// The date and time in UTC.
    pub fn now(&self) -> OffsetDateTime {
        self.at(Instant::now())
    }

    /// The date and time of an instant.
    pub fn at(&self, instant: Instant) -> OffsetDateTime {
        self.epoch + instant.saturating_duration_since(self.started)
    }
}

/// A time as the Compute provider formats it: up to seven digits, no trailing zeros, `+00:00`.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let seconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let whole = at.format(&seconds).unwrap_or_default();
    let ticks = format!("{:07}", at.nanosecond() / 100);
    match ticks.trim_end_matches('0') {
        "" => format!("{whole}+00:00"),
        fraction => format!("{whole}.{fraction}+00:00"),
    }
}

/// A time as in the HTTP header `Date`.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    at.format(&form).unwrap_or_default()
}

/// A time as in `x-ms-routing-request-id`.
pub(crate) fn compact(at: OffsetDateTime) -> String {
    at.format(&format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap_or_default()
}

/// Whole seconds of a wait, rounded up so that the client does not come back too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn timestamps_lose_their_trailing_zeros() {
        assert_eq!(timestamp(datetime!(2023-11-06 03:56:02.403_530 UTC)), "2023-11-06T03:56:02.40353+00:00");
        assert_eq!(
            timestamp(datetime!(2023-11-06 03:56:02.497_283_6 UTC)),
            "2023-11-06T03:56:02.4972836+00:00"
        );
        assert_eq!(timestamp(datetime!(2023-11-06 03:56:02 UTC)), "2023-11-06T03:56:02+00:00");
    }

    #[test]
    fn http_dates_are_in_the_fixed_form() {
        assert_eq!(http_date(datetime!(2023-01-11 03:12:37 UTC)), "Wed, 11 Jan 2023 03:12:37 GMT");
        assert_eq!(compact(datetime!(2023-01-11 03:12:48 UTC)), "20230111T031248Z");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pinned_clock_shows_its_date_and_runs_on() {
        Clock::pin(datetime!(2026-03-01 10:00 UTC));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(Clock::start().now(), datetime!(2026-03-01 10:00:05 UTC));
    }

    #[tokio::test(start_paused = true)]
    async fn simulated_time_moves_the_date() {
        let clock = Clock::start();
        let before = clock.now();
        tokio::time::sleep(Duration::from_hours(24)).await;
        assert!(clock.now() - before >= time::Duration::DAY);
    }
}
