//! A message of the queue `diskseal-pending`: a resource that is pending.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::functions::{HIDDEN, RECEIPTS_MAX};
use crate::{enforce::Error, event, policy::NamedBy, resource_id::ResourceId, telemetry::TraceContext};

/// The content of a queue message. It is sent as an object, because the host would decode a string that
/// is valid base64.
///
/// The host copies each member of the content into the invocation's `Metadata`, whatever its letter case, in place of
/// its own value of that name (`Utility.ApplyBindingData` of the Functions host). So no member may have the name of one
/// of the host's, such as `id` or `dequeueCount`. The host also writes each date anew; the instant stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The resource. Earlier versions named it `id`.
    #[serde(alias = "id")]
    pub resource: ResourceId,
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
    /// What first named the resource; see [`Self::named_by`].
    #[serde(default, skip_serializing_if = "Option::is_none", with = "named_by")]
    pub named_by: Option<NamedBy>,
}

/// Its word. Any other value is ignored, so that no message is lost because of it.
mod named_by {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    use crate::policy::NamedBy;

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    pub(super) fn serialize<S: Serializer>(named_by: &Option<NamedBy>, to: S) -> Result<S::Ok, S::Error> {
        named_by.map(|one| one.label()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NamedBy>, D::Error> {
        Ok(Value::deserialize(from)?.as_str().and_then(NamedBy::of))
    }
}

/// Ignores an invalid correlation ID, so that no message is lost because of it.
fn correlation_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(id) => Some(id).filter(|id| event::is_correlation_id(id)),
        _ => None,
    })
}

/// A message as it was received.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// The queue's ID of the message; none if a member of the content has taken its place.
    pub(super) id: Option<String>,
    /// The content.
    pub(super) pending: Pending,
    /// The content as it was received, which is what the host would put on the poison queue.
    pub(super) text: String,
    /// The number of receipts, including this one; zero for a call by hand, which has no message.
    pub(super) dequeue_count: u32,
}

impl Received {
    /// Whether this receipt is a try. host.json allows only a constant delay between receipts. To let the pauses
    /// grow, the handler tries immediately and then 1, 3, 7 and 15 delays later. A call by hand (the portal, or
    /// `/admin/functions`) is always a try: nothing would deliver it again.
    pub(super) fn is_due(&self) -> bool {
        self.dequeue_count == 0 || is_try(self.dequeue_count)
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

/// Whether the receipt with this number, from 1, is a try.
const fn is_try(receipt: u32) -> bool {
    receipt.is_power_of_two() || receipt >= RECEIPTS_MAX
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

    /// How long it takes at least until the next try of a message that can be received now and was received so often. A
    /// receipt that is no try hides it again.
    pub fn next_try(receipts: u32) -> Duration {
        let next = receipts.saturating_add(1);
        let more = (next..=next.max(RECEIPTS_MAX)).take_while(|receipt| !is_try(*receipt)).count();
        HIDDEN * u32::try_from(more).unwrap_or_default()
    }

    /// Every reason that this version writes.
    pub fn reasons() -> Vec<&'static str> {
        [Error::reasons(), vec![Self::OF_A_MACHINE, Self::OF_A_SWEEP]].concat()
    }

    /// The reason as a value of the closed set; an unknown reason of another version is `_OTHER`.
    pub fn known_reason(&self) -> &'static str {
        Self::reasons().into_iter().find(|reason| *reason == self.reason).unwrap_or(Self::OTHER)
    }

    /// What first named the resource. A message of an earlier version has only its reason.
    pub fn named_by(&self) -> NamedBy {
        let by_reason = if self.reason == Self::OF_A_SWEEP { NamedBy::Sweep } else { NamedBy::Event };
        self.named_by.unwrap_or(by_reason)
    }

    /// The trace in which the resource was first seen.
    pub fn trace_context(&self) -> TraceContext {
        TraceContext::received(self.traceparent.as_deref(), self.tracestate.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every member that a message may have.
    fn full() -> Pending {
        Pending {
            resource: ID.parse().unwrap(),
            reason: Pending::OF_A_SWEEP.to_owned(),
            first_seen: OffsetDateTime::UNIX_EPOCH,
            traceparent: Some(String::new()),
            tracestate: Some(String::new()),
            correlation_id: Some(String::new()),
            named_by: Some(NamedBy::Event),
        }
    }

    const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

    /// The names of the host's own values, of a queue message and of any trigger, and those that it drops.
    const NAMES_OF_THE_HOST: [&str; 9] = [
        "dequeueCount",
        "id",
        "insertionTime",
        "expirationTime",
        "nextVisibleTime",
        "popReceipt",
        "queueTrigger",
        "sys",
        "data",
    ];

    #[test]
    fn no_member_of_a_message_takes_the_place_of_a_value_of_the_host() {
        let message = serde_json::to_value(full()).unwrap();
        let members: Vec<_> = message.as_object().unwrap().keys().collect();
        assert_eq!(members.len(), 7, "a member is missing here: {members:?}");
        for member in members {
            let is_the_host_s = NAMES_OF_THE_HOST.iter().any(|name| name.eq_ignore_ascii_case(member));
            assert!(!is_the_host_s && !member.to_ascii_lowercase().ends_with("trigger"), "{member}");
        }
    }

    #[test]
    fn the_host_may_write_a_time_in_another_form() {
        let at = |text: &str| {
            let message = serde_json::json!({"resource": ID, "reason": "sweep", "firstSeen": text});
            serde_json::from_value::<Pending>(message).unwrap().first_seen
        };
        let sent = at("2026-11-24T01:02:03.5000000Z");
        for stored in ["2026-11-24T01:02:03.5Z", "2026-11-24T01:02:03.5+00:00", "2026-11-24T03:02:03.5+02:00"]
        {
            assert_eq!(at(stored), sent, "{stored}");
        }
    }

    /// A message of the poison queue may be put back days after an upgrade.
    #[test]
    fn a_message_of_an_earlier_version_is_read() {
        let message = |member: &str| serde_json::json!({member: ID, "reason": "locked", "firstSeen": "2026-11-24T01:02:03Z"});
        let read = |member| serde_json::from_value::<Pending>(message(member)).ok();
        assert!(read("id").is_some() && read("id") == read("resource"));
        assert_eq!(read("name"), None);
    }

    #[test]
    fn what_named_the_resource_is_carried_and_else_follows_from_the_reason() {
        let named_by = |reason: &str, word: serde_json::Value| {
            let message = serde_json::json!({"resource": ID, "reason": reason, "firstSeen": "2026-11-24T01:02:03Z", "namedBy": word});
            serde_json::from_value::<Pending>(message).unwrap().named_by()
        };
        for (reason, word, expected) in [
            ("locked", "event".into(), NamedBy::Event),
            ("locked", "sweep".into(), NamedBy::Sweep),
            ("sweep", "event".into(), NamedBy::Event),
            ("sweep", serde_json::Value::Null, NamedBy::Sweep),
            ("machine", serde_json::json!({"of": 1}), NamedBy::Event),
            ("sweep", "nobody".into(), NamedBy::Sweep),
        ] {
            assert_eq!(named_by(reason, word.clone()), expected, "{reason} {word}");
        }
        assert_eq!(serde_json::to_value(full()).unwrap()["namedBy"], "event");
    }

    #[test]
    fn the_pauses_between_two_tries_grow_and_reasons_are_words() {
        let pending = full();
        let received = |dequeue_count| Received {
            id: None,
            pending: pending.clone(),
            text: String::new(),
            dequeue_count,
        };
        let due: Vec<_> = (0..=16).filter(|count| received(*count).is_due()).collect();
        assert_eq!(due, [0, 1, 2, 4, 8, 16]);
        assert!(received(1).is_of_a_sweep());
        assert!(received(16).is_last() && received(17).is_due() && !received(15).is_last());
        let minutes =
            [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 99].map(|count| Pending::next_try(count).as_secs() / 60);
        assert_eq!(minutes, [0, 0, 5, 0, 15, 10, 0, 35, 30, 0, 0, 0]);
        let known = |reason: &str| Pending { reason: reason.to_owned(), ..pending.clone() }.known_reason();
        assert_eq!(["locked", "machine", "new"].map(known), ["locked", "machine", "_OTHER"]);
    }
}
