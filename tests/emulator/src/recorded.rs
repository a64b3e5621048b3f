//! An ordered record of past events, for tests that look back and tests that wait.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// A growing record. Nothing is ever removed, so a waiter cannot be too late.
#[derive(Debug)]
pub(crate) struct Recorded<T> {
    entries: Mutex<Vec<T>>,
    /// The record of a whole of which this is one part.
    whole: Option<Arc<Recorded<T>>>,
    count: watch::Sender<usize>,
}

impl<T> Default for Recorded<T> {
    fn default() -> Self {
        Self { entries: Mutex::default(), whole: None, count: watch::Sender::new(0) }
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
        entries.push(entry);
        self.count.send_replace(entries.len());
    }

    /// Every entry so far.
    pub(crate) fn all(&self) -> Vec<T> {
        self.entries.lock().clone()
    }

    /// The first entry that matches, now or in the future.
    pub(crate) async fn wait_for(&self, fits: impl Fn(&T) -> bool) -> T {
        let mut count = self.count.subscribe();
        let mut seen = 0;
        loop {
            count.mark_unchanged();
            // A copy, because `fits` may read the record itself.
            let new = self.entries.lock()[seen..].to_vec();
            seen += new.len();
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
