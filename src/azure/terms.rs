//! The terms of a request: its deadline and its urgency.

use std::time::Duration;

use tokio::time::Instant;

/// The deadline of a piece of work, and how urgent it is. Every wait respects both.
///
/// There is no default: each caller chooses the urgency.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    until: Instant,
    urgency: Urgency,
}

/// Which requests go first when ARM's quota is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// For an event: a resource was just written.
    Event,
    /// For everything else. Leaves part of the quota to events, and keeps to the pace that is set.
    BehindEvents,
}

impl Terms {
    /// Terms with an event's urgency and a deadline `time` from now.
    pub fn for_event(time: Duration) -> Self {
        Self::within(time, Urgency::Event)
    }

    /// Terms of work that goes behind all events, with a deadline `time` from now.
    pub fn behind_events(time: Duration) -> Self {
        Self::within(time, Urgency::BehindEvents)
    }

    /// Terms as urgent as these, for work of its own that has to end within `time` from now.
    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self::within(time, self.urgency)
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

    /// The time until the deadline.
    pub fn time_left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The urgency.
    pub fn urgency(self) -> Urgency {
        self.urgency
    }

    /// Whether a wait of this length would end before the deadline.
    pub fn allow(self, wait: Duration) -> bool {
        wait < self.time_left()
    }
}
