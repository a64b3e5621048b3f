//! Which subscriptions are in scope.
//!
//! An event names a subscription, and only Azure knows whether it is below a management group. The group's
//! subscriptions are read once an hour: they change seldom, and events are frequent.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

use crate::{
    arm::{Client, Error},
    azure::Terms,
    scope::Scope,
    telemetry::{Wait, wait},
};

/// How long the subscriptions that were read count.
const CACHE_TIME: Duration = Duration::from_hours(1);
/// How long a subscription that was not among them counts as absent: it may be new.
const ABSENT_TIME: Duration = Duration::from_mins(1);

/// The subscriptions of the management group in scope, as they were last read.
#[derive(Debug, Default)]
pub struct Members {
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    ids: Vec<String>,
    at: Instant,
}

impl Members {
    /// Whether a subscription is in scope. If the management group cannot be read, the subscriptions that were last
    /// read count.
    ///
    /// # Errors
    /// The management group cannot be read, and never was.
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
        let is_member = |ids: &[String]| ids.iter().any(|id| id.eq_ignore_ascii_case(subscription_id));
        let mut cached = wait(Wait::Members, self.cached.lock()).await;
        if let Some(Cached { ids, at }) = cached.as_ref() {
            let lasts = if is_member(ids) { CACHE_TIME } else { ABSENT_TIME };
            if at.elapsed() < lasts {
                return Ok(is_member(ids));
            }
        }
        let read = arm.subscriptions(scope, terms).await;
        let ids = match (read, cached.take()) {
            (Ok(ids), _) => ids,
            (Err(error), None) => return Err(error),
            (Err(error), Some(Cached { ids, .. })) => {
                warn!(
                    "the management group cannot be read; the subscriptions that were last read count: {error}"
                );
                ids
            }
        };
        let answer = is_member(&ids);
        *cached = Some(Cached { ids, at: Instant::now() });
        Ok(answer)
    }
}
