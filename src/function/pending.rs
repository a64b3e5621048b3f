//! A message of the queue `diskseal-pending`: a resource that is pending.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::functions::RECEIPTS_MAX;
use crate::{enforce::Error, event, resource_id::ResourceId, telemetry::TraceContext};

/// The content of a queue message. It is sent as an object, because the host would decode a string that
/// is valid base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The resource.
    pub id: ResourceId,
    /// Why it is on the queue: a value of `enforce::Error::reason`, `sweep`, or `machine` for a disk of a machine
    /// with too many disks for one invocation.
    pub reason: String,
    /// When the resource was first known to be unsealed.
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen: OffsetDateTime,
    /// The trace in which the resource was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The vendor's part of that trace's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// The correlation ID of the write that caused the message.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "correlation_id")]
    pub correlation_id: Option<String>,
}

/// Ignores an invalid correlation ID, so that no message is lost because of it.
fn correlation_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(event::correlation_id(&Value::deserialize(deserializer)?))
}

/// A message as it was received.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// The queue's ID of the message.
    pub(super) id: Option<String>,
    /// The content.
    pub(super) pending: Pending,
    /// The number of receipts, including this one.
    pub(super) dequeue_count: u32,
}

impl Received {
    /// Whether this receipt is a try. host.json allows only a constant delay between receipts. To let the pauses
    /// grow, the handler tries immediately and then 1, 3, 7 and 15 delays later.
    pub(super) fn is_due(&self) -> bool {
        self.dequeue_count.is_power_of_two() || self.is_last()
    }

    /// Whether this is the last receipt.
    pub(super) fn is_last(&self) -> bool {
        self.dequeue_count >= RECEIPTS_MAX
    }

    /// Whether a sweep queued it. If it cannot be sealed, the next sweep queues it again.
    pub(super) fn is_of_a_sweep(&self) -> bool {
        self.pending.reason == Pending::OF_A_SWEEP
    }
}

/// How old a message can be: it is tried for an hour and a quarter, and then the poison queue keeps it for seven days,
/// from which an operator may put it back.
const AGE_MAX: time::Duration = time::Duration::days(10);

impl Pending {
    /// The time since the resource was first seen, if the message has a time that can be true at `now`.
    pub(super) fn age(&self, now: OffsetDateTime) -> Option<time::Duration> {
        let age = now - self.first_seen;
        (age.abs() <= AGE_MAX).then_some(age)
    }

    /// The reason for a disk of a machine with too many disks for one invocation.
    pub const OF_A_MACHINE: &str = "machine";
    /// The reason for a resource that a sweep has listed. All other reasons are those of failed tries.
    pub const OF_A_SWEEP: &str = "sweep";
    /// The value for a reason that another version of the handler has written.
    pub const OTHER: &str = "_OTHER";

    /// Every reason that this version writes.
    pub fn reasons() -> Vec<&'static str> {
        [Error::reasons(), vec![Self::OF_A_MACHINE, Self::OF_A_SWEEP]].concat()
    }

    /// The reason as a value of the closed set; an unknown reason of another version is `_OTHER`.
    pub fn known_reason(&self) -> &'static str {
        Self::reasons().into_iter().find(|reason| *reason == self.reason).unwrap_or(Self::OTHER)
    }

    /// The trace in which the resource was first seen.
    pub fn trace_context(&self) -> TraceContext {
        TraceContext::received(self.traceparent.as_deref(), self.tracestate.as_deref())
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
