//! Every form in which the host sends a value, and bodies that are invalid.

use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::datetime;

use super::{EVENTS_MAX, Envelope, EnvelopeError, Received, event};

const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

fn events(data: &Value) -> Result<Vec<Value>, EnvelopeError> {
    let events = Envelope::read(data.to_string().as_bytes())?.events()?;
    Ok(events.into_iter().map(Value::from).collect())
}

fn quoted(value: &Value) -> Value {
    Value::String(value.to_string())
}

#[test]
fn an_event_is_read_in_every_form() {
    let (a, b) = (json!({"id": "a"}), json!({"id": "b", "subject": "\"\\ü\u{1f512}"}));
    let both = json!([a, b]);
    for (form, expected) in [
        (a.clone(), json!([a])),
        (quoted(&a), json!([a])),
        (quoted(&quoted(&a)), json!([a])),
        (both.clone(), both.clone()),
        (quoted(&both), both.clone()),
        (quoted(&quoted(&both)), both.clone()),
        (json!([quoted(&a), quoted(&b)]), both.clone()),
        (quoted(&json!([quoted(&a), b])), both.clone()),
        (json!([]), json!([])),
    ] {
        let envelope = json!({"Data": {"event": form}, "Metadata": {"data": [1], "sys": {}}});
        assert_eq!(json!(events(&envelope).unwrap()), expected, "{form}");
    }
}

#[test]
fn the_time_of_the_trigger_is_in_the_metadata_or_unknown() {
    let triggered = |metadata: Value| {
        let body = json!({"Data": {"event": {}}, "Metadata": metadata}).to_string();
        Envelope::read(body.as_bytes()).unwrap().triggered()
    };
    let at = |time: Value| triggered(json!({"data": {"sys": 1}, "sys": {"MethodName": "f", "UtcNow": time}}));
    assert_eq!(at(json!("2026-02-01T18:38:05.1Z")), Some(datetime!(2026-02-01 18:38:05.1 UTC)));
    assert_eq!(at(json!("2026-02-01T18:38:34.9116130Z")), Some(datetime!(2026-02-01 18:38:34.911613 UTC)));
    for unknown in [json!("2026-02-01T18:38:05"), json!("soon"), json!(7), json!(null)] {
        assert_eq!(at(unknown.clone()), None, "{unknown}");
    }
    for metadata in [json!(null), json!([]), json!("text"), json!({}), json!({"sys": "text"})] {
        assert_eq!(triggered(metadata.clone()), None, "{metadata}");
    }
}

#[test]
fn metadata_is_not_looked_at() {
    for metadata in [json!(null), json!([]), json!("text"), json!({"data": {"claims": {}}})] {
        assert_eq!(events(&json!({"Data": {"event": {}}, "Metadata": metadata})).unwrap().len(), 1);
    }
    assert_eq!(events(&json!({"Data": {"event": {}}})).unwrap().len(), 1);
}

#[test]
fn what_is_no_invocation_is_told_in_one_line_that_names_the_place() {
    for (body, place) in [
        ("", "Data"),
        ("null", "Data"),
        ("[]", "Data"),
        ("{}", "Data"),
        (r#"{"data":{"event":{}}}"#, "Data"),
        (r#"{"Data":null}"#, "Data"),
        (r#"{"Data":[]}"#, "Data"),
        (r#"{"Data":{}}"#, "Data.event"),
        (r#"{"Data":{"Event":{}}}"#, "Data.event"),
        (r#"{"Data":{"event":null}}"#, "Data.event"),
        (r#"{"Data":{"event":7}}"#, "Data.event"),
        (r#"{"Data":{"event":true}}"#, "Data.event"),
        (r#"{"Data":{"event":""}}"#, "Data.event"),
        (r#"{"Data":{"event":"{"}}"#, "Data.event"),
        (r#"{"Data":{"event":"null"}}"#, "Data.event"),
        (r#"{"Data":{"event":[7]}}"#, "Data.event"),
        (r#"{"Data":{"event":[[{}]]}}"#, "Data.event"),
        (r#"{"Data":{"event":{}}"#, "Data"),
        (r#"{"Data":{"event":{}},"Data":{"event":{}}}"#, "Data"),
        ("{\"Data\":{\"event\":{}}}\u{0}", "Data"),
    ] {
        let error = Envelope::read(body.as_bytes()).and_then(Envelope::events).unwrap_err().to_string();
        assert!(error.contains(place) && !error.contains('\n'), "{body}: {error}");
    }
    for body in [
        r#""s3cret""#,
        r#"{"Data":"s3cret"}"#,
        r#"{"Data":["s3cret"]}"#,
        r#"{"Data":{"message":{"firstSeen":{"s3cret":1}}}}"#,
        r#"{"Data":{"message":{"resource":["s3cret"]}}}"#,
    ] {
        let error = Envelope::read(body.as_bytes()).and_then(Envelope::message).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{body}: {error}");
    }
    let strings = quoted(&quoted(&quoted(&json!("text"))));
    assert!(matches!(events(&json!({"Data": {"event": strings}})), Err(EnvelopeError::TooDeep(_))));
    let nested = format!(r#"{{"Data":{{"event":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(Envelope::read(nested.as_bytes()).and_then(Envelope::events).is_err());
}

#[test]
fn a_batch_has_an_end_in_every_form() {
    let batch = |count: usize| Value::from(vec![json!({}); count]);
    let forms: [fn(Value) -> Value; 3] =
        [|batch| batch, |batch| quoted(&batch), |batch| quoted(&quoted(&batch))];
    for form in forms {
        let events = |count| events(&json!({"Data": {"event": form(batch(count))}}));
        assert_eq!(events(EVENTS_MAX).unwrap().len(), EVENTS_MAX);
        let error = events(EVENTS_MAX + 1).unwrap_err();
        assert_eq!(error.to_string(), "Data.event has more than 5000 elements");
    }
    // What no function reads is not even parsed.
    let other = format!(r#"{{"Data":{{"x":[{}[]],"event":{{}}}}}}"#, "[],".repeat(100_000));
    assert_eq!(Envelope::read(other.as_bytes()).and_then(Envelope::events).unwrap().len(), 1);
}

#[test]
fn a_queue_message_is_one_of_ours_or_is_refused() {
    let message = |message: &Value| {
        let metadata = json!({"DequeueCount": "1", "Id": "\"800ae4b3\""});
        let envelope =
            json!({"Data": {"message": quoted(&quoted(message))}, "Metadata": metadata}).to_string();
        Envelope::read(envelope.as_bytes())?.message()
    };
    let good =
        json!({"resource": ID, "reason": "conflict", "firstSeen": "2026-11-24T01:02:03.4567891Z", "new": 1});
    let Received { id: message_id, pending, .. } = message(&good).unwrap();
    assert_eq!(message_id.as_deref(), Some("800ae4b3"));
    assert_eq!((pending.resource.to_string(), pending.reason.as_str()), (ID.to_owned(), "conflict"));
    assert_eq!(pending.traceparent, None);
    for (member, value) in [
        ("resource", json!("/subscriptions/x")),
        ("resource", json!(format!("{ID}/../x"))),
        ("resource", json!(null)),
        ("id", json!(ID)),
        ("firstSeen", json!("yesterday")),
        ("reason", json!(7)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(matches!(message(&bad), Err(EnvelopeError::NotPending(_))), "{bad}");
    }
}

#[test]
fn a_message_is_read_whatever_its_metadata() {
    let message = json!({"resource": ID, "reason": "conflict", "firstSeen": "2026-11-24T01:02:03Z"});
    for (metadata, count, id) in [
        (json!({"DequeueCount": "3", "Id": "\"x\"", "reason": "\"conflict\"", "sys": {}}), 3, Some("x")),
        (json!({"DequeueCount": 16}), 16, None),
        (json!({"DequeueCount": "0"}), 0, None),
        (json!({"DequeueCount": "1", "Id": format!("\"{ID}\"")}), 1, None),
        (json!({"DequeueCount": "many"}), 1, None),
        (json!({"DequeueCount": -1}), 1, None),
        (json!({"dequeueCount": "3"}), 1, None),
        (json!({"Id": 7}), 1, None),
        (json!({"Id": "plain"}), 1, Some("plain")),
        (json!({}), 1, None),
        (json!([]), 1, None),
        (json!("text"), 1, None),
        (json!(7), 1, None),
        (json!(null), 1, None),
    ] {
        for message in [message.clone(), quoted(&message)] {
            let envelope = json!({"Data": {"message": message}, "Metadata": metadata}).to_string();
            let read = Envelope::read(envelope.as_bytes()).and_then(Envelope::message).unwrap();
            assert_eq!((read.dequeue_count, read.id.as_deref()), (count, id), "{metadata}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{0,6}|Data|event", inner.clone(), 0..4)
                .prop_map(|members| members.into_iter().collect()),
            inner.prop_map(|value| quoted(&value)),
        ]
    })
}

proptest! {
    #[test]
    fn however_an_object_is_wrapped_it_comes_out_the_same(
        members in prop::collection::hash_map("id|subject|type|time|.{0,8}", any_json(), 0..5),
        strings in 0..=3,
    ) {
        let object: Value = members.into_iter().collect();
        let read = Value::from(event::MEMBERS.of(object.to_string().as_bytes()).unwrap());
        let wrapped = (0..strings).fold(object, |value, _| quoted(&value));
        prop_assert_eq!(events(&json!({"Data": {"event": wrapped}})).unwrap(), [read]);
    }

    #[test]
    fn no_json_panics_and_what_comes_out_are_objects(value in any_json()) {
        for envelope in [value.clone(), json!({"Data": value}), json!({"Data": {"event": value}})] {
            if let Ok(events) = events(&envelope) {
                prop_assert!(events.iter().all(Value::is_object));
            }
        }
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Envelope::read(&body).map(Envelope::events);
    }
}
