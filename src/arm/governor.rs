//! The one gate through which every request to ARM passes: bounded concurrency; a door per subscription
//! and kind of request that a 429 closes for as long as ARM asks; what is left of ARM's quota, so that a
//! storm goes through at ARM's own pace instead of running against it; a reserve that the sweep leaves to
//! events; and the sweep's pace.
//!
//! ARM's buckets are per subscription, identity and kind ("Understand how Azure Resource Manager
//! throttles requests"), so one subscription's 429 stops no other, and refused writes stop no read.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::error::{Error, SystemFailure};
use crate::{
    azure::{Terms, Urgency},
    telemetry::metrics,
};

/// How many requests are under way at once at most. Far above what ARM's buckets let through, and low
/// enough that a flood of events cannot exhaust sockets or memory.
const IN_FLIGHT_MAX: usize = 256;

/// The kinds of request that ARM counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Read,
    Write,
}

impl Kind {
    /// How many tokens a second flow into ARM's bucket of a subscription.
    const fn refill(self) -> f64 {
        match self {
            Self::Read => 25.0,
            Self::Write => 10.0,
        }
    }

    /// How many tokens ARM's bucket of a subscription holds.
    const fn bucket(self) -> f64 {
        match self {
            Self::Read => 250.0,
            Self::Write => 200.0,
        }
    }

    /// The quota's name in ARM's headers.
    const fn quota(self) -> &'static str {
        match self {
            Self::Read => "subscription-reads",
            Self::Write => "subscription-writes",
        }
    }

    /// How many tokens must be there. The sweep leaves a fifth of ARM's bucket to events that come all at
    /// once.
    const fn needed(self, urgency: Urgency) -> f64 {
        match (urgency, self) {
            (Urgency::Event, _) => 1.0,
            (Urgency::BehindEvents, Self::Read) => 51.0,
            (Urgency::BehindEvents, Self::Write) => 41.0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Governor {
    in_flight: Semaphore,
    /// Writes a second and subscription for the sweep.
    pace: Option<NonZeroU32>,
    /// Keyed by lower-case subscription ID. Bounded by the subscriptions that exist.
    doors: Arc<Mutex<Doors>>,
}

type Doors = HashMap<(String, Kind), Door>;

#[derive(Debug, Default)]
struct Door {
    closed_until: Option<Instant>,
    /// What is left of ARM's quota, as of an instant, by what ARM said last.
    quota: Option<(f64, Instant)>,
    /// How many requests are under way, of which ARM has not told yet what they leave.
    under_way: u32,
    /// When the next write at the set pace may go.
    next: Option<Instant>,
}

/// The right to send one request. It ends with the request.
pub(super) struct Admission<'a> {
    governor: &'a Governor,
    door: (String, Kind),
    _permit: SemaphorePermit<'a>,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let Some(door) = self.governor.doors().get_mut(&self.door) {
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
            doors.map(|doors| least_left(&locked(&doors), Instant::now())).unwrap_or_default()
        });
        Self { in_flight: Semaphore::new(IN_FLIGHT_MAX), pace, doors }
    }

    /// Waits until a request of this kind may be sent.
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
                        ..throttled(format!("ARM is to be left alone for {seconds} s more"))
                    });
                }
                // Nothing tells of a door that opens again but the time that ARM named.
                tokio::time::sleep(wait).await;
            }
            let permit = tokio::time::timeout_at(terms.until(), self.in_flight.acquire())
                .await
                .ok()
                .and_then(Result::ok)
                .ok_or_else(|| throttled("no request could be sent within the deadline".to_owned()))?;
            // The door may have closed while this one waited for its place.
            if self.pass(&door, terms.urgency()) {
                return Ok(Admission { governor: self, door, _permit: permit });
            }
        }
    }

    /// Closes the door after a 429.
    pub(super) fn close(&self, subscription_id: &str, kind: Kind, wait: Duration) {
        let now = Instant::now();
        let until = now.checked_add(wait).unwrap_or(now);
        let mut doors = self.doors();
        let door = doors.entry((subscription_id.to_ascii_lowercase(), kind)).or_default();
        door.closed_until = Some(door.closed_until.map_or(until, |earlier| earlier.max(until)));
        // Nothing is left then, so that those who wait do not all go at once.
        door.quota = Some((0.0, until));
    }

    /// Takes over what ARM says is left of the quota.
    pub(super) fn note(&self, subscription_id: &str, kind: Kind, remaining: u32) {
        let mut doors = self.doors();
        let door = doors.entry((subscription_id.to_ascii_lowercase(), kind)).or_default();
        // The request that tells it is among those under way, and counted already.
        let others = door.under_way.saturating_sub(1);
        door.quota = Some((f64::from(remaining) - f64::from(others), Instant::now()));
    }

    fn wait(&self, door: &(String, Kind), urgency: Urgency) -> Option<Duration> {
        self.doors().get(door)?.wait(door.1, urgency, Instant::now())
    }

    /// Takes a token and a place in the pace, if the door is still open.
    fn pass(&self, key: &(String, Kind), urgency: Urgency) -> bool {
        let now = Instant::now();
        let mut doors = self.doors();
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
            // From the place before, not from now: lateness would add up to a slower pace.
            let interval = Duration::from_secs(1) / pace.get();
            let from = door.next.filter(|next| now - *next < interval).unwrap_or(now);
            door.next = Some(from + interval);
        }
        true
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        locked(&self.doors)
    }
}

fn locked(doors: &Mutex<Doors>) -> MutexGuard<'_, Doors> {
    doors.lock()
}

/// What is left of each quota of which ARM has told, in the subscription that has least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole part within the bucket")]
fn least_left(doors: &Doors, now: Instant) -> Vec<(&'static str, u64)> {
    let of = |kind: Kind| {
        let doors = doors.iter().filter(move |((_, of), _)| *of == kind);
        let left = doors.filter_map(|(_, door)| door.left(kind, now)).min_by(f64::total_cmp)?;
        Some((kind.quota(), left.clamp(0.0, kind.bucket()) as u64))
    };
    [Kind::Read, Kind::Write].into_iter().filter_map(of).collect()
}

impl Door {
    /// What should be left of the quota by now, if ARM has ever told.
    fn left(&self, kind: Kind, now: Instant) -> Option<f64> {
        let (left, at) = self.quota?;
        Some(left + now.saturating_duration_since(at).as_secs_f64() * kind.refill())
    }

    /// How long this door is closed to a request.
    fn wait(&self, kind: Kind, urgency: Urgency, now: Instant) -> Option<Duration> {
        let closed = self.closed_until.map(|until| until.saturating_duration_since(now));
        let empty = self
            .left(kind, now)
            .map(|left| Duration::from_secs_f64((kind.needed(urgency) - left).max(0.0) / kind.refill()));
        let paced = self.next.filter(|_| urgency == Urgency::BehindEvents);
        let paced = paced.map(|next| next.saturating_duration_since(now));
        closed.max(empty).max(paced).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests;
