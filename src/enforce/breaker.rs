//! The loop breaker: the more often a resource is written, the longer is the pause before the next write.
//!
//! Somebody who undoes the seal as fast as it is set (a template in a loop, an attacker) would otherwise keep us
//! and ARM busy for ever. The pauses end at one minute, because whoever undoes the seal must not be able to keep
//! the resource unsealed for longer than that.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    resource_id::ResourceId,
    telemetry::{Wait, wait},
};

/// The seconds between a resource's first, second, … write and the next one; the last one holds for all others.
/// Two writes close together happen without anybody at fault: a template that writes a disk twice, a seal that a
/// PUT has overtaken. Five and fifteen seconds still fit into an event's deadline. One minute limits a loop to
/// sixty writes an hour, far below what ARM allows.
const PAUSES: [u64; 6] = [0, 0, 5, 15, 30, 60];
/// The longest pause.
pub const PAUSE_MAX: Duration = Duration::from_mins(1);
/// After this time without a write, the next one is the first again.
const CALM: Duration = Duration::from_mins(10);
/// How many resources are counted at once, which bounds the memory. A storm of more resources than
/// this is no loop. A map of 2^15 buckets holds seven eighths of them; one more would take a map of twice the size.
const RESOURCES_MAX: usize = 28_672;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Keyed by a keyed hash of the ID: nobody can choose IDs that collide.
    writes: Mutex<HashMap<u64, Writes>>,
    hasher: RandomState,
}

/// The writes of one resource.
#[derive(Clone, Copy, Debug)]
struct Writes {
    last: Instant,
    count: usize,
    /// Whether an invocation waits for the end of the pause.
    is_waited_for: bool,
}

impl Writes {
    fn are_over(&self) -> bool {
        self.last.elapsed() >= CALM
    }

    /// The pause after the last write.
    fn pause(&self) -> Duration {
        let index = self.count.saturating_sub(1).min(PAUSES.len() - 1);
        PAUSES.get(index).map_or(PAUSE_MAX, |seconds| Duration::from_secs(*seconds))
    }
}

impl Breaker {
    /// The time until the resource may be written; zero if it may be now.
    pub(super) fn pause(&self, id: &ResourceId) -> Duration {
        let writes = self.of(id);
        writes.map_or(Duration::ZERO, |writes| writes.pause().saturating_sub(writes.last.elapsed()))
    }

    /// Whether the resource is written so often that somebody must be undoing it.
    pub(super) fn has_tripped(&self, id: &ResourceId) -> bool {
        self.of(id).is_some_and(|writes| !writes.pause().is_zero())
    }

    /// Whether an invocation waits for the end of the resource's pause. It will look after that, so that others
    /// need not wait for the same.
    pub(super) fn is_waited_for(&self, id: &ResourceId) -> bool {
        self.of(id).is_some_and(|writes| writes.is_waited_for)
    }

    /// Waits for a pause to end.
    pub(super) async fn wait_for(&self, id: &ResourceId, pause: Duration) {
        let _waiting = Waiting::new(self, id);
        wait(Wait::Breaker, tokio::time::sleep(pause)).await;
    }

    /// Counts a write that ARM has accepted. A refused one is no part of a loop: the queue tries it again
    /// at its own pace.
    pub(super) fn count(&self, id: &ResourceId) {
        let mut writes = self.writes.lock();
        if writes.len() >= RESOURCES_MAX {
            writes.retain(|_, writes| !writes.are_over());
            if writes.len() >= RESOURCES_MAX {
                writes.clear();
            }
        }
        let none = Writes { last: Instant::now(), count: 0, is_waited_for: false };
        let writes = writes.entry(self.hasher.hash_one(id)).or_insert(none);
        let count = if writes.are_over() { 0 } else { writes.count };
        *writes = Writes { count: count.saturating_add(1), ..none };
    }

    fn of(&self, id: &ResourceId) -> Option<Writes> {
        let writes = self.writes.lock();
        writes.get(&self.hasher.hash_one(id)).copied().filter(|writes| !writes.are_over())
    }

    fn set_waited_for(&self, id: &ResourceId, is_waited_for: bool) {
        if let Some(writes) = self.writes.lock().get_mut(&self.hasher.hash_one(id)) {
            writes.is_waited_for = is_waited_for;
        }
    }
}

/// An invocation that waits, until it has waited or is cancelled.
struct Waiting<'a> {
    breaker: &'a Breaker,
    id: &'a ResourceId,
}

impl<'a> Waiting<'a> {
    fn new(breaker: &'a Breaker, id: &'a ResourceId) -> Self {
        breaker.set_waited_for(id, true);
        Self { breaker, id }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.breaker.set_waited_for(self.id, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str) -> ResourceId {
        format!("/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/{name}")
            .parse()
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_minute_and_begin_anew_after_ten_minutes_of_calm() {
        let (breaker, id) = (Breaker::default(), disk("a"));
        let mut pauses = vec![];
        for _ in 0..8 {
            breaker.count(&id);
            let pause = breaker.pause(&disk("A"));
            pauses.push(pause.as_secs());
            assert_eq!(breaker.has_tripped(&id), !pause.is_zero());
            tokio::time::advance(pause).await;
            assert!(breaker.pause(&id).is_zero());
        }
        assert_eq!(pauses, [0, 0, 5, 15, 30, 60, 60, 60]);
        assert_eq!(PAUSES.map(Duration::from_secs).into_iter().max(), Some(PAUSE_MAX));
        assert!(!breaker.has_tripped(&disk("b")), "others are not held back");
        tokio::time::advance(CALM).await;
        assert!(!breaker.has_tripped(&id));
        breaker.count(&id);
        assert!(breaker.pause(&id).is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn one_waits_for_a_pause_and_a_cancelled_one_does_not() {
        let (breaker, id) = (Breaker::default(), disk("a"));
        breaker.count(&id);
        let mut waiting = Box::pin(breaker.wait_for(&id, PAUSE_MAX));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(breaker.is_waited_for(&id) && !breaker.is_waited_for(&disk("b")));
        drop(waiting);
        assert!(!breaker.is_waited_for(&id));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let breaker = Breaker::default();
        for n in 0..RESOURCES_MAX + 10 {
            breaker.count(&disk(&n.to_string()));
        }
        assert!(breaker.writes.lock().len() <= RESOURCES_MAX);
    }
}
