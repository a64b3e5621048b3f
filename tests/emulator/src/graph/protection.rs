//! What Azure Backup and Azure Site Recovery protect, in Resource Graph's table `recoveryservicesresources`.

use serde_json::{Map, Value, json};

use crate::Emulator;

/// How a virtual machine is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By Azure Backup.
    Backup,
    /// By Azure Site Recovery.
    SiteRecovery,
}

impl Emulator {
    /// Protects a virtual machine by a vault that only Resource Graph shows.
    pub fn protect(&self, machine: &str, vault: &str, protection: Protection) {
        let (fabric, kind, properties) = match protection {
            Protection::Backup => (
                "backupFabrics/Azure/protectionContainers/iaasvmcontainer/protectedItems/vm",
                "backupfabrics/protectioncontainers/protecteditems",
                json!({
                    "backupManagementType": "AzureIaasVM", "workloadType": "VM", "sourceResourceId": machine,
                    "protectionState": "Protected",
                }),
            ),
            Protection::SiteRecovery => (
                "replicationFabrics/primary/replicationProtectionContainers/c/replicationProtectedItems/vm",
                "replicationfabrics/replicationprotectioncontainers/replicationprotecteditems",
                json!({
                    "protectionState": "Protected",
                    "providerSpecificDetails": {
                        "instanceType": "A2A", "dataSourceInfo": {"resourceId": machine.to_ascii_lowercase()},
                    },
                }),
            ),
        };
        let mut row: Map<String, Value> = Map::new();
        row.insert("id".to_owned(), json!(format!("{vault}/{fabric}")));
        row.insert("type".to_owned(), json!(format!("microsoft.recoveryservices/vaults/{kind}")));
        row.insert("properties".to_owned(), properties);
        self.inner.state.lock().protected.push(row);
    }
}
