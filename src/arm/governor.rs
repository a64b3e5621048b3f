//! Admission of every request to ARM. The governor limits concurrency. It has a door for each subscription and
//! kind of request: a 429 closes it for as long as ARM asks; what is left of ARM's quota slows a burst down to
//! the rate at which ARM refills the quota, with a reserve for events; and writes that are not for an event keep
//! to the pace that is set.
//!
//! ARM has a token bucket per subscription, identity and kind of request ("Understand how Azure Resource Manager
//! throttles requests"), so a 429 in one subscription stops no other, and throttled writes stop no reads.
//! Resource Graph has a quota per user ("Guidance for throttled requests in Azure Resource Graph").

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use azure_core::http::Method;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    api::{Api, QUERY},
    error::{Error, SystemFailure},
};
use crate::{
    azure::{Terms, Urgency},
    telemetry::metrics,
};

/// The maximum of concurrent requests: far above what ARM's buckets allow, and low enough that a flood of events
/// cannot exhaust sockets or memory.
const IN_FLIGHT_MAX: usize = 256;

/// The kinds of request that Azure counts separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Read,
    Write,
    /// A query of Resource Graph: a POST that writes nothing.
    Query,
}

impl Kind {
    pub(super) fn of(api: &Api) -> Self {
        match api.method {
            Method::Get | Method::Head => Self::Read,
            _ if *api == QUERY => Self::Query,
            _ => Self::Write,
        }
    }

    /// How many tokens per second refill the bucket.
    const fn refill(self) -> f64 {
        match self {
            Self::Read => 25.0,
            Self::Write => 10.0,
            Self::Query => 3.0,
        }
    }

    /// How many tokens the bucket holds.
    const fn bucket(self) -> f64 {
        match self {
            Self::Read => 250.0,
            Self::Write => 200.0,
            Self::Query => 15.0,
        }
    }

    /// How many tokens must be left to admit a request. A fifth of the bucket is reserved for events.
    const fn needed(self, urgency: Urgency) -> f64 {
        match urgency {
            Urgency::Event => 1.0,
            Urgency::BehindEvents => 1.0 + self.bucket() / 5.0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Governor {
    in_flight: Semaphore,
    /// The maximum of writes per second and subscription, events excluded.
    pace: Option<NonZeroU32>,
    /// The keys have the subscription ID in lower case, so that there are no more than three a subscription.
    doors: Arc<Mutex<Doors>>,
}

type Doors = HashMap<(String, Kind), Door>;

#[derive(Debug, Default)]
struct Door {
    closed_until: Option<Instant>,
    /// How many tokens were left, and when, by ARM's last answer.
    quota: Option<(f64, Instant)>,
    /// How many requests await their answer; the quota in the last answer does not count them.
    under_way: u32,
    /// When the pace allows the next write.
    next: Option<Instant>,
}

/// The admission of one request, held until its answer.
pub(super) struct Admission<'a> {
    governor: &'a Governor,
    door: (String, Kind),
    _permit: SemaphorePermit<'a>,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let Some(door) = self.governor.doors.lock().get_mut(&self.door) {
            door.under_way = door.under_way.saturating_sub(1);
        }
    }
}

impl Governor {
    pub(super) fn new(pace: Option<NonZeroU32>) -> Self {
        let doors = Arc::<Mutex<Doors>>::default();
        let watched = Arc::downgrade(&doors);
        metrics::watch_quota(move || {
            let doors = watched.upgrade();
            doors.map(|doors| least_left(&doors.lock(), Instant::now())).unwrap_or_default()
        });
        Self { in_flight: Semaphore::new(IN_FLIGHT_MAX), pace, doors }
    }

    /// Waits until a request of this kind may be sent, or fails at once if that is after the deadline.
    pub(super) async fn admit(
        &self,
        what: &'static str,
        subscription_id: &str,
        kind: Kind,
        terms: Terms,
    ) -> Result<Admission<'_>, Error> {
        let door = (subscription_id.to_ascii_lowercase(), kind);
        let throttled = |message| Error::without_answer(what, SystemFailure::Throttled, message);
        loop {
            while let Some(wait) = self.wait(&door, terms.urgency()) {
                if !terms.allow(wait) {
                    let seconds = wait.as_secs();
                    return Err(Error {
                        retry_after: Some(wait),
                        ..throttled(format!("ARM asked for no requests for another {seconds} s"))
                    });
                }
                // A door opens again by time alone; nothing signals it.
                tokio::time::sleep(wait).await;
            }
            let permit = tokio::time::timeout_at(terms.until(), self.in_flight.acquire()).await;
            let Ok(Ok(permit)) = permit else {
                return Err(throttled("no request could be sent within the deadline".to_owned()));
            };
            // The door may have closed during the wait for the permit.
            if self.pass(&door, terms.urgency()) {
                return Ok(Admission { governor: self, door, _permit: permit });
            }
        }
    }

    /// Closes the door after a 429.
    pub(super) fn close(&self, subscription_id: &str, kind: Kind, wait: Duration) {
        let now = Instant::now();
        let until = now.checked_add(wait).unwrap_or(now);
        let mut doors = self.doors.lock();
        let door = doors.entry((subscription_id.to_ascii_lowercase(), kind)).or_default();
        door.closed_until = Some(door.closed_until.map_or(until, |earlier| earlier.max(until)));
        // An empty bucket, so that the waiting requests do not all start at once.
        door.quota = Some((0.0, until));
    }

    /// Notes how many tokens are left by ARM's answer.
    pub(super) fn note(&self, subscription_id: &str, kind: Kind, remaining: u32) {
        let mut doors = self.doors.lock();
        let door = doors.entry((subscription_id.to_ascii_lowercase(), kind)).or_default();
        // The request that got this answer is still counted.
        let others = door.under_way.saturating_sub(1);
        door.quota = Some((f64::from(remaining) - f64::from(others), Instant::now()));
    }

    fn wait(&self, door: &(String, Kind), urgency: Urgency) -> Option<Duration> {
        self.doors.lock().get(door)?.wait(door.1, urgency, Instant::now())
    }

    /// Takes a token and the next place in the pace, if the door is open.
    fn pass(&self, key: &(String, Kind), urgency: Urgency) -> bool {
        let now = Instant::now();
        let mut doors = self.doors.lock();
        let door = doors.entry(key.clone()).or_default();
        if door.wait(key.1, urgency, now).is_some() {
            return false;
        }
        door.under_way += 1;
        if let Some((left, _)) = &mut door.quota {
            *left -= 1.0;
        }
        let is_paced = key.1 == Kind::Write && urgency == Urgency::BehindEvents;
        if let Some(pace) = self.pace.filter(|_| is_paced) {
            // Counted from the place before: delays would otherwise add up to a slower pace.
            let interval = Duration::from_secs(1) / pace.get();
            let from = door.next.filter(|next| now - *next < interval).unwrap_or(now);
            door.next = Some(from + interval);
        }
        true
    }
}

/// The rest of each of ARM's quotas, by its name in ARM's headers, in the subscription with the least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer within the bucket")]
fn least_left(doors: &Doors, now: Instant) -> Vec<(&'static str, u64)> {
    let of = |(kind, quota): (Kind, &'static str)| {
        let doors = doors.iter().filter(move |((_, of), _)| *of == kind);
        let left = doors.filter_map(|(_, door)| door.left(kind, now)).min_by(f64::total_cmp)?;
        Some((quota, left.clamp(0.0, kind.bucket()) as u64))
    };
    let quotas = [(Kind::Read, "subscription-reads"), (Kind::Write, "subscription-writes")];
    quotas.into_iter().filter_map(of).collect()
}

impl Door {
    /// How many tokens should be left now; none before ARM's first answer.
    fn left(&self, kind: Kind, now: Instant) -> Option<f64> {
        let (left, at) = self.quota?;
        Some(left + now.saturating_duration_since(at).as_secs_f64() * kind.refill())
    }

    /// How long a request has to wait at this door.
    fn wait(&self, kind: Kind, urgency: Urgency, now: Instant) -> Option<Duration> {
        let closed = self.closed_until.map(|until| until.saturating_duration_since(now));
        let missing = self.left(kind, now).map(|left| (kind.needed(urgency) - left).max(0.0));
        let empty = missing.map(|tokens| Duration::from_secs_f64(tokens / kind.refill()));
        let paced = self.next.filter(|_| urgency == Urgency::BehindEvents);
        let paced = paced.map(|next| next.saturating_duration_since(now));
        closed.max(empty).max(paced).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests;
