//! The life of one batch: attempts, waits and the end.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Service,
    dead_letter::{self, Undelivered},
    journal::{Delivery, event_id},
    schedule::{LATE_SUCCESS, LONGEST_PROBATION, is_final, is_success, outcome_name, wait_after},
};

/// A batch of events to deliver.
pub(super) struct Batch {
    pub(super) events: Vec<Value>,
    pub(super) delay: Duration,
    pub(super) jitter: fastrand::Rng,
}

/// The endpoint's record of failures.
#[derive(Debug, Default)]
pub(super) struct Standing {
    failures: u32,
    until: Option<Instant>,
    length: Option<Duration>,
}

/// The result of one attempt.
enum Attempt {
    Answered(u16),
    /// No response in time. The delivery continues in the background, and its response can still arrive.
    TimedOut(oneshot::Receiver<u16>),
}

impl Batch {
    /// Runs until the batch is delivered, dead-lettered or dropped.
    pub(super) async fn run(mut self, service: Arc<Service>) {
        let published = service.clock.now();
        let expires = Instant::now() + service.options.scaled(service.options.event_time_to_live);
        sleep(self.delay).await;
        let mut attempt = 1;
        let mut last: Option<(OffsetDateTime, Option<u16>)> = None;
        let undelivered = loop {
            let waited = service.wait_for_probation(expires).await;
            if Instant::now() >= expires {
                break give_up("TimeToLiveExceeded", attempt - 1, published, last, waited);
            }
            let at = service.clock.now();
            let (status, late) = match self.attempt(&service, attempt, at).await {
                Attempt::Answered(status) => (Some(status), None),
                Attempt::TimedOut(late) => (None, Some(late)),
            };
            service.note(status.is_some_and(is_success));
            if status.is_some_and(is_success) {
                service.count(|stats| stats.delivered += self.events.len());
                return;
            }
            last = Some((at, status));
            if status.is_some_and(is_final) {
                let reason = format!("UndeliverableDueToHttp{}", outcome_name(status));
                break give_up(&reason, attempt, published, last, false);
            }
            if attempt >= service.options.max_delivery_attempts {
                break give_up("MaxDeliveryAttemptsExceeded", attempt, published, last, false);
            }
            let wait = self.with_jitter(wait_after(attempt, status), service.options.jitter);
            if wait_or_late_success(service.options.scaled(wait), late, &service).await {
                service.note(true);
                service.count(|stats| stats.delivered += self.events.len());
                return;
            }
            attempt += 1;
        };
        self.bury(&service, &undelivered).await;
    }

    /// Delivers once. The delivery runs in its own task, because the handler does not notice that Event Grid
    /// has stopped waiting.
    async fn attempt(&self, service: &Arc<Service>, attempt: u32, at: OffsetDateTime) -> Attempt {
        let (answer, mut answered) = oneshot::channel();
        let events = self.events.clone();
        let delivering = Arc::clone(service);
        tokio::spawn(async move {
            // No receiver if a retry of the batch has succeeded meanwhile.
            let _ = answer.send(delivering.endpoint.deliver(events).await);
        });
        // An endpoint that ends without a response is a broken connection.
        let status = match timeout(service.options.delivery_timeout, &mut answered).await {
            Ok(status) => Some(status.unwrap_or(500)),
            Err(_) => None,
        };
        for event in &self.events {
            service.deliveries.push(Delivery { event_id: event_id(event), attempt, status, at });
        }
        status.map_or(Attempt::TimedOut(answered), Attempt::Answered)
    }

    fn with_jitter(&mut self, wait: Duration, jitter: f64) -> Duration {
        wait.mul_f64(1.0 + self.jitter.f64() * jitter.max(0.0))
    }

    async fn bury(&self, service: &Service, undelivered: &Undelivered) {
        let Some(container) = &service.options.dead_letters else {
            service.count(|stats| stats.dropped += self.events.len());
            return;
        };
        sleep(service.options.scaled(service.options.dead_letter_delay)).await;
        let letters: Vec<Value> = self.events.iter().map(|event| undelivered.describe(event)).collect();
        // As in Azure, events are lost if the container cannot be written.
        match dead_letter::write(container, &service.options.name, &letters, service.clock.now()).await {
            Ok(()) => service.count(|stats| stats.dead_lettered += letters.len()),
            Err(error) => {
                tracing::warn!(%error, ?container, "dead letters lost");
                service.count(|stats| stats.dropped += letters.len());
            }
        }
        for letter in letters {
            service.dead_letters.push(letter);
        }
    }
}

/// How an undelivered batch ends: `last` is the start and the status of the last attempt.
fn give_up(
    reason: &str,
    attempts: u32,
    published: OffsetDateTime,
    last: Option<(OffsetDateTime, Option<u16>)>,
    on_probation: bool,
) -> Undelivered {
    let (last_attempt, status) = last.unwrap_or((published, None));
    Undelivered {
        reason: reason.to_owned(),
        attempts,
        outcome: if on_probation || attempts == 0 { "Probation" } else { outcome_name(status) },
        status,
        published,
        last_attempt,
    }
}

/// Waits for the next attempt. Returns true if a late success has made it unnecessary.
async fn wait_or_late_success(
    wait: Duration,
    late: Option<oneshot::Receiver<u16>>,
    service: &Service,
) -> bool {
    let Some(late) = late else {
        sleep(wait).await;
        return false;
    };
    let retry_at = Instant::now() + wait;
    let window = service.options.scaled(LATE_SUCCESS).min(wait);
    let succeeded = timeout(window, late).await.is_ok_and(|answer| answer.is_ok_and(is_success));
    if !succeeded {
        sleep_until(retry_at).await;
    }
    succeeded
}

impl Service {
    /// Waits until the endpoint is off probation or the event has expired. Returns true if it had to wait.
    async fn wait_for_probation(&self, expires: Instant) -> bool {
        let mut waited = false;
        loop {
            let until = self.standing.lock().until.filter(|until| *until > Instant::now());
            match until {
                Some(until) if Instant::now() < expires => {
                    waited = true;
                    sleep_until(until.min(expires)).await;
                }
                _ => return waited,
            }
        }
    }

    /// Updates the endpoint's record.
    fn note(&self, success: bool) {
        note(&self.standing, success, self.options.probation_after, self.options.probation, |wait| {
            self.options.scaled(wait)
        });
    }
}

fn note(
    standing: &Mutex<Standing>,
    success: bool,
    limit: u32,
    first: Duration,
    scaled: impl Fn(Duration) -> Duration,
) {
    let mut standing = standing.lock();
    if success {
        *standing = Standing::default();
        return;
    }
    standing.failures += 1;
    let now = Instant::now();
    // Of many deliveries that fail at the same time, only one lengthens the probation.
    if limit > 0 && standing.failures >= limit && standing.until.is_none_or(|until| until <= now) {
        let length = standing.length.map_or(first, |length| (length * 2).min(LONGEST_PROBATION));
        standing.length = Some(length);
        standing.until = Some(now + scaled(length));
    }
}
