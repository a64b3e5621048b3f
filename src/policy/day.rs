//! The days on which exemptions end.

use time::{
    Date, OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description,
};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// Reads a day of the form `2027-01-31`.
pub(super) fn parse(text: &str) -> Result<Date, String> {
    Date::parse(text.trim(), &DATE).map_err(|_| format!("{text:?} is not a date of the form 2027-01-31"))
}

/// A sweep warns about exemptions that end within this many days. It is also the default of a report.
pub const EXPIRING_WITHIN_DAYS: u16 = 30;

/// Whole days from the day of `now`, UTC, to `until`; 0 is the last day of an exemption.
pub fn days_left(until: Date, now: OffsetDateTime) -> i64 {
    (until - now.to_offset(UtcOffset::UTC).date()).whole_days()
}
