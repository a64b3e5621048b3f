//! What has happened so far, in order, for tests that look back and tests that wait.

use parking_lot::Mutex;
use tokio::sync::watch;

/// A growing record. Nothing is ever taken out of it, so a waiter cannot come too late.
#[derive(Debug)]
pub(crate) struct Recorded<T> {
    entries: Mutex<Vec<T>>,
    count: watch::Sender<usize>,
}

impl<T> Default for Recorded<T> {
    fn default() -> Self {
        Self { entries: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl<T: Clone> Recorded<T> {
    /// Adds an entry and wakes the waiters.
    pub(crate) fn push(&self, entry: T) {
        let mut entries = self.entries.lock();
        entries.push(entry);
        self.count.send_replace(entries.len());
    }

    /// Every entry so far.
    pub(crate) fn all(&self) -> Vec<T> {
        self.entries.lock().clone()
    }

    /// The first entry that fits, now or as soon as there is one.
    pub(crate) async fn wait_for(&self, fits: impl Fn(&T) -> bool) -> T {
        let mut seen = 0;
        self.wait_until(|entries| {
            let found = entries[seen..].iter().find(|entry| fits(entry)).cloned();
            seen = entries.len();
            found
        })
        .await
    }

    /// What `look` makes of all entries, as soon as it makes something.
    pub(crate) async fn wait_until<R>(&self, mut look: impl FnMut(&[T]) -> Option<R>) -> R {
        let mut count = self.count.subscribe();
        loop {
            count.mark_unchanged();
            if let Some(result) = look(&self.entries.lock()) {
                return result;
            }
            if count.changed().await.is_err() {
                // The sender is a field of `self`, so it outlives this wait.
                std::future::pending::<()>().await;
            }
        }
    }
}
