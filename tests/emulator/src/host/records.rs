//! What is kept of a host's past.

use std::sync::Arc;

use super::{ConsoleLine, Exit, Invocation};
use crate::recorded::Recorded;

/// The records of a host, or of all hosts of an app.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// Every invocation with a judged reply, in that order.
    pub(super) invocations: Arc<Recorded<Invocation>>,
    /// Every line that a handler has written.
    pub(super) console: Arc<Recorded<ConsoleLine>>,
    /// Every end of a handler's process.
    pub(super) exits: Arc<Recorded<Exit>>,
}

impl Records {
    /// The records of one host of an app. What they get, the app's records get too, and keep when the host is gone.
    pub(super) fn of_one(&self) -> Self {
        Self {
            invocations: Arc::new(Recorded::part_of(&self.invocations)),
            console: Arc::new(Recorded::part_of(&self.console)),
            exits: Arc::new(Recorded::part_of(&self.exits)),
        }
    }
}
