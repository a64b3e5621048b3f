//! The record of Event Grid: every attempt, and the end of every event.

use serde_json::Value;
use time::OffsetDateTime;

/// One attempt to deliver one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event's id; empty if it has none.
    pub event_id: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The endpoint's response; none if there was none in time.
    pub status: Option<u16>,
    /// When the attempt began.
    pub at: OffsetDateTime,
}

/// The number of events so far, by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventGridStats {
    /// Events that passed the filters or were published by a test, before duplicates.
    pub published: usize,
    /// Writes that the filters rejected.
    pub filtered: usize,
    /// Events that were lost on purpose.
    pub lost: usize,
    /// Events that the endpoint accepted, including duplicates.
    pub delivered: usize,
    /// Events that ended as a dead letter.
    pub dead_lettered: usize,
    /// Undelivered events without a configured container for dead letters.
    pub dropped: usize,
}

/// The id of an event in either schema.
pub(super) fn event_id(event: &Value) -> String {
    event["id"].as_str().unwrap_or_default().to_owned()
}
