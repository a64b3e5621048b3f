//! Event subscriptions, right and wrong.

use serde_json::json;

use super::*;
use crate::doctor::Verdict;

const APP: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/func";

/// One that is right, with one member of its properties changed (a path with dots).
fn changed(pointer: &str, value: Value) -> Vec<(Verdict, String)> {
    let routes = route("s", None, MachineEvents::On, &[subscription(pointer, value)]);
    routes.into_iter().flat_map(|route| route.findings).map(|one| (one.verdict, one.text)).collect()
}

fn subscription(pointer: &str, value: Value) -> Value {
    let mut subscription = json!({"name": "writes", "properties": {
        "provisioningState": "Succeeded",
        "destination": {"endpointType": "AzureFunction",
            "properties": {"resourceId": format!("{APP}/functions/seal-on-write")}},
        "eventDeliverySchema": "EventGridSchema",
        "expirationTimeUtc": null,
        "filter": {"subjectBeginsWith": "", "subjectEndsWith": "", "includedEventTypes": [RESOURCE_WRITE_SUCCESS],
            "advancedFilters": [{"operatorType": "StringIn", "key": "data.operationName", "values": OPERATIONS}]},
        "deadLetterDestination": {"endpointType": "StorageBlob",
            "properties": {"resourceId": "/subscriptions/s/x", "blobContainerName": "dead"}},
    }});
    if !pointer.is_empty() {
        *subscription["properties"].pointer_mut(pointer).unwrap() = value;
    }
    subscription
}

#[test]
fn writes_of_machines_must_come_where_they_are_wanted() {
    let values =
        json!([{"operatorType": "StringIn", "key": "data.operationName", "values": OPERATIONS[..2]}]);
    let subscription = subscription("/filter/advancedFilters", values);
    let told = |machine_events| {
        let mut routes = route("s", None, machine_events, std::slice::from_ref(&subscription));
        routes.remove(0).findings
    };
    let [wrong] = &told(MachineEvents::On)[..] else { panic!("one finding") };
    assert_eq!(wrong.verdict, Verdict::Failed);
    assert!(wrong.text.ends_with(&format!("leaves out {}", OPERATIONS[2..].join(", "))), "{wrong:?}");
    assert!(wrong.remedy.as_ref().unwrap().ends_with("or set DISKSEAL_MACHINE_EVENTS=off"), "{wrong:?}");
    let [right] = &told(MachineEvents::Off)[..] else { panic!("one finding") };
    assert_eq!(right.verdict, Verdict::Ok);
    assert!(right.text.starts_with("writes of disks and snapshots go to"), "{right:?}");
}

#[test]
fn each_fault_is_told() {
    let filters = "/filter/advancedFilters";
    let filter = |operator: &str, key: &str, values: &[&str]| json!({"operatorType": operator, "key": key, "values": values});
    let operations = filter("StringIn", "data.operationName", &OPERATIONS);
    for (pointer, value, verdict, part) in [
        ("", json!(null), Verdict::Ok, "writes of disks, snapshots and machines go to seal-on-write of func"),
        ("/filter/includedEventTypes", json!(null), Verdict::Ok, "go to"),
        (
            "/filter/includedEventTypes",
            json!(["Microsoft.Resources.ResourceDeleteSuccess"]),
            Verdict::Failed,
            "does not deliver",
        ),
        (
            filters,
            json!([filter("StringIn", "data.operationName", &OPERATIONS[..1])]),
            Verdict::Failed,
            "leaves out Microsoft.Compute/snapshots/write",
        ),
        (
            filters,
            json!([filter("StringBeginsWith", "Data.OperationName", &["microsoft.compute/"])]),
            Verdict::Ok,
            "go to",
        ),
        (
            filters,
            json!([operations, filter("StringNotIn", "data.claims.appid", &["x"])]),
            Verdict::Ok,
            "go to",
        ),
        (
            filters,
            json!([operations, filter("StringIn", "data.status", &["Failed"])]),
            Verdict::Failed,
            "data.status leaves out",
        ),
        (
            filters,
            json!([operations, filter("StringIn", "data.claims.name", &["Jane"])]),
            Verdict::Warning,
            "data.claims.name is not one",
        ),
        (filters, json!(null), Verdict::Warning, "every write in the subscription"),
        (
            "/filter/subjectBeginsWith",
            json!("/subscriptions/s/resourceGroups/one"),
            Verdict::Warning,
            "only some subjects",
        ),
        ("/deadLetterDestination", json!(null), Verdict::Warning, "no dead-letter container"),
        ("/eventDeliverySchema", json!("CustomInputSchema"), Verdict::Failed, "CustomInputSchema"),
        ("/expirationTimeUtc", json!("2027-01-01T00:00:00Z"), Verdict::Warning, "until 2027"),
        ("/provisioningState", json!("Failed"), Verdict::Failed, "provisioning state is Failed"),
        (
            "/destination/endpointType",
            json!("WebHook"),
            Verdict::Failed,
            "points at a function seal-on-write",
        ),
        (
            "/destination/properties/resourceId",
            json!(format!("{APP}/functions/other")),
            Verdict::Failed,
            "points at a function seal-on-write",
        ),
    ] {
        let told = changed(pointer, value.clone());
        assert_eq!(
            told.iter().map(|(verdict, _)| *verdict).max(),
            Some(verdict),
            "{pointer} {value}: {told:?}"
        );
        assert!(told.iter().any(|(_, text)| text.contains(part)), "{pointer} {value}: {told:?}");
    }
}

#[test]
fn only_the_subscriptions_own_topic_counts() {
    let topic = |source: &str, topic_type: &str| json!({"id": "t", "properties": {"source": source, "topicType": topic_type}});
    for (topic, found) in [
        (topic("/Subscriptions/S/", "microsoft.resources.subscriptions"), true),
        (topic("/subscriptions/other", TOPIC_TYPE), false),
        (topic("/subscriptions/s", "Microsoft.Storage.StorageAccounts"), false),
        (json!("nonsense"), false),
    ] {
        assert_eq!(topic_of("s", std::slice::from_ref(&topic)).is_some(), found, "{topic}");
    }
}

#[test]
fn only_what_is_on_the_whole_subscription_is_its_own() {
    let one = |id: &str, topic: &str| json!({"id": id, "properties": {"topic": topic}});
    let mine =
        one("/subscriptions/s/providers/Microsoft.EventGrid/eventSubscriptions/e", "/Subscriptions/S/");
    for (subscription, found) in [
        (mine, true),
        (
            one(
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/eventSubscriptions/e",
                "/subscriptions/s/resourceGroups/g",
            ),
            false,
        ),
        (one("/subscriptions/s/x", "/subscriptions/other"), false),
        (
            one(
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/systemTopics/t/eventSubscriptions/e",
                "/subscriptions/s",
            ),
            false,
        ),
        (json!("nonsense"), false),
    ] {
        assert_eq!(own("s", vec![subscription.clone()]).len(), usize::from(found), "{subscription}");
    }
}
