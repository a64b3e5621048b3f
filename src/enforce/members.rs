//! Which subscriptions are in the management group in scope.
//!
//! An event names a subscription, and only Azure knows whether it is in the group. What was read is
//! remembered: a subscription moves seldom, and events come often.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

use crate::{
    arm::{Client, Error},
    azure::Terms,
    resource_id::Estate,
    telemetry::{Wait, wait},
};

/// How long what was read is taken for true.
const CACHE_TIME: Duration = Duration::from_hours(1);
/// The same for a subscription that was not there: it may be new.
const ABSENT_TIME: Duration = Duration::from_mins(1);

/// The members as they were read last.
#[derive(Debug, Default)]
pub(super) struct Members {
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Seen {
    ids: Vec<String>,
    at: Instant,
}

impl Members {
    /// Whether a subscription is in the group. Where the group cannot be read, what was read before holds;
    /// before it was ever read, nothing can be said.
    pub(super) async fn contain(
        &self,
        arm: &Client,
        estate: &Estate,
        subscription_id: &str,
        terms: Terms,
    ) -> Result<bool, Error> {
        let is_member = |ids: &[String]| ids.iter().any(|id| id.eq_ignore_ascii_case(subscription_id));
        let mut seen = wait(Wait::Members, self.seen.lock()).await;
        if let Some(Seen { ids, at }) = seen.as_ref() {
            let lasts = if is_member(ids) { CACHE_TIME } else { ABSENT_TIME };
            if at.elapsed() < lasts {
                return Ok(is_member(ids));
            }
        }
        let read = arm.subscriptions(estate, terms).await;
        let ids = match (read, seen.take()) {
            (Ok(ids), _) => ids,
            (Err(error), None) => return Err(error),
            (Err(error), Some(Seen { ids, .. })) => {
                warn!("the management group cannot be read, and is taken for what it was: {error}");
                ids
            }
        };
        let answer = is_member(&ids);
        *seen = Some(Seen { ids, at: Instant::now() });
        Ok(answer)
    }
}
