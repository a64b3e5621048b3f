//! The body that the host posts for an invocation: `Data` and `Metadata`, in the host's encoding.

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use super::app::Function;
use crate::queue::QueueMessage;

/// What triggers a function.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// One event of Event Grid, in either schema.
    Event(Value),
    /// The events of a function whose trigger has `"cardinality": "many"`.
    Events(Vec<Value>),
    /// A tick of a timer.
    Timer(TimerInfo),
    /// A queue's message, with its text decoded.
    QueueMessage(QueueMessage),
}

/// The schedule data of a timer function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimerInfo {
    /// Whether an occurrence was missed while no instance ran.
    pub is_past_due: bool,
    /// The last, next and last recorded occurrence; none without `useMonitor`.
    pub schedule_status: Option<ScheduleStatus>,
}

/// The occurrences of a timer's schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// The previous occurrence; none on the first run, which is written as year 1.
    pub last: Option<OffsetDateTime>,
    /// The next occurrence.
    pub next: OffsetDateTime,
}

/// The envelope of an invocation.
pub(super) fn envelope(function: &Function, trigger: &Trigger, now: OffsetDateTime) -> Value {
    let mut metadata = Map::new();
    let value = match trigger {
        Trigger::Event(event) => {
            if let Some(data) = event.get("data") {
                metadata.insert("data".to_owned(), encode(data));
            }
            encode(event)
        }
        Trigger::Events(events) => {
            let data: Value = events.iter().map(|event| event["data"].clone()).collect();
            metadata.insert("data".to_owned(), encode(&data));
            encode(&Value::Array(events.clone()))
        }
        Trigger::Timer(info) => timer(info),
        Trigger::QueueMessage(message) => {
            metadata = queue_metadata(message);
            encode(&Value::String(message.text.clone()))
        }
    };
    metadata.insert(
        "sys".to_owned(),
        json!({
            "MethodName": function.name,
            "UtcNow": crate::event_grid::ticks(now),
            "RandGuid": Uuid::new_v4().to_string(),
        }),
    );
    json!({ "Data": { function.trigger.name.as_str(): value }, "Metadata": metadata })
}

/// Objects stay objects; every other value becomes a string with JSON.
pub(super) fn encode(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { Value::String(value.to_string()) }
}

fn timer(info: &TimerInfo) -> Value {
    let status = info.schedule_status.as_ref().map(|status| {
        let last = status.last.map_or_else(|| "0001-01-01T00:00:00".to_owned(), offset);
        json!({ "Last": last, "Next": offset(status.next), "LastUpdated": last })
    });
    json!({
        "Schedule": { "AdjustForDST": true },
        "ScheduleStatus": status,
        "IsPastDue": info.is_past_due,
    })
}

/// The message's properties. If its text is a JSON object, the members of that object are added, but never
/// replace the message's own.
fn queue_metadata(message: &QueueMessage) -> Map<String, Value> {
    let mut metadata = Map::new();
    if let Ok(Value::Object(content)) = serde_json::from_str::<Value>(&message.text) {
        let copied = content.iter().filter(|(key, _)| !key.to_ascii_lowercase().ends_with("trigger"));
        metadata.extend(copied.map(|(key, value)| (key.clone(), encode(value))));
    }
    let text = |value: &str| encode(&Value::String(value.to_owned()));
    metadata.insert("DequeueCount".to_owned(), encode(&message.dequeue_count.into()));
    metadata.insert("ExpirationTime".to_owned(), offset(message.expiration_time).into());
    metadata.insert("InsertionTime".to_owned(), offset(message.insertion_time).into());
    metadata.insert("NextVisibleTime".to_owned(), offset(message.next_visible_time).into());
    metadata.insert("Id".to_owned(), text(&message.id));
    metadata.insert("PopReceipt".to_owned(), text(&message.pop_receipt));
    metadata
}

/// A time with offset, as .NET formats it.
fn offset(at: OffsetDateTime) -> String {
    at.format(&format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+00:00")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{super::app::Binding, *};

    fn function(kind: &str) -> Function {
        let trigger = Binding {
            name: "in".to_owned(),
            kind: kind.to_owned(),
            queue_name: None,
            many: false,
            binary: false,
        };
        Function { name: "f".to_owned(), trigger, outputs: Vec::new() }
    }

    const NOW: OffsetDateTime = datetime!(2026-02-01 18:38:05.1 UTC);

    #[test]
    fn an_event_is_an_object_and_its_data_comes_twice() {
        let event = json!({ "id": "1", "data": { "status": "Succeeded" } });
        let envelope = envelope(&function("eventGridTrigger"), &Trigger::Event(event.clone()), NOW);
        assert_eq!(envelope["Data"]["in"], event);
        assert_eq!(envelope["Metadata"]["data"], event["data"]);
        assert_eq!(envelope["Metadata"]["sys"]["MethodName"], "f");
        assert_eq!(envelope["Metadata"]["sys"]["UtcNow"], "2026-02-01T18:38:05.1000000Z");
    }

    #[test]
    fn many_events_are_a_string_that_holds_an_array() {
        let events = vec![json!({ "id": "1", "data": {} }), json!({ "id": "2", "data": {} })];
        let envelope = envelope(&function("eventGridTrigger"), &Trigger::Events(events), NOW);
        assert_eq!(envelope["Data"]["in"], r#"[{"id":"1","data":{}},{"id":"2","data":{}}]"#);
        assert_eq!(envelope["Metadata"]["data"], "[{},{}]");
    }

    #[test]
    fn a_queue_message_is_quoted_twice() {
        let message = QueueMessage {
            id: "800ae4b3".to_owned(),
            pop_receipt: "AgAA".to_owned(),
            text: r#"{"diskId":"/d","attempt":1,"list":[1],"x":{"y":2},"inTrigger":1,"Id":"theirs"}"#
                .to_owned(),
            dequeue_count: 1,
            insertion_time: datetime!(2026-02-01 18:38:05 UTC),
            expiration_time: datetime!(2026-02-08 18:38:05 UTC),
            next_visible_time: datetime!(2026-02-01 18:48:05 UTC),
        };
        let envelope = envelope(&function("queueTrigger"), &Trigger::QueueMessage(message.clone()), NOW);
        let decoded: String = serde_json::from_str(envelope["Data"]["in"].as_str().unwrap()).unwrap();
        assert_eq!(decoded, message.text);
        let metadata = &envelope["Metadata"];
        assert_eq!(metadata["DequeueCount"], "1");
        assert_eq!(metadata["Id"], r#""800ae4b3""#);
        assert_eq!(metadata["ExpirationTime"], "2026-02-08T18:38:05+00:00");
        assert_eq!(metadata["diskId"], r#""/d""#);
        assert_eq!(metadata["attempt"], "1");
        assert_eq!(metadata["list"], "[1]");
        assert_eq!(metadata["x"], json!({ "y": 2 }));
        assert_eq!(metadata.get("inTrigger"), None);
    }

    #[test]
    fn a_timer_is_an_object() {
        let status = ScheduleStatus { last: None, next: datetime!(2026-02-01 19:00 UTC) };
        let info = TimerInfo { is_past_due: true, schedule_status: Some(status) };
        let envelope = envelope(&function("timerTrigger"), &Trigger::Timer(info), NOW);
        assert_eq!(
            envelope["Data"]["in"],
            json!({
                "Schedule": { "AdjustForDST": true },
                "ScheduleStatus": {
                    "Last": "0001-01-01T00:00:00",
                    "Next": "2026-02-01T19:00:00+00:00",
                    "LastUpdated": "0001-01-01T00:00:00",
                },
                "IsPastDue": true,
            })
        );
    }
}
