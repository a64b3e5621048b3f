//! What Event Grid did: every attempt, and what became of every event.

use serde_json::Value;
use time::OffsetDateTime;

/// One attempt to deliver one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event's id; empty if it has none.
    pub event_id: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// The endpoint's answer; none if it gave none in time.
    pub status: Option<u16>,
    /// When the attempt began.
    pub at: OffsetDateTime,
}

/// How many events came to what end so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventGridStats {
    /// Events that passed the filters or were published by a test, before duplicates.
    pub published: usize,
    /// Writes that the filters held back.
    pub filtered: usize,
    /// Events that were lost on purpose.
    pub lost: usize,
    /// Events that the endpoint took, duplicates counted.
    pub delivered: usize,
    /// Events that ended as a dead letter.
    pub dead_lettered: usize,
    /// Events that ended undelivered where no container for dead letters is configured.
    pub dropped: usize,
}

/// The id of an event in either schema.
pub(super) fn event_id(event: &Value) -> String {
    event["id"].as_str().unwrap_or_default().to_owned()
}
