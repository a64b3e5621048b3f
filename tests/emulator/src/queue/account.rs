//! The queues of the app's storage account as the Functions host uses them, in process or real.

use std::time::Duration;

use tokio::time::Instant;

use super::{Queue, QueueError, QueueMessage, Queues};
use crate::storage::{StorageAccount, StorageError, StorageQueue};

/// The shortest lease in process: however fast the queue is, functions run in real time, and so do the renewals.
const LEASE_MIN: Duration = Duration::from_secs(5);

/// A storage account's queues.
#[derive(Clone, Debug)]
pub enum QueueAccount {
    /// In process, on tokio's clock.
    InProcess(Queues),
    /// A real one.
    Real(StorageAccount),
}

impl From<&Queues> for QueueAccount {
    fn from(queues: &Queues) -> Self {
        Self::InProcess(queues.clone())
    }
}

impl From<StorageAccount> for QueueAccount {
    fn from(account: StorageAccount) -> Self {
        Self::Real(account)
    }
}

impl QueueAccount {
    /// The queue of this name, which is created if it does not exist.
    pub fn queue(&self, name: &str) -> Result<AccountQueue, StorageError> {
        Ok(match self {
            Self::InProcess(queues) => AccountQueue::InProcess(queues.queue(name)),
            Self::Real(account) => AccountQueue::Real(account.queue(name)?),
        })
    }

    /// The poison queue of `name`, for messages that used up their receipts.
    pub fn poison(&self, name: &str) -> Result<AccountQueue, StorageError> {
        self.queue(&format!("{name}-poison"))
    }
}

/// One queue of an [`QueueAccount`], with the operations of the Functions host.
#[derive(Clone, Debug)]
pub enum AccountQueue {
    /// In process.
    InProcess(Queue),
    /// A real one.
    Real(StorageQueue),
}

impl AccountQueue {
    /// Puts a message, visible at once. The text is stored unchanged; encoding is the client's task.
    pub async fn put(&self, text: String) -> Result<(), QueueError> {
        match self {
            Self::InProcess(queue) => queue.put(text).map(drop),
            Self::Real(queue) => queue.put(text).await,
        }
    }

    /// Receives up to `count` visible messages and hides them for [`lease_of`](Self::lease_of) this lease. The message
    /// names the time in Azure.
    pub async fn lease(&self, count: usize, lease: Duration) -> Result<Vec<QueueMessage>, QueueError> {
        match self {
            Self::InProcess(queue) => {
                let now = Instant::now();
                let mut messages = queue.take(count, now + self.lease_of(lease));
                for message in &mut messages {
                    message.next_visible_time = queue.at(now + lease);
                }
                Ok(messages)
            }
            Self::Real(queue) => queue.receive(count, lease).await,
        }
    }

    /// How long a lease lasts at the queue's speed.
    pub fn lease_of(&self, lease: Duration) -> Duration {
        match self {
            Self::InProcess(queue) => queue.scaled(lease).max(LEASE_MIN),
            Self::Real(_) => lease,
        }
    }

    /// Renews the lease of a message, and returns its new pop receipt.
    pub async fn renew(&self, id: &str, pop_receipt: &str, lease: Duration) -> Result<String, QueueError> {
        match self {
            Self::InProcess(queue) => queue
                .hide_until(id, pop_receipt, Instant::now() + self.lease_of(lease))
                .map(|m| m.pop_receipt),
            Self::Real(queue) => queue.renew(id, pop_receipt, lease).await,
        }
    }

    /// A listener's pause between two looks, divided by the queue's speed. If it `repeats`, the looks that would find
    /// nothing are left out.
    pub async fn pause(&self, pause: Duration, repeats: bool) {
        match self {
            Self::InProcess(queue) => queue.pause(pause, repeats).await,
            Self::Real(queue) => queue.pause(pause).await,
        }
    }

    /// Deletes a message. The pop receipt must be that of the last receipt.
    pub async fn delete(&self, id: &str, pop_receipt: &str) -> Result<(), QueueError> {
        match self {
            Self::InProcess(queue) => queue.delete(id, pop_receipt),
            Self::Real(queue) => queue.delete(id, pop_receipt).await,
        }
    }

    /// Makes a received message visible again after `wait`.
    pub async fn hide(&self, id: &str, pop_receipt: &str, wait: Duration) -> Result<(), QueueError> {
        match self {
            Self::InProcess(queue) => queue.update_visibility(id, pop_receipt, wait).map(drop),
            Self::Real(queue) => queue.hide(id, pop_receipt, wait).await,
        }
    }

    /// The number of messages, including invisible ones.
    pub async fn count(&self) -> Result<usize, QueueError> {
        match self {
            Self::InProcess(queue) => Ok(queue.len()),
            Self::Real(queue) => queue.count().await,
        }
    }

    /// Waits until the queue is empty, including invisible messages.
    pub async fn emptied(&self) {
        match self {
            Self::InProcess(queue) => queue.wait_for(<[_]>::is_empty).await,
            Self::Real(queue) => queue.emptied().await,
        }
    }
}
