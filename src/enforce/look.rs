//! A look at a resource: what led to it, and on which terms.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::SEAL_TIME;
use crate::{
    azure::Terms,
    policy::{Before, NamedBy},
    resource_id::ResourceId,
    telemetry::{Part, Spent, parts},
};

/// How far the time of a write may be from now. Event Grid delivers an event for at most a day ("Event Grid message
/// delivery and retry", event time to live), the queue for about an hour more, and clocks differ. Any other time comes
/// from somebody else, and would be nonsense in a tag and in a metric.
const BELIEVED_WITHIN: time::Duration = time::Duration::days(2);

/// The reported time of a write, if it can be true at `now`.
pub fn believed(written: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<OffsetDateTime> {
    written.filter(|written| (now - *written).abs() <= BELIEVED_WITHIN)
}

/// What led to a look at a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// An event of its write.
    Event,
    /// A message of the queue: an earlier look could not seal it.
    Queue,
    /// A sweep has listed it.
    Sweep,
    /// A person has named it.
    Command,
}

impl Trigger {
    /// The terms of a look that this trigger leads to: an event goes first, and everything else behind events.
    pub fn terms(self, time: Duration) -> Terms {
        match self {
            Self::Event => Terms::for_event(time),
            Self::Queue | Self::Sweep | Self::Command => Terms::behind_events(time),
        }
    }

    /// Whether an event led to the look, at once or by way of the queue.
    pub(super) const fn is_of_event(self) -> bool {
        matches!(self, Self::Event | Self::Queue)
    }

    /// What first named the resource, unless a message knows better.
    const fn named_by(self) -> NamedBy {
        match self {
            Self::Event | Self::Queue => NamedBy::Event,
            Self::Sweep => NamedBy::Sweep,
            Self::Command => NamedBy::Command,
        }
    }

    /// A word from a closed set, for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Queue => "queue",
            Self::Sweep => "sweep",
            Self::Command => "command",
        }
    }
}

/// When what led to a look arrived at this process.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// By our clock.
    pub at: Instant,
    /// When the Functions host triggered the invocation, if it says so.
    pub triggered: Option<OffsetDateTime>,
    /// What was spent since then, before the look.
    pub spent: Spent,
}

impl Arrival {
    /// One that has just happened.
    pub fn now() -> Self {
        Self { at: Instant::now(), triggered: None, spent: Spent::default() }
    }

    /// The parts of the time to seal, of `whole` seconds since the write.
    pub(super) fn parts(self, written: OffsetDateTime, whole: f64, spent: Spent) -> Vec<(Part, f64)> {
        let triggered = self.triggered.map(|triggered| (triggered - written).as_seconds_f64());
        parts(whole, self.at.elapsed().as_secs_f64(), triggered, self.spent + spent)
    }
}

/// A reason to look at a resource, and the terms of the look.
#[derive(Clone, Debug)]
pub struct Look {
    /// What to look at.
    pub resource: ResourceId,
    /// What led to the look.
    pub trigger: Trigger,
    /// What first named the resource.
    pub named_by: NamedBy,
    /// When the write happened that gave the reason, if a write did, as it was reported: any time of the calendar. See
    /// [`Self::written_at`].
    pub event_time: Option<OffsetDateTime>,
    /// The correlation ID of that write, which [`crate::event::is_correlation_id`] has checked.
    pub correlation_id: Option<String>,
    /// Whether the queue has delivered the message before, and hidden it since.
    pub is_repeated: bool,
    /// Whether the queue delivers the message for the last time.
    pub is_last: bool,
    /// When what led to it arrived.
    pub(super) arrival: Arrival,
    /// What the resource was when a person has planned to seal it.
    pub(super) planned: Option<Before>,
    /// How long it waits for ARM's quota before the first write; none for all of its time but what a seal takes.
    quota_wait: Option<Duration>,
    /// Follow from the trigger, so that no caller can forget how urgent it is.
    pub(super) terms: Terms,
}

impl Look {
    /// A look that has to end within `time` from now.
    pub fn new(resource: ResourceId, trigger: Trigger, time: Duration) -> Self {
        let terms = trigger.terms(time);
        Self {
            resource,
            trigger,
            named_by: trigger.named_by(),
            event_time: None,
            correlation_id: None,
            is_repeated: false,
            is_last: false,
            arrival: Arrival::now(),
            planned: None,
            quota_wait: None,
            terms,
        }
    }

    /// The same look for a write that happened at `event_time`.
    #[must_use]
    pub fn after_write(self, event_time: Option<OffsetDateTime>) -> Self {
        Self { event_time, ..self }
    }

    /// The same look for an invocation that arrived then.
    #[must_use]
    pub fn arrived(self, arrival: Arrival) -> Self {
        Self { arrival, ..self }
    }

    /// The same look with the correlation ID of that write.
    #[must_use]
    pub fn correlated(self, correlation_id: Option<String>) -> Self {
        Self { correlation_id, ..self }
    }

    /// The same look, which writes nothing if the resource is not what it was, or a part of its seal.
    #[must_use]
    pub fn planned(self, before: Before) -> Self {
        Self { planned: Some(before), ..self }
    }

    /// The same look where something else has named the resource first.
    #[must_use]
    pub fn first_named_by(self, named_by: NamedBy) -> Self {
        Self { named_by, ..self }
    }

    /// The same look for a message that the queue has delivered before, or delivers for the last time.
    #[must_use]
    pub fn delivered(self, is_repeated: bool, is_last: bool) -> Self {
        Self { is_repeated, is_last, ..self }
    }

    /// When the write happened, if it was reported with a time that can be true at `now`.
    pub fn written_at(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        believed(self.event_time, now)
    }

    /// The same look, which waits no longer than `quota_wait` for ARM's quota before its first write.
    #[must_use]
    pub fn waiting(self, quota_wait: Duration) -> Self {
        Self { quota_wait: Some(quota_wait), ..self }
    }

    /// The terms of the wait for ARM's quota before the first write. What is admitted has time for its seal.
    pub(super) fn terms_of_wait(&self) -> Terms {
        let left = self.terms.time_left();
        let longest = left.saturating_sub(SEAL_TIME).max(left / 2);
        self.terms.at_most(self.quota_wait.map_or(longest, |wait| wait.min(longest)))
    }

    /// By when it has to end, and how urgent it is.
    pub fn terms(&self) -> Terms {
        self.terms
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_that_cannot_be_true_is_unknown() {
        let now = datetime!(2026-11-26 12:00 UTC);
        let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
        for (written, is_believed) in [
            (now, true),
            (datetime!(2026-11-24 12:00 UTC), true),
            (datetime!(2026-11-28 12:00 UTC), true),
            (datetime!(2026-11-26 23:00 +13:00), true),
            (datetime!(2026-11-24 11:59:59 UTC), false),
            (datetime!(2026-11-28 12:00:01 UTC), false),
            (datetime!(9999-12-31 23:59:59 -01:00), false),
            (datetime!(9999-12-31 23:59:59.9999999 UTC), false),
            (datetime!(0000-01-01 0:00 +23:59), false),
        ] {
            let look =
                Look::new(id.parse().unwrap(), Trigger::Event, Duration::ZERO).after_write(Some(written));
            assert_eq!(look.written_at(now), is_believed.then_some(written));
        }
    }
}
