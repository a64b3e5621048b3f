//! The parts of the time to seal: what a look spends on ARM and on waits, besides what came before it.

use std::{cell::Cell, ops::Add, time::Duration};

use tokio::time::Instant;

use super::metrics;

words! {
    /// A part of the time to seal: the closed set of `diskseal.part`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Part, word of words {
        /// From the write to the trigger of the invocation: Event Grid; for a message of the queue, earlier tries and
        /// the queue.
        Delivery => "delivery",
        /// From the trigger to the arrival of the invocation: the Functions host.
        Host => "host",
        /// Requests to ARM, and the pauses in which a write that ARM has accepted takes effect.
        Arm => "arm",
        /// Every other wait.
        Wait => "wait",
        /// The rest: Diskseal's own work.
        Own => "own",
    }
}

/// What a look has spent, or an invocation before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// On ARM: at least one request was under way, or a write that it has accepted took effect.
    pub arm: Duration,
    /// On other waits alone.
    pub wait: Duration,
}

/// The time of one look so far.
#[derive(Clone, Copy)]
struct Meter {
    spent: Spent,
    /// How many of each are in progress: a look may read two things at once.
    on_arm: u32,
    waits: u32,
    /// When one of them last began or ended.
    since: Instant,
}

tokio::task_local! {
    static METER: Cell<Meter>;
}

/// Awaits an invocation or a look, and measures what it spends: an invocation without its looks. Without metrics nothing
/// is measured.
pub async fn measured<F: Future>(work: F) -> (F::Output, Spent) {
    if metrics::are_exported() { metered(work).await } else { (work.await, Spent::default()) }
}

async fn metered<F: Future>(work: F) -> (F::Output, Spent) {
    let meter = Meter { spent: Spent::default(), on_arm: 0, waits: 0, since: Instant::now() };
    METER.scope(Cell::new(meter), async { (work.await, spent()) }).await
}

/// What was spent so far; nothing outside of what is measured.
pub fn spent() -> Spent {
    METER.try_with(Cell::get).map(|meter| meter.spent).unwrap_or_default()
}

impl Add for Spent {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { arm: self.arm + more.arm, wait: self.wait + more.wait }
    }
}

/// Something that a look spends time on, until it is dropped. Outside of a look it counts for nothing.
#[must_use]
pub(super) struct Spending {
    is_arm: bool,
}

/// Begins to spend time on ARM, or on another wait.
pub(super) fn spend(is_arm: bool) -> Spending {
    change(|meter| *meter.count(is_arm) += 1);
    Spending { is_arm }
}

impl Drop for Spending {
    fn drop(&mut self) {
        change(|meter| {
            let count = meter.count(self.is_arm);
            *count = count.saturating_sub(1);
        });
    }
}

/// Awaits a request to ARM, whose time counts as ARM's.
pub async fn request<F: Future>(request: F) -> F::Output {
    let _spending = spend(true);
    request.await
}

impl Meter {
    fn count(&mut self, is_arm: bool) -> &mut u32 {
        if is_arm { &mut self.on_arm } else { &mut self.waits }
    }
}

fn change(change: impl FnOnce(&mut Meter)) {
    // Fails outside of a look.
    let _ = METER.try_with(|cell| {
        let mut meter = cell.get();
        let now = Instant::now();
        let passed = now.saturating_duration_since(meter.since);
        if meter.on_arm > 0 {
            meter.spent.arm += passed;
        } else if meter.waits > 0 {
            meter.spent.wait += passed;
        }
        meter.since = now;
        change(&mut meter);
        cell.set(meter);
    });
}

/// The parts of a time to seal of `whole` seconds, of which `here` seconds passed since the arrival of the invocation,
/// and `triggered` seconds before its trigger, if that is known; the host's part is left out otherwise. Each has no more
/// than what the earlier ones leave, so that they add up to the whole, whatever the clocks say.
pub fn parts(whole: f64, here: f64, triggered: Option<f64>, spent: Spent) -> Vec<(Part, f64)> {
    let part = |seconds: f64, left: f64| seconds.min(left).max(0.0);
    let here = part(here, whole);
    let before = whole - here;
    let delivery = part(triggered.unwrap_or(before), before);
    let arm = part(spent.arm.as_secs_f64(), here);
    let wait = part(spent.wait.as_secs_f64(), here - arm);
    let mut parts = Vec::with_capacity(5);
    parts.push((Part::Delivery, delivery));
    parts.extend(triggered.map(|_| (Part::Host, before - delivery)));
    parts.extend([(Part::Arm, arm), (Part::Wait, wait), (Part::Own, here - arm - wait)]);
    parts
}

#[cfg(test)]
mod tests;
