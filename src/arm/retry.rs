//! Which answers are retried, and after how long.

use std::time::Duration;

use azure_core::time::parse_rfc7231;
use backon::ExponentialBuilder;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use time::OffsetDateTime;

use crate::azure::header;

/// The maximum of attempts for one request.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// The waits between attempts: each is twice the one before, plus jitter.
pub(super) const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(4))
    .with_jitter()
    .without_max_times();

/// The longest wait that an answer can ask for: a wrong one would otherwise count until the process ends.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Resource Graph's own header, in hours, minutes and seconds ("Guidance for throttled requests in Azure Resource
/// Graph").
const QUOTA_RESETS_AFTER: HeaderName = HeaderName::from_static("x-ms-user-quota-resets-after");

/// Whether the same request may succeed later ("Retry guidance for Azure services").
pub(super) const fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long an answer asks to wait: `Retry-After` (RFC 9110, section 10.2.3), or the time after which a quota of
/// Resource Graph is renewed. A fraction of a second counts as a whole one. A date is compared with the answer's own
/// `Date`, so that a wrong clock does not matter, and without one with `now`. At most an hour.
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let named = header(headers, &RETRY_AFTER).and_then(|text| read(text.trim(), headers, now));
    named.or_else(|| quota_resets_after(headers)).map(|wait| wait.min(RETRY_AFTER_MAX))
}

fn read(text: &str, headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    if text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(' ') {
        let seconds = text.parse::<f64>().ok()?.ceil();
        return Some(Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_AFTER_MAX));
    }
    let at = parse_rfc7231(text).ok()?;
    let date = header(headers, &DATE).and_then(|date| parse_rfc7231(date).ok());
    (at - date.unwrap_or(now)).try_into().ok().or(Some(Duration::ZERO))
}

/// The time after which Resource Graph renews the quota.
pub(super) fn quota_resets_after(headers: &HeaderMap) -> Option<Duration> {
    let resets_after = header(headers, &QUOTA_RESETS_AFTER)?;
    let [hours, minutes, seconds] = resets_after.trim().split(':').collect::<Vec<_>>().try_into().ok()?;
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    Some(Duration::from_secs(number(hours)? * 3_600 + number(minutes)? * 60 + number(seconds)?))
}

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder;

    use super::*;

    fn waits(retry_after_value: &str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_value.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
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
        for (text, seconds) in [("2.5", 3), ("0.0", 0), ("99999999999999999999", 3_600), ("1e300", 3_600)] {
            assert_eq!(waits(text, None), Some(Duration::from_secs(seconds)), "{text}");
        }
        for nonsense in ["", "soon", "-1", "NaN", "inf", "2,5"] {
            assert_eq!(waits(nonsense, date), None, "{nonsense}");
        }
    }

    #[test]
    fn resource_graph_names_the_time_in_a_header_of_its_own() {
        let waits = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            retry_after(&headers, OffsetDateTime::UNIX_EPOCH).map(|wait| wait.as_secs())
        };
        let resets = "x-ms-user-quota-resets-after";
        assert_eq!(waits(&[(resets, "00:00:05")]), Some(5));
        assert_eq!(waits(&[(resets, "00:01:02"), ("retry-after", "7")]), Some(7));
        assert_eq!(waits(&[(resets, "00:01:02"), ("retry-after", "soon")]), Some(62));
        assert_eq!(waits(&[(resets, "999999:00:00")]), Some(3_600));
        for nonsense in ["", "5", "00:05", "00:00:-5", "4294967296:00:00"] {
            assert_eq!(waits(&[(resets, nonsense)]), None, "{nonsense}");
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
