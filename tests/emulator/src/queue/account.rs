//! The queues of the app's storage account as the Functions host uses them, in process or real.

use std::time::Duration;

use tokio::time::Instant;

use super::{Queue, QueueError, QueueMessage, Queues};
use crate::storage::{StorageAccount, StorageError, StorageQueue};

/// The extension renews the lease while the function runs. In process, the initial lease is long enough for
/// every function at every speed of the queue.
const RENEWALS: Duration = Duration::from_hours(24);

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

    /// Receives up to `count` visible messages and hides them for this long, regardless of the speed.
    pub async fn lease(&self, count: usize, lease: Duration) -> Result<Vec<QueueMessage>, QueueError> {
        match self {
            Self::InProcess(queue) => {
                let mut messages = queue.take(count, Instant::now() + lease + RENEWALS);
                for message in &mut messages {
                    message.next_visible_time -= RENEWALS;
                }
                Ok(messages)
            }
            Self::Real(queue) => queue.receive(count, lease).await,
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

    /// Waits until a message is visible.
    pub async fn visible(&self) {
        match self {
            Self::InProcess(queue) => queue.visible().await,
            Self::Real(queue) => queue.visible().await,
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
