//! The check of the identity's permissions in a subscription against what the handler does.
//!
//! Sources: "Permissions - List", "Understand Azure role definitions": an action is allowed if
//! the `actions` of a role match it and the `notActions` of the same role do not; `*` matches any text.

use serde::Deserialize;
use serde_json::Value;

use super::Finding;
use crate::{
    arm::api::{self, Api},
    enforce::MachineEvents,
    policy::{BackupGuard, Mode, Policy},
    scope::Scope,
};

const CHECK: &str = "permissions";

/// The permissions by one role, as the permissions API returns them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Permission {
    actions: Option<Vec<String>>,
    not_actions: Option<Vec<String>>,
    data_actions: Option<Vec<String>>,
}

/// An action that the handler performs, and what it is for.
struct Need {
    action: &'static str,
    purpose: &'static str,
}

/// Every action that the handler performs under this policy.
fn needs(policy: &Policy, machine_events: MachineEvents) -> Vec<Need> {
    let mut calls = vec![(&api::DISK, "to look at disks"), (&api::SNAPSHOT, "to look at snapshots")];
    if policy.scope == Scope::Visible {
        calls.push((&api::SUBSCRIPTIONS, "to find the subscriptions in scope"));
    }
    if machine_events == MachineEvents::On {
        calls.extend([&api::MACHINE, &api::INSTANCE].map(|api| (api, "to find the disks of machines")));
    }
    if policy.mode == Mode::Enforce {
        calls.extend([(&api::DISK_UPDATE, "to seal disks"), (&api::SNAPSHOT_UPDATE, "to seal snapshots")]);
        if !policy.tags.is_empty() {
            calls.push((&api::TAGS_MERGE, "to merge the seal's tags"));
        }
    }
    calls.into_iter().filter_map(|(api, purpose)| Some(Need { action: api.action?, purpose })).collect()
}

/// What the identity needs to find protected machines: Resource Graph shows only what the identity may read.
const VAULTS: [&str; 3] = [
    "Microsoft.RecoveryServices/vaults/read",
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/read",
    "Microsoft.RecoveryServices/vaults/replicationFabrics/replicationProtectionContainers/replicationProtectedItems/read",
];
/// The writes that enforcing needs; a role may have them in audit mode, too.
const WRITES: [&Api; 3] = [&api::DISK_UPDATE, &api::SNAPSHOT_UPDATE, &api::TAGS_MERGE];
/// The actions on disks' data, which the seal protects.
const DATA: [&str; 4] = [
    "Microsoft.Compute/disks/download/action",
    "Microsoft.Compute/disks/upload/action",
    "Microsoft.Compute/snapshots/download/action",
    "Microsoft.Compute/snapshots/upload/action",
];

/// Checks the permissions in one subscription. `json` is the list that the permissions API returns.
pub(super) fn findings(
    subscription_id: &str,
    policy: &Policy,
    machine_events: MachineEvents,
    json: &[Value],
) -> Vec<Finding> {
    let permissions: Vec<Permission> =
        json.iter().filter_map(|one| Permission::deserialize(one).ok()).collect();
    let needs = needs(policy, machine_events);
    let mut findings: Vec<Finding> = needs
        .iter()
        .filter(|need| !allows(&permissions, need.action))
        .map(|need| {
            Finding::failed(
                CHECK,
                subscription_id,
                format!("{} is missing, {}", need.action, need.purpose),
                format!(
                    "add {} to the identity's role, and assign the role on the subscription or above; a new \
                     assignment takes up to ten minutes",
                    need.action
                ),
            )
        })
        .collect();
    if findings.is_empty() {
        let actions: Vec<_> = needs.iter().map(|need| need.action.trim_start_matches("Microsoft.")).collect();
        let text = format!("has all {} required actions: {}", needs.len(), actions.join(", "));
        findings.push(Finding::ok(CHECK, subscription_id, text));
    }
    // A warning only: Azure documents that Resource Graph needs no more than read on the resources.
    if let Some(query) = api::QUERY.action.filter(|query| !allows(&permissions, query)) {
        findings.push(Finding::warning(
            CHECK,
            subscription_id,
            format!("{query} is not granted; if Azure requires it, sweeps list each subscription instead"),
            format!("add {query} to the identity's role"),
        ));
    }
    if policy.backup_guard != BackupGuard::Off {
        findings.extend(vaults(subscription_id, &permissions));
    }
    findings.extend(excess(subscription_id, &permissions, &needs));
    findings
}

fn vaults(subscription_id: &str, permissions: &[Permission]) -> Option<Finding> {
    let missing: Vec<&str> = VAULTS.into_iter().filter(|action| !allows(permissions, action)).collect();
    (!missing.is_empty()).then(|| {
        Finding::warning(
            CHECK,
            subscription_id,
            "it cannot read the subscription's vaults, so sweeps do not see what they protect",
            format!("add {} to the identity's role, if there are vaults", missing.join(", ")),
        )
    })
}

fn excess(subscription_id: &str, permissions: &[Permission], needs: &[Need]) -> Vec<Finding> {
    let patterns = permissions.iter().flat_map(|permission| permission.actions.iter().flatten());
    let mut too_wide: Vec<&str> = patterns
        .map(String::as_str)
        .filter(|pattern| !is_read(pattern))
        .filter(|pattern| {
            let mut known = WRITES.iter().filter_map(|api| api.action);
            !known.any(|known| known.eq_ignore_ascii_case(pattern))
        })
        .collect();
    too_wide.dedup();
    let data = permissions.iter().flat_map(|permission| permission.data_actions.iter().flatten());
    let has_data = data.into_iter().any(|pattern| DATA.iter().any(|action| matches(pattern, action)));
    let actions: Vec<&str> = needs.iter().map(|need| need.action).chain(api::QUERY.action).collect();
    let mut findings = vec![];
    if !too_wide.is_empty() {
        findings.push(Finding::warning(
            CHECK,
            subscription_id,
            format!("more permissions than it needs: {}", too_wide.join(", ")),
            format!("give the handler's identity a custom role with only {}", actions.join(", ")),
        ));
    }
    if has_data {
        findings.push(Finding::warning(
            CHECK,
            subscription_id,
            "its data actions allow access to the data of disks, which the seal protects",
            "remove Data Operator for Managed Disks, or the role with these data actions, from this identity",
        ));
    }
    findings
}

fn is_read(pattern: &str) -> bool {
    pattern.to_ascii_lowercase().ends_with("/read")
}

fn allows(permissions: &[Permission], action: &str) -> bool {
    permissions.iter().any(|permission| {
        let any = |patterns: &Option<Vec<String>>| patterns.iter().flatten().any(|one| matches(one, action));
        any(&permission.actions) && !any(&permission.not_actions)
    })
}

/// Whether an action matches a pattern, ignoring case; `*` matches any text.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == action };
    let Some(mut rest) = action.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
