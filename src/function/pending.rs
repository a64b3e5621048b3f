//! A message of the queue `diskseal-pending`: a resource that could not be sealed yet.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{resource_id::ResourceId, telemetry::TraceContext};

/// What the queue needs to know of a resource. It is sent as an object, never as a string, which the
/// host would decode if it happened to be base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The resource.
    pub id: ResourceId,
    /// Why it was not sealed: a word of the closed set of `enforce::Error::reason`.
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
}

impl Pending {
    /// The reason of what a sweep has listed.
    pub const OF_A_SWEEP: &str = "sweep";

    /// The trace in which the resource was first seen.
    pub fn trace_context(&self) -> TraceContext {
        TraceContext { traceparent: self.traceparent.clone(), tracestate: self.tracestate.clone() }
    }
}
