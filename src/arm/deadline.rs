//! The end of an invocation's time.

use std::time::Duration;

use tokio::time::Instant;

/// When an invocation has to have its answer. Every wait respects it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(duration: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(duration).unwrap_or(now))
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Whether a wait of this length would end in time.
    pub fn allows(self, wait: Duration) -> bool {
        wait < self.0.saturating_duration_since(Instant::now())
    }
}
