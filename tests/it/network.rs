//! The network settings of the seal, at the wire and in Azure.

mod others;

use diskseal::{
    enforce::{ExemptionTag, Outcome, Trigger, Unsealed, unseal},
    policy::Guarded,
    report::Source,
    sweep::{collect, plan},
};
use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    estate::{disk_id, virtual_machine_id},
    fault::{Fault, Kind, Refusal},
};
use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, World, jane, now};

const DENY_ALL: (&str, &str) = ("DISKSEAL_NETWORK", "deny-all");
const DENY_PUBLIC: (&str, &str) = ("DISKSEAL_NETWORK", "deny-public");
const GUARD: (&str, &str) = ("DISKSEAL_BACKUP_GUARD", "network");
const BEFORE: &str = "diskseal-network-before";
const VAULT: &str = "/subscriptions/22222222-3333-4444-8555-666666666666/resourceGroups/rg-vault/providers/Microsoft.RecoveryServices/vaults/v";
const DISK_ACCESS: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/diskAccesses/a";

fn world(settings: &[(&str, &str)]) -> World {
    World::with(Options::immediate(), settings)
}

/// The mode and both network settings as Azure has them.
fn settings_of(azure: &Emulator, id: &str) -> [Value; 3] {
    let properties = &azure.get(id).unwrap()["properties"];
    ["dataAccessAuthMode", "networkAccessPolicy", "publicNetworkAccess"].map(|name| properties[name].clone())
}

fn closed() -> [Value; 3] {
    ["AzureActiveDirectory", "DenyAll", "Disabled"].map(Value::from)
}

impl World {
    /// A disk with private endpoints.
    fn private_disk(&self, name: &str) -> String {
        let id = disk_id(SUBSCRIPTION, "rg-app", name);
        let mut body = disk_body("westeurope");
        body["properties"]["networkAccessPolicy"] = json!("AllowPrivate");
        body["properties"]["diskAccessId"] = json!(DISK_ACCESS);
        self.azure.insert(&id, &body).unwrap();
        id
    }

    async fn unseal(&self, id: &str) -> Unsealed {
        let until = now().date();
        let exemption = ExemptionTag::new(&self.ctx.policy, until, "a restore", now()).unwrap();
        let time = std::time::Duration::from_mins(1);
        unseal(&self.ctx, &id.parse().unwrap(), &exemption, time).await.unwrap()
    }

    /// The properties of each PATCH that was sent.
    fn patched(&self, id: &str) -> Vec<Value> {
        let patches = self.exchanges(id).into_iter().filter(|exchange| exchange.kind == Kind::Patch);
        patches.map(|exchange| exchange.request_body["properties"].clone()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_settings_go_with_the_mode_in_one_patch_and_what_they_were_is_kept_first() {
    for options in [Options::immediate(), Options::default()] {
        let world = World::with(options, &[DENY_ALL]);
        for id in [world.disk("d"), world.snapshot("s")] {
            assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
            let both = json!({"dataAccessAuthMode": "AzureActiveDirectory", "networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"});
            assert_eq!(world.patched(&id), [both]);
            let writes = world.exchanges(&id).into_iter().filter(|exchange| exchange.method == "PATCH");
            let writes: Vec<_> = writes.collect();
            let kinds: Vec<_> = writes.iter().map(|exchange| exchange.kind).collect();
            assert_eq!(kinds, [Kind::TagsWrite, Kind::Patch, Kind::TagsWrite]);
            let first = writes[0].request_body["properties"]["tags"].as_object().unwrap();
            assert_eq!(
                first.keys().collect::<Vec<_>>(),
                [BEFORE],
                "no tag claims the seal before it is there"
            );
            assert!(world.is_sealed(&id));
            assert_eq!(settings_of(&world.azure, &id), closed());
            assert_eq!(world.enforce(&id).await, Ok(Outcome::AlreadySealed));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_choice_sets_its_own_members_and_off_sets_none() {
    for (choice, members) in [
        ("off", json!({"dataAccessAuthMode": "AzureActiveDirectory"})),
        (
            "deny-public",
            json!({"dataAccessAuthMode": "AzureActiveDirectory", "publicNetworkAccess": "Disabled"}),
        ),
    ] {
        let world = world(&[("DISKSEAL_NETWORK", choice)]);
        let id = world.disk("d");
        world.enforce(&id).await.unwrap();
        assert_eq!(world.patched(&id), [members], "{choice}");
    }
    let world = world(&[DENY_ALL]);
    let private = world.private_disk("private");
    let chosen = world.disk("chosen");
    world.azure.set_property(&chosen, "networkAccessPolicy", json!("AllowPrivate"));
    for id in [&private, &chosen] {
        assert_eq!(world.enforce(id).await.unwrap().label(), "sealed");
        assert_eq!(world.patched(id), [json!({"dataAccessAuthMode": "AzureActiveDirectory"})], "{id}");
        assert!(world.azure.get(id).unwrap()["tags"][BEFORE].is_null());
    }
}

#[tokio::test(start_paused = true)]
async fn unseal_restores_what_was_there_before_and_nothing_that_somebody_has_chosen_since() {
    let exempt = ("DISKSEAL_EXEMPT_TAG", "diskseal-exempt");
    for choice in [DENY_PUBLIC, DENY_ALL] {
        let world = world(&[choice, exempt]);
        let (id, private) = (world.disk("d"), world.disk("private-since"));
        let denied = world.disk("denied-before");
        world.azure.set_property(&denied, "networkAccessPolicy", json!("DenyAll"));
        for id in [&id, &private, &denied] {
            world.enforce(id).await.unwrap();
        }
        world.azure.set_property(&private, "networkAccessPolicy", json!("AllowPrivate"));
        world.azure.set_property(&private, "diskAccessId", json!(DISK_ACCESS));
        for (id, policy, public) in [
            (&id, "AllowAll", "Enabled"),
            (&private, "AllowPrivate", "Disabled"),
            (&denied, "DenyAll", "Enabled"),
        ] {
            world.azure.clear_journal();
            assert_eq!(world.unseal(id).await, Unsealed::Unsealed);
            assert_eq!(settings_of(&world.azure, id), ["None", policy, public].map(Value::from), "{id}");
            assert_eq!(world.patched(id).len(), 1, "one write of the properties");
            let tags = world.azure.get(id).unwrap()["tags"].clone();
            assert_eq!(tags.as_object().unwrap().len(), 1, "the exemption alone: {tags}");
            assert_eq!(world.unseal(id).await, Unsealed::AlreadyUnsealed);
            assert_eq!(world.enforce(id).await.unwrap().label(), "exempt");
        }
    }
    // Without tags there is nothing to restore from, so the network stays closed.
    let world = world(&[DENY_ALL, exempt, ("DISKSEAL_TAGS", "none")]);
    let id = world.disk("d");
    world.enforce(&id).await.unwrap();
    assert_eq!(world.exchanges(&id).iter().filter(|exchange| exchange.kind == Kind::TagsWrite).count(), 0);
    assert_eq!(world.unseal(&id).await, Unsealed::Unsealed);
    assert_eq!(settings_of(&world.azure, &id), ["None", "DenyAll", "Disabled"].map(Value::from));
}

#[tokio::test(start_paused = true)]
async fn an_unseal_that_ends_half_way_is_finished_by_the_next() {
    let world = world(&[DENY_ALL, ("DISKSEAL_EXEMPT_TAG", "diskseal-exempt")]);
    let id = world.disk("d");
    world.enforce(&id).await.unwrap();
    // The last of its writes, which removes the tag.
    let refused = Fault::refuse(Refusal::conflict()).on(Kind::TagsWrite).after(2).times(1);
    world.fault(refused);
    let exemption = ExemptionTag::new(&world.ctx.policy, now().date(), "a restore", now()).unwrap();
    let time = std::time::Duration::from_mins(1);
    let first = unseal(&world.ctx, &id.parse().unwrap(), &exemption, time).await;
    assert!(first.is_err() || world.azure.get(&id).unwrap()["tags"][BEFORE].is_null(), "{first:?}");
    assert_eq!(settings_of(&world.azure, &id), ["None", "AllowAll", "Enabled"].map(Value::from));
    world.unseal(&id).await;
    assert!(world.azure.get(&id).unwrap()["tags"][BEFORE].is_null());
    assert_eq!(settings_of(&world.azure, &id), ["None", "AllowAll", "Enabled"].map(Value::from));
}

#[tokio::test(start_paused = true)]
async fn a_sealed_disk_is_found_by_the_sweep_and_its_network_is_sealed() {
    let plain = World::new();
    let (id, private) = (plain.disk("d"), plain.private_disk("private"));
    plain.enforce(&id).await.unwrap();
    plain.enforce(&private).await.unwrap();
    for (choice, is_listed) in [("off", false), ("deny-public", true), ("deny-all", true)] {
        let world = World::at(plain.azure.clone(), &[("DISKSEAL_NETWORK", choice)]);
        for source in [Source::Graph, Source::Lists] {
            let mut listed = vec![];
            plan(&world.ctx, source, |id, change| listed.push((id, change))).await.unwrap();
            assert_eq!(listed.len(), usize::from(is_listed), "{choice} {source:?}: {listed:?}");
            assert!(listed.iter().all(|(_, change)| change.data_access_auth_mode.is_none()));
        }
    }
    let audit = World::at(plain.azure.clone(), &[DENY_ALL, ("DISKSEAL_MODE", "audit")]);
    plain.azure.clear_journal();
    assert_eq!(audit.enforce(&id).await.unwrap().label(), "would_seal");
    assert_eq!(audit.writes(), 0);
    for (choice, expected) in [(DENY_PUBLIC, ["AllowAll", "Disabled"]), (DENY_ALL, ["DenyAll", "Disabled"])] {
        let world = World::at(plain.azure.clone(), &[choice]);
        let found = collect(&world.ctx, crate::sweep::terms()).await.unwrap();
        assert_eq!(found.to_seal.len(), 1);
        let outcome = world.enforce_for(&id, Trigger::Sweep).await.unwrap();
        assert_eq!((outcome.label(), outcome.reason()), ("network_sealed", None));
        assert_eq!(settings_of(&world.azure, &id)[1..], expected.map(Value::from));
        assert!(collect(&world.ctx, crate::sweep::terms()).await.unwrap().to_seal.is_empty());
    }
    assert!(World::at(plain.azure.clone(), &[DENY_ALL]).is_sealed(&id), "the seal's tags stay");
}

#[tokio::test(start_paused = true)]
async fn whoever_opens_the_network_again_is_answered_with_growing_pauses() {
    let world = world(&[DENY_ALL]);
    let id = world.disk("d");
    world.enforce(&id).await.unwrap();
    let mut waited = vec![];
    for _ in 0..4 {
        let open =
            json!({"properties": {"publicNetworkAccess": "Enabled", "networkAccessPolicy": "AllowAll"}});
        world.azure.patch(&id, &jane(), &open).unwrap();
        let started = tokio::time::Instant::now();
        let outcome = world.enforce_within(&id, std::time::Duration::from_mins(2)).await.unwrap();
        waited.push(started.elapsed().as_secs());
        assert_eq!((outcome.label(), outcome.reason()), ("network_sealed", Some("seal_removed")));
        assert_eq!(settings_of(&world.azure, &id), closed());
    }
    assert_eq!(waited, [0, 0, 5, 15]);
}

#[tokio::test(start_paused = true)]
async fn what_a_look_could_not_finish_the_next_one_finishes_with_the_same_before() {
    for (kind, after) in [(Kind::Patch, 0), (Kind::TagsWrite, 0), (Kind::TagsWrite, 1)] {
        let world = world(&[DENY_ALL]);
        let id = world.disk("d");
        world.fault(Fault::refuse(Refusal::scope_locked()).on(kind).after(after).times(1));
        assert!(world.enforce(&id).await.is_err(), "{kind:?} {after}");
        world.enforce(&id).await.unwrap();
        assert!(world.is_sealed(&id));
        assert_eq!(settings_of(&world.azure, &id), closed());
        let before = world.azure.get(&id).unwrap()["tags"][BEFORE].as_str().unwrap().to_owned();
        assert!(
            before.starts_with("networkAccessPolicy=AllowAll, publicNetworkAccess=Enabled, "),
            "{before}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_protected_disk_gets_the_network_settings_alone_on_every_path() {
    for (settings, expected) in [
        (&[GUARD][..], ["AllowAll", "Disabled"]),
        (&[GUARD, DENY_PUBLIC], ["AllowAll", "Disabled"]),
        (&[GUARD, DENY_ALL], ["DenyAll", "Disabled"]),
    ] {
        for trigger in [Trigger::Event, Trigger::Queue, Trigger::Sweep, Trigger::Command] {
            let world = world(settings);
            let id = world.disk("d");
            let machine = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
            world.azure.attach(&id, &machine);
            world.azure.protect(&machine, VAULT, Protection::Backup);
            let found = collect(&world.ctx, crate::sweep::terms()).await.unwrap();
            assert_eq!(found.to_seal.len(), 1, "a sweep finds it");
            let outcome = world.enforce_for(&id, trigger).await.unwrap();
            assert_eq!((outcome.label(), outcome.reason()), ("network_sealed", Some("network_only")));
            let [mode, policy, public] = settings_of(&world.azure, &id);
            assert_eq!([mode, policy, public], [Value::Null, expected[0].into(), expected[1].into()]);
            let tags = world.azure.get(&id).unwrap()["tags"].clone();
            let names: Vec<_> = tags.as_object().unwrap().keys().collect();
            assert_eq!(names, [BEFORE], "the seal's tags claim the mode");
            let steady = Outcome::Protected(Guarded::NetworkOnly(VAULT.to_owned()));
            assert_eq!(world.enforce_for(&id, trigger).await, Ok(steady));
            let found = collect(&world.ctx, crate::sweep::terms()).await.unwrap();
            assert_eq!((found.to_seal.len(), found.survey.protected), (0, 1));
        }
    }
    // The end of the protection brings the whole seal.
    let world = world(&[GUARD]);
    let (id, unprotected) = (world.disk("d"), world.disk("other"));
    world.azure.protect(&id, VAULT, Protection::DiskBackup);
    world.enforce(&id).await.unwrap();
    assert_eq!(world.enforce(&unprotected).await.unwrap().label(), "sealed");
    assert_eq!(settings_of(&world.azure, &unprotected)[1..], ["AllowAll", "Enabled"].map(Value::from));
    let off = World::at(world.azure.clone(), &[("DISKSEAL_BACKUP_GUARD", "off")]);
    assert_eq!(off.enforce(&id).await.unwrap().label(), "sealed");
    // In audit mode nothing is written, and the reason is there.
    let audit = World::at(world.azure.clone(), &[GUARD, DENY_ALL, ("DISKSEAL_MODE", "audit")]);
    let next = audit.disk("next");
    audit.azure.protect(&next, VAULT, Protection::DiskBackup);
    let outcome = audit.enforce(&next).await.unwrap();
    assert_eq!((outcome.label(), outcome.reason()), ("would_seal", Some("network_only")));
    // Where the guard leaves protected disks, their network stays open.
    let skip = World::at(world.azure.clone(), &[DENY_ALL]);
    assert_eq!(skip.enforce(&next).await, Ok(Outcome::Protected(Guarded::Vault(VAULT.to_owned()))));
}
