//! The loop breaker: what is written again and again in a short time is left to the sweep.
//!
//! Somebody who undoes the seal as fast as it is set (a template in a loop, a policy that denies the
//! value) would otherwise keep us and ARM busy for ever.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::resource_id::ResourceId;

/// How many writes of one resource a window holds.
const WRITES_MAX: u32 = 5;
const WINDOW: Duration = Duration::from_mins(10);
/// How many resources are counted at once, which bounds the memory. A storm of more resources than
/// this is no loop.
const RESOURCES_MAX: usize = 32_768;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Keyed by a keyed hash of the ID: nobody can choose IDs that collide.
    writes: Mutex<HashMap<u64, Window>>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started: Instant,
    writes: u32,
}

impl Breaker {
    /// Whether the resource may be written once more.
    pub(super) fn admits(&self, id: &ResourceId) -> bool {
        let writes = self.writes.lock();
        let window = writes.get(&self.hasher.hash_one(id));
        window.is_none_or(|window| window.writes < WRITES_MAX || window.started.elapsed() >= WINDOW)
    }

    /// Counts a write that ARM has accepted. A refused one is no part of a loop: the queue tries it again
    /// at its own pace.
    pub(super) fn count(&self, id: &ResourceId) {
        let now = Instant::now();
        let mut writes = self.writes.lock();
        if writes.len() >= RESOURCES_MAX {
            writes.retain(|_, window| now - window.started < WINDOW);
            if writes.len() >= RESOURCES_MAX {
                writes.clear();
            }
        }
        let fresh = Window { started: now, writes: 0 };
        let window = writes.entry(self.hasher.hash_one(id)).or_insert(fresh);
        if now - window.started >= WINDOW {
            *window = fresh;
        }
        window.writes += 1;
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
    async fn the_sixth_write_in_ten_minutes_is_one_too_many() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            assert!(breaker.admits(&disk("a")));
            breaker.count(&disk("a"));
        }
        assert!(!breaker.admits(&disk("A")), "IDs ignore case");
        assert!(breaker.admits(&disk("b")), "others are not held back");
        tokio::time::advance(WINDOW).await;
        assert!(breaker.admits(&disk("a")));
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
