//! A log record as the collector keeps it: one flat record.

use serde_json::Value;

use super::Attributes;

/// One log record, with the resource and scope that it was sent under.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogRecord {
    /// When it happened, in nanoseconds since 1970; 0 if it does not say.
    pub time_unix_nano: u64,
    /// When it was seen to happen, in nanoseconds since 1970.
    pub observed_unix_nano: u64,
    /// How bad it is, from 1 to 24; 9 is information, 13 a warning, 17 an error.
    pub severity_number: i32,
    /// The same in the source's own word.
    pub severity_text: String,
    /// The name of the event; empty if it is none.
    pub event_name: String,
    /// What is said.
    pub body: Value,
    /// The record's attributes.
    pub attributes: Attributes,
    /// The trace in which it happened, in hex; empty if in none.
    pub trace_id: String,
    /// The span in which it happened, in hex; empty if in none.
    pub span_id: String,
    /// The attributes of the resource.
    pub resource: Attributes,
    /// The instrumentation scope's name.
    pub scope_name: String,
}
