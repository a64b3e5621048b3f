//! Checks every request of Diskseal to any emulator against the handler's role.
//!
//! The role is `infra/role-actions.json`, which Bicep and Terraform load. The required action of a request is
//! our own reading of Azure: the type in the path, and what the method does to it ("Azure resource provider
//! operations"). This works for every request, including new ones.
//!
//! | request of Diskseal (by its `User-Agent`) | verdict |
//! | --- | --- |
//! | needs actions of the role, its optional ones among them | right |
//! | needs an action of [`OF_PEOPLE`] | right: the command is for people, whose own roles count |
//! | the state of an operation | right: its signed URL asks for no action (docs/azure-unknowns.md, A9) |
//! | needs any other action, or cannot be read | the test that caused it fails, as `judge` has it |
//!
//! `tests/it/role.rs` shows that the role has no action beyond those that the code performs, which only the
//! tests of the workspace can see. It also shows that events and sweeps do nothing of what is for people.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::{fault::Kind, journal::Exchange};

/// Actions of commands for people, which the handler's identity need not be allowed, each with the reason.
/// Without them commands use their own settings, and `diskseal doctor` reports the check as not made.
pub const OF_PEOPLE: [(&str, &str); 14] = [
    ("Microsoft.Web/sites/read", "commands look for the function app whose settings apply"),
    ("Microsoft.Web/sites/config/list/action", "commands read the function app's settings"),
    (
        "Microsoft.Authorization/roleAssignments/read",
        "doctor looks for the roles of the app's identity, report --restore-points for who may call retrieveSasUris",
    ),
    ("Microsoft.Authorization/roleDefinitions/read", "doctor looks at what these roles allow"),
    ("Microsoft.EventGrid/systemTopics/read", "doctor looks for the subscription's topic"),
    ("Microsoft.EventGrid/systemTopics/eventSubscriptions/read", "doctor looks where the topic delivers to"),
    ("Microsoft.EventGrid/eventSubscriptions/read", "doctor looks where events without a topic go"),
    ("Microsoft.Web/sites/functions/read", "doctor looks whether the host knows the functions"),
    (
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        "doctor looks for the dead letters' container",
    ),
    (
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "doctor --try looks for the group that it made",
    ),
    ("Microsoft.Resources/subscriptions/resourceGroups/write", "doctor --try makes a group of its own"),
    ("Microsoft.Resources/subscriptions/resourceGroups/delete", "doctor --try deletes it"),
    ("Microsoft.Insights/components/read", "doctor --try looks for the workspace of the app's telemetry"),
    ("Microsoft.OperationalInsights/workspaces/query/read", "doctor --try looks for the trace"),
];

/// The same for types that only queries of Resource Graph name, so that no call has the action. Resource Graph returns what
/// the identity may read.
pub const OF_QUERIES_OF_PEOPLE: [(&str, &str); 2] = [
    ("Microsoft.Compute/restorePointCollections/read", "report counts them if it is asked to"),
    ("Microsoft.Compute/restorePointCollections/restorePoints/read", "report counts them if it is asked to"),
];

/// The part of the file for the handler's identity.
#[derive(Debug, Deserialize)]
pub struct Role {
    /// The actions of every installation, on each subscription or above.
    pub actions: Vec<String>,
    /// The optional actions.
    pub optional: Optional,
}

/// The actions that a setting asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Optional {
    /// On the management group in scope.
    pub management_group: Vec<String>,
    /// On the vaults, unless the backup guard is off.
    pub backup_guard: Vec<String>,
    /// To revoke SAS URLs after the seal.
    pub revoke: Vec<String>,
}

impl Role {
    /// The role as it is deployed.
    ///
    /// # Panics
    /// If the file is not a role: nothing can be judged then.
    #[expect(clippy::panic, reason = "a judge that stays away silently is worse than none")]
    pub fn deployed() -> &'static Self {
        static DEPLOYED: LazyLock<Role> = LazyLock::new(|| {
            let file = include_str!("../../../infra/role-actions.json");
            serde_json::from_str(file).unwrap_or_else(|fault| panic!("infra/role-actions.json: {fault}"))
        });
        &DEPLOYED
    }

    /// The actions that an installation has by default, with those of a management group.
    pub fn installed(&self) -> impl Iterator<Item = &str> {
        let Optional { management_group, backup_guard, revoke: _ } = &self.optional;
        self.actions.iter().chain(management_group).chain(backup_guard).map(String::as_str)
    }

    /// All of its actions, including the optional ones.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.installed().chain(self.optional.revoke.iter().map(String::as_str))
    }

    /// The faults of an exchange: the actions that neither the role nor a command for people has.
    pub(crate) fn judge(&self, exchange: &Exchange) -> Vec<String> {
        if !exchange.is_of_diskseal() {
            return Vec::new();
        }
        let Some(actions) = actions_of(exchange) else {
            return vec!["role: the action that this request needs is unknown".to_owned()];
        };
        let is_known = |action: &String| {
            let of_people = OF_PEOPLE.iter().chain(&OF_QUERIES_OF_PEOPLE).map(|(action, _)| *action);
            self.all().chain(of_people).any(|known| known.eq_ignore_ascii_case(action))
        };
        let foreign = actions.into_iter().filter(|action| !is_known(action));
        foreign.map(|action| format!("role: infra/role-actions.json has no {action}")).collect()
    }
}

/// The actions that a request needs, with types as in the path; none if they cannot be determined.
pub fn actions_of(exchange: &Exchange) -> Option<Vec<String>> {
    // A storage queue's data plane shares this address, but is not part of Resource Manager.
    if exchange.kind == Kind::Token || exchange.parameter("comp").is_some() {
        return Some(Vec::new());
    }
    let path = exchange.path.trim_matches('/');
    let lower = path.to_ascii_lowercase();
    if lower == "providers/microsoft.resourcegraph/resources" {
        return of_query(exchange.request_body["query"].as_str()?);
    }
    // ASCII lower case keeps all positions.
    let (namespace, rest) = match lower.rfind("providers/") {
        Some(start) => path.get(start + "providers/".len()..)?.split_once('/')?,
        // Without a provider, it belongs to Resource Manager itself.
        None => ("Microsoft.Resources", path),
    };
    let segments: Vec<&str> = rest.split('/').collect();
    // Types and names alternate.
    let types: Vec<&str> = segments.iter().step_by(2).copied().collect();
    if types.iter().any(|one| one.is_empty()) {
        return None;
    }
    let types = types.join("/");
    if exchange.method == "GET" && types.eq_ignore_ascii_case("locations/diskOperations") {
        return Some(Vec::new());
    }
    // "Manage access to Log Analytics workspaces": a query is a read, though it is a POST.
    let is_log_query =
        types == "workspaces/query" && namespace.eq_ignore_ascii_case("Microsoft.OperationalInsights");
    let verb = match exchange.method.as_str() {
        "GET" | "HEAD" => "read",
        "POST" if is_log_query => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        "POST" => "action",
        _ => return None,
    };
    Some(vec![format!("{namespace}/{types}/{verb}")])
}

/// The actions that a query of Resource Graph needs: to query, and to read the types that it names, because
/// it returns only what the identity may read ("Permissions in Azure Resource Graph").
fn of_query(query: &str) -> Option<Vec<String>> {
    let mut actions = vec!["Microsoft.ResourceGraph/resources/read".to_owned()];
    match query.split_whitespace().next()?.to_ascii_lowercase().as_str() {
        "resources" => {}
        // Its rows are children of vaults (docs/azure-unknowns.md, A14).
        "recoveryservicesresources" => {
            let named = query.to_ascii_lowercase();
            for vaults in ["Microsoft.RecoveryServices/vaults", "Microsoft.DataProtection/backupVaults"] {
                if named.contains(&vaults.to_ascii_lowercase()) {
                    actions.push(format!("{vaults}/read"));
                }
            }
        }
        _ => return None,
    }
    let literals = query.split('\'').skip(1).step_by(2);
    let is_type = |text: &&str| text.to_ascii_lowercase().starts_with("microsoft.") && text.contains('/');
    actions.extend(literals.filter(is_type).map(|name| format!("{name}/read")));
    Some(actions)
}

#[cfg(test)]
#[path = "role/tests.rs"]
mod tests;
