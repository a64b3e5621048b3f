//! The check of the identity's permissions in a subscription against what the handler does.

use super::Finding;
use crate::{
    arm::{
        Permissions,
        api::{self, Api},
    },
    enforce::MachineEvents,
    estate,
    policy::{BackupGuard, Mode, Policy, Revoke},
    scope::Scope,
};

const CHECK: &str = "permissions";

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
        if policy.revoke == Revoke::On {
            calls.extend(
                [&api::DISK_END_ACCESS, &api::SNAPSHOT_END_ACCESS]
                    .map(|api| (api, "to revoke SAS URLs after the seal")),
            );
        }
    }
    calls.into_iter().filter_map(|(api, purpose)| Some(Need { action: api.action?, purpose })).collect()
}

/// The writes that enforcing needs; a role may have them in audit mode, too.
const WRITES: [&Api; 3] = [&api::DISK_UPDATE, &api::SNAPSHOT_UPDATE, &api::TAGS_MERGE];
/// The actions on disks' data, which the seal protects.
const DATA: [&str; 4] = [
    "Microsoft.Compute/disks/download/action",
    "Microsoft.Compute/disks/upload/action",
    "Microsoft.Compute/snapshots/download/action",
    "Microsoft.Compute/snapshots/upload/action",
];

/// Checks the permissions in one subscription.
pub(super) fn findings(
    subscription_id: &str,
    policy: &Policy,
    machine_events: MachineEvents,
    permissions: &Permissions,
) -> Vec<Finding> {
    let needs = needs(policy, machine_events);
    let mut findings: Vec<Finding> = needs
        .iter()
        .filter(|need| !permissions.allow(need.action))
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
    if let Some(query) = api::QUERY.action.filter(|query| !permissions.allow(query)) {
        findings.push(Finding::warning(
            CHECK,
            subscription_id,
            format!("{query} is not granted; if Azure requires it, sweeps list each subscription instead"),
            format!("add {query} to the identity's role"),
        ));
    }
    if policy.backup_guard != BackupGuard::Off {
        findings.extend(vaults(subscription_id, permissions));
    }
    findings.extend(excess(subscription_id, permissions, &needs));
    findings
}

fn vaults(subscription_id: &str, permissions: &Permissions) -> Option<Finding> {
    let missing: Vec<&str> = estate::READS.into_iter().filter(|action| !permissions.allow(action)).collect();
    (!missing.is_empty()).then(|| {
        Finding::warning(
            CHECK,
            subscription_id,
            "it cannot read all that the subscription's vaults protect, so the backup guard does not see it",
            format!("add {} to the identity's role, if there are vaults", missing.join(", ")),
        )
    })
}

fn excess(subscription_id: &str, permissions: &Permissions, needs: &[Need]) -> Vec<Finding> {
    let mut too_wide: Vec<&str> = permissions
        .patterns()
        .filter(|pattern| !is_read(pattern))
        .filter(|pattern| {
            let of_needs = needs.iter().map(|need| need.action);
            let mut known = WRITES.iter().filter_map(|api| api.action).chain(of_needs);
            !known.any(|known| known.eq_ignore_ascii_case(pattern))
        })
        .collect();
    too_wide.dedup();
    let has_data = DATA.iter().any(|action| permissions.match_data(action));
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

#[cfg(test)]
mod tests;
