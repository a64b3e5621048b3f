//! The values are those of the recordings of the host's code.

use serde_json::json;
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
    Function { name: "f".to_owned(), trigger, outputs: Vec::new(), monitored: true }
}

const NOW: OffsetDateTime = datetime!(2026-02-01 18:38:05.1 UTC);

fn sent(kind: &str, trigger: Trigger) -> Value {
    let function = function(kind);
    let input = Input::read(trigger, &function, EventDates::Rewritten, NOW).unwrap();
    serde_json::from_str(&envelope(&function, &input, NOW)).unwrap()
}

fn message(text: &str) -> Trigger {
    Trigger::QueueMessage(QueueMessage {
        id: "800ae4b3".to_owned(),
        pop_receipt: "AgAA".to_owned(),
        text: text.to_owned(),
        dequeue_count: 3,
        insertion_time: datetime!(2026-02-01 18:38:05.5 UTC),
        expiration_time: datetime!(2026-02-08 18:38:05 UTC),
        next_visible_time: datetime!(2026-02-01 18:48:05 UTC),
    })
}

#[test]
fn an_event_is_an_object_and_its_data_comes_twice() {
    let event = json!({ "id": "1", "data": { "at": "2026-02-01T18:38:04.500Z" } });
    let envelope = sent("eventGridTrigger", Trigger::Event(event));
    let data = json!({ "at": "2026-02-01T18:38:04.5Z" });
    assert_eq!(envelope["Data"]["in"], json!({ "id": "1", "data": data }));
    assert_eq!(envelope["Metadata"]["data"], data);
    assert_eq!(envelope["Metadata"]["sys"]["MethodName"], "f");
    assert_eq!(envelope["Metadata"]["sys"]["UtcNow"], "2026-02-01T18:38:05.1Z");
    for (data, expected) in [(json!(null), "null"), (json!("t"), "\"t\""), (json!([1]), "[1]")] {
        let envelope = sent("eventGridTrigger", Trigger::Event(json!({ "data": data })));
        assert_eq!(envelope["Metadata"]["data"], expected);
    }
}

#[test]
fn a_newer_extension_leaves_dates_alone() {
    let event = json!({ "time": "2026-02-01T18:38:04.500Z" });
    let function = function("eventGridTrigger");
    let input = Input::read(Trigger::Event(event.clone()), &function, EventDates::Kept, NOW).unwrap();
    let envelope: Value = serde_json::from_str(&envelope(&function, &input, NOW)).unwrap();
    assert_eq!(envelope["Data"]["in"], event);
}

#[test]
fn many_events_are_a_text_that_holds_an_array() {
    let events = vec![json!({ "id": "1", "data": {} }), json!({ "id": "2", "data": {} })];
    let envelope = sent("eventGridTrigger", Trigger::Events(events));
    assert_eq!(envelope["Data"]["in"], r#"[{"id":"1","data":{}},{"id":"2","data":{}}]"#);
    assert_eq!(envelope["Metadata"]["data"], "[{},{}]");
}

#[test]
fn a_queue_message_is_quoted_twice_and_its_members_are_copied() {
    let text = r#"{"diskId":"/d","attempt":1,"t":true,"list":[1],"n":null,"x":{"y":2},"inTrigger":1,
        "at":"2026-11-24T01:02:03.5Z"}"#;
    let envelope = sent("queueTrigger", message(text));
    let decoded: String = serde_json::from_str(envelope["Data"]["in"].as_str().unwrap()).unwrap();
    assert_eq!(decoded, text);
    let mut metadata = envelope["Metadata"].clone();
    metadata.as_object_mut().unwrap().remove("sys");
    assert_eq!(
        metadata,
        json!({
            "DequeueCount": "3",
            "ExpirationTime": "2026-02-08T18:38:05+00:00",
            "Id": "\"800ae4b3\"",
            "InsertionTime": "2026-02-01T18:38:05+00:00",
            "NextVisibleTime": "2026-02-01T18:48:05+00:00",
            "PopReceipt": "\"AgAA\"",
            "diskId": "\"/d\"",
            "attempt": "\"1\"",
            "t": "\"True\"",
            "x": { "y": 2 },
            "at": "\"11/24/2026 01:02:03\"",
        })
    );
}

#[test]
fn members_of_a_message_take_the_place_of_the_host_s_values_in_any_case() {
    let envelope =
        sent("queueTrigger", message(r#"{"id":"theirs","DEQUEUECOUNT":7,"sys":"x","popReceipt":null}"#));
    let metadata = &envelope["Metadata"];
    assert_eq!(metadata["Id"], "\"theirs\"");
    assert_eq!(metadata["DequeueCount"], "\"7\"");
    assert_eq!(metadata["sys"], "\"x\"");
    assert_eq!(metadata["PopReceipt"], "\"AgAA\"");
    assert_eq!(metadata.as_object().unwrap().len(), 7);
}

#[test]
fn a_timer_is_an_object() {
    let status = ScheduleStatus { last: None, next: datetime!(2026-02-01 19:00 UTC) };
    let tick = |status| TimerInfo { is_past_due: true, schedule_status: status };
    let envelope = sent("timerTrigger", Trigger::Timer(tick(Some(status))));
    let last = "0001-01-01T00:00:00+00:00";
    assert_eq!(
        envelope["Data"]["in"],
        json!({
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": { "Last": last, "Next": "2026-02-01T19:00:00+00:00", "LastUpdated": last },
            "IsPastDue": true,
        })
    );
    let status = ScheduleStatus { last: Some(datetime!(2026-02-01 18:00:00.0031131 UTC)), ..status };
    let envelope = sent("timerTrigger", Trigger::Timer(tick(Some(status))));
    assert_eq!(envelope["Data"]["in"]["ScheduleStatus"]["Last"], "2026-02-01T18:00:00.0031131+00:00");
    let envelope = sent("timerTrigger", Trigger::Timer(tick(None)));
    assert_eq!(envelope["Data"]["in"]["ScheduleStatus"], json!(null));
}

#[test]
fn a_call_by_hand_has_its_input_twice_and_no_receipt() {
    let envelope = sent("queueTrigger", Trigger::ByHand(r#"{"a":1}"#.to_owned()));
    let metadata = &envelope["Metadata"];
    assert_eq!(envelope["Data"]["in"], metadata["in"]);
    assert_eq!((&metadata["DequeueCount"], &metadata["a"]), (&json!("0"), &json!("\"1\"")));
    assert_eq!(metadata["ExpirationTime"], "9999-12-31T23:59:59+00:00");
    assert_eq!(metadata.get("PopReceipt"), None);
    let function = function("eventGridTrigger");
    for bad in ["", "[1]", "x"] {
        assert!(
            Input::read(Trigger::ByHand(bad.to_owned()), &function, EventDates::Rewritten, NOW).is_err(),
            "{bad}"
        );
    }
}
