//! Event Grid: a subscription's system topic with one event subscription.
//!
//! It turns the writes of Resource Manager into events and delivers them at least once, in no particular
//! order, by the rules of "Event Grid message delivery and retry". All its waits run on tokio's clock.

mod dead_letter;
mod delivery;
mod disturbance;
mod event;
mod journal;
mod options;
mod schedule;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

pub use self::disturbance::Disturbance;
pub use self::journal::{Delivery, EventGridStats};
pub use self::options::{DeadLetters, DeliverySchema, Duplicates, EventGridOptions, Spelling};

use self::{
    delivery::{Batch, Standing},
    event::ResourceEvent,
};
use crate::{clock::Clock, recorded::Recorded, write::ResourceWrite};

/// The endpoint of the deliveries.
pub trait Endpoint: Send + Sync + 'static {
    /// Receives a batch and answers with an HTTP status.
    fn deliver(&self, events: Vec<Value>) -> BoxFuture<'_, u16>;
}

impl<F, Answer> Endpoint for F
where
    F: Fn(Vec<Value>) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = u16> + Send + 'static,
{
    fn deliver(&self, events: Vec<Value>) -> BoxFuture<'_, u16> {
        Box::pin(self(events))
    }
}

/// A running event subscription. Dropping the handle stops it.
#[derive(Debug)]
pub struct EventGrid {
    service: Arc<Service>,
    orders: mpsc::UnboundedSender<Order>,
    intake: JoinHandle<()>,
}

/// The state that the deliveries share.
pub(crate) struct Service {
    options: EventGridOptions,
    endpoint: Box<dyn Endpoint>,
    clock: Clock,
    standing: Mutex<Standing>,
    stats: Mutex<EventGridStats>,
    deliveries: Recorded<Delivery>,
    dead_letters: Recorded<Value>,
    /// By the name of a resource, in lower case.
    disturbances: Mutex<HashMap<String, Disturbance>>,
    /// Events that are neither delivered nor dead-lettered nor dropped.
    open: watch::Sender<usize>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("options", &self.options)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Order {
    Publish(Vec<Value>),
    /// Answered when everything before it has been processed.
    Barrier(oneshot::Sender<()>),
}

impl EventGrid {
    /// Starts delivering the events of `writes` to `endpoint`. Must be called inside a tokio runtime.
    pub fn start(
        writes: mpsc::UnboundedReceiver<ResourceWrite>,
        options: EventGridOptions,
        endpoint: impl Endpoint,
    ) -> Self {
        let service = Arc::new(Service {
            options,
            endpoint: Box::new(endpoint),
            clock: Clock::start(),
            standing: Mutex::default(),
            stats: Mutex::default(),
            deliveries: Recorded::default(),
            dead_letters: Recorded::default(),
            disturbances: Mutex::default(),
            open: watch::Sender::new(0),
        });
        let (orders, received) = mpsc::unbounded_channel();
        let random = fastrand::Rng::with_seed(service.options.seed);
        let intake = Intake { service: Arc::clone(&service), writes, orders: received, random };
        Self { service, orders, intake: tokio::spawn(intake.run()) }
    }

    /// Delivers events of the test, without the filters. They can be any JSON.
    pub fn publish(&self, events: Vec<Value>) {
        // The intake only ends with this handle.
        let _ = self.orders.send(Order::Publish(events));
    }

    /// Disturbs the events of the writes of resources with this name from now on.
    pub fn disturb(&self, name: &str, disturbance: Disturbance) {
        self.service.disturbances.lock().insert(name.to_ascii_lowercase(), disturbance);
    }

    /// Waits until every event of every write so far has been delivered, dead-lettered or dropped, and so
    /// have the events of the writes that those deliveries caused, as far as they had ended by then.
    pub async fn idle(&self) {
        let mut open = self.service.open.subscribe();
        loop {
            let (passed, taken) = oneshot::channel();
            if self.orders.send(Order::Barrier(passed)).is_err() || taken.await.is_err() {
                return;
            }
            if *open.borrow_and_update() == 0 || open.wait_for(|open| *open == 0).await.is_err() {
                return;
            }
        }
    }

    /// The number of events that are neither delivered nor dead-lettered nor dropped.
    pub fn undelivered(&self) -> usize {
        *self.service.open.borrow()
    }

    /// Every finished attempt, in the order of their ends.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.service.deliveries.all()
    }

    /// Waits for an attempt that matches, which may have ended before.
    pub async fn wait_for_delivery(&self, fits: impl Fn(&Delivery) -> bool) -> Delivery {
        self.service.deliveries.wait_for(fits).await
    }

    /// Every dead letter so far, as written to the container.
    pub fn dead_letters(&self) -> Vec<Value> {
        self.service.dead_letters.all()
    }

    /// The number of events so far, by their end.
    pub fn stats(&self) -> EventGridStats {
        *self.service.stats.lock()
    }
}

impl Drop for EventGrid {
    fn drop(&mut self) {
        self.intake.abort();
    }
}

impl Service {
    fn count(&self, change: impl FnOnce(&mut EventGridStats)) {
        change(&mut self.stats.lock());
    }

    /// The write as its event names it; none if the event is lost.
    fn disturbed<'a>(&self, write: &'a ResourceWrite) -> Option<Cow<'a, ResourceWrite>> {
        let disturbances = self.disturbances.lock();
        let mut segments = write.resource_id.split('/').map(str::to_ascii_lowercase);
        match segments.find_map(|segment| disturbances.get(&segment)) {
            Some(disturbance) => disturbance.of(write).map(Cow::Owned),
            None => Some(Cow::Borrowed(write)),
        }
    }
}

/// Processes writes one after the other, so that the same seed always gives the same run.
struct Intake {
    service: Arc<Service>,
    writes: mpsc::UnboundedReceiver<ResourceWrite>,
    orders: mpsc::UnboundedReceiver<Order>,
    random: fastrand::Rng,
}

impl Intake {
    async fn run(mut self) {
        // The deliveries live in here, so that they end with the intake.
        let mut batches = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                // Writes have priority: a barrier comes after every write that was raised before it.
                biased;
                Some(write) = self.writes.recv() => self.take_writes(&write, &mut batches),
                order = self.orders.recv() => match order {
                    Some(Order::Publish(events)) => self.send(events, &mut batches),
                    Some(Order::Barrier(passed)) => drop(passed.send(())),
                    None => return,
                },
                Some(_) = batches.join_next() => {}
            }
        }
    }

    fn take_writes(&mut self, first: &ResourceWrite, batches: &mut tokio::task::JoinSet<()>) {
        let mut events = Vec::new();
        self.take(first, &mut events);
        while let Ok(write) = self.writes.try_recv() {
            self.take(&write, &mut events);
        }
        self.send(events, batches);
    }

    fn take(&self, write: &ResourceWrite, events: &mut Vec<Value>) {
        let Some(write) = self.service.disturbed(write) else {
            self.service.count(|stats| {
                stats.published += 1;
                stats.lost += 1;
            });
            return;
        };
        let event = ResourceEvent::of(&write, &self.service.options);
        if event.passes(&self.service.options) {
            events.push(event.render(self.service.options.schema));
        } else {
            self.service.count(|stats| stats.filtered += 1);
        }
    }

    fn send(&mut self, events: Vec<Value>, batches: &mut tokio::task::JoinSet<()>) {
        self.service.count(|stats| stats.published += events.len());
        let mut sent = Vec::new();
        for event in events {
            let copies = self.copies();
            // Every copy travels separately, or a duplicate would always arrive next to its original.
            sent.resize_with(sent.len().max(copies), Vec::new);
            sent.iter_mut().take(copies).for_each(|round: &mut Vec<Value>| round.push(event.clone()));
        }
        let size = self.service.options.max_events_per_batch.max(1);
        for batch in sent.iter().flat_map(|round| round.chunks(size)) {
            let service = Arc::clone(&self.service);
            let batch = Batch { events: batch.to_vec(), delay: self.delay(), jitter: self.random.fork() };
            let count = batch.events.len();
            service.open.send_modify(|open| *open += count);
            batches.spawn(async move {
                batch.run(Arc::clone(&service)).await;
                service.open.send_modify(|open| *open -= count);
            });
        }
    }

    /// How many times an event is sent.
    fn copies(&mut self) -> usize {
        let options = &self.service.options;
        if options.loss > 0.0 && self.random.f64() < options.loss {
            self.service.count(|stats| stats.lost += 1);
            return 0;
        }
        match options.duplicates {
            Duplicates::Never => 1,
            Duplicates::Times(times) => times.max(1) as usize,
            Duplicates::Sometimes(probability) => 1 + usize::from(self.random.f64() < probability),
        }
    }

    fn delay(&mut self) -> std::time::Duration {
        let options = &self.service.options;
        let disorder = options.disorder.mul_f64(self.random.f64());
        options.scaled(options.latency + disorder)
    }
}
