//! The network settings of the seal, with the real binary: from the event to the seal, in the report, and back.

use diskseal_emulator::{Protection, disk_body, fault::Kind, snapshot_body};
use serde_json::{Value, json};

use super::{commands::command, disk, is_sealed, setup, snapshot, start};
use crate::world::jane;

const EXEMPT: [&str; 2] = ["--exempt-tag", "diskseal-exempt"];

#[tokio::test]
async fn an_event_seals_the_network_too_the_report_shows_it_and_unseal_restores_it() {
    let settings = [("DISKSEAL_NETWORK", "deny-all"), ("DISKSEAL_EXEMPT_TAG", EXEMPT[1])];
    let azure = start(setup(), &settings).await;
    let ids = [disk("d"), snapshot("s")];
    azure.emulator.put(&ids[0], &jane(), &disk_body("westeurope")).unwrap();
    azure.emulator.put(&ids[1], &jane(), &snapshot_body("westeurope", &ids[0])).unwrap();
    azure.event_grid.idle().await;
    let of_network = |id: &str| {
        let properties = azure.emulator.get(id).unwrap()["properties"].clone();
        [properties["networkAccessPolicy"].clone(), properties["publicNetworkAccess"].clone()]
    };
    for id in &ids {
        assert!(is_sealed(&azure, id));
        assert_eq!(of_network(id), ["DenyAll", "Disabled"]);
        let kinds: Vec<_> = azure.emulator.requests_for(id).iter().map(|exchange| exchange.kind).collect();
        assert_eq!(kinds, [Kind::Get, Kind::TagsWrite, Kind::Get, Kind::Patch, Kind::TagsWrite]);
    }

    // One that was sealed before the setting was.
    let earlier = disk("earlier");
    let mut body = disk_body("westeurope");
    body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
    body["tags"] =
        json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-11-24T01:02:03Z"});
    azure.emulator.insert(&earlier, &body).unwrap();
    let report = ["report", "--all", "--output", "json", "--network", "deny-all"];
    let (code, out, _) = command(&azure.serving, &report, "").await;
    let json: Value = serde_json::from_str(&out).unwrap();
    let open = &json["exceptions"][0];
    assert_eq!(
        (code, open["id"].as_str(), &open["reason"]),
        (Some(1), Some(&*earlier), &json!("network_access"))
    );
    let missing = json!({
        "dataAccessAuthMode": false,
        "networkAccess": {"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"},
        "tags": [],
    });
    assert_eq!(open["missing"], missing);
    let resources = json["resources"].as_array().unwrap();
    let checked =
        |verdict: &str| resources.iter().filter(|one| one["checks"]["networkAccess"] == verdict).count();
    assert_eq!((checked("pass"), checked("fail"), &json["totals"]["unsealed"]), (2, 1, &json!(1)));

    // The sweep finds it, and the queue seals it.
    let (_, out, _) =
        command(&azure.serving, &["sweep", "--dry-run", "-v", "--network", "deny-all"], "").await;
    let writes: Vec<_> = out.lines().filter(|line| line.starts_with("  PATCH ")).collect();
    assert!(
        writes.len() == 2 && writes[0].contains("/tags/default") && !writes[1].contains("/tags/"),
        "{out}"
    );
    assert!(azure.host.fire_timer("sweep").await.unwrap().succeeded());
    azure.host.queues_drained().await;
    assert_eq!(of_network(&earlier), ["DenyAll", "Disabled"]);
    let sealed = format!("network_sealed {earlier}: it had the auth mode already");
    assert!(azure.host.invocations().iter().flat_map(|one| &one.logs).any(|line| *line == sealed));

    let unseal = ["unseal", EXEMPT[0], EXEMPT[1], "--until", "2999-12-31", "--reason", "a restore", "--yes"];
    for id in [&ids[0], &ids[1], &earlier] {
        let (code, out, err) = command(&azure.serving, &[&unseal[..], &[id]].concat(), "").await;
        assert_eq!((code, out), (Some(0), format!("{}\n", super::line_of("unsealed", id))), "{err}");
        assert_eq!(of_network(id), ["AllowAll", "Enabled"]);
        let resource = azure.emulator.get(id).unwrap();
        assert_eq!(resource["properties"]["dataAccessAuthMode"], "None");
        assert_eq!(resource["tags"].as_object().unwrap().len(), 1, "the exemption alone");
    }
}

#[tokio::test]
async fn a_protected_disk_is_sealed_by_its_network_alone_and_the_report_says_so() {
    const VAULT: &str = "/subscriptions/22222222-3333-4444-8555-666666666666/resourceGroups/rg-vault/providers/Microsoft.RecoveryServices/vaults/v";
    let azure = start(setup(), &[("DISKSEAL_BACKUP_GUARD", "network")]).await;
    let id = disk("protected");
    azure.emulator.protect(&id, VAULT, Protection::DiskBackup);
    azure.emulator.put(&id, &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    let properties = azure.emulator.get(&id).unwrap()["properties"].clone();
    assert_eq!(properties["publicNetworkAccess"], "Disabled");
    assert!(properties["dataAccessAuthMode"].is_null());
    let logs: Vec<_> = azure.host.invocations().into_iter().flat_map(|one| one.logs).collect();
    let is_said = |line: &String| line.starts_with(&format!("network_sealed {id}: {VAULT} protects it"));
    assert!(logs.iter().any(is_said), "{logs:?}");
    let arguments = ["report", "--output", "json", "--backup-guard", "network"];
    let (code, out, _) = command(&azure.serving, &arguments, "").await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["exceptions"][0]["reason"]), (Some(1), &json!("network_only")));
    let (code, out, _) =
        command(&azure.serving, &["policy", "check", "--backup-guard", "network", &id], "").await;
    assert_eq!(code, Some(1));
    assert!(out.contains("  protected  network_only  ") && out.contains("network settings alone"), "{out}");
}
