//! A span as the collector stores it: one flat record.

use std::collections::BTreeMap;

use serde_json::Value;

/// Attributes: booleans, numbers, strings, arrays and objects as in JSON; bytes as base64.
pub type Attributes = BTreeMap<String, Value>;

/// One span, with its resource and scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// The trace's id in hex, 32 digits.
    pub trace_id: String,
    /// The span's id in hex, 16 digits.
    pub span_id: String,
    /// The parent's id in hex; none for a root.
    pub parent_span_id: Option<String>,
    /// W3C trace state.
    pub trace_state: String,
    /// The span's name.
    pub name: String,
    /// The span's kind.
    pub kind: SpanKind,
    /// The start, in nanoseconds since 1970.
    pub start_unix_nano: u64,
    /// The end, in nanoseconds since 1970.
    pub end_unix_nano: u64,
    /// The span's attributes.
    pub attributes: Attributes,
    /// The events in the span, in order.
    pub events: Vec<SpanEvent>,
    /// The links to other spans.
    pub links: Vec<SpanLink>,
    /// Whether the span succeeded.
    pub status: Status,
    /// The attributes of the resource.
    pub resource: Attributes,
    /// The schema URL of the resource's attributes; empty if there is none.
    pub resource_schema_url: String,
    /// The instrumentation scope's name.
    pub scope_name: String,
    /// The instrumentation scope's version.
    pub scope_version: String,
    /// The schema URL of the scope's spans; empty if there is none.
    pub scope_schema_url: String,
}

/// An event within a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanEvent {
    /// The event's name.
    pub name: String,
    /// When it happened, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// The event's attributes.
    pub attributes: Attributes,
}

/// A link to another span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanLink {
    /// The other trace's id in hex.
    pub trace_id: String,
    /// The other span's id in hex.
    pub span_id: String,
    /// The link's attributes.
    pub attributes: Attributes,
}

/// A span's kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanKind {
    /// Unspecified.
    #[default]
    Unspecified,
    /// An operation inside the application.
    Internal,
    /// Serving a request.
    Server,
    /// Making a request.
    Client,
    /// Sending a message.
    Producer,
    /// Processing a message.
    Consumer,
}

/// A span's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Unset, which counts as success.
    #[default]
    Unset,
    /// Success, set by the application.
    Ok,
    /// Failure, with its description.
    Error(String),
}
