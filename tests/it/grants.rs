//! Grants of access by a SAS URL: a reason to look, and what is revoked after the seal.

use std::time::Duration;

use diskseal::{enforce::Trigger, policy::decide::PendingReason};
use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    estate::{disk_id, virtual_machine_id},
    event_grid::EventGridOptions,
    fault::{Fault, Kind, Refusal},
};
use serde_json::{Value, json};

use crate::{
    delivery::{DEADLINE, Site, site_with},
    world::{SUBSCRIPTION, World, jane, ourselves},
};

const GRANTS: (&str, &str) = ("DISKSEAL_GRANTS", "on");
const REVOKE: (&str, &str) = ("DISKSEAL_REVOKE", "on");
const VAULT: &str = "/subscriptions/22222222-3333-4444-8555-666666666666/resourceGroups/rg-vault/providers/Microsoft.DataProtection/backupVaults/v";

/// An event subscription that delivers grants and revocations as well.
pub(crate) fn delivery() -> EventGridOptions {
    let mut options = EventGridOptions::default();
    options.included_event_types.push("Microsoft.Resources.ResourceActionSuccess".to_owned());
    for kind in ["disks", "snapshots"] {
        for action in ["beginGetAccess", "endGetAccess"] {
            options.operation_names.push(format!("Microsoft.Compute/{kind}/{action}/action"));
        }
    }
    options
}

fn site(settings: &'static [(&str, &str)]) -> Site {
    site_with(&Emulator::new(Options::immediate()), DEADLINE, delivery(), settings)
}

fn properties(azure: &Emulator, id: &str) -> Value {
    azure.get(id).unwrap()["properties"].clone()
}

fn revoked(world: &World, id: &str) -> usize {
    world.requests(id).iter().filter(|kind| **kind == Kind::Access).count()
}

impl World {
    /// An existing disk with a valid SAS URL.
    fn granted_disk(&self, name: &str) -> String {
        let id = self.disk(name);
        self.azure.access(&id, &jane(), true).unwrap();
        assert_eq!(properties(&self.azure, &id)["diskState"], "ActiveSAS");
        id
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_seals_what_is_unsealed_and_is_logged_with_its_correlation_id_and_without_claims() {
    let azure = Emulator::new(Options::immediate());
    let mut delivery = delivery();
    delivery.excluded_app_ids.push(azure.options().identity.client_id.clone());
    let site = site_with(&azure, DEADLINE, delivery, &[GRANTS]);
    let id = disk_id(SUBSCRIPTION, "rg-app", "missed");
    site.azure.insert(&id, &disk_body("westeurope")).unwrap();
    for grants in 1..=2 {
        site.azure.access(&id, &jane(), true).unwrap();
        site.settle().await;
        assert!(site.is_sealed(&id));
        let invocations = site.host.invocations();
        assert_eq!(invocations.len(), grants, "a grant each, and none for what the seal writes");
        let last = &invocations[grants - 1];
        assert!(last.succeeded() && last.outputs.is_empty(), "{last:?}");
        let [granted, outcome] = &last.logs[..] else { panic!("{:?}", last.logs) };
        let correlation_id = granted.strip_prefix(&format!("access_granted {id}; correlation ID ")).unwrap();
        assert_eq!(correlation_id.len(), 36, "{granted}");
        let expected = if grants == 1 { "sealed" } else { "already_sealed" };
        assert_eq!(*outcome, format!("{expected} {id}"));
        assert!(!format!("{last:?}").contains("Jane"));
    }
    // Nothing is revoked unless it is asked for.
    assert_eq!(properties(&site.azure, &id)["diskState"], "ActiveSAS");
    // The end of an access is no grant, and neither is an action of another kind.
    site.azure.access(&id, &jane(), false).unwrap();
    site.settle().await;
    let invocations = site.host.invocations();
    let logs = &invocations.last().unwrap().logs;
    assert!(
        matches!(&logs[..], [line] if line.starts_with("ignored: not a successful write: /subscriptions/")),
        "{logs:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn grants_that_are_delivered_although_they_are_off_lead_to_nothing() {
    let site = site(&[]);
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    site.azure.insert(&id, &disk_body("westeurope")).unwrap();
    site.azure.clear_journal();
    site.azure.access(&id, &jane(), true).unwrap();
    site.settle().await;
    assert!(site.azure.journal().is_empty());
    let invocations = site.host.invocations();
    assert_eq!(
        invocations[0].logs,
        [format!("ignored: a grant of access to {id}, and DISKSEAL_GRANTS is off")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_azure_does_not_change_while_its_url_is_valid_is_sealed_by_the_queue() {
    let site = site(&[GRANTS]);
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    site.azure.insert(&id, &disk_body("westeurope")).unwrap();
    site.azure.inject(Fault::refuse(Refusal::operation_not_allowed()).on(Kind::Patch).times(1));
    site.azure.access(&id, &jane(), true).unwrap();
    site.settle().await;
    let first = &site.host.invocations()[0];
    assert!(
        first.logs[0].starts_with("access_granted ") && first.logs[1].starts_with("pending "),
        "{first:?}"
    );
    assert!(site.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn after_the_seal_the_urls_from_before_are_revoked_once_and_never_those_from_after() {
    for options in [Options::immediate(), Options::default()] {
        let world = World::with(options, &[REVOKE]);
        let id = world.granted_disk("d");
        let snapshot = world.snapshot("s");
        world.azure.access(&snapshot, &jane(), true).unwrap();
        for id in [&id, &snapshot] {
            assert_eq!(world.enforce(id).await.unwrap().label(), "sealed");
            assert_eq!(revoked(&world, id), 1);
            let requests = world.requests(id);
            let place = |kind| requests.iter().position(|known| *known == kind).unwrap();
            assert!(place(Kind::Patch) < place(Kind::Access) && place(Kind::Access) < place(Kind::TagsWrite));
            assert_eq!(properties(&world.azure, id)["diskState"], "Unattached");
            // Such a URL needs the rights in Microsoft Entra ID.
            world.azure.access(id, &jane(), true).unwrap();
            assert_eq!(world.enforce(id).await.unwrap().label(), "already_sealed");
            assert_eq!(revoked(&world, id), 1);
        }
        let without = world.disk("without");
        world.enforce(&without).await.unwrap();
        assert_eq!(revoked(&world, &without), 0, "there is no URL");
    }
    // A disk that somebody else has given the mode: its URLs are under the mode.
    let world = World::with(Options::immediate(), &[REVOKE]);
    let untagged = world.granted_disk("untagged");
    world.azure.set_property(&untagged, "dataAccessAuthMode", json!("AzureActiveDirectory"));
    assert_eq!(world.enforce(&untagged).await.unwrap().label(), "tagged");
    assert_eq!(revoked(&world, &untagged), 0);
    let off = World::new();
    let id = off.granted_disk("d");
    off.enforce(&id).await.unwrap();
    assert_eq!(revoked(&off, &id), 0);
}

#[tokio::test(start_paused = true)]
async fn a_url_that_is_granted_between_the_look_and_the_seal_is_revoked_too() {
    let world = World::with(Options::immediate(), &[REVOKE]);
    let id = world.disk("d");
    let held = world.fault(Fault::hold_before_applying().on(Kind::Patch).times(1));
    let grant = async {
        held.held().await;
        world.azure.access(&id, &jane(), true).unwrap();
        held.release();
    };
    let (outcome, ()) = tokio::join!(world.enforce(&id), grant);
    assert_eq!(outcome.unwrap().label(), "sealed");
    assert_eq!(revoked(&world, &id), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_revoked_of_what_is_exempt_uploaded_or_perhaps_backed_up() {
    let vm = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    // Protected, in each mode of the guard, by its machine or by itself.
    for guard in ["skip", "network", "warn", "off"] {
        let world = World::with(Options::immediate(), &[REVOKE, ("DISKSEAL_BACKUP_GUARD", guard)]);
        let (own, held) = (world.granted_disk("own"), world.granted_disk("held"));
        world.azure.protect(&own, VAULT, Protection::DiskBackup);
        world.azure.protect(&vm, VAULT, Protection::Backup);
        world.azure.attach(&held, &vm);
        world.azure.set_property(&held, "diskState", json!("ActiveSAS"));
        for id in [&own, &held] {
            for trigger in [Trigger::Event, Trigger::Queue, Trigger::Sweep, Trigger::Command] {
                let _ = world.enforce_for(id, trigger).await;
            }
            assert_eq!(revoked(&world, id), 0, "{guard} {id}");
        }
        let other = world.granted_disk("other");
        world.enforce(&other).await.unwrap();
        assert_eq!(
            revoked(&world, &other),
            usize::from(guard != "off"),
            "{guard}: unknown is not unprotected"
        );
    }
    // It is not known what is protected.
    let world = World::with(Options::immediate(), &[REVOKE, ("DISKSEAL_BACKUP_GUARD", "warn")]);
    world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let id = world.granted_disk("d");
    world.azure.set_property(&id, "timeCreated", json!("2020-01-01T00:00:00Z"));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert_eq!(revoked(&world, &id), 0);
    // Exempt by its name, audit mode, and uploads.
    let exempt = World::with(Options::immediate(), &[REVOKE, ("DISKSEAL_EXEMPT_NAMES", "keep-*")]);
    let id = exempt.granted_disk("keep-me");
    assert_eq!(exempt.enforce(&id).await.unwrap().label(), "exempt");
    let audit = World::at(exempt.azure.clone(), &[REVOKE, ("DISKSEAL_MODE", "audit")]);
    assert_eq!(audit.enforce(&id).await.unwrap().label(), "would_seal");
    assert_eq!((revoked(&exempt, &id), revoked(&audit, &id)), (0, 0));
    let upload = disk_id(SUBSCRIPTION, "rg-app", "upload");
    let mut body = disk_body("westeurope");
    body["properties"]["creationData"] = json!({"createOption": "Upload", "uploadSizeBytes": 1024});
    let world = World::with(Options::immediate(), &[REVOKE]);
    world.azure.insert(&upload, &body).unwrap();
    for reason in [PendingReason::ReadyToUpload, PendingReason::ActiveUpload] {
        assert_eq!(world.enforce(&upload).await.unwrap_err().reason(), reason.reason());
        world.azure.access(&upload, &jane(), true).unwrap();
    }
    assert_eq!(revoked(&world, &upload), 0);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_fails_leaves_a_sealed_disk() {
    for refusal in [Refusal::authorization_failed(), Refusal::conflict(), Refusal::server_error(503)] {
        let world = World::with(Options::immediate(), &[REVOKE]);
        let id = world.granted_disk("d");
        world.fault(Fault::refuse(refusal).on(Kind::Access).always());
        let outcome = world.enforce_within(&id, Duration::from_mins(1)).await.unwrap();
        assert_eq!(outcome.label(), "sealed");
        assert!(world.is_sealed(&id));
        assert_eq!(properties(&world.azure, &id)["diskState"], "ActiveSAS");
        // No later look tries again.
        world.azure.clear_journal();
        world.enforce(&id).await.unwrap();
        assert_eq!(revoked(&world, &id), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_of_our_own_is_no_grant_of_somebody_else() {
    let site = site(&[GRANTS]);
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    site.azure.insert(&id, &disk_body("westeurope")).unwrap();
    let own = ourselves(&site.azure);
    site.azure.access(&id, &own, true).unwrap();
    site.settle().await;
    assert_eq!(site.host.invocations()[0].logs, [format!("ignored: our own write of {id}")]);
}
