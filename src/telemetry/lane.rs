//! One signal to one destination: counts what is queued and what is lost, and logs losses.
//!
//! The SDK's batch processors silently drop what does not fit. A lane counts what is queued, so that a processor
//! never gets an item that it would drop.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use opentelemetry_sdk::error::OTelSdkResult;
use parking_lot::Mutex;
use tracing::{info, warn};

use super::{metrics, signal::Signal};

/// The bytes of a queue are bounded by its capacity and this average. A span of ours has 1 to 2 KiB.
const BYTES_PER_ITEM: usize = 4_096;

#[derive(Debug)]
pub(super) struct Lane {
    signal: Signal,
    /// The destination, for log lines.
    to: String,
    /// How many items may be queued.
    capacity: usize,
    queued: AtomicUsize,
    /// How many bytes they have.
    queued_bytes: AtomicUsize,
    /// How many items did not fit since the last export.
    overflowed: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether exports fail or lose items, and that is logged.
    is_troubled: bool,
    /// How many items were lost since then.
    lost: u64,
    /// Why the latest attempt failed.
    fault: Option<String>,
    /// How many items of the latest export the destination refused, though it accepted the others.
    refused: u64,
}

impl Lane {
    pub(super) fn new(signal: Signal, to: String, capacity: usize) -> Self {
        Self {
            signal,
            to,
            capacity,
            queued: 0.into(),
            queued_bytes: 0.into(),
            overflowed: 0.into(),
            state: Mutex::default(),
        }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Counts one more item of this many bytes as queued. Returns false if the queue is full, by items or by bytes; the
    /// item is lost then.
    pub(super) fn enter(&self, bytes: usize) -> bool {
        let bytes_max = self.capacity.saturating_mul(BYTES_PER_ITEM);
        let fits = add(&self.queued, 1, self.capacity);
        let fits = fits && {
            let fits = add(&self.queued_bytes, bytes, bytes_max);
            if !fits {
                take(&self.queued, 1);
            }
            fits
        };
        if !fits {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            metrics::dropped(self.signal.label(), "queue_full", 1);
        }
        fits
    }

    /// Counts items and their bytes as sent, no longer queued.
    pub(super) fn leave(&self, items: usize, bytes: usize) {
        take(&self.queued, items);
        take(&self.queued_bytes, bytes);
    }

    /// Notes why an attempt failed, for the log line.
    pub(super) fn note_fault(&self, fault: String) {
        self.state.lock().fault = Some(fault);
    }

    /// Notes how many items of an export the destination refused ("Partial Success" of the OTLP specification).
    pub(super) fn note_refused(&self, items: u64, message: &str) {
        let mut state = self.state.lock();
        state.refused += items;
        state.fault = Some(format!("{items} refused: {}", one_line(message)));
    }

    /// Counts what an export lost. Logs the first of several failures, and the first success after them.
    pub(super) fn exported(&self, result: OTelSdkResult, items: u64) -> OTelSdkResult {
        let overflowed = self.overflowed.swap(0, Ordering::Relaxed);
        let mut state = self.state.lock();
        let refused = std::mem::take(&mut state.refused);
        let failed = if result.is_err() { items } else { refused };
        if failed > 0 {
            metrics::dropped(self.signal.label(), "export_failed", failed);
        }
        state.lost += failed + overflowed;
        let fault = state.fault.take();
        let (signal, to) = (self.signal.label(), &self.to);
        let trouble = match &result {
            Err(error) => Some(("not exported", format!(": {}", fault.unwrap_or_else(|| error.to_string())))),
            Ok(()) if refused > 0 => Some(("not all taken", format!(": {}", fault.unwrap_or_default()))),
            Ok(()) if overflowed > 0 => Some(("lost", " is too slow for them".to_owned())),
            Ok(()) => None,
        };
        let lost = state.lost;
        let was_troubled = std::mem::replace(&mut state.is_troubled, trouble.is_some());
        if trouble.is_none() {
            state.lost = 0;
        }
        drop(state);
        match trouble {
            Some((how, why)) if !was_troubled => {
                warn!("{signal} are {how}, and nothing else is affected: {to}{why}");
            }
            None if was_troubled => info!("{signal} are exported again: {to}: {lost} were lost meanwhile"),
            _ => {}
        }
        result
    }
}

/// Adds, unless the sum would exceed `max`.
fn add(count: &AtomicUsize, more: usize, max: usize) -> bool {
    let sum = |count: usize| count.checked_add(more).filter(|sum| *sum <= max);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}

fn take(count: &AtomicUsize, less: usize) {
    // Never fails: the difference always has a value.
    let _ =
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_sub(less)));
}

/// A text from outside, in one line for the log.
fn one_line(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
