//! The retry schedule of Event Grid, from "Event Grid message delivery and retry".

use std::time::Duration;

/// The longest probation.
pub(super) const LONGEST_PROBATION: Duration = Duration::from_hours(4);

/// How long after a timeout a late success still cancels the retry.
pub(super) const LATE_SUCCESS: Duration = Duration::from_mins(3);

/// The wait after the `attempt`th attempt (from 1) that failed with `status`, or with none if it timed out.
pub(super) fn wait_after(attempt: u32, status: Option<u16>) -> Duration {
    let scheduled = match attempt {
        0 | 1 => Duration::from_secs(10),
        2 => Duration::from_secs(30),
        3 => Duration::from_mins(1),
        4 => Duration::from_mins(5),
        5 => Duration::from_mins(10),
        6 => Duration::from_mins(30),
        7 => Duration::from_hours(1),
        8 => Duration::from_hours(3),
        9 => Duration::from_hours(6),
        _ => Duration::from_hours(12),
    };
    let least = match status {
        Some(404) => Duration::from_mins(5),
        Some(408) => Duration::from_mins(2),
        Some(503) => Duration::from_secs(30),
        _ => Duration::from_secs(10),
    };
    scheduled.max(least)
}

/// Whether a status is a success. Other 2xx are not.
pub(super) fn is_success(status: u16) -> bool {
    (200..=204).contains(&status)
}

/// Whether Event Grid does not retry after this status of an Azure resource.
pub(super) fn is_final(status: u16) -> bool {
    matches!(status, 400 | 403 | 413)
}

/// `lastDeliveryOutcome` of a status; no status means a timeout.
pub(super) fn outcome_name(status: Option<u16>) -> &'static str {
    match status {
        None | Some(408) => "TimedOut",
        Some(400) => "BadRequest",
        Some(401) => "Unauthorized",
        Some(403) => "Forbidden",
        Some(404) => "NotFound",
        Some(413) => "PayloadTooLarge",
        Some(429 | 503) => "Busy",
        Some(status) if is_success(status) => "Delivered",
        Some(_) => "GenericError",
    }
}
