//! Coalescing: of any number of invocations for one resource at once, one does the work.
//!
//! Whoever waited takes over the result only if the look that it rests on began after their arrival:
//! an earlier look may not have seen the write that their event announces. Whoever is cancelled simply
//! lets the next one in.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use super::{Error, Left, Outcome};
use crate::{
    resource_id::ResourceId,
    telemetry::{Wait, wait},
};

#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Numbers arrivals and looks in the order in which they happen.
    tickets: AtomicU64,
    resources: Mutex<HashMap<ResourceId, Arc<Slot>>>,
}

type Slot = tokio::sync::Mutex<Option<Finished>>;

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
    slot: Arc<Slot>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut resources = self.in_flight.resources.lock();
        // The map's own and this one. More can only come under the lock that is held here.
        if Arc::strong_count(&self.slot) == 2 {
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
        }
    }

    /// Does the work, or waits for whoever is doing it and takes over the result.
    pub(super) async fn once<F: Future<Output = Result<Outcome, Error>>>(
        &self,
        id: &ResourceId,
        progress: &Progress<'_>,
        work: impl FnOnce() -> F,
    ) -> Result<Outcome, Error> {
        let place = self.place(id);
        let mut latest = wait(Wait::Turn, place.slot.lock()).await;
        if let Some(finished) = &*latest
            && finished.looked > progress.arrived
        {
            return finished.result.clone();
        }
        let result = work().await;
        *latest = (!is_of_its_own(&result))
            .then(|| Finished { looked: progress.looked.load(Ordering::Relaxed), result: result.clone() });
        result
    }

    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    fn place<'a>(&'a self, id: &'a ResourceId) -> Place<'a> {
        let mut resources = self.resources.lock();
        let slot = Arc::clone(resources.entry(id.clone()).or_default());
        Place { in_flight: self, id, slot }
    }
}

/// Whether a result holds for the reason alone for which one invocation has looked, so that another one has to
/// look for itself.
fn is_of_its_own(result: &Result<Outcome, Error>) -> bool {
    matches!(result, Ok(Outcome::LeftToSweep(Left::Attached)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn disk() -> ResourceId {
        "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
            .parse()
            .unwrap()
    }

    /// Runs `invocations` at once; each look lasts a while. Returns how many looks there were.
    async fn looks(invocations: usize) -> u32 {
        let (in_flight, id, looks) = (InFlight::default(), disk(), Cell::new(0));
        let one = || async {
            let progress = in_flight.arrive();
            let work = || async {
                progress.looking();
                looks.set(looks.get() + 1);
                // On the paused clock: the look ends only after every other invocation has arrived.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                Ok(Outcome::AlreadySealed)
            };
            in_flight.once(&id, &progress, work).await
        };
        for result in futures::future::join_all((0..invocations).map(|_| one())).await {
            assert_eq!(result, Ok(Outcome::AlreadySealed));
        }
        assert!(in_flight.resources.lock().is_empty());
        looks.get()
    }

    #[tokio::test(start_paused = true)]
    async fn who_arrived_after_a_look_began_shares_the_next_one_at_most() {
        assert_eq!(looks(1).await, 1);
        assert_eq!(looks(2).await, 2);
        assert_eq!(looks(500).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_arrived_before_the_write_shares_its_result() {
        let (in_flight, id) = (InFlight::default(), disk());
        let first = in_flight.arrive();
        let second = in_flight.arrive();
        let work = || async {
            first.looking();
            tokio::task::yield_now().await;
            Ok(Outcome::Gone)
        };
        let (a, b) = tokio::join!(
            in_flight.once(&id, &first, work),
            in_flight.once(&id, &second, || async { unreachable!("the first has done the work") }),
        );
        assert_eq!((a, b), (Ok(Outcome::Gone), Ok(Outcome::Gone)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_event_leaves_to_the_sweep_is_not_the_sweeps_result() {
        let (in_flight, id) = (InFlight::default(), disk());
        let (of_event, of_sweep) = (in_flight.arrive(), in_flight.arrive());
        let left = || async {
            of_event.looking();
            tokio::task::yield_now().await;
            Ok(Outcome::LeftToSweep(Left::Attached))
        };
        let (first, second) = tokio::join!(
            in_flight.once(&id, &of_event, left),
            in_flight.once(&id, &of_sweep, || async { Ok(Outcome::AlreadySealed) }),
        );
        assert_eq!(first, Ok(Outcome::LeftToSweep(Left::Attached)));
        assert_eq!(second, Ok(Outcome::AlreadySealed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_invocation_lets_the_next_one_in() {
        let (in_flight, id) = (InFlight::default(), disk());
        let (first, second) = (in_flight.arrive(), in_flight.arrive());
        let stuck = in_flight.once(&id, &first, std::future::pending);
        let cancelled = tokio::time::timeout(std::time::Duration::from_secs(1), stuck);
        let next = in_flight.once(&id, &second, || async { Ok(Outcome::AlreadySealed) });
        let (cancelled, next) = tokio::join!(cancelled, next);
        assert!(cancelled.is_err());
        assert_eq!(next, Ok(Outcome::AlreadySealed));
    }
}
