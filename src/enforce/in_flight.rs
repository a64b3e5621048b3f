//! Coalescing: of any number of invocations for one resource at once, one does the work.
//!
//! Whoever waited takes over the result only if the look that it rests on began after their arrival:
//! an earlier look may not have seen the write that their event announces. Whoever is cancelled simply
//! lets the next one in.
//!
//! No event waits for a look with less urgency or less time than its own: it starts a group of its own, and a look
//! that is less urgent gives way to it before the first write. What depends on the terms of one look is no result
//! for another.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{Concern, Error, Left, Outcome};
use crate::{
    azure::{Terms, Urgency},
    resource_id::ResourceId,
    telemetry::{Wait, wait},
};

/// How much earlier than one's own a look may have to end, and still be waited for. Deliveries of one event and its
/// duplicates come within such a time.
const TIME_SHORT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Numbers arrivals and looks in the order in which they happen.
    tickets: AtomicU64,
    resources: Mutex<HashMap<ResourceId, Arc<Group>>>,
}

/// The invocations for one resource that wait for each other.
#[derive(Debug, Default)]
struct Group {
    /// Held by the one that looks; then what it found.
    turn: tokio::sync::Mutex<Option<Finished>>,
    /// The terms of the one that looks, or looked last.
    terms: Mutex<Option<Terms>>,
    /// Set when another group has taken its place.
    is_superseded: AtomicBool,
    /// Set when that is one of more urgency.
    is_outranked: Arc<AtomicBool>,
}

impl Group {
    /// Whether these terms outrank those of its look.
    fn is_outranked_by(&self, terms: Terms) -> bool {
        self.terms.lock().is_some_and(|looks| is_urgent(terms) && !is_urgent(looks))
    }

    /// Whether its look ends too early to be waited for.
    fn ends_before(&self, terms: Terms) -> bool {
        self.terms.lock().is_some_and(|looks| {
            is_urgent(terms) == is_urgent(looks) && looks.until() + TIME_SHORT < terms.until()
        })
    }
}

fn is_urgent(terms: Terms) -> bool {
    terms.urgency() == Urgency::Event
}

#[derive(Debug)]
struct Finished {
    looked: u64,
    result: Result<Outcome, Error>,
}

/// How far an invocation has come with its resource.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    in_flight: &'a InFlight,
    arrived: u64,
    looked: AtomicU64,
    stage: AtomicU8,
    seen: AtomicBool,
    is_outranked: Mutex<Arc<AtomicBool>>,
    gave_way: AtomicBool,
    shares: AtomicBool,
}

const WAITING: u8 = 0;
const LOOKING: u8 = 1;
const ACCEPTED: u8 = 2;

impl Progress<'_> {
    /// A request is about to be sent whose answer the result will rest on.
    pub(super) fn looking(&self) {
        self.looked.store(self.in_flight.ticket(), Ordering::Relaxed);
        self.stage.fetch_max(LOOKING, Ordering::Relaxed);
    }

    /// The resource was read.
    pub(super) fn seen(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }

    /// Whether the resource was read by this invocation.
    pub(super) fn has_seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    /// ARM has accepted a change.
    pub(super) fn accepted(&self) {
        self.stage.fetch_max(ACCEPTED, Ordering::Relaxed);
    }

    /// Asked before the first write.
    ///
    /// # Errors
    /// `Busy` if a look with more urgency is at work on the resource. This look ends, and waits for that one.
    pub(super) fn give_way(&self) -> Result<(), Error> {
        if self.is_outranked.lock().load(Ordering::Relaxed) {
            self.gave_way.store(true, Ordering::Relaxed);
            return Err(Error::Busy);
        }
        Ok(())
    }

    /// Whether the result is another invocation's, which has counted it.
    pub(super) fn shares(&self) -> bool {
        self.shares.load(Ordering::Relaxed)
    }

    /// What it means that the time is over now.
    pub(super) fn out_of_time(&self) -> Error {
        match self.stage.load(Ordering::Relaxed) {
            WAITING => Error::Busy,
            LOOKING => Error::Deadline,
            _ => Error::Unfinished,
        }
    }
}

/// Takes a resource out of the map with the last invocation that cares for it.
struct Place<'a> {
    in_flight: &'a InFlight,
    id: &'a ResourceId,
    group: Arc<Group>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut resources = self.in_flight.resources.lock();
        let is_known = resources.get(self.id).is_some_and(|group| Arc::ptr_eq(group, &self.group));
        // The map's own and this one. More can only come under the lock that is held here.
        if is_known && Arc::strong_count(&self.group) == 2 {
            resources.remove(self.id);
        }
    }
}

impl InFlight {
    /// Notes the arrival of an invocation.
    pub(super) fn arrive(&self) -> Progress<'_> {
        Progress {
            in_flight: self,
            arrived: self.ticket(),
            looked: AtomicU64::default(),
            stage: AtomicU8::new(WAITING),
            seen: AtomicBool::new(false),
            is_outranked: Mutex::default(),
            gave_way: AtomicBool::new(false),
            shares: AtomicBool::new(false),
        }
    }

    /// Does the work, or waits for whoever is doing it and takes over the result.
    pub(super) async fn once<F: Future<Output = Result<Outcome, Error>>>(
        &self,
        id: &ResourceId,
        terms: Terms,
        progress: &Progress<'_>,
        work: impl Fn() -> F,
    ) -> Result<Outcome, Error> {
        loop {
            let place = self.place(id, terms);
            let mut latest = wait(Wait::Turn, place.group.turn.lock()).await;
            if let Some(finished) = &*latest
                && finished.looked > progress.arrived
            {
                progress.shares.store(true, Ordering::Relaxed);
                return finished.result.clone();
            }
            if place.group.is_superseded.load(Ordering::Relaxed) {
                continue;
            }
            *place.group.terms.lock() = Some(terms);
            *progress.is_outranked.lock() = Arc::clone(&place.group.is_outranked);
            let result = work().await;
            if progress.gave_way.swap(false, Ordering::Relaxed) {
                continue;
            }
            *latest = is_for_all(&result).then(|| Finished {
                looked: progress.looked.load(Ordering::Relaxed),
                result: result.clone(),
            });
            return result;
        }
    }

    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    fn place<'a>(&'a self, id: &'a ResourceId, terms: Terms) -> Place<'a> {
        let mut resources = self.resources.lock();
        let group = resources.entry(id.clone()).or_default();
        let is_outranked = group.is_outranked_by(terms);
        if is_outranked || group.ends_before(terms) {
            group.is_outranked.store(is_outranked, Ordering::Relaxed);
            group.is_superseded.store(true, Ordering::Relaxed);
            *group = Arc::default();
        }
        // Of those that come at once, the first one's terms count until it looks.
        group.terms.lock().get_or_insert(terms);
        Place { in_flight: self, id, group: Arc::clone(group) }
    }
}

/// Whether a result holds for others as well: it does not if it follows from the terms of the invocation that has
/// looked, or from the reason for which it has.
fn is_for_all(result: &Result<Outcome, Error>) -> bool {
    match result {
        Ok(outcome) => *outcome != Outcome::LeftToSweep(Left::Attached),
        Err(Error::Busy | Error::Unfinished | Error::NotVisible | Error::SealRemoved(_)) => false,
        Err(error) => error.concern() == Concern::Resource,
    }
}

#[cfg(test)]
mod tests;
