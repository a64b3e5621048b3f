//! Events that no endpoint accepted, as Event Grid writes them to a blob container.

use std::io;

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{event::ticks, options::DeadLetters};

/// Why an event was not delivered.
#[derive(Clone, Debug)]
pub(super) struct Undelivered {
    pub(super) reason: String,
    pub(super) attempts: u32,
    pub(super) outcome: &'static str,
    pub(super) status: Option<u16>,
    pub(super) published: OffsetDateTime,
    pub(super) last_attempt: OffsetDateTime,
}

impl Undelivered {
    /// The event with the members that Event Grid adds. CloudEvents allows no upper case in attribute names.
    pub(super) fn describe(&self, event: &Value) -> Value {
        let mut event = if event.is_object() { event.clone() } else { json!({ "event": event }) };
        let lower = event.get("specversion").is_some();
        let mut set = |name: &str, value: Value| {
            let name = if lower { name.to_ascii_lowercase() } else { name.to_owned() };
            event[name.as_str()] = value;
        };
        set("deadLetterReason", self.reason.clone().into());
        set("deliveryAttempts", self.attempts.into());
        set("lastDeliveryOutcome", self.outcome.into());
        if let Some(status) = self.status {
            set("lastHttpStatusCode", status.into());
        }
        set("publishTime", ticks(self.published).into());
        set("lastDeliveryAttemptTime", ticks(self.last_attempt).into());
        event
    }
}

/// Writes one blob: an array of events, below the subscription's name in upper case and the hour, without
/// leading zeros.
pub(super) async fn write(
    container: &DeadLetters,
    subscription: &str,
    events: &[Value],
    at: OffsetDateTime,
) -> io::Result<()> {
    let subscription = subscription.to_ascii_uppercase();
    let (year, month, day, hour) = (at.year(), u8::from(at.month()), at.day(), at.hour());
    let folder = format!("{subscription}/{year}/{month}/{day}/{hour}");
    let (name, content) = (format!("{}.json", Uuid::new_v4()), serde_json::to_vec_pretty(events)?);
    match container {
        DeadLetters::Folder(root) => {
            let folder = root.join(folder);
            // Not tokio's file API: a paused clock does not see its threads and would advance meanwhile.
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(name), content)
        }
        DeadLetters::Container(container) => {
            container.write(&format!("{folder}/{name}"), content).await.map_err(io::Error::other)
        }
    }
}
