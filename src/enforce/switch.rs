//! The switch: a tag that stops every write, without a deployment and without a restart.
//!
//! Whoever may write tags on one resource of the operator's choice (the function app, its resource group)
//! sets `diskseal = off` there, and within a minute nothing is written any more. ARM is asked for it, so it
//! needs no storage, no right but to read tags, and works in the portal.
//!
//! A switch that cannot be read counts as it was last read, and as on before the first successful read: the one
//! exception to "what is unknown is left alone", because a lost right to read one tag would otherwise leave every
//! new disk unsealed.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};
use tracing::warn;

use crate::{
    arm::Client,
    azure::Terms,
    resource::tags::Tags,
    telemetry::{Wait, metrics, wait},
};

/// The tag's name.
const TAG: &str = "diskseal";
/// The tag's value that stops every write.
const OFF: &str = "off";
/// How long what was read counts.
const CACHE_TIME: Duration = Duration::from_mins(1);
/// How long one read may take, whatever time its caller has: a switch that does not answer delays nobody by more.
const READ_TIME: Duration = Duration::from_secs(2);
/// How long after a failed read the next one is tried.
const RETRY_TIME: Duration = Duration::from_secs(20);

/// Where the switch is, and how it was last read.
#[derive(Debug)]
pub(super) struct Switch {
    scope: Option<String>,
    last: Mutex<Option<Last>>,
}

/// The last read that came to its end. One that its caller gave up leaves nothing here.
#[derive(Clone, Copy, Debug)]
struct Last {
    is_on: bool,
    /// When the next read is due.
    until: Instant,
}

impl Switch {
    pub(super) fn new(scope: Option<String>) -> Self {
        Self { scope, last: Mutex::default() }
    }

    /// Whether writes are allowed.
    pub(super) async fn is_on(&self, arm: &Client, terms: Terms) -> bool {
        let Some(scope) = &self.scope else { return true };
        let mut last = wait(Wait::Switch, self.last.lock()).await;
        if let Some(Last { is_on, until }) = *last
            && Instant::now() < until
        {
            return is_on;
        }
        let (is_on, lasts) = match arm.tags(scope, terms.lasting(READ_TIME)).await {
            Ok(tags) => (!switches_off(&tags), CACHE_TIME),
            Err(error) => {
                let is_on = last.is_none_or(|last| last.is_on);
                let word = if is_on { "on" } else { "off" };
                warn!("the switch at {scope} cannot be read, and counts as {word}: {error}");
                metrics::switch_failure(error.failure.reason());
                (is_on, RETRY_TIME)
            }
        };
        *last = Some(Last { is_on, until: Instant::now() + lasts });
        is_on
    }
}

/// Whether these tags, of the resource that the switch is on, stop every write.
pub fn switches_off(tags: &Tags) -> bool {
    tags.get(TAG).is_some_and(|value| value.trim().eq_ignore_ascii_case(OFF))
}
