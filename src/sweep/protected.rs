//! Which virtual machines Azure Backup and Azure Site Recovery protect.
//!
//! Neither supports disks that are secured with Microsoft Entra ID, so sealing such a machine's disk can break
//! its backups ("Secure downloads and uploads of Azure managed disks", restrictions).

use std::collections::HashMap;

use serde::Deserialize;

use crate::{
    arm::{self, Failure, Query},
    azure::Terms,
    enforce::Context,
    policy::BackupGuard,
    resource::Resource,
    resource_id::Estate,
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
pub enum Protected {
    /// Each machine's ID in lower case, and the vault that protects it.
    Known(HashMap<String, String>),
    /// Resource Graph does not say, so every disk that a machine holds may be one of them.
    Unknown,
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
    /// Asks Resource Graph, unless the guard is off.
    ///
    /// # Errors
    /// ARM could not be asked. One that refuses is no error.
    pub async fn read(ctx: &Context, terms: Terms) -> Result<Self, arm::Error> {
        let mut machines = HashMap::new();
        if ctx.policy.backup_guard == BackupGuard::Off {
            return Ok(Self::Known(machines));
        }
        // A vault may lie in another subscription than the machine, and outside of what is in scope, so all that
        // are visible are asked for.
        let query = Query { text: QUERY.to_owned(), estate: Estate::Visible, skip: 0 };
        let mut page = None;
        loop {
            page = match ctx.arm.query(&query, page.as_ref(), terms).await {
                Ok(page) => page,
                Err(arm::Error { failure: Failure::Resource(_) | Failure::Gone, .. }) => {
                    return Ok(Self::Unknown);
                }
                Err(error) => return Err(error),
            };
            let Some(rows) = &page else { return Ok(Self::Known(machines)) };
            for item in rows.rows.iter().filter_map(|row| serde_json::from_str::<Item>(row.get()).ok()) {
                let source = [&item.backed_up, &item.also_backed_up, &item.replicated];
                if let Some(machine) = source.into_iter().flatten().find(|id| !id.is_empty()) {
                    machines.insert(machine.to_ascii_lowercase(), vault(&item.id).to_owned());
                }
            }
        }
    }

    /// Whether no machine is known to be protected, so that no resource needs to be looked at.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Known(machines) if machines.is_empty())
    }

    /// What protects this resource's machine, if anything does or may.
    pub fn of(&self, resource: &Resource) -> Option<&str> {
        let machine = resource.managed_by.as_deref()?;
        match self {
            Self::Known(machines) => machines.get(&machine.to_ascii_lowercase()).map(String::as_str),
            Self::Unknown => {
                Some("an unknown vault: Resource Graph does not say which machines are protected")
            }
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
