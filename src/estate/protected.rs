//! What Azure Backup and Azure Site Recovery protect, according to Resource Graph.
//!
//! Neither supports disks that are secured with Microsoft Entra ID, so a seal can break their backups ("Secure
//! downloads and uploads of Azure managed disks", restrictions). A Recovery Services vault protects machines; a Backup
//! vault protects disks, and Kubernetes clusters with the disks of their node resource group. A row
//! that cannot be read raises a doubt about everything that it may protect.

use std::{collections::HashMap, fmt::Display, sync::Arc};

use serde_json::{Value, value::RawValue};

use super::rights::{Rights, doubt_of};
use crate::{
    arm::{Client, Query},
    azure::Terms,
    policy::{Doubt, Protection},
    resource::Resource,
    resource_id::{ResourceType, folded},
    scope::Scope,
};

/// The query for protected items ("Protected Items - Get", "Replication Protected Items - Get", "Backup Instances -
/// Get").
const ITEMS: &str = "recoveryservicesresources \
    | where type in~ ('microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems', \
    'microsoft.recoveryservices/vaults/replicationfabrics/replicationprotectioncontainers/replicationprotecteditems', \
    'microsoft.dataprotection/backupvaults/backupinstances') \
    | project id, backedUp = properties.sourceResourceId, dataSource = properties.dataSourceInfo.resourceID, \
    replicated = properties.providerSpecificDetails.dataSourceInfo.resourceId, \
    fabricObject = properties.providerSpecificDetails.fabricObjectId, \
    replicas = properties.providerSpecificDetails.protectedManagedDisks, \
    management = properties.backupManagementType, provider = properties.providerSpecificDetails.instanceType, \
    stores = properties.policyInfo.policyParameters.dataStoreParametersList \
    | order by id asc";
/// The query for clusters and their node resource groups ("Managed Clusters - Get").
const CLUSTERS: &str = "resources | where type =~ 'microsoft.containerservice/managedclusters' \
    | project id, nodeGroup = properties.nodeResourceGroup | order by id asc";

/// The columns that may hold the sources of a protected item.
const SOURCES: [&str; 4] = ["backedUp", "dataSource", "replicated", "fabricObject"];
/// Kinds of protection whose source may be outside Azure, without an ID (`BackupManagementType`, `instanceType`).
const OUTSIDE: [&str; 5] = ["MAB", "DPM", "AzureBackupServer", "InMage", "HyperV"];

/// What is protected by the vaults that the identity can see. All IDs are without case ([`folded`]).
#[derive(Debug, Default)]
pub struct Protected {
    /// The vault that protects each machine and disk.
    items: HashMap<String, String>,
    /// The vault that protects the disks and snapshots of each resource group.
    node_groups: HashMap<String, String>,
    /// The vault that stores a cluster's snapshots in each resource group.
    snapshot_groups: HashMap<String, String>,
    doubts: Vec<About>,
    /// What the identity may read, where that was asked.
    rights: Arc<Rights>,
}

/// A doubt, with its scope and reason.
#[derive(Debug)]
struct About {
    doubt: Doubt,
    /// The subscription in which something may be protected; `None` for all.
    subscription: Option<String>,
    why: String,
}

impl Protected {
    /// Queries Resource Graph. A vault may be in another subscription than the protected resource, and out of
    /// scope, so the queries cover all visible subscriptions.
    pub(super) async fn read(arm: &Client, terms: Terms) -> Self {
        let mut protected = Self::default();
        let mut clusters = HashMap::new();
        for row in protected.rows(arm, ITEMS, terms).await {
            protected.add(&row, &mut clusters);
        }
        if !clusters.is_empty() {
            for row in protected.rows(arm, CLUSTERS, terms).await {
                protected.add_node_group(&row, &mut clusters);
            }
            for cluster in clusters.keys() {
                let subscription = cluster.split('/').nth(2).map(str::to_owned);
                let why = format!("the node resource group of {cluster} is not visible");
                protected.doubts.push(About { doubt: Doubt::Lasting, subscription, why });
            }
        }
        protected
    }

    /// A doubt about everything.
    pub(super) fn unknown(doubt: Doubt, why: impl Display) -> Self {
        let doubts = vec![About { doubt, subscription: None, why: why.to_string() }];
        Self { doubts, ..Self::default() }
    }

    /// With the rights by which the vaults were seen.
    pub(super) fn seen_by(self, rights: Arc<Rights>) -> Self {
        Self { rights, ..self }
    }

    async fn rows(&mut self, arm: &Client, text: &str, terms: Terms) -> Vec<Value> {
        let query = Query::new(text.to_owned(), Scope::Visible);
        let (mut all, mut announced, mut page) = (vec![], 0, None);
        loop {
            page = match arm.query(&query, page.as_ref(), terms).await {
                Ok(page) => page,
                Err(error) => {
                    self.doubt(doubt_of(&error), error);
                    return all;
                }
            };
            let Some(page) = &mut page else { break };
            announced = page.total;
            // Each row has been parsed as JSON before.
            let read = |row: Box<RawValue>| serde_json::from_str(row.get()).unwrap_or_default();
            all.extend(std::mem::take(&mut page.rows).into_iter().map(read));
        }
        if all.len() < announced {
            self.doubt(Doubt::Lasting, format!("Resource Graph returned {} of {announced} rows", all.len()));
        }
        all
    }

    fn doubt(&mut self, doubt: Doubt, why: impl Display) {
        self.doubts.push(About { doubt, subscription: None, why: why.to_string() });
    }

    /// Adds a protected item; a cluster waits for its node resource group.
    fn add(&mut self, row: &Value, clusters: &mut HashMap<String, String>) {
        let id = row["id"].as_str().unwrap_or("a vault without an ID");
        let vault = vault(id).to_owned();
        let sources: Vec<_> = SOURCES.iter().filter_map(|member| resource_id(&row[member])).collect();
        if sources.is_empty() && !is_outside(row) {
            self.doubt(Doubt::Lasting, format!("{id} does not name what it protects"));
        }
        for source in sources {
            if source.contains("/microsoft.containerservice/managedclusters/") {
                let stores = row["stores"].as_array().into_iter().flatten();
                let groups: Vec<_> =
                    stores.filter_map(|store| group_of(store["resourceGroupId"].as_str()?)).collect();
                if groups.is_empty() {
                    self.doubt(Doubt::Lasting, format!("{id} does not name the group of its snapshots"));
                }
                self.snapshot_groups.extend(groups.into_iter().map(|group| (group, vault.clone())));
                clusters.insert(source, vault.clone());
            } else {
                self.items.insert(source, vault.clone());
            }
        }
        // The replication writes to the disks at the target.
        let replicas = &row["replicas"];
        let is_readable = |list: &Vec<Value>| list.iter().all(Value::is_object);
        if !(replicas.is_null() || replicas == "" || replicas.as_array().is_some_and(is_readable)) {
            self.doubt(Doubt::Lasting, format!("{id} does not name the disks that it replicates to"));
        }
        let replicas = replicas.as_array().into_iter().flatten().filter_map(Value::as_object);
        let disks = replicas.flat_map(|replica| replica.values().filter_map(resource_id));
        let disks = disks.filter(|id| id.contains("/microsoft.compute/disks/"));
        self.items.extend(disks.map(|disk| (disk, vault.clone())));
    }

    fn add_node_group(&mut self, row: &Value, clusters: &mut HashMap<String, String>) {
        let (id, group) = (resource_id(&row["id"]), row["nodeGroup"].as_str().unwrap_or_default());
        if let Some(id) = id
            && !group.is_empty()
            && let Some(vault) = clusters.remove(&id)
        {
            let subscription = id.split('/').nth(2).unwrap_or_default();
            let group = format!("/subscriptions/{subscription}/resourcegroups/{}", folded(group));
            self.node_groups.insert(group, vault);
        }
    }

    /// Whether nothing is protected.
    pub fn is_nothing(&self) -> bool {
        self.items.is_empty()
            && self.node_groups.is_empty()
            && self.snapshot_groups.is_empty()
            && self.doubts.is_empty()
    }

    /// The number of protected machines, disks and resource groups.
    pub fn count(&self) -> usize {
        self.items.len() + self.node_groups.len() + self.snapshot_groups.len()
    }

    /// The reasons of all doubts.
    pub fn doubts(&self) -> Vec<String> {
        self.doubts.iter().map(|about| about.why.clone()).chain(self.rights.doubts()).collect()
    }

    /// Whether there are doubts that a later query may resolve.
    pub(super) fn is_in_passing_doubt(&self) -> bool {
        self.doubts.iter().any(|about| about.doubt == Doubt::Passing)
    }

    /// What protects this resource: its own vault, or that of the machine that holds it, of its source, or of the
    /// resource group of one of these.
    pub fn of(&self, resource: &Resource) -> Protection {
        if self.count() > 0
            && let Some(vault) = self.vault_of(resource)
        {
            return Protection::By(vault);
        }
        let own = resource.id.subscription_id();
        let is_about = |about: &&About| {
            about.subscription.as_ref().is_none_or(|subscription| subscription.eq_ignore_ascii_case(own))
        };
        let doubts = self.doubts.iter().filter(is_about).map(|about| about.doubt);
        // Of a machine or source that is not named, it is not known whether it is protected.
        let is_unnamed = !self.is_nothing() && !resource.names_its_relations();
        let unnamed = is_unnamed.then_some(Doubt::Lasting);
        let doubt = doubts.chain(self.rights.doubt(own)).chain(unnamed).max();
        doubt.map_or(Protection::Unprotected, Protection::Unknown)
    }

    /// The vault that is known to protect a resource, a machine that holds it, its source, or their resource group.
    fn vault_of(&self, resource: &Resource) -> Option<String> {
        let id = resource.id.to_string();
        let related = std::iter::once(&id).chain(&resource.held_by).chain(&resource.source);
        let found = related
            .map(|id| folded(id))
            .find_map(|id| self.items.get(&id).or_else(|| self.node_groups.get(&group_of(&id)?)).cloned());
        found.or_else(|| match resource.id.resource_type() {
            ResourceType::Snapshot => self.snapshot_groups.get(&group_of(&id)?).cloned(),
            ResourceType::Disk => None,
        })
    }
}

/// A resource ID without its case.
fn resource_id(value: &Value) -> Option<String> {
    let id = folded(value.as_str()?.trim());
    (group_of(&id).is_some() && id.contains("/providers/")).then_some(id)
}

/// The ID of a resource's resource group without its case.
fn group_of(id: &str) -> Option<String> {
    let id = folded(id.trim());
    let mut parts = id.split('/');
    let [root, subscriptions, subscription, groups, group] =
        std::array::from_fn(|_| parts.next().unwrap_or_default());
    let is_group = root.is_empty() && subscriptions == "subscriptions" && groups == "resourcegroups";
    (is_group && !subscription.is_empty() && !group.is_empty())
        .then(|| format!("/subscriptions/{subscription}/resourcegroups/{group}"))
}

/// Whether the protected source may be outside Azure. A source of unknown form does not count as absent.
fn is_outside(row: &Value) -> bool {
    let is_absent = |member: &str| row[member].is_null() || row[member] == "";
    let is_known = |kind: &Value| {
        let kind = kind.as_str().unwrap_or_default();
        OUTSIDE.iter().any(|known| kind.starts_with(known))
    };
    SOURCES.iter().all(|member| is_absent(member))
        && (is_known(&row["management"]) || is_known(&row["provider"]))
}

/// The vault's ID: the part before the fabric or the instance.
fn vault(id: &str) -> &str {
    let lower = id.to_ascii_lowercase();
    let children = ["/backupfabrics/", "/replicationfabrics/", "/backupinstances/"];
    let end = children.iter().find_map(|child| lower.find(child));
    // Lower-casing only ASCII keeps all positions.
    end.and_then(|end| id.get(..end)).unwrap_or(id)
}

#[cfg(test)]
mod tests;
