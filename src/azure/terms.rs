//! The terms of a request: by when it must be answered, and whether it goes before others.

use std::time::Duration;

use tokio::time::Instant;

/// When a piece of work has to have its answer, and how urgent it is. Every wait respects both.
///
/// There is no default: whoever starts a piece of work names its urgency.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    until: Instant,
    urgency: Urgency,
}

/// Who goes first where ARM's quota is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A resource was written just now.
    Event,
    /// Everything else: it leaves a part of the quota to events, and keeps the set pace.
    BehindEvents,
}

impl Terms {
    /// Terms of work for an event, which has to end within `time` from now.
    pub fn for_event(time: Duration) -> Self {
        Self::within(time, Urgency::Event)
    }

    /// Terms of work that goes behind all events, and has to end within `time` from now.
    pub fn behind_events(time: Duration) -> Self {
        Self::within(time, Urgency::BehindEvents)
    }

    fn within(time: Duration, urgency: Urgency) -> Self {
        let now = Instant::now();
        Self { until: now.checked_add(time).unwrap_or(now), urgency }
    }

    /// The same terms with at most `time` from now, for a part of the work that must not use all of it.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Self {
        let part = Self::within(time, self.urgency);
        Self { until: self.until.min(part.until), ..self }
    }

    /// The deadline.
    pub fn until(self) -> Instant {
        self.until
    }

    /// The time that is left until the deadline.
    pub fn time_left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Who goes first.
    pub fn urgency(self) -> Urgency {
        self.urgency
    }

    /// Whether a wait of this length would end before the deadline.
    pub fn allow(self, wait: Duration) -> bool {
        wait < self.time_left()
    }
}
