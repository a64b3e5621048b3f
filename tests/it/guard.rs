//! What backups protect is sealed on no path, and what is not known is not taken for unprotected.

mod rights;
mod unknown;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use diskseal::{
    enforce::{Left, Outcome, Trigger},
    policy::Guarded,
    sweep::collect,
};
use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    estate::{disk_id, snapshot_id, virtual_machine_id},
    event_grid::EventGridOptions,
    fault::{Fault, Kind},
    snapshot_body, virtual_machine_body,
};
use serde_json::json;

use crate::{
    delivery::{DEADLINE, Site, site_with},
    world::{SUBSCRIPTION, World, jane},
};

const VAULT: &str = "/subscriptions/22222222-3333-4444-8555-666666666666/resourceGroups/rg-vault/providers/Microsoft.RecoveryServices/vaults/v";
const BACKUP_VAULT: &str = "/subscriptions/22222222-3333-4444-8555-666666666666/resourceGroups/rg-vault/providers/Microsoft.DataProtection/backupVaults/v";

fn vm(name: &str) -> String {
    virtual_machine_id(SUBSCRIPTION, "rg-app", name)
}

fn cluster() -> String {
    vm("aks").replace("Microsoft.Compute/virtualMachines", "Microsoft.ContainerService/managedClusters")
}

fn group(name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}")
}

fn site(settings: &'static [(&str, &str)]) -> Site {
    site_with(&Emulator::new(Options::immediate()), DEADLINE, EventGridOptions::default(), settings)
}

fn by(vault: &str) -> Outcome {
    Outcome::Protected(Guarded::Vault(vault.to_owned()))
}

fn queries(azure: &Emulator) -> usize {
    azure.journal().iter().filter(|exchange| exchange.kind == Kind::Query).count()
}

fn has_mode(azure: &Emulator, id: &str) -> bool {
    azure.get(id).unwrap()["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
}

impl World {
    /// An existing disk in this resource group.
    fn disk_in(&self, group: &str, name: &str) -> String {
        let id = disk_id(SUBSCRIPTION, group, name);
        self.azure.insert(&id, &disk_body("westeurope")).unwrap();
        id
    }

    /// An existing snapshot of this disk.
    fn snapshot_of(&self, source: &str, group: &str, name: &str) -> String {
        let id = snapshot_id(SUBSCRIPTION, group, name);
        self.azure.insert(&id, &snapshot_body("westeurope", source)).unwrap();
        id
    }

    /// Makes a resource older than a backup needs to be set up.
    fn age(&self, id: &str) {
        self.azure.set_property(id, "timeCreated", json!("2020-01-01T00:00:00Z"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_a_protected_machine_gets_is_sealed_neither_by_its_event_nor_by_the_machines() {
    for protection in [Protection::Backup, Protection::SiteRecovery] {
        let site = site(&[]);
        site.azure.protect(&vm("vm-1"), VAULT, protection);
        for data_disks in [1, 2] {
            let body = virtual_machine_body("westeurope", data_disks);
            let disks = site.azure.put_machine(&vm("vm-1"), &jane(), &body).unwrap();
            site.settle().await;
            assert!(!disks.iter().any(|id| has_mode(&site.azure, id)), "{protection:?}: {disks:?}");
        }
        let id = site.create("attached-at-once");
        assert!(site.azure.attach(&id, &vm("VM-1")));
        site.settle().await;
        assert!(!has_mode(&site.azure, &id));
        let invocations = site.host.invocations();
        assert!(invocations.iter().all(|one| one.succeeded() && one.outputs.is_empty()), "{invocations:?}");
        let left = |line: &String| line.starts_with("protected ") && line.contains(VAULT);
        assert!(invocations.iter().flat_map(|one| &one.logs).any(left));
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_of_azure_disk_backup_is_protected_wherever_it_is_and_so_are_its_snapshots() {
    let world = World::new();
    let (disk, other) = (world.disk("backed-up"), world.disk("other"));
    world.azure.protect(&disk.to_uppercase(), BACKUP_VAULT, Protection::DiskBackup);
    assert_eq!(world.enforce(&disk).await, Ok(by(BACKUP_VAULT)));
    world.azure.attach(&disk, &vm("any"));
    for trigger in [Trigger::Event, Trigger::Queue, Trigger::Sweep, Trigger::Command] {
        assert_eq!(world.enforce_for(&disk, trigger).await, Ok(by(BACKUP_VAULT)), "{trigger:?}");
    }
    let of_a_backup = world.snapshot_of(&disk, "rg-app-snapshots", "s");
    assert_eq!(world.enforce(&of_a_backup).await, Ok(by(BACKUP_VAULT)));
    let of_another = world.snapshot_of(&other, "rg-app-snapshots", "t");
    assert_eq!(world.enforce(&of_another).await.unwrap().label(), "sealed");
    assert_eq!(world.enforce(&other).await.unwrap().label(), "sealed");
    assert_eq!(collect(&world.ctx, crate::sweep::terms()).await.unwrap().survey.protected, 2);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_protected_machines_disk_is_protected() {
    let world = World::new();
    let (held, free) = (world.disk("held"), world.disk("free"));
    world.azure.attach(&held, &vm("vm-1"));
    world.azure.protect(&vm("vm-1"), VAULT, Protection::Backup);
    assert_eq!(world.enforce(&world.snapshot_of(&held, "rg-app", "s")).await, Ok(by(VAULT)));
    let gone = disk_id(SUBSCRIPTION, "rg-app", "gone");
    for (name, source) in [("of-free", &free), ("of-gone", &gone)] {
        let id = world.snapshot_of(source, "rg-app", name);
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_protected_cluster_has_the_disks_of_its_nodes_and_the_snapshots_of_its_backups() {
    let world = World::new();
    world.azure.add_cluster(&cluster(), "MC_rg-app_aks_westeurope");
    world.azure.add_cluster(&cluster().replace("/aks", "/other"), "MC_other");
    world.azure.protect_cluster(&cluster().to_lowercase(), BACKUP_VAULT, &group("RG-Snapshots"));
    let node = virtual_machine_id(SUBSCRIPTION, "mc_rg-APP_aks_westeurope", "node-1");
    let volume = world.disk_in("MC_RG-APP_aks_westeurope", "pvc");
    let elsewhere = world.disk_in("rg-app", "volume-of-a-group-of-its-own");
    world.azure.attach(&elsewhere, &node);
    let of_a_backup = world.snapshot_of(&world.disk_in("rg-app", "source"), "rg-snapshots", "s");
    let of_a_volume = world.snapshot_of(&volume, "rg-elsewhere", "t");
    for id in [&volume, &elsewhere, &of_a_backup, &of_a_volume] {
        assert_eq!(world.enforce(id).await, Ok(by(BACKUP_VAULT)), "{id}");
    }
    for id in [&world.disk_in("MC_other", "pvc"), &world.disk_in("rg-snapshots", "d")] {
        assert_eq!(world.enforce(id).await.unwrap().label(), "sealed", "{id}");
    }
    assert_eq!(queries(&world.azure), 2, "one of what is protected, one of the clusters");
}

#[tokio::test(start_paused = true)]
async fn a_shared_disk_is_protected_by_any_of_its_machines() {
    let world = World::new();
    world.azure.protect(&vm("vm-2"), VAULT, Protection::Backup);
    let shared = world.disk("shared");
    world.azure.share(&shared, &[&vm("vm-1"), &vm("vm-2")]);
    assert_eq!(world.enforce(&shared).await, Ok(by(VAULT)));
    world.azure.share(&shared, &[&vm("vm-1"), &vm("vm-3")]);
    assert_eq!(world.enforce(&shared).await.unwrap().label(), "sealed");
    // Attached, and no answer says to what.
    let attached = world.disk("attached");
    world.azure.set_property(&attached, "diskState", json!("Attached"));
    assert_eq!(world.enforce(&attached).await, Ok(Outcome::Protected(Guarded::Unknown)));
}

#[tokio::test(start_paused = true)]
async fn tags_break_no_backup() {
    let world = World::new();
    let id = world.tagged_disk("d", &json!({}));
    world.azure.set_property(&id, "dataAccessAuthMode", json!("AzureActiveDirectory"));
    world.azure.protect(&id, BACKUP_VAULT, Protection::DiskBackup);
    assert!(world.enforce(&id).await.is_ok() && world.is_sealed(&id));
    assert_eq!(queries(&world.azure), 0, "nothing is asked where the mode is not to be set");
}

#[tokio::test(start_paused = true)]
async fn fifty_events_cost_one_query_and_five_minutes_later_there_is_another() {
    for guard in ["skip", "warn", "off"] {
        let world = World::with(
            Options { latency: Duration::from_millis(20), ..Options::immediate() },
            &[("DISKSEAL_BACKUP_GUARD", guard)],
        );
        world.azure.protect(&vm("vm-1"), VAULT, Protection::Backup);
        let expected = usize::from(guard != "off");
        let ids: Vec<_> = (0..50).map(|n| world.disk(&format!("d{n}"))).collect();
        let looks = futures::future::join_all(ids.iter().map(|id| world.enforce(id))).await;
        assert!(looks.iter().all(|look| look.as_ref().is_ok_and(|outcome| outcome.label() == "sealed")));
        assert_eq!(world.azure.journal().len(), 3 * 50 + expected, "{guard}");
        for (minutes, queried) in [(4, 1), (2, 2), (4, 2), (2, 3)] {
            tokio::time::advance(Duration::from_mins(minutes)).await;
            world.enforce(&world.disk(&format!("later{minutes}-{queried}"))).await.unwrap();
            assert_eq!(queries(&world.azure), queried * expected, "{guard}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_is_sealed_where_the_guard_only_warns() {
    for guard in ["warn", "off"] {
        let world = World::with(Options::immediate(), &[("DISKSEAL_BACKUP_GUARD", guard)]);
        let id = world.disk("d");
        world.azure.protect(&id, BACKUP_VAULT, Protection::DiskBackup);
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed", "{guard}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_attached_disks_are_left_events_and_the_queue_leave_them_and_the_sweep_seals_them() {
    let leave = &[("DISKSEAL_ATTACHED", "leave")];
    let site = site(leave);
    let disks = site.azure.put_machine(&vm("vm-1"), &jane(), &virtual_machine_body("westeurope", 1)).unwrap();
    let free = site.create("free");
    site.settle().await;
    assert!(site.is_sealed(&free) && !disks.iter().any(|id| has_mode(&site.azure, id)));
    assert_eq!(queries(&site.azure), 1, "of the free one alone");
    let invocations = site.host.invocations();
    assert!(invocations.iter().all(|one| one.succeeded() && one.outputs.is_empty()), "{invocations:?}");
    site.host.fire_timer("sweep").await.unwrap();
    site.settle().await;
    assert!(disks.iter().all(|id| site.is_sealed(id)));

    let world = World::with(Options::immediate(), leave);
    let (id, free, snapshot) = (world.disk("held"), world.disk("free"), world.snapshot("s"));
    world.azure.attach(&id, &vm("vm-1"));
    for trigger in [Trigger::Event, Trigger::Queue] {
        assert_eq!(world.enforce_for(&id, trigger).await, Ok(Outcome::LeftToSweep(Left::Attached)));
    }
    for id in [free, snapshot] {
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed", "{id}");
    }
    // The sweep does not take over the result of an event.
    let hold = world.fault(Fault::hold_before_applying().on(Kind::Get).times(1));
    let meanwhile = async {
        hold.held().await;
        let sweep = world.enforce_for(&id, Trigger::Sweep);
        let release = async { hold.release() };
        tokio::join!(sweep, release).0
    };
    let (event, sweep) = tokio::join!(world.enforce(&id), meanwhile);
    assert_eq!(event, Ok(Outcome::LeftToSweep(Left::Attached)));
    assert_eq!(sweep.unwrap().label(), "sealed");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_an_earlier_version_is_read() {
    let site = site(&[]);
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    site.azure.insert(&id, &disk_body("westeurope")).unwrap();
    let message =
        json!({"id": id, "reason": "machine", "firstSeen": "2027-01-31T12:00:00Z", "ofMachine": true});
    site.host.queues().queue("diskseal-pending").put(STANDARD.encode(message.to_string())).unwrap();
    site.settle().await;
    assert!(site.is_sealed(&id));
}
