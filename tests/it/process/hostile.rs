//! Malicious events and envelopes: none causes a request to ARM, a panic, or a reply that would block the
//! host.

use serde_json::{Value, json};

use super::{disk, event, setup, start};
use crate::world::SUBSCRIPTION;

/// Subjects that are not one disk or snapshot.
fn subjects() -> Vec<String> {
    let good = disk("d");
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups");
    vec![
        String::new(),
        "/".into(),
        "..".into(),
        "/subscriptions".into(),
        format!("/subscriptions/{SUBSCRIPTION}"),
        format!("{group}/rg"),
        format!("{good}/"),
        format!("{good}/.."),
        format!("{good}/../../virtualMachines/vm"),
        format!("{good}/providers/Microsoft.Resources/tags/default"),
        format!("{good}/beginGetAccess"),
        format!("{good}%2f..%2fd2"),
        format!("{good}%00"),
        format!("{good}?api-version=2020-01-01"),
        format!("{good}#fragment"),
        format!("{good};d2"),
        format!("{good}@evil.example"),
        format!("{good}\r\nHost: evil.example"),
        format!("{good}\u{0}"),
        format!("{good}\u{202e}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\u{ff0f}x"),
        format!("https://evil.example{good}"),
        format!("//evil.example{good}"),
        good[1..].to_owned(),
        good.replace("disks", "virtualMachines/vm/extensions"),
        good.replace("disks", "diskEncryptionSets"),
        good.replace("disks", "disks/x/disks"),
        good.replace("Microsoft.Compute", "Microsoft.Storage"),
        good.replace("Microsoft.Compute", "Microsoft.Compute\u{200b}"),
        good.replace(SUBSCRIPTION, "not-a-guid"),
        good.replace(SUBSCRIPTION, ".."),
        good.replace(SUBSCRIPTION, &format!("{{{SUBSCRIPTION}}}")),
        good.replace(SUBSCRIPTION, &SUBSCRIPTION.replace('-', "")),
        good.replace("rg-app", "."),
        good.replace("rg-app", ".."),
        good.replace("rg-app", "rg%2e"),
        good.replace("rg-app", "rg app"),
        good.replace("rg-app", "rg."),
        good.replace("rg-app", &"g".repeat(91)),
        disk(&"d".repeat(81)),
        disk("."),
        disk(".."),
        disk("d\\e"),
        disk("d*"),
        disk("'or 1=1--"),
        disk("$(reboot)"),
        disk("{{7*7}}"),
        "a".repeat(100_000),
        "/".repeat(100_000),
    ]
}

/// Invalid events, and events that are not of a finished write.
fn events() -> Vec<Value> {
    let change = |name: &str, value: Value| {
        let mut event = event(&disk("d"));
        event[name] = value;
        event
    };
    let mut events: Vec<_> =
        subjects().into_iter().map(|subject| change("subject", json!(subject))).collect();
    events.extend([
        json!({}),
        json!({"subject": disk("d")}),
        json!({"specversion": "1.0"}),
        json!({"specversion": "2.0", "type": "Microsoft.Resources.ResourceWriteSuccess", "subject": disk("d")}),
        change("specversion", json!("1.0")),
        change("specversion", json!(null)),
        change("eventType", json!(null)),
        change("eventType", json!("")),
        change("eventType", json!(["Microsoft.Resources.ResourceWriteSuccess"])),
        change("eventType", json!("Microsoft.Resources.ResourceWriteSuccess ")),
        change("eventType", json!("Microsoft.Resources.ResourceDeleteSuccess")),
        change("eventType", json!("Microsoft.Resources.ResourceWriteFailure")),
        change("eventType", json!("Microsoft.EventGrid.SubscriptionValidationEvent")),
        change("subject", json!(null)),
        change("subject", json!({"id": disk("d")})),
        change("subject", json!([disk("d")])),
        json!({"eventType": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated", "data": {"resourceInfo": {"id": "/../"}}}),
        json!({"eventType": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated", "data": null, "subject": 1}),
    ]);
    events
}

/// Bodies that are not an invocation.
fn bodies() -> Vec<Vec<u8>> {
    let nested = |depth: usize| {
        format!(r#"{{"Data":{{"event":{}1{}}}}}"#, "[".repeat(depth), "]".repeat(depth)).into_bytes()
    };
    let mut deep = json!("text");
    for _ in 0..8 {
        deep = Value::String(deep.to_string());
    }
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "true",
        "0",
        "[]",
        "{}",
        "{",
        "}",
        "\"Data\"",
        r#"{"Data":null}"#,
        r#"{"Data":7}"#,
        r#"{"Data":"{}"}"#,
        r#"{"Data":[{"event":{}}]}"#,
        r#"{"data":{"event":{}}}"#,
        r#"{"Data":{"event":null}}"#,
        r#"{"Data":{"event":1e999}}"#,
        r#"{"Data":{"event":"not json"}}"#,
        r#"{"Data":{"event":[1,2]}}"#,
        r#"{"Data":{"event":{}}}{"Data":{"event":{}}}"#,
        r#"{"Data":{"event":{}},"Data":{}}"#,
        "<xml/>",
        "Data=event",
        "\u{feff}{\"Data\":{\"event\":{}}}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.extend([
        vec![0xff, 0xfe, 0x00],
        vec![0; 1_000],
        b"{\"Data\":{\"event\":\"\xc3\x28\"}}".to_vec(),
        nested(200),
        nested(100_000),
        json!({"Data": {"event": deep}}).to_string().into_bytes(),
    ]);
    bodies
}

#[tokio::test]
async fn hostile_events_and_envelopes_do_nothing_at_all() {
    let azure = start(setup(), &[]).await;
    let pid = azure.host.pid("seal_on_write");
    azure.emulator.insert(&disk("d"), &diskseal_emulator::disk_body("westeurope")).unwrap();

    let events = events();
    let bodies = bodies();
    assert!(events.len() + bodies.len() >= 60);
    for event in &events {
        for data in [event.clone(), Value::String(event.to_string()), json!([event])] {
            let envelope = json!({"Data": {"event": data}, "Metadata": {}}).to_string();
            let reply = azure.host.invoke_raw("seal_on_write", envelope).await.unwrap();
            assert_eq!(reply.status, 200, "redelivery cannot mend {event}");
            assert_eq!(reply.content_type.as_deref(), Some("application/json"));
            let reply: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(reply["Outputs"], json!({}), "{event}");
        }
    }
    for body in &bodies {
        for path in ["seal_on_write", "seal_queued", "sweep"] {
            let reply = azure.host.invoke_raw(path, body.clone()).await.unwrap();
            assert_eq!(reply.status, 400, "{path}: {}", String::from_utf8_lossy(body));
            assert!(!reply.body.is_empty());
        }
    }
    for subject in subjects() {
        let message = json!({"resource": subject, "reason": "x", "firstSeen": "2026-11-24T01:02:03Z"});
        let envelope = json!({"Data": {"message": message.to_string()}}).to_string();
        assert_eq!(azure.host.invoke_raw("seal_queued", envelope).await.unwrap().status, 400, "{subject}");
    }

    let to_arm: Vec<_> = azure
        .emulator
        .journal()
        .into_iter()
        .filter(|exchange| exchange.kind != diskseal_emulator::fault::Kind::Token)
        .collect();
    assert!(to_arm.is_empty(), "{to_arm:?}");
    assert_eq!(azure.host.pid("seal_on_write"), pid, "the same process all along");
    let lines = azure.host.console();
    assert!(!lines.iter().any(|line| line.text.contains("panicked")), "{lines:?}");
}

#[tokio::test]
async fn a_message_of_the_queue_passes_no_rule_that_an_event_does_not_pass() {
    let here = [
        ("DISKSEAL_SUBSCRIPTIONS", crate::world::SUBSCRIPTION),
        ("DISKSEAL_EXEMPT_NAMES", "tmp-*"),
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-keep"),
        ("DISKSEAL_EXEMPT_TAG", "keep"),
    ];
    let azure = start(setup(), &here).await;
    let outside = disk("d").replace("11111111-", "22222222-");
    let ids = [outside, disk("tmp-1"), disk("d").replace("rg-app", "rg-keep"), disk("tagged")];
    for id in &ids {
        let mut body = diskseal_emulator::disk_body("westeurope");
        body["tags"] = json!({"keep": "until=2999-12-31; INC-1"});
        azure.emulator.insert(id, &body).unwrap();
        for more in [json!({}), json!({"reason": "sweep"}), json!({"reason": "machine", "ofMachine": true})] {
            let mut message =
                json!({"resource": id, "reason": "conflict", "firstSeen": "1900-01-01T00:00:00Z"});
            message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let envelope =
                json!({"Data": {"message": message}, "Metadata": {"DequeueCount": "1"}}).to_string();
            let reply = azure.host.invoke_raw("seal_queued", envelope).await.unwrap();
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(reply.status == 200 && text.contains("exempt "), "{id}: {text}");
        }
    }
    let journal = azure.emulator.journal();
    assert!(journal.iter().all(|exchange| exchange.method == "GET"), "{journal:?}");
}
