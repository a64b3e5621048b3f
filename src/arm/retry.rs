//! Which answers are retried, and after how long.

use std::time::Duration;

use azure_core::{
    http::headers::{HeaderName, Headers, RETRY_AFTER},
    time::parse_rfc7231,
};
use backon::ExponentialBuilder;
use time::OffsetDateTime;

/// The maximum of attempts for one request.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// The waits between attempts: each is twice the one before, plus jitter.
pub(super) const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(4))
    .with_jitter()
    .without_max_times();

const DATE: HeaderName = HeaderName::from_static("date");

/// Whether the same request may succeed later ("Retry guidance for Azure services").
pub(super) const fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// `Retry-After`, in either form (RFC 9110, section 10.2.3). A date is compared with the answer's own `Date`, so
/// that a wrong clock does not matter, and without one with `now`.
pub(super) fn retry_after(headers: &Headers, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get_optional_str(&RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = parse_rfc7231(text).ok()?;
    let date = headers.get_optional_str(&DATE).and_then(|date| parse_rfc7231(date).ok());
    (at - date.unwrap_or(now)).try_into().ok().or(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder;

    use super::*;

    fn waits(retry_after_value: &str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = Headers::new();
        headers.insert(RETRY_AFTER, retry_after_value.to_owned());
        if let Some(date) = date {
            headers.insert(DATE, date);
        }
        retry_after(&headers, OffsetDateTime::UNIX_EPOCH)
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
        let (mut waits, mut earlier) = (BACKOFF.build(), Duration::ZERO);
        for attempt in 0..100 {
            let wait = waits.next().unwrap();
            assert!(wait <= Duration::from_secs(8), "{attempt}: {wait:?}");
            assert!(attempt > 5 || wait > earlier, "{attempt}: {wait:?}");
            earlier = wait;
        }
    }
}
