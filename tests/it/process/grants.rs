//! Grants of access and their revocation, with the real binary and its telemetry.

use diskseal_emulator::{disk_body, snapshot_body};
use serde_json::json;

use super::{disk, end_all, is_sealed, setup, snapshot, start};
use crate::{grants::delivery, world::jane};

#[tokio::test]
async fn a_grant_leads_to_the_seal_is_counted_and_its_url_is_revoked() {
    let mut setup = setup();
    let speed = setup.event_grid.speed;
    setup.event_grid = delivery();
    setup.event_grid.speed = speed;
    let azure = start(setup, &[("DISKSEAL_GRANTS", "on"), ("DISKSEAL_REVOKE", "on")]).await;
    let ids = [disk("d"), snapshot("s")];
    azure.emulator.insert(&ids[0], &disk_body("westeurope")).unwrap();
    azure.emulator.insert(&ids[1], &snapshot_body("westeurope", &ids[0])).unwrap();
    for id in &ids {
        azure.emulator.access(id, &jane(), true).unwrap();
    }
    azure.event_grid.idle().await;
    for id in &ids {
        assert!(is_sealed(&azure, id));
        assert_eq!(azure.emulator.get(id).unwrap()["properties"]["diskState"], "Unattached");
        let logs = azure.host.invocations().into_iter().flat_map(|one| one.logs);
        let granted = format!("access_granted {id}; correlation ID ");
        assert_eq!(logs.filter(|line| line.starts_with(&granted)).count(), 1, "{id}");
    }
    let record = azure
        .collector
        .wait_for_log(|record| record.attributes.get("diskseal.outcome") == Some(&json!("access_granted")))
        .await;
    assert!(record.attributes["diskseal.correlation_id"].as_str().is_some_and(|id| id.len() == 36));
    end_all(&azure).await;
    let counted = |name: &str, attribute: &str, value: &str| {
        let points = azure.collector.metrics();
        points
            .iter()
            .any(|point| point.name == name && point.attributes.get(attribute) == Some(&json!(value)))
    };
    assert!(counted("diskseal.events.received", "diskseal.event.kind", "grant"));
    assert!(counted("diskseal.revocations", "diskseal.resource.type", "disk"));
    assert!(counted("diskseal.revocations", "diskseal.resource.type", "snapshot"));
    let spans = azure.collector.spans();
    let looks: Vec<_> = spans.iter().filter(|span| span.name == "enforce").collect();
    assert!(looks.len() == 2 && looks.iter().all(|span| span.attributes["diskseal.revoked"] == true));
    assert!(looks.iter().all(|span| span.attributes.contains_key("diskseal.correlation_id")));
    let all = format!("{spans:?}{:?}", azure.collector.logs());
    assert!(!all.contains("Jane Doe") && !all.contains("203.0.113.7"));
}
