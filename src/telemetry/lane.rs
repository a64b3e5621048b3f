//! One signal on its way to one destination: what waits, what is lost, and whether that has been told.
//!
//! The SDK's batch processors drop what does not fit, and tell nobody. So what waits is counted here, and
//! nothing is given to a processor that it would drop.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use opentelemetry_sdk::error::OTelSdkResult;
use parking_lot::{Mutex, MutexGuard};
use tracing::{info, warn};

use super::{metrics, signal::Signal};

#[derive(Debug)]
pub(super) struct Lane {
    signal: Signal,
    /// The destination, as it may stand in a log line.
    to: String,
    /// How many items may wait.
    capacity: usize,
    waiting: AtomicUsize,
    /// What did not fit since the last export.
    overflowed: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether there is trouble that has been told.
    is_troubled: bool,
    /// What was lost since.
    lost: u64,
    /// What the latest attempt met.
    fault: Option<String>,
    /// What the destination did not take of the latest export, which it accepted otherwise.
    refused: u64,
}

impl Lane {
    pub(super) fn new(signal: Signal, to: String, capacity: usize) -> Self {
        Self {
            signal,
            to,
            capacity,
            waiting: AtomicUsize::new(0),
            overflowed: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Lets one item in, unless it is full: then the item is lost.
    pub(super) fn enter(&self) -> bool {
        let with_one_more = |waiting| (waiting < self.capacity).then_some(waiting + 1);
        let is_let_in =
            self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_one_more).is_ok();
        if !is_let_in {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            metrics::dropped(self.signal.label(), "queue_full", 1);
        }
        is_let_in
    }

    /// Items are on their way: they wait no longer.
    pub(super) fn leave(&self, items: usize) {
        let without = |waiting: usize| Some(waiting.saturating_sub(items));
        // It always has a next value.
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, without);
    }

    /// Remembers what an attempt met, for the line that tells of it.
    pub(super) fn note_fault(&self, fault: String) {
        self.state().fault = Some(fault);
    }

    /// The destination took an export, but for so many items ("Partial Success" of the OTLP specification).
    pub(super) fn note_refused(&self, items: u64, message: &str) {
        let mut state = self.state();
        state.refused += items;
        state.fault = Some(format!("{items} refused: {}", one_line(message)));
    }

    /// An export has ended: counts what was lost, and tells the first trouble and its end.
    pub(super) fn exported(&self, result: OTelSdkResult, items: u64) -> OTelSdkResult {
        let overflowed = self.overflowed.swap(0, Ordering::Relaxed);
        let mut state = self.state();
        let refused = std::mem::take(&mut state.refused);
        let failed = if result.is_err() { items } else { refused };
        if failed > 0 {
            metrics::dropped(self.signal.label(), "export_failed", failed);
        }
        state.lost += failed + overflowed;
        let fault = state.fault.take();
        let (signal, to) = (self.signal.label(), &self.to);
        let trouble = match &result {
            Err(error) => {
                let fault = fault.unwrap_or_else(|| error.to_string());
                Some(format!("{signal} are not exported, and nothing else is affected: {to}: {fault}"))
            }
            Ok(()) if refused > 0 => {
                let fault = fault.unwrap_or_default();
                Some(format!("{signal} are not all taken, and nothing else is affected: {to}: {fault}"))
            }
            Ok(()) if overflowed > 0 => {
                Some(format!("{signal} are lost, and nothing else is affected: {to} is too slow for them"))
            }
            Ok(()) => None,
        };
        let lost = state.lost;
        let was_troubled = std::mem::replace(&mut state.is_troubled, trouble.is_some());
        if trouble.is_none() {
            state.lost = 0;
        }
        drop(state);
        match trouble {
            Some(trouble) if !was_troubled => warn!("{trouble}"),
            None if was_troubled => info!("{signal} are exported again: {to}: {lost} were lost meanwhile"),
            _ => {}
        }
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// What somebody else wrote, for a log line.
fn one_line(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
