//! The one gate through which every request to ARM passes: bounded concurrency, and a door per
//! subscription and kind of request that a 429 closes for as long as ARM asks.
//!
//! ARM's buckets are per subscription, identity and kind ("Understand how Azure Resource Manager
//! throttles requests"), so one subscription's 429 stops no other, and refused writes stop no read.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    deadline::Deadline,
    error::{Error, Operation, SystemFailure},
};

/// How many requests are under way at once at most. Far above what ARM's buckets let through, and low
/// enough that a flood of events cannot exhaust sockets or memory.
const IN_FLIGHT_MAX: usize = 256;

/// The kinds of request that ARM counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Read,
    Write,
}

#[derive(Debug)]
pub(super) struct Governor {
    in_flight: Semaphore,
    /// Keyed by lower-case subscription ID. Bounded by the subscriptions that exist.
    closed_until: Mutex<HashMap<(String, Kind), Instant>>,
}

impl Governor {
    pub(super) fn new() -> Self {
        Self { in_flight: Semaphore::new(IN_FLIGHT_MAX), closed_until: Mutex::default() }
    }

    /// Waits until a request of this kind may be sent.
    pub(super) async fn admit(
        &self,
        operation: Operation,
        subscription_id: &str,
        kind: Kind,
        deadline: Deadline,
    ) -> Result<SemaphorePermit<'_>, Error> {
        let timeout = |message| Error::without_answer(operation, SystemFailure::Throttled, message);
        loop {
            while let Some(until) = self.closed_until(subscription_id, kind) {
                let wait = until.saturating_duration_since(Instant::now());
                if !deadline.allows(wait) {
                    let seconds = wait.as_secs();
                    return Err(Error {
                        retry_after: Some(wait),
                        ..timeout(format!("ARM asked to be left alone for {seconds} s more"))
                    });
                }
                tokio::time::sleep_until(until).await;
            }
            let permit = tokio::time::timeout_at(deadline.instant(), self.in_flight.acquire())
                .await
                .ok()
                .and_then(Result::ok)
                .ok_or_else(|| timeout("no request could be sent within the deadline".to_owned()))?;
            // A 429 may have closed the gate while this one waited for its place.
            if self.closed_until(subscription_id, kind).is_none() {
                return Ok(permit);
            }
        }
    }

    /// Closes the gate after a 429.
    pub(super) fn close(&self, subscription_id: &str, kind: Kind, wait: Duration) {
        let now = Instant::now();
        let until = now.checked_add(wait).unwrap_or(now);
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = closed.entry((subscription_id.to_ascii_lowercase(), kind)).or_insert(until);
        *gate = (*gate).max(until);
    }

    fn closed_until(&self, subscription_id: &str, kind: Kind) -> Option<Instant> {
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.is_empty() {
            return None;
        }
        let key = (subscription_id.to_ascii_lowercase(), kind);
        let until = *closed.get(&key)?;
        if until <= Instant::now() {
            closed.remove(&key);
            return None;
        }
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::error::Failure;

    const DEADLINE: Duration = Duration::from_secs(25);

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_its_own_subscription_and_kind_alone() {
        let governor = Governor::new();
        governor.close("AAAA", Kind::Write, Duration::from_secs(10));
        let start = Instant::now();
        for (subscription, kind) in [("aaaa", Kind::Read), ("bbbb", Kind::Write)] {
            let _permit =
                governor.admit(Operation::Get, subscription, kind, Deadline::after(DEADLINE)).await.unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        let _permit =
            governor.admit(Operation::Update, "aaaa", Kind::Write, Deadline::after(DEADLINE)).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn who_could_not_get_through_in_time_is_told_at_once() {
        let governor = Governor::new();
        governor.close("a", Kind::Write, Duration::from_mins(20));
        // A later, shorter wait does not open it earlier.
        governor.close("a", Kind::Write, Duration::from_secs(1));
        let start = Instant::now();
        let error =
            governor.admit(Operation::Update, "a", Kind::Write, Deadline::after(DEADLINE)).await.unwrap_err();
        assert_eq!(error.failure, Failure::System(SystemFailure::Throttled));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
