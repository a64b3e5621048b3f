//! An ordered record of past events, for tests that look back and tests that wait.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// A growing record. Nothing is removed unless it is taken, so a waiter cannot be too late.
#[derive(Debug)]
pub(crate) struct Recorded<T> {
    entries: Mutex<Entries<T>>,
    /// The record of a whole of which this is one part.
    whole: Option<Arc<Recorded<T>>>,
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Entries<T> {
    kept: Vec<T>,
    /// The number of those that were taken before.
    taken: usize,
}

impl<T> Default for Recorded<T> {
    fn default() -> Self {
        let entries = Mutex::new(Entries { kept: Vec::new(), taken: 0 });
        Self { entries, whole: None, count: watch::Sender::new(0) }
    }
}

impl<T: Clone> Recorded<T> {
    /// A record whose entries are also added to another.
    pub(crate) fn part_of(whole: &Arc<Self>) -> Self {
        Self { whole: Some(Arc::clone(whole)), ..Self::default() }
    }

    /// Adds an entry and wakes the waiters.
    pub(crate) fn push(&self, entry: T) {
        if let Some(whole) = &self.whole {
            whole.push(entry.clone());
        }
        let mut entries = self.entries.lock();
        entries.kept.push(entry);
        self.count.send_replace(entries.taken + entries.kept.len());
    }

    /// Every entry so far that was not taken.
    pub(crate) fn all(&self) -> Vec<T> {
        self.entries.lock().kept.clone()
    }

    /// Every entry so far, which is forgotten: for a run whose entries would not fit into memory.
    pub(crate) fn take(&self) -> Vec<T> {
        let mut entries = self.entries.lock();
        entries.taken += entries.kept.len();
        std::mem::take(&mut entries.kept)
    }

    /// The first entry that matches, now or in the future.
    pub(crate) async fn wait_for(&self, fits: impl Fn(&T) -> bool) -> T {
        let mut count = self.count.subscribe();
        let mut seen = 0_usize;
        loop {
            count.mark_unchanged();
            // A copy, because `fits` may read the record itself.
            let new = {
                let entries = self.entries.lock();
                let new = entries.kept.get(seen.saturating_sub(entries.taken)..).unwrap_or_default().to_vec();
                seen = entries.taken + entries.kept.len();
                new
            };
            if let Some(found) = new.into_iter().find(|entry| fits(entry)) {
                return found;
            }
            changed(&mut count).await;
        }
    }

    /// Waits until `look` returns a value for the entries so far.
    pub(crate) async fn wait_until<R>(&self, mut look: impl FnMut(&[T]) -> Option<R>) -> R {
        let mut count = self.count.subscribe();
        loop {
            count.mark_unchanged();
            if let Some(result) = look(&self.all()) {
                return result;
            }
            changed(&mut count).await;
        }
    }
}

async fn changed(count: &mut watch::Receiver<usize>) {
    if count.changed().await.is_err() {
        // A waiter borrows the record and with it the sender, so this never happens.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_taken_is_gone_and_a_waiter_sees_what_comes_after() {
        let whole = Arc::new(Recorded::default());
        let part = Recorded::part_of(&whole);
        part.push(1);
        part.push(2);
        let mut waiter = Box::pin(whole.wait_for(|entry| *entry == 4));
        assert!(futures::poll!(&mut waiter).is_pending());
        assert_eq!(whole.take(), [1, 2]);
        part.push(3);
        assert_eq!((whole.take(), part.all()), (vec![3], vec![1, 2, 3]));
        part.push(4);
        assert_eq!(waiter.await, 4);
        assert_eq!(whole.all(), [4]);
    }
}
