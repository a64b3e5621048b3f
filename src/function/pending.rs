//! A message of the queue `diskseal-pending`: a resource that could not be sealed yet.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::functions::RECEIPTS_MAX;
use crate::{enforce::Error, event, resource_id::ResourceId, telemetry::TraceContext};

/// What the queue needs to know of a resource. It is sent as an object, never as a string, which the
/// host would decode if it happened to be base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The resource.
    pub id: ResourceId,
    /// Why it was not sealed: a word of the closed set of `enforce::Error::reason`, `sweep`, or `machine` for
    /// one of more disks than an invocation takes on.
    pub reason: String,
    /// When it was first known to need the seal.
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen: OffsetDateTime,
    /// The trace in which it was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The vendor's part of that trace's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// The correlation ID of the write that led here.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "correlation_id")]
    pub correlation_id: Option<String>,
}

/// What cannot be a correlation ID is none: no message is lost for it.
fn correlation_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(event::correlation_id(&Value::deserialize(deserializer)?))
}

/// A message as the queue gave it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// The queue's own ID of it.
    pub(super) id: Option<String>,
    /// What it says.
    pub(super) pending: Pending,
    /// How often it was received, this time included.
    pub(super) dequeue_count: u32,
}

impl Received {
    /// Whether it is time for a try. The queue hides what has failed for the same time always, which is all
    /// that host.json can say; that the pauses grow is our doing: a try at once, and then after 1, 3, 7 and 15
    /// of them.
    pub(super) fn is_due(&self) -> bool {
        self.dequeue_count.is_power_of_two() || self.is_last()
    }

    /// Whether the queue delivers it for the last time.
    pub(super) fn is_last(&self) -> bool {
        self.dequeue_count >= RECEIPTS_MAX
    }

    /// Whether a sweep put it there. What it cannot seal, the next sweep puts there again.
    pub(super) fn is_of_a_sweep(&self) -> bool {
        self.pending.reason == Pending::OF_A_SWEEP
    }
}

impl Pending {
    /// The reason of one of more disks of a machine than an invocation takes on.
    pub const OF_A_MACHINE: &str = "machine";
    /// The reason of what a sweep has listed. Every other one is why a try failed.
    pub const OF_A_SWEEP: &str = "sweep";
    /// The word for a reason that another version of this handler has written.
    pub const OTHER: &str = "_OTHER";

    /// Every reason that this version writes.
    pub fn reasons() -> Vec<&'static str> {
        [Error::reasons(), vec![Self::OF_A_MACHINE, Self::OF_A_SWEEP]].concat()
    }

    /// The reason as a word of the closed set: that of another version of this handler is `_OTHER`.
    pub fn known_reason(&self) -> &'static str {
        Self::reasons().into_iter().find(|reason| *reason == self.reason).unwrap_or(Self::OTHER)
    }

    /// The trace in which the resource was first seen.
    pub fn trace_context(&self) -> TraceContext {
        TraceContext { traceparent: self.traceparent.clone(), tracestate: self.tracestate.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_between_two_tries_grow_and_reasons_are_words() {
        let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
        let pending = Pending {
            id: id.parse().unwrap(),
            reason: Pending::OF_A_SWEEP.to_owned(),
            first_seen: OffsetDateTime::UNIX_EPOCH,
            traceparent: None,
            tracestate: None,
            correlation_id: None,
        };
        let received = |dequeue_count| Received { id: None, pending: pending.clone(), dequeue_count };
        let due: Vec<_> = (0..=16).filter(|count| received(*count).is_due()).collect();
        assert_eq!(due, [1, 2, 4, 8, 16]);
        assert!(received(1).is_of_a_sweep());
        assert!(received(16).is_last() && received(17).is_due() && !received(15).is_last());
        let known = |reason: &str| Pending { reason: reason.to_owned(), ..pending.clone() }.known_reason();
        assert_eq!(["locked", "machine", "new"].map(known), ["locked", "machine", "_OTHER"]);
    }
}
