//! Correct and faulty event subscriptions.

use serde_json::json;

use super::*;
use crate::doctor::Verdict;

const CLIENT: &str = "0a1b2c3d-0000-4000-8000-00000000cafe";
const APP: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/func";

fn expected(machine_events: MachineEvents, client_id: Option<&str>) -> Expected<'_> {
    Expected { function_app: None, client_id, machine_events, grants: Grants::Off }
}

fn filter(operator: &str, key: &str, values: &[&str]) -> Value {
    json!({"operatorType": operator, "key": key, "values": values})
}

/// The filter that drops the handler's own writes.
fn of_apps(values: &[&str]) -> Value {
    filter("StringNotIn", "data.claims.appid", values)
}

/// The findings about a correct event subscription with one member of its properties changed.
fn changed(pointer: &str, value: Value) -> Vec<(Verdict, String)> {
    let routes = route("s", expected(MachineEvents::On, Some(CLIENT)), &[subscription(pointer, value)]);
    routes.into_iter().flat_map(|route| route.findings).map(|one| (one.verdict, one.text)).collect()
}

fn subscription(pointer: &str, value: Value) -> Value {
    let mut subscription = json!({"name": "writes", "properties": {
        "provisioningState": "Succeeded",
        "destination": {"endpointType": "AzureFunction",
            "properties": {"resourceId": format!("{APP}/functions/seal_on_write")}},
        "eventDeliverySchema": "EventGridSchema",
        "expirationTimeUtc": null,
        "filter": {"subjectBeginsWith": "", "subjectEndsWith": "", "includedEventTypes": [RESOURCE_WRITE_SUCCESS],
            "advancedFilters": [filter("StringIn", "data.operationName", &OPERATIONS), of_apps(&[CLIENT])]},
        "deadLetterDestination": {"endpointType": "StorageBlob",
            "properties": {"resourceId": "/subscriptions/s/x", "blobContainerName": "dead"}},
    }});
    if !pointer.is_empty() {
        *subscription["properties"].pointer_mut(pointer).unwrap() = value;
    }
    subscription
}

#[test]
fn writes_of_machines_must_be_delivered_if_the_setting_is_on() {
    let values = json!([filter("StringIn", "data.operationName", &OPERATIONS[..2]), of_apps(&[CLIENT])]);
    let subscription = subscription("/filter/advancedFilters", values);
    let found = |machine_events| {
        let expected = expected(machine_events, Some(CLIENT));
        let mut routes = route("s", expected, std::slice::from_ref(&subscription));
        routes.remove(0).findings
    };
    let [wrong] = &found(MachineEvents::On)[..] else { panic!("one finding") };
    assert_eq!(wrong.verdict, Verdict::Failed);
    assert!(wrong.text.ends_with(&format!("excludes {}", OPERATIONS[2..].join(", "))), "{wrong:?}");
    assert!(wrong.remedy.as_ref().unwrap().ends_with("or set DISKSEAL_MACHINE_EVENTS=off"), "{wrong:?}");
    let [right] = &found(MachineEvents::Off)[..] else { panic!("one finding") };
    assert_eq!(right.verdict, Verdict::Ok);
    assert!(right.text.starts_with("writes of disks and snapshots go to"), "{right:?}");
}

#[test]
fn grants_of_access_must_be_delivered_if_the_setting_is_on() {
    let all = [&OPERATIONS[..], &GRANTS[..]].concat();
    let types = [RESOURCE_WRITE_SUCCESS, RESOURCE_ACTION_SUCCESS];
    let found = |types: &[&str], operations: &[&str], grants| {
        let mut subscription = subscription("/filter/includedEventTypes", json!(types));
        subscription["properties"]["filter"]["advancedFilters"] =
            json!([filter("StringIn", "data.operationName", operations), of_apps(&[CLIENT])]);
        let expected = Expected { grants, ..expected(MachineEvents::On, Some(CLIENT)) };
        let findings = route("s", expected, std::slice::from_ref(&subscription)).remove(0).findings;
        findings.into_iter().map(|one| format!("{}; {}", one.text, one.remedy.unwrap_or_default())).collect()
    };
    let texts: Vec<String> = found(&types, &all, Grants::On);
    assert_eq!(texts.len(), 1);
    assert!(texts[0].starts_with("writes of disks, snapshots and machines, and grants of access, go to"));
    let texts: Vec<String> = found(&types[..1], &OPERATIONS, Grants::Off);
    assert!(texts.len() == 1 && texts[0].starts_with("writes of"), "{texts:?}");
    let texts: Vec<String> = found(&types[..1], &all, Grants::On);
    assert!(
        texts.len() == 1 && texts[0].contains("does not deliver Microsoft.Resources.ResourceActionSuccess")
    );
    let texts: Vec<String> = found(&types, &OPERATIONS, Grants::On);
    assert!(texts.len() == 1 && texts[0].contains(&format!("excludes {}", GRANTS.join(", "))), "{texts:?}");
    assert!(texts[0].ends_with("or set DISKSEAL_GRANTS=off"), "{texts:?}");
}

#[test]
fn each_fault_is_found() {
    use Verdict::{Failed, Ok, Warning};
    let by_name = |values: &[&str]| filter("StringIn", "data.operationName", values);
    let of_compute = filter("StringBeginsWith", "Data.OperationName", &["microsoft.compute/"]);
    let and = |other: Value| json!([by_name(&OPERATIONS), other]);
    let function = |id: String| ("/destination/properties/resourceId", json!(id));
    let filters = |value: Value| ("/filter/advancedFilters", value);
    for ((pointer, value), verdict, part) in [
        (("", json!(null)), Ok, "writes of disks, snapshots and machines go to seal_on_write of func"),
        (("/filter/includedEventTypes", json!(null)), Ok, "go to"),
        (("/filter/includedEventTypes", json!(["Microsoft.x"])), Failed, "does not deliver"),
        (filters(json!([by_name(&OPERATIONS[..1])])), Failed, "excludes Microsoft.Compute/snapshots/write"),
        (filters(json!([of_compute])), Ok, "go to"),
        (filters(and(of_apps(&[CLIENT]))), Ok, "go to"),
        (filters(and(filter("StringIn", "data.status", &["Failed"]))), Failed, "data.status excludes"),
        (
            filters(and(filter("StringIn", "data.claims.name", &["Jane"]))),
            Warning,
            "name cannot be evaluated",
        ),
        (filters(json!(null)), Warning, "every write in the subscription"),
        (("/filter/subjectBeginsWith", json!("/subscriptions/s/x")), Warning, "only some resources"),
        (("/deadLetterDestination", json!(null)), Warning, "no dead-letter container"),
        (("/eventDeliverySchema", json!("CustomInputSchema")), Failed, "CustomInputSchema"),
        (("/expirationTimeUtc", json!("2027-01-01T00:00:00Z")), Warning, "expires at 2027"),
        (("/provisioningState", json!("Failed")), Failed, "provisioning state is Failed"),
        (("/destination/endpointType", json!("WebHook")), Failed, "delivers to a function seal_on_write"),
        (function(format!("{APP}/functions/other")), Failed, "delivers to a function seal_on_write"),
    ] {
        let found = changed(pointer, value.clone());
        let worst = found.iter().map(|(verdict, _)| *verdict).max();
        assert_eq!(worst, Some(verdict), "{pointer} {value}: {found:?}");
        assert!(found.iter().any(|(_, text)| text.contains(part)), "{pointer} {value}: {found:?}");
    }
}

#[test]
fn a_filter_may_drop_the_handlers_own_writes_and_nobody_elses() {
    use Verdict::{Ok, Warning};
    const OTHER: &str = "ffffffff-0000-4000-8000-00000000beef";
    let upper = CLIENT.to_ascii_uppercase();
    let wrong = "not the handler's identity";
    for (values, client_id, verdict, part) in [
        (Some(of_apps(&[CLIENT])), Some(CLIENT), Ok, None),
        (Some(of_apps(&[&upper])), Some(CLIENT), Ok, None),
        (None, Some(CLIENT), Ok, Some(("the handler's own writes too", CLIENT))),
        (None, None, Ok, Some(("the handler's own writes too", "CLIENT_ID"))),
        (Some(of_apps(&[])), Some(CLIENT), Ok, Some(("the handler's own writes too", CLIENT))),
        (Some(of_apps(&[OTHER])), Some(CLIENT), Warning, Some((wrong, CLIENT))),
        (Some(of_apps(&[CLIENT, OTHER])), Some(CLIENT), Warning, Some((wrong, CLIENT))),
        (Some(of_apps(&[CLIENT])), None, Warning, Some(("is unknown", "client ID of the app's identity"))),
    ] {
        let mut filters = vec![filter("StringIn", "data.operationName", &OPERATIONS)];
        filters.extend(values);
        let subscription = subscription("/filter/advancedFilters", json!(filters));
        let mut routes = route("s", expected(MachineEvents::On, client_id), &[subscription]);
        let found = routes.remove(0).findings;
        assert_eq!(found.iter().map(|one| one.verdict).max(), Some(verdict), "{filters:?}: {found:?}");
        // The first finding says that events are delivered.
        let about = found.get(1).map(|one| (one.text.as_str(), one.remedy.as_deref().unwrap_or_default()));
        match (about, part) {
            (None, None) => {}
            (Some((text, remedy)), Some((wanted, remedied))) => {
                assert!(text.contains(wanted) && remedy.ends_with(remedied), "{text} → {remedy}");
            }
            _ => panic!("{filters:?}: {found:?}"),
        }
    }
}

#[test]
fn only_the_subscriptions_own_system_topic_counts() {
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
fn only_event_subscriptions_on_the_subscription_itself_are_its_own() {
    let one = |id: &str, topic: &str| {
        let id = id.replace("GRID", "providers/Microsoft.EventGrid");
        json!({"id": format!("/subscriptions/s/{id}"), "properties": {"topic": format!("/Subscriptions/{topic}")}})
    };
    for (subscription, found) in [
        (one("GRID/eventSubscriptions/e", "S/"), true),
        (one("resourceGroups/g/GRID/eventSubscriptions/e", "s/resourceGroups/g"), false),
        (one("x", "other"), false),
        (one("resourceGroups/g/GRID/systemTopics/t/eventSubscriptions/e", "s"), false),
        (json!("nonsense"), false),
    ] {
        assert_eq!(own("s", vec![subscription.clone()]).len(), usize::from(found), "{subscription}");
    }
}
