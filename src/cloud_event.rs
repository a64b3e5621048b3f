//! What a person must know, as CloudEvents for the queue `diskseal-outcomes`.
//!
//! Sources: "CloudEvents - Version 1.0.2", "JSON Event Format for CloudEvents - Version 1.0.2" (structured mode) and the
//! extension "Distributed Tracing". The schema of an event is docs/schemas/outcome-1.json.

use serde::Serialize;
use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{
    resource_id::ResourceId,
    text::{cut, escaped},
};

/// The longest message, in bytes. Base64 in a queue message has room for 48 KiB ("Azure Queue storage", 64 KiB).
const MESSAGE_BYTES_MAX: usize = 4_096;

/// The identifier of the schema.
const SCHEMA: &str = "urn:diskseal:outcome:1";

words! {
    /// What a person must know.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Matter, word of words {
        /// A resource could not be sealed, and its message is on the poison queue.
        GivenUp => "given_up",
        /// Somebody had removed the seal of a resource.
        SealRemoved => "seal_removed",
        /// The exemption tag of a resource ends soon.
        ExemptionEnds => "exemption_ends",
        /// A sweep would have changed more than a limit allows, so it has changed nothing.
        SweepRefused => "sweep_refused",
        /// The backup guard has left a resource as it is.
        Protected => "protected",
        /// A resource cannot be sealed for a reason that is expected to last, and is left to the sweep.
        LeftToSweep => "left_to_sweep",
    }
}

/// An outcome before it has the form of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub matter: Matter,
    /// The resource that it concerns; none for a whole sweep.
    pub resource: Option<ResourceId>,
    /// Distinguishes two outcomes of one resource and matter. It does not change when the same outcome is sent again, so
    /// that a receiver can drop repeats by the event's ID.
    pub occasion: String,
    /// A word from a closed set.
    pub reason: &'static str,
    /// The same in a sentence.
    pub message: String,
    /// The value of the resource's tag `owner`, if it was read.
    pub owner: Option<String>,
    /// The last day of the exemption that ends.
    pub until: Option<Date>,
    /// When the resource was first known to be unsealed.
    pub first_seen: Option<OffsetDateTime>,
    /// The correlation ID of the write that led to it.
    pub correlation_id: Option<String>,
}

/// The attributes of the context, and the data.
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a ResourceId>,
    time: String,
    datacontenttype: &'static str,
    dataschema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    reason: &'static str,
    message: &'a str,
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
}

impl Notice {
    /// A notice with nothing but what every one has.
    pub fn new(
        matter: Matter,
        resource: Option<ResourceId>,
        occasion: impl Into<String>,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            matter,
            resource,
            occasion: occasion.into(),
            reason,
            message: message.into(),
            owner: None,
            until: None,
            first_seen: None,
            correlation_id: None,
        }
    }

    /// The event's ID: what the outcome is about, so that the same outcome has the same ID on every instance and after a
    /// crash.
    fn id(&self) -> String {
        let resource = self.resource.as_ref().map(|id| id.to_string().to_lowercase()).unwrap_or_default();
        format!("{}{resource}/{}", self.matter.word(), self.occasion.to_lowercase().trim_start_matches('/'))
    }

    /// The event in JSON. `source` is the function app's resource ID, if it is known.
    ///
    /// # Errors
    /// None: every member is a text.
    pub fn to_json(
        &self,
        source: Option<&str>,
        now: OffsetDateTime,
        traceparent: Option<&str>,
    ) -> serde_json::Result<String> {
        let message = escaped(&self.message);
        serde_json::to_string(&Event {
            specversion: "1.0",
            id: self.id(),
            source: source.unwrap_or("diskseal"),
            r#type: format!("diskseal.{}", self.matter.word()),
            subject: self.resource.as_ref(),
            time: utc(now),
            datacontenttype: "application/json",
            dataschema: SCHEMA,
            traceparent,
            data: Data {
                reason: self.reason,
                message: cut(&message, MESSAGE_BYTES_MAX),
                owner: self.owner.as_deref(),
                resource_type: self.resource.as_ref().map(|id| id.resource_type().label()),
                until: self.until.map(|until| until.to_string()),
                first_seen: self.first_seen.map(utc),
                correlation_id: self.correlation_id.as_deref(),
            },
        })
    }
}

fn utc(time: OffsetDateTime) -> String {
    let time = time.checked_to_offset(UtcOffset::UTC).unwrap_or(time);
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::{date, datetime};

    use super::*;

    const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/RG/providers/Microsoft.Compute/disks/D";

    fn notice() -> Notice {
        Notice {
            owner: Some("team@example.com".to_owned()),
            until: Some(date!(2026 - 12 - 01)),
            first_seen: Some(datetime!(2026-11-27 01:00 +1)),
            correlation_id: Some("6d9b8e4f-0c53-4c5c-8f5e-5c8f6ad1d6a1".to_owned()),
            ..Notice::new(Matter::GivenUp, Some(ID.parse().unwrap()), "M-1", "locked", "it is\nlocked")
        }
    }

    fn json_of(notice: &Notice, now: OffsetDateTime) -> Value {
        serde_json::from_str(&notice.to_json(None, now, None).unwrap()).unwrap()
    }

    #[test]
    fn an_event_has_the_attributes_that_cloudevents_requires_and_a_text_on_one_line() {
        let event = json_of(&notice(), datetime!(2026-11-27 12:00 UTC));
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["type"], "diskseal.given_up");
        assert_eq!(event["source"], "diskseal");
        assert_eq!(event["time"], "2026-11-27T12:00:00Z");
        assert_eq!(
            event["data"],
            json!({
                "reason": "locked", "message": "it is\\nlocked", "owner": "team@example.com", "resourceType": "disk",
                "until": "2026-12-01", "firstSeen": "2026-11-27T00:00:00Z",
                "correlationId": "6d9b8e4f-0c53-4c5c-8f5e-5c8f6ad1d6a1",
            })
        );
    }

    #[test]
    fn the_id_is_the_same_at_another_time_and_in_another_case_and_differs_by_the_occasion() {
        let id = |notice: &Notice, now| json_of(notice, now)["id"].clone();
        let one = notice();
        let other_case = Notice { resource: Some(ID.to_lowercase().parse().unwrap()), ..notice() };
        let (now, later) = (datetime!(2026-11-27 12:00 UTC), datetime!(2026-11-28 12:00 UTC));
        assert_eq!(id(&one, now), id(&other_case, later));
        assert_ne!(id(&one, now), id(&Notice { occasion: "m-2".to_owned(), ..notice() }, now));
        assert_ne!(id(&one, now), id(&Notice { matter: Matter::Protected, ..notice() }, now));
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let long = Notice { message: "é\n".repeat(100_000), ..notice() };
        let event = long.to_json(None, datetime!(2026-11-27 12:00 UTC), None).unwrap();
        assert!(event.len() < 48 * 1024 / 2, "{}", event.len());
    }
}
