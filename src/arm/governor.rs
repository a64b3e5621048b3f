//! Admission of every request to ARM. The governor limits concurrency. It has a door for each subscription and
//! kind of request: a 429 closes it for as long as ARM asks, and it opens by degrees; what is left of ARM's quota
//! slows a burst down to the rate at which ARM refills the quota, with a reserve for events; and writes that are
//! not for an event keep to the pace that is set.
//!
//! ARM has a token bucket per subscription, identity and kind of request ("Understand how Azure Resource Manager
//! throttles requests"), so a 429 in one subscription stops no other, and throttled writes stop no reads.
//! Resource Graph has a quota per user ("Guidance for throttled requests in Azure Resource Graph").
//!
//! Other instances of the app draw on the same buckets. [`door`] says how each of them finds its share.

mod door;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

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
use door::{Door, Rank};

/// The maximum of concurrent requests: far above what ARM's buckets allow, and low enough that a flood of events
/// cannot exhaust sockets or memory.
const IN_FLIGHT_MAX: usize = 256;
/// How many doors are kept. An event names its subscription, so their number is not ours to choose.
const DOORS_MAX: usize = 4_096;
/// How often the first of a line looks whether its wait has become shorter than it was.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How much time a request needs after its admission. One that is admitted later could not be answered in time.
const ANSWER_TIME: Duration = Duration::from_millis(250);

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
}

#[derive(Debug)]
pub(super) struct Governor {
    in_flight: Semaphore,
    /// The time between two writes of a subscription, events excluded.
    pace: Option<Duration>,
    /// The keys have the subscription ID in lower case, so that there are no more than three a subscription.
    doors: Arc<Mutex<Doors>>,
}

type Doors = HashMap<(String, Kind), Arc<Door>>;

/// Tokens of a quota that are set aside for requests to come. Dropping it gives back those that were not used.
#[derive(Debug)]
pub struct Reserved {
    door: Arc<Door>,
    left: AtomicU32,
    /// How often the door had been closed at the time. After another time, ARM would refuse what was reserved.
    closings: u32,
    /// What one token takes of the pace.
    pace: Option<Duration>,
}

impl Reserved {
    /// Whether a token is left, and the door was not closed since.
    fn is_good(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0 && self.door.closings() == self.closings
    }

    /// Uses one token for a request that is sent now, if one is left that is still good.
    fn take(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        let is_taken =
            self.is_good() && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        if is_taken {
            self.door.send();
        }
        is_taken
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let left = *self.left.get_mut();
        if left > 0 {
            self.door.give_back(left, self.closings, self.pace);
        }
    }
}

/// The admission of one request, held until its answer.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    door: Arc<Door>,
    at: Instant,
    _permit: SemaphorePermit<'a>,
}

impl Admission<'_> {
    /// ARM has answered, and named how many tokens are left.
    pub(super) fn answered(&self, remaining: Option<u32>) {
        self.door.answered(self.at, remaining);
    }

    /// ARM has refused the request with 429: the door closes. Without a time in the answer, it closes for twice as
    /// long as after the refusal before.
    pub(super) fn refused(&self, retry_after: Option<Duration>) {
        self.door.refused(self.at, retry_after);
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.door.leave();
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
        let pace = pace.map(|writes| Duration::from_secs(1) / writes.get());
        Self { in_flight: Semaphore::new(IN_FLIGHT_MAX), pace, doors }
    }

    /// The most writes per second of one subscription, events excluded.
    pub(super) fn writes_per_second(&self) -> f64 {
        let refill = Kind::Write.refill();
        self.pace.map_or(refill, |pace| refill.min(1.0 / pace.as_secs_f64()))
    }

    /// Waits until a request of this kind may be sent, or fails at once if that is after the deadline. `reserved` is
    /// used where it is given. If nothing is left of it, the request continues what was begun, and goes first.
    pub(super) async fn admit(
        &self,
        what: &'static str,
        subscription_id: &str,
        kind: Kind,
        reserved: Option<&Reserved>,
        terms: Terms,
    ) -> Result<Admission<'_>, Error> {
        let door = reserved.map_or_else(|| self.door(subscription_id, kind), |known| Arc::clone(&known.door));
        loop {
            let own = match reserved {
                Some(reserved) if reserved.is_good() => None,
                Some(_) => Some(self.pass(what, &door, kind, 1, Rank::Begun, terms).await?),
                None => Some(self.pass(what, &door, kind, 1, terms.urgency().into(), terms).await?),
            };
            let permit = tokio::time::timeout_at(terms.until(), self.in_flight.acquire()).await;
            let Ok(Ok(permit)) = permit else {
                return Err(throttled(what, "no request could be sent within the deadline"));
            };
            // The door may have closed during the wait for the permit.
            if own.as_ref().or(reserved).is_some_and(Reserved::take) {
                return Ok(Admission { door, at: Instant::now(), _permit: permit });
            }
        }
    }

    /// Sets tokens aside for several requests, so that what the first one begins can be finished.
    pub(super) async fn reserve(
        &self,
        what: &'static str,
        subscription_id: &str,
        kind: Kind,
        tokens: u32,
        terms: Terms,
    ) -> Result<Reserved, Error> {
        let door = self.door(subscription_id, kind);
        self.pass(what, &door, kind, tokens, terms.urgency().into(), terms).await
    }

    /// How long this many requests of this kind would have to wait now, as far as can be seen.
    pub(super) fn forecast(
        &self,
        subscription_id: &str,
        kind: Kind,
        tokens: u32,
        urgency: Urgency,
    ) -> Duration {
        let door = self.doors.lock().get(&key(subscription_id, kind)).cloned();
        door.map_or(Duration::ZERO, |door| {
            door.forecast(tokens, urgency.into(), self.pace_of(kind, urgency.into()))
        })
    }

    /// Closes the door for this long, because the quota is known to be spent.
    pub(super) fn close(&self, subscription_id: &str, kind: Kind, wait: Duration) {
        self.door(subscription_id, kind).close(wait);
    }

    /// Waits in the line of this rank, in order of arrival, for tokens.
    async fn pass(
        &self,
        what: &'static str,
        door: &Arc<Door>,
        kind: Kind,
        tokens: u32,
        rank: Rank,
        terms: Terms,
    ) -> Result<Reserved, Error> {
        let pace = self.pace_of(kind, rank);
        let allow = |wait: Duration| {
            if wait.is_zero() || terms.allow(wait + ANSWER_TIME) {
                return Ok(());
            }
            let message = format!("ARM asked for no requests for another {} s", wait.as_secs());
            Err(Error { retry_after: Some(wait), ..throttled(what, message) })
        };
        allow(door.forecast(tokens, rank, pace))?;
        let in_line = door.enter(rank, tokens);
        let until = terms.until().checked_sub(ANSWER_TIME).unwrap_or(terms.until());
        let turn = tokio::time::timeout_at(until, in_line.turn()).await;
        let Ok(_turn) = turn else {
            return Err(throttled(
                what,
                "others were first, and the quota was spent on them within the deadline",
            ));
        };
        loop {
            let changed = door.changed();
            let Some(wait) = door.take(tokens, rank, pace) else { break };
            allow(wait)?;
            // A door opens again by time, or when an answer shows that more is left than was known.
            tokio::select! {
                () = tokio::time::sleep(wait.min(LOOK_AGAIN)) => {}
                () = changed => {}
            }
        }
        let closings = door.closings();
        Ok(Reserved { door: Arc::clone(door), left: AtomicU32::new(tokens), closings, pace })
    }

    /// The pace of a request: that of writes that are not for an event, and that do not continue one.
    fn pace_of(&self, kind: Kind, rank: Rank) -> Option<Duration> {
        self.pace.filter(|_| kind == Kind::Write && rank == Rank::BehindEvents)
    }

    fn door(&self, subscription_id: &str, kind: Kind) -> Arc<Door> {
        let mut doors = self.doors.lock();
        if doors.len() >= DOORS_MAX {
            doors.retain(|_, door| Arc::strong_count(door) > 1 || door.is_closed());
        }
        if doors.len() >= DOORS_MAX {
            doors.retain(|_, door| Arc::strong_count(door) > 1);
        }
        Arc::clone(doors.entry(key(subscription_id, kind)).or_insert_with(|| Arc::new(Door::new(kind))))
    }
}

fn key(subscription_id: &str, kind: Kind) -> (String, Kind) {
    (subscription_id.to_ascii_lowercase(), kind)
}

fn throttled(what: &'static str, message: impl std::fmt::Display) -> Error {
    Error::without_answer(what, SystemFailure::Throttled, message)
}

/// The rest of each of ARM's quotas, by its name in ARM's headers, in the subscription with the least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an integer within the bucket")]
fn least_left(doors: &Doors, now: Instant) -> Vec<(&'static str, u64)> {
    let of = |(kind, quota): (Kind, &'static str)| {
        let doors = doors.iter().filter(move |((_, of), _)| *of == kind);
        let left = doors.filter_map(|(_, door)| door.left(now)).min_by(f64::total_cmp)?;
        Some((quota, left.max(0.0) as u64))
    };
    let quotas = [(Kind::Read, "subscription-reads"), (Kind::Write, "subscription-writes")];
    quotas.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests;
