//! Which answers are worth another try, and how long to wait before it.

use std::time::{Duration, SystemTime};

use azure_core::{
    http::headers::{HeaderName, Headers, RETRY_AFTER},
    time::parse_rfc7231,
};
use retry_policies::{Jitter, RetryDecision, RetryPolicy, policies::ExponentialBackoff};
use time::OffsetDateTime;

/// How often one request is sent at most.
pub(super) const ATTEMPTS_MAX: u32 = 5;

const DATE: HeaderName = HeaderName::from_static("date");

/// "Retry guidance for Azure services": these may succeed when they are sent again.
pub(super) const fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// The wait before the next attempt, exponential with full jitter.
pub(super) fn backoff(attempts: u32) -> Duration {
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(200), Duration::from_secs(8))
        .jitter(Jitter::Full)
        .build_with_max_retries(u32::MAX);
    match policy.should_retry(SystemTime::UNIX_EPOCH, attempts) {
        RetryDecision::Retry { execute_after } => {
            execute_after.duration_since(SystemTime::now()).unwrap_or_default()
        }
        RetryDecision::DoNotRetry => Duration::ZERO,
    }
}

/// `Retry-After` in either of its forms (RFC 9110, section 10.2.3). A date is held against the
/// answer's own `Date`, so that it does not matter whose clock is wrong.
pub(super) fn retry_after(headers: &Headers) -> Option<Duration> {
    let text = headers.get_optional_str(&RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = parse_rfc7231(text).ok()?;
    let now = headers.get_optional_str(&DATE).and_then(|date| parse_rfc7231(date).ok());
    (at - now.unwrap_or_else(OffsetDateTime::now_utc)).try_into().ok().or(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(retry_after_value: &str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = Headers::new();
        headers.insert(RETRY_AFTER, retry_after_value.to_owned());
        if let Some(date) = date {
            headers.insert(DATE, date);
        }
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = Some("Wed, 25 Nov 2026 10:00:00 GMT");
        assert_eq!(waits("7", None), Some(Duration::from_secs(7)));
        assert_eq!(waits(" 1200 ", None), Some(Duration::from_mins(20)));
        assert_eq!(waits("Wed, 25 Nov 2026 10:00:30 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(waits("Wed, 25 Nov 2026 09:00:00 GMT", date), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "1.5"] {
            assert_eq!(waits(nonsense, date), None, "{nonsense}");
        }
    }

    #[test]
    fn backoff_grows_and_is_bounded() {
        for attempt in [0, 1, 5, 40, u32::MAX - 1] {
            assert!(backoff(attempt) <= Duration::from_secs(8), "{attempt}");
        }
        let longest = |attempt| (0..200).map(|_| backoff(attempt)).max().unwrap();
        assert!(longest(4) > longest(0));
    }
}
