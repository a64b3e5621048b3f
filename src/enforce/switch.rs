//! The switch: a tag that stops every write, without a deployment and without a restart.
//!
//! Whoever may write tags on one resource of the operator's choice (the function app, its resource group)
//! sets `diskseal = off` there, and within a minute nothing is written any more. ARM is asked for it, so it
//! needs no storage, no right but to read tags, and works in the portal.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

use crate::{
    arm::Client,
    azure::Terms,
    resource::tags::Tags,
    telemetry::{Wait, wait},
};

/// The tag's name.
const TAG: &str = "diskseal";
/// The tag's value that stops every write.
const OFF: &str = "off";
/// How long what was read is taken for true.
const CACHE_TIME: Duration = Duration::from_mins(1);

/// Where the switch is, and how it stood last.
#[derive(Debug)]
pub(super) struct Switch {
    scope: Option<String>,
    seen: Mutex<Option<Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    is_on: bool,
    at: Instant,
}

impl Switch {
    pub(super) fn new(scope: Option<String>) -> Self {
        Self { scope, seen: Mutex::default() }
    }

    /// Whether writes are allowed. A switch that cannot be read stands as it stood, and on before it was
    /// ever read: whoever needs certainty sees the warning.
    pub(super) async fn is_on(&self, arm: &Client, terms: Terms) -> bool {
        let Some(scope) = &self.scope else { return true };
        let mut seen = wait(Wait::Switch, self.seen.lock()).await;
        if let Some(Seen { is_on, at }) = *seen
            && at.elapsed() < CACHE_TIME
        {
            return is_on;
        }
        let is_on = match arm.tags(scope, terms).await {
            Ok(tags) => !is_off(&tags),
            Err(error) => {
                warn!("the switch at {scope} cannot be read, and stands as it stood: {error}");
                seen.is_none_or(|seen| seen.is_on)
            }
        };
        *seen = Some(Seen { is_on, at: Instant::now() });
        is_on
    }
}

/// Whether these tags, of the resource that the switch is on, stop every write.
pub fn is_off(tags: &Tags) -> bool {
    tags.get(TAG).is_some_and(|value| value.trim().eq_ignore_ascii_case(OFF))
}
