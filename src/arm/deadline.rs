//! The terms of a request: by when it must be answered, and whether it goes before others.

use std::time::Duration;

use tokio::time::Instant;

/// When an invocation has to have its answer. Every wait respects it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    urgency: Urgency,
}

/// Who goes first where ARM's quota is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A resource was written just now.
    Event,
    /// It has been so for a while: a part of the quota is left to events.
    Sweep,
}

impl Deadline {
    /// So long from now, for an event.
    pub fn after(duration: Duration) -> Self {
        let now = Instant::now();
        Self { at: now.checked_add(duration).unwrap_or(now), urgency: Urgency::Event }
    }

    /// The same, behind all events.
    #[must_use]
    pub fn behind_events(self) -> Self {
        Self { urgency: Urgency::Sweep, ..self }
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.at
    }

    /// Who goes first.
    pub fn urgency(self) -> Urgency {
        self.urgency
    }

    /// Whether a wait of this length would end in time.
    pub fn allows(self, wait: Duration) -> bool {
        wait < self.at.saturating_duration_since(Instant::now())
    }
}
