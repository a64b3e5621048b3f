//! A storage account's queues, in process.
//!
//! The semantics are those of Azure Queue Storage: a received message is invisible for a while, becomes
//! visible again unless it is deleted, and counts its receipts. All times run on tokio's clock.

mod account;
mod message;
mod trigger;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

pub use self::account::{AccountQueue, QueueAccount};
pub use self::message::{Encoding, QueueError, QueueMessage};
pub use self::trigger::{QueueProcessor, QueueTrigger, TriggerOptions};

use self::message::{Decoded, Stored};
use crate::clock::Clock;

/// The largest message, in bytes of its stored text.
pub const MESSAGE_LIMIT: usize = 64 * 1024;

/// The default time-to-live of a message.
const TIME_TO_LIVE: Duration = Duration::from_hours(7 * 24);

/// A storage account's queue service. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Queues {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    queues: Mutex<BTreeMap<String, Queue>>,
    clock: Clock,
    speed: f64,
}

impl Queues {
    /// An empty account. Every visibility timeout is divided by `speed`; 1 is real time.
    pub fn new(speed: f64) -> Self {
        Self { account: Arc::new(Account { queues: Mutex::default(), clock: Clock::start(), speed }) }
    }

    /// The queue of this name, which is created if it does not exist, as the Functions host does.
    pub fn queue(&self, name: &str) -> Queue {
        let make = || Queue {
            state: Arc::new(State {
                name: name.to_owned(),
                clock: self.account.clock,
                speed: self.account.speed,
                messages: Mutex::default(),
                refusals: AtomicUsize::new(0),
                changes: watch::Sender::new(0),
            }),
        };
        self.account.queues.lock().entry(name.to_owned()).or_insert_with(make).clone()
    }

    /// The poison queue of `name`, for messages that used up their receipts.
    pub fn poison(&self, name: &str) -> Queue {
        self.queue(&format!("{name}-poison"))
    }

    /// The names of the existing queues.
    pub fn names(&self) -> Vec<String> {
        self.account.queues.lock().keys().cloned().collect()
    }
}

/// One queue. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Queue {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    name: String,
    clock: Clock,
    speed: f64,
    /// In the order of insertion.
    messages: Mutex<Vec<Stored>>,
    /// How many of the next puts are refused.
    refusals: AtomicUsize,
    changes: watch::Sender<u64>,
}

impl Queue {
    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Puts a message, visible at once. The text is stored unchanged; encoding is the client's task.
    pub fn put(&self, text: impl Into<String>) -> Result<QueueMessage, QueueError> {
        self.put_invisible(text, Duration::ZERO)
    }

    /// Puts a message that becomes visible after `delay`.
    pub fn put_invisible(
        &self,
        text: impl Into<String>,
        delay: Duration,
    ) -> Result<QueueMessage, QueueError> {
        let text = text.into();
        let refusal = |count: usize| count.checked_sub(1);
        if self.state.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refusal).is_ok() {
            return Err(QueueError::Service("503 ServerBusy: The server is busy.".to_owned()));
        }
        if text.len() > MESSAGE_LIMIT {
            return Err(QueueError::MessageTooLarge { bytes: text.len() });
        }
        let now = Instant::now();
        let stored = Stored {
            id: Uuid::new_v4().to_string(),
            pop_receipt: receipt(),
            text,
            dequeue_count: 0,
            inserted: now,
            expires: now + TIME_TO_LIVE,
            visible: now + self.scaled(delay),
        };
        let message = stored.show(&self.state.clock);
        self.state.messages.lock().push(stored);
        self.changed();
        Ok(message)
    }

    /// Refuses the next `count` puts, as an overloaded account does ("Common REST API error codes", `ServerBusy`).
    pub fn refuse_puts(&self, count: usize) {
        self.state.refusals.store(count, Ordering::SeqCst);
    }

    /// Receives up to `count` visible messages (32 at most), the oldest first, and hides them for
    /// `visibility`.
    pub fn receive(&self, count: usize, visibility: Duration) -> Vec<QueueMessage> {
        self.take(count, Instant::now() + self.scaled(visibility))
    }

    fn take(&self, count: usize, hidden_until: Instant) -> Vec<QueueMessage> {
        let now = Instant::now();
        let mut messages = self.state.messages.lock();
        messages.retain(|message| message.expires > now);
        let visible = messages.iter_mut().filter(|message| message.visible <= now);
        let received: Vec<_> = visible
            .take(count.min(32))
            .map(|message| {
                message.dequeue_count += 1;
                message.pop_receipt = receipt();
                message.visible = hidden_until;
                message.show(&self.state.clock)
            })
            .collect();
        drop(messages);
        if !received.is_empty() {
            self.changed();
        }
        received
    }

    /// The time of an instant on the queue's clock.
    fn at(&self, instant: Instant) -> OffsetDateTime {
        self.state.clock.at(instant)
    }

    /// A pause of a listener. If it repeats, it lasts as many times as it takes until a message is visible.
    async fn pause(&self, pause: Duration, repeats: bool) {
        let (pause, start) = (self.scaled(pause), Instant::now());
        if repeats && !pause.is_zero() {
            self.visible().await;
            let times = start.elapsed().as_nanos().div_ceil(pause.as_nanos()).max(1);
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            tokio::time::sleep_until(start + pause * times).await;
        } else {
            tokio::time::sleep(pause).await;
        }
    }

    /// The visible messages, up to 32, without receiving them.
    pub fn peek(&self, count: usize) -> Vec<QueueMessage> {
        let now = Instant::now();
        let messages = self.state.messages.lock();
        let visible = messages.iter().filter(|message| message.visible <= now && message.expires > now);
        visible.take(count.min(32)).map(|message| message.show(&self.state.clock)).collect()
    }

    /// Every message, including invisible ones, which no client of Azure can read.
    pub fn messages(&self) -> Vec<QueueMessage> {
        let now = Instant::now();
        let messages = self.state.messages.lock();
        messages.iter().filter(|m| m.expires > now).map(|message| message.show(&self.state.clock)).collect()
    }

    /// The number of messages, including invisible ones: Azure's approximate count, but exact.
    pub fn len(&self) -> usize {
        let now = Instant::now();
        self.state.messages.lock().iter().filter(|message| message.expires > now).count()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Deletes a message. The pop receipt must be that of the last receipt.
    pub fn delete(&self, id: &str, pop_receipt: &str) -> Result<(), QueueError> {
        let mut messages = self.state.messages.lock();
        let at = position(&messages, id, pop_receipt)?;
        messages.remove(at);
        drop(messages);
        self.changed();
        Ok(())
    }

    /// Makes a received message visible again after `visibility`. It gets a new pop receipt.
    pub fn update_visibility(
        &self,
        id: &str,
        pop_receipt: &str,
        visibility: Duration,
    ) -> Result<QueueMessage, QueueError> {
        self.hide_until(id, pop_receipt, Instant::now() + self.scaled(visibility))
    }

    fn hide_until(&self, id: &str, pop_receipt: &str, until: Instant) -> Result<QueueMessage, QueueError> {
        let mut messages = self.state.messages.lock();
        let at = position(&messages, id, pop_receipt)?;
        messages[at].pop_receipt = receipt();
        messages[at].visible = until;
        let message = messages[at].show(&self.state.clock);
        drop(messages);
        self.changed();
        Ok(message)
    }

    /// Waits until a message is visible.
    pub async fn visible(&self) {
        let mut changes = self.state.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let next = self.state.messages.lock().iter().map(|message| message.visible).min();
            match next {
                Some(next) if next <= Instant::now() => return,
                Some(next) => tokio::select! {
                    () = tokio::time::sleep_until(next) => {}
                    _ = changes.changed() => {}
                },
                // The sender lives as long as `self`.
                None => drop(changes.changed().await),
            }
        }
    }

    /// Waits until the messages, including invisible ones, match.
    pub async fn wait_for(&self, fits: impl Fn(&[QueueMessage]) -> bool) {
        let mut changes = self.state.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if fits(&self.messages()) {
                return;
            }
            drop(changes.changed().await);
        }
    }

    fn scaled(&self, wait: Duration) -> Duration {
        if self.state.speed > 0.0 { wait.div_f64(self.state.speed) } else { wait }
    }

    fn changed(&self) {
        self.state.changes.send_modify(|changes| *changes += 1);
    }
}

fn position(messages: &[Stored], id: &str, pop_receipt: &str) -> Result<usize, QueueError> {
    let at = messages.iter().position(|message| message.id == id).ok_or(QueueError::MessageNotFound)?;
    if messages[at].pop_receipt == pop_receipt { Ok(at) } else { Err(QueueError::PopReceiptMismatch) }
}

fn receipt() -> String {
    Uuid::new_v4().simple().to_string()
}

impl Stored {
    fn show(&self, clock: &Clock) -> QueueMessage {
        let at = |instant| -> OffsetDateTime { clock.at(instant) };
        QueueMessage {
            id: self.id.clone(),
            pop_receipt: self.pop_receipt.clone(),
            text: self.text.clone(),
            dequeue_count: self.dequeue_count,
            insertion_time: at(self.inserted),
            expiration_time: at(self.expires),
            next_visible_time: at(self.visible),
        }
    }
}
