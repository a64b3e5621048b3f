//! Decides whether a subscription is in scope.
//!
//! An event names a subscription, but does not show whether it is below a management group. The group's
//! subscriptions are read once an hour, because they rarely change and events are frequent.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

use crate::{
    arm::{Client, Error, Subscriptions, SystemFailure, Unreadable, api},
    azure::Terms,
    scope::Scope,
    telemetry::{Wait, wait},
};

/// Time limit of one read, independent of the caller's time, because a caller that gives up records no failure.
const READ_TIME: Duration = Duration::from_secs(20);
/// Delay between a failed read and the next.
const RETRY_TIME: Duration = Duration::from_mins(1);
/// How long the subscriptions are cached.
const CACHE_TIME: Duration = Duration::from_hours(1);
/// How long a subscription that is not in the cache counts as absent; it may be new.
const ABSENT_TIME: Duration = Duration::from_mins(1);

/// The cached subscriptions of the management group in scope.
#[derive(Debug, Default)]
pub struct Members {
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    all: Subscriptions,
    /// Time of the last successful read.
    at: Instant,
    /// Time of a later read that failed.
    failed_at: Option<Instant>,
}

impl Members {
    /// Whether a subscription is in scope. If the management group cannot be read, the last known
    /// subscriptions apply.
    ///
    /// # Errors
    /// The management group cannot be read and was never read before.
    pub async fn contain(
        &self,
        arm: &Client,
        scope: &Scope,
        subscription_id: &str,
        terms: Terms,
    ) -> Result<bool, Error> {
        if let Some(answer) = scope.contains(subscription_id) {
            return Ok(answer);
        }
        let is_member = |all: &Subscriptions| {
            match all.ids.iter().any(|id| id.eq_ignore_ascii_case(subscription_id)) {
                true => Ok(true),
                // An empty ID asks whether the list can be read at all.
                false if subscription_id.is_empty() => Ok(false),
                false => absent(all),
            }
        };
        let mut cached = wait(Wait::Members, self.cached.lock()).await;
        if let Some(Cached { all, at, failed_at }) = cached.as_ref() {
            let lasts = if is_member(all) == Ok(true) { CACHE_TIME } else { ABSENT_TIME };
            if at.elapsed() < lasts || failed_at.is_some_and(|at| at.elapsed() < RETRY_TIME) {
                return is_member(all);
            }
        }
        let has_time = terms.time_left() >= READ_TIME;
        let terms = if has_time { terms } else { terms.lasting(READ_TIME) };
        match (arm.subscriptions(scope, terms).await, cached.as_mut()) {
            (Ok(all), _) => {
                let answer = is_member(&all);
                *cached = Some(Cached { all, at: Instant::now(), failed_at: None });
                answer
            }
            (Err(error), None) => Err(error),
            (Err(error), Some(Cached { all, failed_at, .. })) => {
                warn!("cannot read the management group; the last known subscriptions apply: {error}");
                *failed_at = Some(Instant::now());
                is_member(all)
            }
        }
    }
}

/// A subscription that is not in a list which was not read as a whole may be in the rest of it.
fn absent(all: &Subscriptions) -> Result<bool, Error> {
    let Some(Unreadable { what, why }) = all.unread.first() else { return Ok(false) };
    let message = format_args!("{what} cannot be read: {why}");
    Err(Error::without_answer(api::DESCENDANTS.what, SystemFailure::ScopeUnreadable, message))
}
