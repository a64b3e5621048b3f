//! The listener of a queue trigger: the Storage extension's queue processor.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{AccountQueue, Encoding, QueueAccount, QueueMessage};
use crate::storage::StorageError;

/// How long the extension hides the messages it has received.
const LEASE: Duration = Duration::from_mins(10);

/// The settings under `extensions.queues` of host.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerOptions {
    /// `batchSize`: the number of messages to receive at once, 1 to 32.
    pub batch_size: usize,
    /// `newBatchThreshold`: the next batch is received when at most this many messages are in progress.
    pub new_batch_threshold: usize,
    /// `visibilityTimeout`: how long a failed message is hidden.
    pub visibility_timeout: Duration,
    /// `maxDequeueCount`: after this many receipts a message goes to the poison queue.
    pub max_dequeue_count: u32,
    /// `messageEncoding`.
    pub encoding: Encoding,
}

impl Default for TriggerOptions {
    fn default() -> Self {
        Self {
            batch_size: 16,
            new_batch_threshold: 8,
            visibility_timeout: Duration::ZERO,
            max_dequeue_count: 5,
            encoding: Encoding::Base64,
        }
    }
}

/// The function that runs for each message.
pub trait QueueProcessor: Send + Sync + 'static {
    /// Processes a message, with its text decoded. True deletes the message.
    fn process(&self, message: QueueMessage) -> BoxFuture<'_, bool>;
}

impl<F, Answer> QueueProcessor for F
where
    F: Fn(QueueMessage) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = bool> + Send + 'static,
{
    fn process(&self, message: QueueMessage) -> BoxFuture<'_, bool> {
        Box::pin(self(message))
    }
}

/// A running listener. Dropping the handle stops it; messages in progress become visible again.
#[derive(Debug)]
pub struct QueueTrigger {
    running: watch::Receiver<usize>,
    queue: AccountQueue,
    task: JoinHandle<()>,
}

impl QueueTrigger {
    /// Starts listening to the queue `name`. Must be called inside a tokio runtime.
    pub fn start(
        account: &QueueAccount,
        name: &str,
        options: TriggerOptions,
        processor: impl QueueProcessor,
    ) -> Result<Self, StorageError> {
        let (running, watched) = watch::channel(0);
        let listener = Listener {
            queue: account.queue(name)?,
            poison: account.poison(name)?,
            options,
            processor: Arc::new(processor),
        };
        let queue = listener.queue.clone();
        Ok(Self { running: watched, queue, task: tokio::spawn(listener.run(running)) })
    }

    /// Waits until the queue is empty, including invisible messages, and no message is in progress.
    pub async fn drained(&self) {
        let mut running = self.running.clone();
        loop {
            self.queue.emptied().await;
            if running.wait_for(|running| *running == 0).await.is_err() || self.queue.count().await == Ok(0) {
                return;
            }
        }
    }
}

impl Drop for QueueTrigger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Listener {
    queue: AccountQueue,
    poison: AccountQueue,
    options: TriggerOptions,
    processor: Arc<dyn QueueProcessor>,
}

impl Listener {
    async fn run(self, running: watch::Sender<usize>) {
        let this = Arc::new(self);
        let mut messages = JoinSet::new();
        loop {
            tokio::select! {
                () = this.queue.visible(), if messages.len() <= this.options.new_batch_threshold => {
                    match this.queue.lease(this.options.batch_size, LEASE).await {
                        Ok(batch) => for message in batch {
                            messages.spawn(Arc::clone(&this).process(message));
                        },
                        Err(error) => tracing::warn!(%error, "the queue gives no messages"),
                    }
                }
                Some(_) = messages.join_next() => {}
            }
            running.send_replace(messages.len());
        }
    }

    async fn process(self: Arc<Self>, mut message: QueueMessage) {
        let stored = message.text.clone();
        // A message that cannot be decoded fails like one whose function failed.
        let succeeded = match self.options.encoding.decode(&stored) {
            Some(content) if message.dequeue_count <= self.options.max_dequeue_count => {
                message.text = content;
                self.processor.process(message.clone()).await
            }
            _ => false,
        };
        let (id, receipt) = (&message.id, &message.pop_receipt);
        // An outdated pop receipt means that another receiver has the message now.
        if succeeded {
            let _ = self.queue.delete(id, receipt).await;
        } else if message.dequeue_count >= self.options.max_dequeue_count {
            let _ = self.poison.put(stored).await;
            let _ = self.queue.delete(id, receipt).await;
        } else {
            let _ = self.queue.hide(id, receipt, self.options.visibility_timeout).await;
        }
    }
}
