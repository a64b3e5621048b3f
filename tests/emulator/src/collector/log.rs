//! A log record as the collector stores it: one flat record.

use serde_json::Value;

use super::Attributes;

/// One log record, with its resource and scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogRecord {
    /// When it happened, in nanoseconds since 1970; 0 if unknown.
    pub time_unix_nano: u64,
    /// When it was observed, in nanoseconds since 1970.
    pub observed_unix_nano: u64,
    /// The severity, from 1 to 24; 9 is information, 13 a warning, 17 an error.
    pub severity_number: i32,
    /// The severity as a text of the source.
    pub severity_text: String,
    /// The name of the event; empty if it is not an event.
    pub event_name: String,
    /// The message.
    pub body: Value,
    /// The record's attributes.
    pub attributes: Attributes,
    /// The trace in which it happened, in hex; empty without one.
    pub trace_id: String,
    /// The span in which it happened, in hex; empty without one.
    pub span_id: String,
    /// The attributes of the resource.
    pub resource: Attributes,
    /// The instrumentation scope's name.
    pub scope_name: String,
}
