//! The sweep in process: limits, overlaps, and the requests to Resource Graph.

use std::collections::HashSet;

use diskseal::{azure::Terms, sweep::collect};
use diskseal_emulator::{
    Options, Protection,
    fault::{Fault, Kind, Refusal},
};
use serde_json::json;

use crate::world::World;

pub(crate) fn terms() -> Terms {
    Terms::behind_events(std::time::Duration::from_mins(4))
}

#[tokio::test(start_paused = true)]
async fn one_run_hands_over_a_limited_number_and_reports_the_rest() {
    let world = World::new();
    for n in 0..2_600 {
        world.disk(&format!("d{n:04}"));
    }
    let found = collect(&world.ctx, terms()).await.unwrap();
    let unique: HashSet<_> = found.to_seal.iter().collect();
    assert_eq!(unique.len(), found.to_seal.len(), "nothing is handed on twice");
    assert!(found.to_seal.len() <= 2_000);
    assert_eq!(found.to_seal.len() + found.left, 2_600);
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_what_lacks_the_mode_or_a_tag_is_listed() {
    let world = World::new();
    world.sealed_disk("sealed");
    world.disk("plain");
    world.snapshot("snapshot");
    let reset = world.sealed_disk("reset");
    world.azure.set_property(&reset, "dataAccessAuthMode", json!("None"));
    let untagged = world.tagged_disk("untagged", &json!({"diskseal-auth-mode": "None"}));
    world.azure.set_property(&untagged, "dataAccessAuthMode", json!("AzureActiveDirectory"));
    let spelled =
        json!({"DISKSEAL-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z"});
    let spelled = world.tagged_disk("spelled-otherwise", &spelled);
    world.azure.set_property(&spelled, "dataAccessAuthMode", json!("AzureActiveDirectory"));

    let found = collect(&world.ctx, terms()).await.unwrap();
    let mut names: Vec<_> = found.to_seal.iter().map(|id| id.name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["plain", "reset", "snapshot", "untagged"]);
    assert_eq!(
        found.survey.counts.sealed, 1,
        "a tag whose name is spelled otherwise was listed, and found to be there"
    );
    let kinds: Vec<_> =
        world.azure.journal().iter().map(|exchange| (exchange.kind, exchange.status)).collect();
    let (query, permissions) = ((Kind::Query, Some(200)), (Kind::Other, Some(200)));
    assert_eq!(kinds, [query, query, permissions], "the vaults, the rows, and the right to see the vaults");
}

const MACHINE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/VM";
const VAULT: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v";

#[tokio::test(start_paused = true)]
async fn disks_of_protected_machines_are_left_as_the_guard_says() {
    for protection in [Protection::Backup, Protection::SiteRecovery] {
        for (guard, sealed, protected) in [("skip", 2, 1), ("warn", 3, 0), ("off", 3, 0)] {
            let world = World::with(Options::immediate(), &[("DISKSEAL_BACKUP_GUARD", guard)]);
            world.disk("free");
            world.azure.attach(&world.disk("of-another"), &MACHINE.replace("VM", "other"));
            // Azure spells one ID in several ways.
            world.azure.attach(&world.disk("backed-up"), &MACHINE.to_lowercase());
            world.azure.protect(MACHINE, VAULT, protection);
            let found = collect(&world.ctx, terms()).await.unwrap();
            assert_eq!((found.to_seal.len(), found.survey.protected), (sealed, protected), "{guard}");
            let journal = world.azure.journal();
            let queries = journal.iter().filter(|exchange| exchange.kind == Kind::Query).count();
            assert_eq!(queries, if guard == "off" { 1 } else { 2 }, "{guard}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_says_what_is_protected_every_attached_disk_may_be() {
    let world = World::new();
    world.disk("free");
    world.azure.attach(&world.disk("attached"), MACHINE);
    world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let found = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!((found.to_seal.len(), found.survey.protected), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_spent_quota_is_waited_for_and_a_429_survived() {
    let world = World::new();
    for n in 0..40 {
        world.disk(&format!("d{n}"));
        collect(&world.ctx, terms()).await.unwrap();
    }
    let throttled = world.azure.journal().iter().filter(|exchange| exchange.status == Some(429)).count();
    assert_eq!(throttled, 0, "15 queries in 5 s are allowed, and the headers say when they are spent");
    world.fault(Fault::refuse(Refusal::throttled_arm(30)).on(Kind::Query));
    assert_eq!(collect(&world.ctx, terms()).await.unwrap().to_seal.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn the_scope_and_the_exemptions_are_those_of_every_look() {
    let settings = [
        ("DISKSEAL_SUBSCRIPTIONS", "11111111-2222-4333-8444-555555555555"),
        ("DISKSEAL_EXEMPT_NAMES", "exempt*"),
    ];
    let world = World::with(Options::immediate(), &settings);
    let elsewhere = world.disk("d").replace("11111111-2222", "22222222-2222");
    world.azure.insert(&elsewhere, &diskseal_emulator::disk_body("westeurope")).unwrap();
    world.disk("exempt-1");
    let found = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!((found.to_seal.len(), found.survey.counts.exempt), (1, 1));
}
