//! The times that the flags of a report take.

use std::str::FromStr;

use time::{Date, OffsetDateTime, macros::format_description};

/// The days that the activity log keeps ("Activity log in Azure Monitor", retention).
pub(super) const DAYS_KEPT: u16 = 90;

/// The days of the activity log, as `30` or `30d`.
pub(super) fn exports_days(text: &str) -> Result<u16, String> {
    match text.strip_suffix('d').unwrap_or(text).parse() {
        Ok(days @ 1..=DAYS_KEPT) => Ok(days),
        Ok(0) | Err(_) => Err(format!("{text:?} is not a number of days, such as 30d")),
        Ok(_) => Err(format!("the activity log keeps {DAYS_KEPT} days, and {text:?} is more")),
    }
}

/// Days before now, as `30` or `30d`, or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Days(u16),
    Day(Date),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = text.strip_suffix('d').unwrap_or(text).parse().map(Self::Days);
        let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).map(Self::Day);
        days.or_else(|_| day())
            .map_err(|_| "not a number of days (30d) and not a date (2026-11-01)".to_owned())
    }
}

impl Since {
    /// The time from which on resources count.
    pub(super) fn before(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Days(days) => now.saturating_sub(time::Duration::days(days.into())),
            Self::Day(day) => day.midnight().assume_utc(),
        }
    }
}
