//! Which virtual machines Azure Backup and Azure Site Recovery protect.
//!
//! Neither supports disks that are secured with Microsoft Entra ID, so sealing the disk of a protected machine can
//! break its backups ("Secure downloads and uploads of Azure managed disks", restrictions).

use std::{collections::HashMap, fmt};

use serde::Deserialize;

use super::is_refusal;
use crate::{
    arm::{self, Client, Query},
    azure::Terms,
    policy::{BackupGuard, Policy},
    resource::Resource,
    scope::Scope,
};

const QUERY: &str = "recoveryservicesresources \
    | where type in~ ('microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems', \
    'microsoft.recoveryservices/vaults/replicationfabrics/replicationprotectioncontainers/replicationprotecteditems') \
    | project id, backedUp = tostring(properties.sourceResourceId), \
    alsoBackedUp = tostring(properties.dataSourceInfo.resourceID), \
    replicated = tostring(properties.providerSpecificDetails.dataSourceInfo.resourceId) \
    | order by id asc";

/// The protected virtual machines, as far as the identity may see their vaults.
#[derive(Debug)]
pub struct Protected {
    /// By the machine's ID in lower case, the vault that protects it. None if Resource Graph refuses to list them,
    /// so that any attached disk might be protected.
    machines: Option<HashMap<String, String>>,
}

/// What protects a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection<'a> {
    /// The vault of this ID.
    By(&'a str),
    /// Perhaps a vault; Resource Graph does not list which machines are protected.
    Unknown,
}

impl fmt::Display for Protection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::By(vault) => vault,
            Self::Unknown => "an unknown vault: Resource Graph does not list which machines are protected",
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    #[serde(default)]
    backed_up: Option<String>,
    #[serde(default)]
    also_backed_up: Option<String>,
    #[serde(default)]
    replicated: Option<String>,
}

impl Protected {
    /// Queries Resource Graph, unless the guard is off.
    ///
    /// # Errors
    /// ARM could not be asked. A refusal is no error.
    pub async fn read(arm: &Client, policy: &Policy, terms: Terms) -> Result<Self, arm::Error> {
        let mut machines = HashMap::new();
        if policy.backup_guard == BackupGuard::Off {
            return Ok(Self { machines: Some(machines) });
        }
        // A vault may be in another subscription than the machine, and out of scope, so the query covers all that
        // are visible.
        let query = Query { text: QUERY.to_owned(), scope: Scope::Visible, skip: 0 };
        let mut page = None;
        loop {
            page = match arm.query(&query, page.as_ref(), terms).await {
                Ok(page) => page,
                Err(error) if is_refusal(&error) => return Ok(Self { machines: None }),
                Err(error) => return Err(error),
            };
            let Some(rows) = &page else { return Ok(Self { machines: Some(machines) }) };
            for item in rows.rows.iter().filter_map(|row| serde_json::from_str::<Item>(row.get()).ok()) {
                let source = [&item.backed_up, &item.also_backed_up, &item.replicated];
                if let Some(machine) = source.into_iter().flatten().find(|id| !id.is_empty()) {
                    machines.insert(machine.to_ascii_lowercase(), vault(&item.id).to_owned());
                }
            }
        }
    }

    /// Whether nothing is protected, so that no resource needs to be read.
    pub fn is_nothing(&self) -> bool {
        self.machines.as_ref().is_some_and(HashMap::is_empty)
    }

    /// What protects this resource, if anything does or may.
    pub fn of(&self, resource: &Resource) -> Option<Protection<'_>> {
        let machine = resource.managed_by.as_deref()?;
        match &self.machines {
            Some(machines) => machines.get(&machine.to_ascii_lowercase()).map(|vault| Protection::By(vault)),
            None => Some(Protection::Unknown),
        }
    }
}

/// The vault is the part before the fabric.
fn vault(id: &str) -> &str {
    let lower = id.to_ascii_lowercase();
    let end = ["/backupfabrics/", "/replicationfabrics/"].iter().find_map(|fabric| lower.find(fabric));
    // Lower case in ASCII alone leaves every position where it was.
    end.and_then(|end| id.get(..end)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vault_is_named_by_its_id() {
        let vault_id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v";
        for fabric in ["backupFabrics/Azure/protectionContainers/c", "replicationFabrics/f"] {
            assert_eq!(vault(&format!("{vault_id}/{fabric}")), vault_id);
        }
        assert_eq!(vault("something else"), "something else");
    }
}
