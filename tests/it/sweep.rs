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

#[tokio::test(start_paused = true)]
async fn what_is_never_handed_over_hides_nothing() {
    // Disks of a protected machine, exempt disks, and a disk whose event was lost, at both ends of the table.
    for (protected, exempt, lost) in [(2_001, 0, "a"), (1_001, 1_000, "z")] {
        let world = World::with(Options::immediate(), &[("DISKSEAL_EXEMPT_NAMES", "exempt*")]);
        world.azure.protect(MACHINE, VAULT, Protection::Backup);
        for n in 0..protected {
            world.azure.attach(&world.disk(&format!("held{n:04}")), MACHINE);
        }
        for n in 0..exempt {
            world.disk(&format!("exempt{n:04}"));
        }
        let lost = world.disk(lost);
        for _ in 0..2 {
            let found = collect(&world.ctx, terms()).await.unwrap();
            let handed: Vec<_> = found.to_seal.iter().map(ToString::to_string).collect();
            assert_eq!((handed, found.left), (vec![lost.clone()], 0));
            assert_eq!((found.survey.protected, found.survey.counts.exempt), (protected, exempt));
            assert_eq!(found.survey.counts.unsealed, 1, "neither is unsealed");
            tokio::time::advance(std::time::Duration::from_hours(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_resource_is_handed_over_sooner_or_later_whatever_the_schedule() {
    let world = World::new();
    for n in 0..2_200 {
        world.disk(&format!("d{n:04}"));
    }
    // A day apart, so that a place which moves by the hour would come back to itself.
    let mut missed: HashSet<_> = (0..2_200).collect();
    for _ in 0..6 {
        let found = collect(&world.ctx, terms()).await.unwrap();
        assert_eq!((found.to_seal.len(), found.left), (2_000, 200));
        for id in &found.to_seal {
            missed.remove(&id.name()[1..].parse::<i32>().unwrap());
        }
        tokio::time::advance(std::time::Duration::from_hours(24)).await;
    }
    assert!(missed.is_empty(), "{} missed", missed.len());
}

#[tokio::test(start_paused = true)]
async fn the_plan_counts_each_resource_once() {
    let settings = [("DISKSEAL_MAX_RESOURCES", "3")];
    let world = World::with(Options { resource_graph_page_size: 2, ..Options::immediate() }, &settings);
    for name in ["a", "b", "c"] {
        world.disk(name);
    }
    // The first page comes twice, as it does if a resource before it was created between two pages.
    world.fault(Fault::page_leads_to_itself().on(Kind::Query).after(1).times(1));
    let found = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!(found.to_seal.len(), 3);
}
