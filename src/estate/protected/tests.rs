//! What a row of Resource Graph adds to the protected resources or to the doubts.

use serde_json::json;

use super::*;

const SUB: &str = "/subscriptions/11111111-2222-4333-8444-555555555555";

fn id(kind: &str, group: &str) -> String {
    format!("{SUB}/resourceGroups/{group}/providers/{kind}/x")
}

fn after(rows: &[Value], clusters: &[Value]) -> Protected {
    let (mut protected, mut waiting) = (Protected::default(), HashMap::new());
    for row in rows {
        protected.add(row, &mut waiting);
    }
    for row in clusters {
        protected.add_node_group(row, &mut waiting);
    }
    protected
}

#[test]
fn the_vault_is_named_by_its_id() {
    for (kind, child) in [
        ("Microsoft.RecoveryServices/vaults", "backupFabrics/Azure/protectionContainers/c"),
        ("Microsoft.RecoveryServices/vaults", "replicationFabrics/f"),
        ("Microsoft.DataProtection/backupVaults", "backupInstances/i"),
    ] {
        let vault_id = id(kind, "rg");
        assert_eq!(vault(&format!("{vault_id}/{child}")), vault_id);
    }
    assert_eq!(vault("something else"), "something else");
}

#[test]
fn a_row_names_what_it_protects_or_leaves_a_doubt() {
    let (machine, disk) =
        (id("Microsoft.Compute/virtualMachines", "RG"), id("Microsoft.Compute/disks", "rg"));
    let cluster = id("Microsoft.ContainerService/managedClusters", "rg");
    for (row, items, doubts) in [
        (json!({"id": "/v", "backedUp": machine}), 1, 0),
        (json!({"id": "/v", "backedUp": "", "dataSource": disk}), 1, 0),
        (json!({"id": "/v", "replicated": machine, "fabricObject": machine.to_uppercase()}), 1, 0),
        (
            json!({"id": "/v", "fabricObject": machine, "replicas": [{"diskId": disk, "resyncRequired": false}]}),
            2,
            0,
        ),
        // A vault without an ID still protects its item.
        (json!({"id": {}, "backedUp": machine}), 1, 0),
        // Not in Azure.
        (json!({"id": "/v", "management": "MAB"}), 0, 0),
        (json!({"id": "/v", "provider": "InMageRcm", "backedUp": "", "fabricObject": null}), 0, 0),
        (json!({"id": "/v", "management": "MAB", "backedUp": {"id": machine}}), 0, 1),
        (json!({"id": "/v", "management": "AzureIaasVM"}), 0, 1),
        (json!({"id": "/v", "backedUp": {"id": machine}}), 0, 1),
        (json!({"id": "/v", "backedUp": "vm-1"}), 0, 1),
        (json!({"id": "/v", "dataSource": [disk]}), 0, 1),
        (json!({"id": "/v"}), 0, 1),
        (json!(["x"]), 0, 1),
        (Value::Null, 0, 1),
        (
            json!({"id": "/v", "dataSource": cluster, "stores": [{"resourceGroupId": format!("{SUB}/resourceGroups/s")}]}),
            1,
            0,
        ),
        (json!({"id": "/v", "dataSource": cluster}), 0, 1),
        (json!({"id": "/v", "dataSource": cluster, "stores": [{"resourceGroupId": 7}]}), 0, 1),
    ] {
        let protected = after(std::slice::from_ref(&row), &[]);
        assert_eq!((protected.count(), protected.doubts().len()), (items, doubts), "{row}");
    }
}

#[test]
fn a_clusters_node_group_is_that_of_its_own_subscription() {
    let cluster = id("Microsoft.ContainerService/managedClusters", "rg");
    let row = json!({"id": "/v", "dataSource": cluster, "stores": [{"resourceGroupId": format!("{SUB}/resourceGroups/S/")}]});
    let protected = after(&[row], &[json!({"id": cluster.to_uppercase(), "nodeGroup": "MC_x"})]);
    assert!(protected.node_groups.contains_key(&format!("{SUB}/resourcegroups/mc_x")), "{protected:?}");
    assert!(protected.snapshot_groups.contains_key(&format!("{SUB}/resourcegroups/s")), "{protected:?}");
}
