//! Times in the form that every part of the report has.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A time in UTC, in whole seconds.
pub(super) fn seconds(time: OffsetDateTime) -> String {
    let time = time.checked_to_offset(UtcOffset::UTC).unwrap_or(time);
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
