//! The listener of a queue trigger: the Storage extension's queue processor.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use super::{AccountQueue, Decoded, Encoding, QueueAccount, QueueMessage};
use crate::storage::StorageError;

/// How long the extension hides the messages it has received. It renews that while the function runs, and a message
/// whose host has died is visible again after it (`QueueListener`).
const LEASE: Duration = Duration::from_mins(10);

/// The settings under `extensions.queues` of host.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerOptions {
    /// `batchSize`: the number of messages to receive at once, 1 to 32.
    pub batch_size: usize,
    /// `newBatchThreshold`: the next batch is received when at most this many messages are in progress.
    pub new_batch_threshold: usize,
    /// `maxPollingInterval`: the longest pause between two looks at an idle queue. A look costs two spans of the host.
    pub max_polling_interval: Duration,
    /// `visibilityTimeout`: how long a failed message is hidden.
    pub visibility_timeout: Duration,
    /// `maxDequeueCount`: after this many receipts a message goes to the poison queue.
    pub max_dequeue_count: u32,
    /// `messageEncoding`.
    pub encoding: Encoding,
}

impl TriggerOptions {
    /// The shortest pause between two looks, and the least `maxPollingInterval` (`QueuePollingIntervals.Minimum`).
    pub const POLLING_MIN: Duration = Duration::from_millis(100);
}

impl Default for TriggerOptions {
    fn default() -> Self {
        Self {
            batch_size: 16,
            new_batch_threshold: 8,
            max_polling_interval: Duration::from_mins(1),
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

/// A running listener. Dropping the handle [ends](Self::end) it.
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

impl QueueTrigger {
    /// Stops without finishing what is in progress. Its messages are visible again after their lease.
    pub fn end(&self) {
        self.task.abort();
    }
}

impl Drop for QueueTrigger {
    fn drop(&mut self) {
        self.end();
    }
}

struct Listener {
    queue: AccountQueue,
    poison: AccountQueue,
    options: TriggerOptions,
    processor: Arc<dyn QueueProcessor>,
}

impl Listener {
    /// Looks at the queue when few enough messages are in progress: at once after a look that found something, else after
    /// a pause that grows. A message that is put in a pause waits for its end; that this process
    /// has put it changes nothing (`queue-idle-backoff.json`, `queue-put-by-the-same-process.json`).
    async fn run(self, running: watch::Sender<usize>) {
        let this = Arc::new(self);
        let mut messages = JoinSet::new();
        let mut backoff = Backoff::new(this.options.max_polling_interval);
        let mut look = Box::pin(this.queue.pause(Duration::ZERO, false));
        loop {
            tokio::select! {
                () = &mut look, if messages.len() <= this.options.new_batch_threshold => {
                    let batch = this.queue.lease(this.options.batch_size, LEASE).await.unwrap_or_else(|error| {
                        tracing::warn!(%error, "the queue gives no messages");
                        Vec::new()
                    });
                    let pause = backoff.after(!batch.is_empty());
                    look = Box::pin(this.queue.pause(pause, pause == this.options.max_polling_interval));
                    for message in batch {
                        messages.spawn(Arc::clone(&this).process(message));
                    }
                }
                Some(_) = messages.join_next() => {}
            }
            running.send_replace(messages.len());
        }
    }

    /// `QueueProcessor`, and what the client does with a text in another encoding.
    async fn process(self: Arc<Self>, mut message: QueueMessage) {
        let stored = message.text.clone();
        let limit = self.options.max_dequeue_count;
        let succeeded = match self.options.encoding.decode_message(&stored) {
            // The client hands a message that it cannot decode to the poison queue at its first receipt
            // (`QueueServiceClientProvider.CreateMessageDecodingFailedHandler`).
            Decoded::NotBase64 => return self.bury(&message, stored).await,
            Decoded::Text(content) if message.dequeue_count <= limit => {
                message.text = content;
                self.work(&mut message).await
            }
            // Text that is not UTF-8 cannot be bound to the function, which is not called.
            Decoded::Text(_) | Decoded::NotText => false,
        };
        let (id, receipt) = (&message.id, &message.pop_receipt);
        // An outdated pop receipt means that another receiver has the message now.
        if succeeded {
            let _ = self.queue.delete(id, receipt).await;
        } else if message.dequeue_count >= limit {
            self.bury(&message, stored).await;
        } else {
            let _ = self.queue.hide(id, receipt, self.options.visibility_timeout).await;
        }
    }

    /// Runs the function, and renews the lease meanwhile, which gives the message a new pop receipt.
    async fn work(&self, message: &mut QueueMessage) -> bool {
        let processing = self.processor.process(message.clone());
        tokio::pin!(processing);
        loop {
            tokio::select! {
                succeeded = &mut processing => return succeeded,
                () = sleep(self.queue.lease_of(LEASE) / 2) => {
                    if let Ok(receipt) = self.queue.renew(&message.id, &message.pop_receipt, LEASE).await {
                        message.pop_receipt = receipt;
                    }
                }
            }
        }
    }

    /// Moves a message to the poison queue: its stored text, as a new message.
    async fn bury(&self, message: &QueueMessage, stored: String) {
        let _ = self.poison.put(stored).await;
        let _ = self.queue.delete(&message.id, &message.pop_receipt).await;
    }
}

/// The pauses between two looks: `RandomizedExponentialBackoffStrategy`.
struct Backoff {
    longest: Duration,
    pause: Duration,
    misses: u32,
}

impl Backoff {
    fn new(longest: Duration) -> Self {
        Self { longest, pause: Duration::ZERO, misses: 0 }
    }

    /// The pause after a look: none if it found something, else 0.1 s, and after each further one in vain twice as much
    /// more, by chance a fifth more or less. The longest stays until something is found.
    fn after(&mut self, found: bool) -> Duration {
        if found {
            *self = Self::new(self.longest);
            return Duration::ZERO;
        }
        if self.pause == self.longest {
            return self.longest;
        }
        let more = if self.misses == 0 { 0.0 } else { f64::from(1_u32 << (self.misses - 1)) };
        let pause = TriggerOptions::POLLING_MIN.mul_f64(1.0 + more * (0.8 + 0.4 * fastrand::f64()));
        if pause < self.longest {
            self.misses += 1;
        }
        self.pause = pause.min(self.longest);
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recording `queue/queue-idle-backoff.json`: 0.1, 0.19, 0.28, 0.53, 0.78, 1.9, 3.2, 6.4, 13.8, 27, 42 s.
    #[test]
    fn pauses_of_an_idle_queue_double_up_to_the_longest() {
        // Whatever chance says: the longest pause may come one look earlier.
        for _ in 0..1_000 {
            check(&mut Backoff::new(Duration::from_mins(1)));
        }
    }

    fn check(backoff: &mut Backoff) {
        let pauses: Vec<_> = (0..13).map(|_| backoff.after(false).as_secs_f64()).collect();
        for (at, pause) in pauses.iter().enumerate() {
            let more = if at == 0 { 0.0 } else { 0.1 * 2_f64.powi(i32::try_from(at).unwrap() - 1) };
            let least = (0.1 + more * 0.8).min(60.0);
            let most = (0.1 + more * 1.2).min(60.0);
            assert!((least..=most + 0.001).contains(pause), "{at}: {pauses:?}");
        }
        assert!((pauses[12] - 60.0).abs() < f64::EPSILON);
        assert_eq!(backoff.after(true), Duration::ZERO);
        assert_eq!(backoff.after(false), TriggerOptions::POLLING_MIN);
    }
}
