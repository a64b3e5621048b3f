//! Both schemas, and every reason to ignore an event.

use serde_json::{Value, json};
use time::macros::datetime;

use super::{Ignored, MEMBERS, OPERATIONS, ObjectId, RESOURCE_WRITE_SUCCESS, ResourceWritten, Subject};

const DISK: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/disks/disk-a";

/// Reads an event as the handler does: only the members that are read are there.
fn parse(event: &Value) -> Result<ResourceWritten, Ignored> {
    super::parse(MEMBERS.of(event.to_string().as_bytes()).unwrap())
}

fn event_grid() -> Value {
    json!({
        "subject": DISK,
        "eventType": RESOURCE_WRITE_SUCCESS,
        "eventTime": "2026-11-24T01:02:03.4567891Z",
        "id": "e1",
        "topic": "/subscriptions/11111111-2222-4333-8444-555555555555",
        "data": { "claims": {
            "name": "Jane Doe",
            "http://schemas.microsoft.com/identity/claims/objectidentifier": "0D0D0D0D-1111-4222-8333-444444444444",
        } },
        "dataVersion": "2",
        "metadataVersion": "1",
    })
}

fn cloud_event() -> Value {
    let mut event = event_grid();
    for (old, new) in [("eventType", "type"), ("eventTime", "time"), ("topic", "source")] {
        event[new] = event[old].take();
        event.as_object_mut().unwrap().remove(old);
    }
    event["specversion"] = json!("1.0");
    event["traceparent"] = json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    event
}

#[test]
fn both_schemas_give_the_same_result() {
    for event in [event_grid(), cloud_event()] {
        let written = parse(&event).unwrap();
        assert_eq!(written.subject.to_string(), DISK);
        assert_eq!(written.event_id.as_deref(), Some("e1"));
        assert_eq!(written.time, Some(datetime!(2026-11-24 01:02:03.456_789_1 UTC)));
        assert_eq!(written.caller, Some(ObjectId::new("0d0d0d0d-1111-4222-8333-444444444444")));
        assert_eq!(written.attributes.source.as_deref(), DISK.split("/resourceGroups/").next());
    }
    assert!(parse(&cloud_event()).unwrap().attributes.traceparent.is_some());
}

#[test]
fn the_resource_id_alone_is_enough() {
    for event in [
        json!({"eventType": RESOURCE_WRITE_SUCCESS, "subject": DISK}),
        json!({"eventType": "MICROSOFT.RESOURCES.RESOURCEWRITESUCCESS", "subject": DISK.to_uppercase()}),
        json!({"eventType": RESOURCE_WRITE_SUCCESS, "data": {"resourceUri": DISK}}),
        json!({"specversion": "1.0", "type": RESOURCE_WRITE_SUCCESS, "subject": DISK}),
        json!({"specversion": "1.0", "type": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated", "data": {"resourceInfo": {"id": DISK}}}),
        // A member of a wrong type counts as missing.
        json!({"eventType": RESOURCE_WRITE_SUCCESS, "subject": DISK, "id": 7, "eventTime": [], "topic": {}, "data": []}),
        json!({"eventType": RESOURCE_WRITE_SUCCESS, "subject": DISK, "eventTime": "yesterday", "data": {"claims": []}}),
    ] {
        assert_eq!(parse(&event).unwrap().subject, Subject::Resource(DISK.parse().unwrap()), "{event}");
    }
}

/// The installation's filter passes the operations that this file knows.
#[test]
fn the_installation_delivers_every_known_operation() {
    let infra: Value = serde_json::from_str(include_str!("../../infra/events.json")).unwrap();
    assert_eq!(infra["operations"], json!(OPERATIONS));
    assert_eq!(infra["eventTypes"], json!([RESOURCE_WRITE_SUCCESS]));
    for operation in OPERATIONS {
        let types = operation.strip_suffix("/write").unwrap().strip_prefix("Microsoft.Compute/").unwrap();
        let path: Vec<_> = types.split('/').map(|kind| format!("{kind}/1")).collect();
        let mut event = event_grid();
        event["subject"] = json!(DISK.replace("disks/disk-a", &path.join("/")));
        assert!(parse(&event).is_ok(), "{operation}");
    }
}

#[test]
fn a_write_of_a_machine_has_the_machine_as_its_subject() {
    for path in
        ["virtualMachines/vm", "VIRTUALMACHINESCALESETS/WEB", "virtualMachineScaleSets/web/virtualMachines/7"]
    {
        let mut event = event_grid();
        let id = DISK.replace("disks/disk-a", path);
        event["subject"] = json!(id);
        assert_eq!(parse(&event).unwrap().subject, Subject::Machine(id.parse().unwrap()), "{path}");
    }
}

#[test]
fn other_events_are_ignored_with_a_reason() {
    let change = |member: &str, value: Value| {
        let mut event = event_grid();
        event[member] = value;
        event
    };
    let of = |id: String| change("subject", json!(id));
    let of_type = |name: &str| change("eventType", json!(format!("Microsoft.{name}")));
    let version =
        |version: Value| json!({"specversion": version, "type": RESOURCE_WRITE_SUCCESS, "subject": DISK});
    for (event, reason) in [
        (json!(null), "not_an_event"),
        (json!(7), "not_an_event"),
        (json!("text"), "not_an_event"),
        (json!([]), "not_an_event"),
        (json!({}), "not_an_event"),
        (json!({"specversion": "1.0"}), "not_an_event"),
        (version(json!("0.3")), "spec_version"),
        (version(json!(1)), "spec_version"),
        (of_type("Resources.ResourceDeleteSuccess"), "event_type"),
        (of_type("Resources.ResourceWriteFailure"), "event_type"),
        (of_type("Resources.ResourceActionSuccess"), "event_type"),
        (of_type("EventGrid.SubscriptionValidationEvent"), "event_type"),
        (change("subject", json!(null)), "no_resource_id"),
        (of(String::new()), "no_resource_id"),
        (of(format!("{DISK}/providers/Microsoft.Resources/tags/default")), "not_a_disk_or_snapshot"),
        (of(DISK.replace("disks", "images")), "not_a_disk_or_snapshot"),
        (of(DISK.replace("disks", "virtualMachines/vm/extensions")), "not_a_disk_or_snapshot"),
        (of(format!("{DISK}/../../secrets")), "not_a_disk_or_snapshot"),
        (of(DISK.replace("disks/disk-a", "virtualMachines/..")), "invalid_resource_id"),
        (of(DISK.replace("disks/disk-a", "virtualMachines/v#m")), "invalid_resource_id"),
        (of(format!("{DISK}%2f..")), "invalid_resource_id"),
    ] {
        assert_eq!(parse(&event).unwrap_err().reason(), reason, "{event}");
    }
}

#[test]
fn a_callers_object_id_is_never_printed() {
    let printed = format!("{:?}", parse(&event_grid()));
    assert!(!printed.to_lowercase().contains("0d0d0d0d"), "{printed}");
    assert!(!printed.contains("Jane"), "{printed}");
}
