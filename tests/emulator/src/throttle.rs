//! Azure's limits on requests: Resource Manager's token buckets, and the Compute provider's windows of three
//! and thirty minutes.

use std::{collections::HashMap, time::Duration};

use axum::http::Method;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    answer::Answer,
    clock::whole_seconds,
    options::{Bucket, Throttling},
    refusal::Refusal,
    route::Route,
};

/// The limit of all principals of a subscription together, as a multiple of the limit of one.
const GLOBAL: u32 = 15;

/// Resource Manager's classes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Class {
    Reads,
    Writes,
    Deletes,
}

impl Class {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Reads,
            Method::DELETE => Self::Deletes,
            _ => Self::Writes,
        }
    }

    fn bucket(self, limits: &Throttling) -> Bucket {
        match self {
            Self::Reads => limits.reads,
            Self::Writes => limits.writes,
            Self::Deletes => limits.deletes,
        }
    }

    /// The headers with the remaining quotas of the principal and of the subscription.
    fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Reads => (
                "x-ms-ratelimit-remaining-subscription-reads",
                "x-ms-ratelimit-remaining-subscription-global-reads",
            ),
            Self::Writes => (
                "x-ms-ratelimit-remaining-subscription-writes",
                "x-ms-ratelimit-remaining-subscription-global-writes",
            ),
            Self::Deletes => (
                "x-ms-ratelimit-remaining-subscription-deletes",
                "x-ms-ratelimit-remaining-subscription-global-deletes",
            ),
        }
    }
}

/// A group of calls that the Compute provider counts together, and its limits for three and thirty minutes,
/// as recorded in November 2023.
#[derive(Clone, Copy, Debug)]
struct Group {
    name: &'static str,
    limits: [u32; 2],
}

impl Group {
    fn of(method: &Method, route: &Route) -> Option<Self> {
        let (name, limits) = match (route, method) {
            (Route::Resource(_), &Method::GET) => ("LowCostGet", [15_000, 120_000]),
            (Route::Resource(_), &Method::DELETE) => ("DeleteDisks", [3_000, 24_000]),
            (Route::Resource(_), _) => ("CreateUpdateDisks", [3_000, 25_000]),
            (Route::GroupList { .. } | Route::SubscriptionList { .. }, _) => ("HighCostGet", [240, 1_920]),
            (Route::Operation { .. }, _) => ("GetOperation", [50_000, 400_000]),
            (Route::Access(..), _) => ("HighCostDiskHydrate", [1_000, 8_000]),
            _ => return None,
        };
        Some(Self { name, limits })
    }
}

const WINDOWS: [(&str, Duration); 2] = [("3Min", Duration::from_mins(3)), ("30Min", Duration::from_mins(30))];

/// The headers that report the limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remaining {
    headers: Vec<(&'static str, String)>,
}

impl Remaining {
    pub(crate) fn tell(&self, answer: &mut Answer) {
        for (name, value) in &self.headers {
            if !answer.headers.contains_key(*name) {
                answer.set(name, value);
            }
        }
    }
}

/// The state of all limits.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    levels: Mutex<Levels>,
}

#[derive(Debug, Default)]
struct Levels {
    principals: HashMap<(String, String, Class), Level>,
    subscriptions: HashMap<(String, Class), Level>,
    windows: HashMap<(String, &'static str), [Window; 2]>,
}

impl Throttle {
    /// Counts a request, and refuses it if a limit is reached.
    pub(crate) fn count(
        &self,
        limits: Option<&Throttling>,
        method: &Method,
        route: &Route,
        object_id: &str,
    ) -> Count {
        let Some(subscription) = route.subscription().map(str::to_ascii_lowercase) else {
            return Count::default();
        };
        let (class, now) = (Class::of(method), Instant::now());
        let bucket = class.bucket(limits.unwrap_or(&Throttling::default()));
        let global =
            Bucket { size: bucket.size * GLOBAL, refill_per_second: bucket.refill_per_second * GLOBAL };
        let Some(limits) = limits else {
            return Count::admitted(class, bucket.size.saturating_sub(1), global.size.saturating_sub(1));
        };
        let mut levels = self.levels.lock();
        let levels = &mut *levels;
        let principal = (subscription.clone(), object_id.to_ascii_lowercase(), class);
        let own = levels.principals.entry(principal).or_insert_with(|| Level::full(bucket, now));
        let all = levels
            .subscriptions
            .entry((subscription.clone(), class))
            .or_insert_with(|| Level::full(global, now));
        let taken = own
            .take(bucket, limits.closed, now)
            .and_then(|own| Ok((own, all.take(global, limits.closed, now)?)));
        let mut count = match taken {
            Ok((own, all)) => Count::admitted(class, own, all),
            Err(wait) => {
                let refusal = Refusal::throttled_arm(whole_seconds(wait));
                let refusal =
                    if limits.names_retry_after { refusal } else { refusal.without_header("retry-after") };
                Count { refusal: Some(refusal), ..Count::admitted(class, 0, 0) }
            }
        };
        if !limits.names_quota {
            count.remaining.headers.clear();
        }
        if count.refusal.is_some() {
            return count;
        }
        if let Some(group) = Group::of(method, route).filter(|_| limits.compute) {
            let windows =
                levels.windows.entry((subscription, group.name)).or_insert([Window::opened(now); 2]);
            match take(windows, group, now) {
                Ok(left) => count.remaining.headers.push(("x-ms-ratelimit-remaining-resource", left)),
                Err(refusal) => count.refusal = Some(refusal),
            }
        }
        count
    }
}

/// The result of counting a request.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// Why the request is refused, if it is.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) remaining: Remaining,
}

impl Count {
    fn admitted(class: Class, own: u32, all: u32) -> Self {
        let (own_header, global_header) = class.headers();
        let headers = vec![(own_header, own.to_string()), (global_header, all.to_string())];
        Self { refusal: None, remaining: Remaining { headers } }
    }
}

/// Counts a call in both windows of its group, and returns what is left in them.
fn take(windows: &mut [Window; 2], group: Group, now: Instant) -> Result<String, Refusal> {
    let mut left = Vec::new();
    for ((window, limit), (suffix, length)) in windows.iter_mut().zip(group.limits).zip(WINDOWS) {
        if now.duration_since(window.opened) >= length {
            *window = Window::opened(now);
        }
        let name = format!("{}{suffix}", group.name);
        if window.used >= limit {
            let wait = length.saturating_sub(now.duration_since(window.opened));
            return Err(Refusal::throttled_compute_group(&name, limit, whole_seconds(wait).max(1)));
        }
        window.used += 1;
        left.push(format!("Microsoft.Compute/{name};{}", limit - window.used));
    }
    Ok(left.join(","))
}

#[derive(Clone, Copy, Debug)]
struct Window {
    opened: Instant,
    used: u32,
}

impl Window {
    fn opened(now: Instant) -> Self {
        Self { opened: now, used: 0 }
    }
}

/// The level of a token bucket, in thousandths of a token.
#[derive(Debug)]
struct Level {
    milli_tokens: u64,
    at: Instant,
    /// Until when requests are refused without being checked.
    closed_until: Option<Instant>,
}

const TOKEN: u64 = 1000;

impl Level {
    fn full(bucket: Bucket, now: Instant) -> Self {
        Self { milli_tokens: u64::from(bucket.size) * TOKEN, at: now, closed_until: None }
    }

    /// Takes a token. Returns how many are left, or how long to wait.
    fn take(&mut self, bucket: Bucket, closed: Duration, now: Instant) -> Result<u32, Duration> {
        if let Some(end) = self.closed_until {
            if now < end {
                return Err(end.duration_since(now));
            }
            self.closed_until = None;
        }
        let elapsed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let inflow = elapsed.saturating_mul(u64::from(bucket.refill_per_second));
        self.milli_tokens = self.milli_tokens.saturating_add(inflow).min(u64::from(bucket.size) * TOKEN);
        self.at = now;
        if self.milli_tokens < TOKEN {
            self.closed_until = Some(now + closed);
            return Err(closed);
        }
        self.milli_tokens -= TOKEN;
        Ok(u32::try_from(self.milli_tokens / TOKEN).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_closes_and_fills_again() {
        const SECOND: Duration = Duration::from_secs(1);
        let bucket = Bucket { size: 2, refill_per_second: 10 };
        let mut level = Level::full(bucket, Instant::now());
        assert_eq!(level.take(bucket, SECOND, Instant::now()), Ok(1));
        assert_eq!(level.take(bucket, SECOND, Instant::now()), Ok(0));
        assert_eq!(level.take(bucket, SECOND, Instant::now()), Err(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(level.take(bucket, SECOND, Instant::now()).is_err(), "closed for all of Retry-After");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(level.take(bucket, SECOND, Instant::now()), Ok(1));
    }
}
