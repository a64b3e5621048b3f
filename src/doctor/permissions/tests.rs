//! Roles with too few and too many permissions.

use serde_json::json;

use super::*;
use crate::{doctor::Verdict, policy::TagRule};

fn policy(mode: Mode, has_tags: bool) -> Policy {
    let tags = if has_tags { vec![TagRule::new("a", "b").unwrap()] } else { vec![] };
    Policy { mode, tags, ..Policy::default() }
}

fn found(policy: &Policy, role: serde_json::Value) -> Vec<(Verdict, String)> {
    let found = findings("s", policy, MachineEvents::On, &Permissions::from_json(&[role])).into_iter();
    found.map(|finding| (finding.verdict, finding.text)).collect()
}

fn failed(policy: &Policy, machine_events: MachineEvents, roles: &[serde_json::Value]) -> Vec<String> {
    let found = findings("s", policy, machine_events, &Permissions::from_json(roles)).into_iter();
    found.filter(|finding| finding.verdict == Verdict::Failed).map(|finding| finding.text).collect()
}

#[test]
fn each_missing_action_is_named() {
    let reader = found(&policy(Mode::Enforce, true), json!({"actions": ["*/read"]}));
    let action =
        |(_, text): &(_, String)| text.split_once(" is missing").map(|(action, _)| action.to_owned());
    assert_eq!(reader.iter().filter_map(action).collect::<Vec<_>>(), WRITES.map(|api| api.action.unwrap()));
    assert!(reader.iter().all(|(verdict, _)| *verdict == Verdict::Failed));

    // An action that these settings do not use is not required.
    let reader = found(&policy(Mode::Audit, true), json!({"actions": ["*/read"]}));
    assert_eq!(reader.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), [Verdict::Ok]);
    let no_tags = found(&policy(Mode::Enforce, false), json!({"actions": ["*/read"]}));
    assert_eq!(no_tags.len(), 2);
}

#[test]
fn revoking_is_required_and_no_excess_only_with_its_setting() {
    let revoking =
        ["Microsoft.Compute/disks/endGetAccess/action", "Microsoft.Compute/snapshots/endGetAccess/action"];
    let writes = WRITES.map(|api| api.action.unwrap());
    let role = |actions: &[&str]| json!({"actions": ([&["*/read"][..], &writes, actions].concat())});
    let on = Policy { revoke: Revoke::On, ..policy(Mode::Enforce, true) };
    let off = policy(Mode::Enforce, true);
    assert_eq!(failed(&on, MachineEvents::On, &[role(&[])]).len(), 2);
    assert!(found(&on, role(&revoking)).iter().all(|(verdict, _)| *verdict == Verdict::Ok));
    assert!(found(&off, role(&[])).iter().all(|(verdict, _)| *verdict == Verdict::Ok));
    let excess = found(&off, role(&revoking));
    assert!(
        excess.iter().any(|(verdict, text)| *verdict == Verdict::Warning && text.contains("endGetAccess"))
    );
    assert!(failed(&Policy { mode: Mode::Audit, ..on }, MachineEvents::On, &[role(&[])]).is_empty());
}

#[test]
fn reading_machines_is_required_only_with_machine_events() {
    let role = json!({"actions": ["Microsoft.Compute/disks/read", "Microsoft.Compute/snapshots/read", "*/subscriptions/read"]});
    let missing =
        |machine_events| failed(&policy(Mode::Audit, false), machine_events, std::slice::from_ref(&role));
    let texts = missing(MachineEvents::On);
    assert_eq!(texts.len(), 2, "{texts:?}");
    for (text, machines) in texts.iter().zip(["virtualMachines", "virtualMachineScaleSets/virtualMachines"]) {
        assert!(text.starts_with(&format!("Microsoft.Compute/{machines}/read is missing")), "{text}");
    }
    assert_eq!(missing(MachineEvents::Off), Vec::<String>::new());
}

#[test]
fn not_actions_of_one_role_do_not_limit_another() {
    let policy = policy(Mode::Enforce, true);
    let denied = json!({"actions": ["*"], "notActions": ["Microsoft.Compute/disks/write"]});
    let granted = json!({"actions": ["Microsoft.Compute/disks/*"], "notActions": null});
    for (roles, missing) in [
        (vec![denied.clone()], 1),
        (vec![denied, granted], 0),
        (vec![], 8),
        (vec![json!("nonsense"), json!({})], 8),
    ] {
        assert_eq!(failed(&policy, MachineEvents::On, &roles).len(), missing, "{roles:?}");
    }
}

#[test]
fn needless_permissions_are_a_warning() {
    let policy = policy(Mode::Enforce, true);
    let owner = found(&policy, json!({"actions": ["*"], "dataActions": ["*"]}));
    let [(Verdict::Ok, _), (Verdict::Warning, needless), (Verdict::Warning, data)] = &owner[..] else {
        panic!("{owner:?}")
    };
    assert!(needless.ends_with("more permissions than it needs: *") && data.contains("data of disks"));
    let mut exact: Vec<&str> = needs(&policy, MachineEvents::On).iter().map(|need| need.action).collect();
    exact.extend(api::QUERY.action);
    exact.extend(estate::READS);
    let found = found(&policy, json!({"actions": exact}));
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_backup_guard_without_access_to_vaults_is_a_warning() {
    let mut policy = policy(Mode::Audit, true);
    let role = json!({"actions": ["Microsoft.Compute/*/read", "Microsoft.Resource*/read"]});
    let of_the_guard = |policy: &Policy| {
        let found = found(policy, role.clone());
        assert_eq!(found[0].0, Verdict::Ok);
        found[1..].to_vec()
    };
    let warnings = of_the_guard(&policy);
    assert!(
        matches!(&warnings[..], [(Verdict::Warning, text)] if text.contains("subscription's vaults")),
        "{warnings:?}"
    );
    policy.backup_guard = BackupGuard::Off;
    assert_eq!(of_the_guard(&policy), []);
}
