//! What vaults protect, in Resource Graph's table `recoveryservicesresources`, and the clusters in `resources`.
//!
//! | rows | source of their shape |
//! | --- | --- |
//! | `…/vaults/…/protectedItems` | "Protected Items - Get", `AzureIaaSComputeVMProtectedItem` |
//! | `…/vaults/…/replicationProtectedItems` | "Replication Protected Items - Get", `A2AReplicationDetails` |
//! | `…/backupVaults/backupInstances` | "Backup Instances - Get"; `Search-AzDataProtectionBackupInstanceInAzGraph` reads `properties.dataSourceInfo.resourceID` of this table. Its `datasourceType` is `Microsoft.Compute/disks` or `Microsoft.ContainerService/managedClusters` (manifests of Az.DataProtection) |
//! | `Microsoft.ContainerService/managedClusters` | "Managed Clusters - Get", `properties.nodeResourceGroup`, a name |

use serde_json::{Map, Value, json};

use super::expression::Row;
use crate::Emulator;

/// How a virtual machine or disk is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A machine, by Azure Backup.
    Backup,
    /// A machine, by Azure Site Recovery.
    SiteRecovery,
    /// A disk, by Azure Disk Backup, whose vault is a Backup vault.
    DiskBackup,
}

/// The tables that take rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphTable {
    /// `resources`, beside the disks and snapshots.
    Resources,
    /// `recoveryservicesresources`
    RecoveryServices,
}

impl Emulator {
    /// Protects a virtual machine or disk by a vault that only Resource Graph shows.
    pub fn protect(&self, item: &str, vault: &str, protection: Protection) {
        let (child, kind, properties) = match protection {
            Protection::Backup => (
                "backupFabrics/Azure/protectionContainers/iaasvmcontainer/protectedItems/vm",
                "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems",
                json!({
                    "backupManagementType": "AzureIaasVM", "workloadType": "VM", "sourceResourceId": item,
                    "protectionState": "Protected",
                }),
            ),
            Protection::SiteRecovery => (
                "replicationFabrics/primary/replicationProtectionContainers/c/replicationProtectedItems/vm",
                "microsoft.recoveryservices/vaults/replicationfabrics/replicationprotectioncontainers/replicationprotecteditems",
                json!({
                    "protectionState": "Protected",
                    "providerSpecificDetails": {
                        "instanceType": "A2A", "dataSourceInfo": {"resourceId": item.to_ascii_lowercase()},
                    },
                }),
            ),
            Protection::DiskBackup => (
                "backupInstances/disk",
                BACKUP_INSTANCES,
                instance(item, "Microsoft.Compute/disks", &format!("{}-snapshots", group_of(item))),
            ),
        };
        self.add_row(GraphTable::RecoveryServices, row(&format!("{vault}/{child}"), kind, &properties));
    }

    /// Protects a Kubernetes cluster by a Backup vault, with the snapshots in a resource group of this ID. The cluster
    /// itself is added by [`Self::add_cluster`].
    pub fn protect_cluster(&self, cluster: &str, vault: &str, snapshot_group: &str) {
        let properties = instance(cluster, "Microsoft.ContainerService/managedClusters", snapshot_group);
        let id = format!("{vault}/backupInstances/cluster");
        self.add_row(GraphTable::RecoveryServices, row(&id, BACKUP_INSTANCES, &properties));
    }

    /// Adds a Kubernetes cluster whose nodes and disks are in the resource group of this name.
    pub fn add_cluster(&self, cluster: &str, node_group: &str) {
        let properties = json!({"provisioningState": "Succeeded", "nodeResourceGroup": node_group});
        self.add_row(
            GraphTable::Resources,
            row(cluster, "microsoft.containerservice/managedclusters", &properties),
        );
    }

    /// Adds a row as it is, of whatever shape.
    pub fn add_row(&self, table: GraphTable, row: Map<String, Value>) {
        let mut state = self.inner.state.lock();
        match table {
            GraphTable::Resources => state.clusters.push(row),
            GraphTable::RecoveryServices => state.protected.push(row),
        }
    }
}

const BACKUP_INSTANCES: &str = "microsoft.dataprotection/backupvaults/backupinstances";

fn row(id: &str, kind: &str, properties: &Value) -> Row {
    [("id", json!(id)), ("type", json!(kind)), ("properties", properties.clone())]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn instance(source: &str, kind: &str, snapshot_group: &str) -> Value {
    json!({
        "friendlyName": source.rsplit('/').next(),
        "dataSourceInfo": {
            "objectType": "Datasource", "datasourceType": kind, "resourceType": kind, "resourceID": source,
            "resourceUri": source,
        },
        "policyInfo": {
            "policyParameters": {
                "dataStoreParametersList": [{
                    "objectType": "AzureOperationalStoreParameters", "dataStoreType": "OperationalStore",
                    "resourceGroupId": snapshot_group,
                }],
            },
        },
        "currentProtectionState": "ProtectionConfigured",
    })
}

fn group_of(id: &str) -> String {
    id.split('/').take(5).collect::<Vec<_>>().join("/")
}
