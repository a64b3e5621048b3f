//! The handler's role (`infra/role-actions.json`) has exactly the actions that the code performs, and
//! `diskseal doctor` reports each missing action.
//!
//! Every emulator (`diskseal_emulator::role`), in each test of the workspace, refuses requests that need
//! another action. This file tests the other direction.

use std::{collections::BTreeSet, time::Duration};

use azure_core::http::Method;
use diskseal::{
    arm::api,
    azure::Terms,
    doctor::{Deployment, Finding, Verdict, examine},
    report::Source,
    sweep::{collect, plan},
};
use diskseal_emulator::{
    Emulator, Member, Options,
    estate::{scale_set_id, virtual_machine_id},
    event_grid::EventGridOptions,
    fault::{Fault, Kind, Refusal},
    role::{OF_PEOPLE, OF_QUERIES_OF_PEOPLE, Role, actions_of},
    scale_set_body, virtual_machine_body,
};

use crate::{
    definitions::{is_child, run_as_child, send_as_diskseal},
    delivery::{DEADLINE, site_with},
    world::{SUBSCRIPTION, World, identity, jane},
};

const SWITCH: (&str, &str) =
    ("DISKSEAL_SWITCH", "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal");
const REVOKE: (&str, &str) = ("DISKSEAL_REVOKE", "on");
const GROUP: (&str, &str) = ("DISKSEAL_MANAGEMENT_GROUP", "mg-prod");

fn azure() -> Emulator {
    let subscriptions = vec![SUBSCRIPTION.to_owned()];
    let azure = Emulator::new(Options { subscriptions, ..Options::immediate() });
    azure.set_management_group(GROUP.1, &[Member::Subscription(SUBSCRIPTION.to_owned())]);
    azure
}

/// The output of `diskseal doctor`.
async fn doctor(world: &World) -> Vec<Finding> {
    let deployment = Deployment {
        client_id: None,
        function_app: None,
        queue: None,
        ingestion: vec![],
        monitor: identity(&world.azure),
        http: world.azure.http_client(),
        is_person: false,
    };
    let mut findings = vec![];
    examine(&world.ctx, &deployment, &mut |finding| findings.push(finding)).await;
    findings
}

/// The actions that our requests to this Azure have needed so far, in lower case.
fn performed(azure: &Emulator) -> BTreeSet<String> {
    let journal = azure.journal();
    let ours = journal.iter().filter(|exchange| exchange.user_agent.is_some());
    ours.flat_map(|exchange| actions_of(exchange).unwrap())
        .map(|action| action.to_ascii_lowercase())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_role_has_no_action_that_the_code_does_not_perform() {
    let azure = azure();
    // Something that backups protect, for which the guard asks.
    let cluster = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.ContainerService/managedClusters/aks"
    );
    let vault = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v"
    );
    azure.add_cluster(&cluster, "MC_aks");
    azure.protect_cluster(
        &cluster,
        &vault,
        &format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-snapshots"),
    );
    // Events of a disk, a machine and a scale set, with a switch.
    let site = site_with(&azure, DEADLINE, EventGridOptions::default(), &[SWITCH]);
    site.create("d");
    let machine = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm");
    azure.put_machine(&machine, &jane(), &virtual_machine_body("westeurope", 1)).unwrap();
    let scale_set = scale_set_id(SUBSCRIPTION, "rg-app", "web");
    azure.put_machine(&scale_set, &jane(), &scale_set_body("westeurope", "Uniform", 2)).unwrap();
    site.settle().await;
    // A snapshot, and both ways to list the rest, also in a management group.
    let world = World::at(azure.clone(), &[]);
    assert_eq!(world.enforce(&world.snapshot("s")).await.unwrap().label(), "sealed");
    collect(&world.ctx, Terms::behind_events(Duration::from_mins(4))).await.unwrap();
    plan(&world.ctx, Source::Lists, |_, _| ()).await.unwrap();
    let of_group = World::at(azure.clone(), &[GROUP]);
    plan(&of_group.ctx, Source::Lists, |_, _| ()).await.unwrap();
    // SAS URLs from before the seal.
    let revoking = World::at(azure.clone(), &[REVOKE]);
    for id in [revoking.disk("granted"), revoking.snapshot("granted")] {
        azure.access(&id, &jane(), true).unwrap();
        assert_eq!(revoking.enforce(&id).await.unwrap().label(), "sealed");
    }
    let of_people: Vec<_> = OF_PEOPLE.iter().chain(&OF_QUERIES_OF_PEOPLE).collect();
    let of_people: Vec<_> = of_people.into_iter().map(|(action, _)| action.to_ascii_lowercase()).collect();
    let by_handler = performed(&azure);
    assert!(!of_people.iter().any(|action| by_handler.contains(action)), "{by_handler:?}");
    doctor(&revoking).await;

    let mut performed = performed(&azure);
    performed.retain(|action| !of_people.contains(action));
    let role: BTreeSet<String> = Role::deployed().all().map(str::to_ascii_lowercase).collect();
    let unused: Vec<_> = role.difference(&performed).collect();
    assert!(unused.is_empty(), "infra/role-actions.json has what nothing here needs: {unused:?}");
    let foreign: Vec<_> = performed.difference(&role).collect();
    assert!(foreign.is_empty(), "infra/role-actions.json has not: {foreign:?}");
    assert_eq!(role.len(), Role::deployed().all().count(), "an action is there twice");
}

#[test]
fn every_call_has_an_action_of_the_role_or_of_people_and_no_other_action_is_in_the_role() {
    let role = Role::deployed();
    let optional = role.optional.management_group.iter().chain(&role.optional.revoke);
    let granted = role.actions.iter().chain(optional).map(String::as_str);
    let granted: BTreeSet<&str> = granted.chain(OF_PEOPLE.map(|(action, _)| action)).collect();
    let called: BTreeSet<&str> = api::ALL.iter().filter_map(|api| api.action).collect();
    assert_eq!(called, granted);
}

#[test]
fn a_request_beyond_the_role_fails_its_test_with_or_without_azures_definitions() {
    if is_child() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let delete =
            async { send_as_diskseal(&Emulator::new(Options::immediate()), Method::Delete, None).await };
        return runtime.block_on(delete);
    }
    let (told, _) =
        run_as_child("role::a_request_beyond_the_role_fails_its_test_with_or_without_azures_definitions");
    assert!(told.contains("test result: FAILED. 0 passed; 1 failed"), "{told}");
    assert!(told.contains("infra/role-actions.json has no Microsoft.Compute/disks/delete"), "{told}");
}

/// The findings of doctor for an identity that has the deployed role except this action, and sees what it may
/// read.
async fn told_without(missing: Option<&str>) -> Vec<String> {
    let azure = azure();
    let settings: &[_] = match missing {
        Some("Microsoft.Resources/subscriptions/read") => &[SWITCH, REVOKE],
        _ => &[SWITCH, GROUP, REVOKE],
    };
    let role = Role::deployed();
    let optional = role.optional.backup_guard.iter().chain(&role.optional.revoke);
    let on_subscription = role.actions.iter().chain(optional).map(String::as_str);
    let allowed: Vec<&str> = on_subscription.filter(|action| Some(*action) != missing).collect();
    azure.set_permissions(SUBSCRIPTION, &allowed, &[]);
    let refused = match missing {
        Some("Microsoft.Authorization/permissions/read") => Some(Kind::Other),
        Some("Microsoft.Resources/tags/read") => Some(Kind::TagsRead),
        Some("Microsoft.Management/managementGroups/descendants/read") => Some(Kind::Descendants),
        _ => None,
    };
    if let Some(kind) = refused {
        azure.inject(Fault::refuse(Refusal::authorization_failed()).on(kind).always());
    }
    let findings = doctor(&World::at(azure, settings)).await;
    let is_of_the_role = |finding: &Finding| ["permissions", "switch", "scope"].contains(&finding.check);
    let wrong =
        findings.into_iter().filter(|finding| finding.verdict != Verdict::Ok && is_of_the_role(finding));
    wrong.map(|finding| format!("{}, {}", finding.text, finding.remedy.unwrap_or_default())).collect()
}

#[tokio::test(start_paused = true)]
async fn doctor_asks_for_the_role_and_for_no_more() {
    assert_eq!(told_without(None).await, [""; 0]);
    for action in Role::deployed().all() {
        let told = told_without(Some(action)).await;
        let is_named = |text: &String| {
            text.split(|c: char| c.is_whitespace() || "(),;:".contains(c)).any(|word| word == action)
        };
        assert!(!told.is_empty() && told.iter().any(is_named), "{action}: {told:?}");
        assert_eq!(told.len(), 1, "{action}: {told:?}");
    }
}
