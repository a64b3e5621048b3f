//! Odd answers: a byte order mark, a resource whose body is in an unexpected form, and an unexpected row.

use diskseal::{enforce::Concern, report::Source, sweep::collect};
use diskseal_emulator::{
    Options,
    fault::{Fault, Kind, Refusal},
};
use serde_json::{Value, json};

use crate::{sweep::terms, world::World};

/// Bodies from which it follows what to do.
fn readable() -> Vec<(&'static str, Value)> {
    vec![
        ("tags", json!({"env": null, "owner": "x"})),
        ("tags", json!({"n": 5, "is": true})),
        ("tags", json!({"nested": {"a": [1]}, "list": []})),
        ("tags", json!([])),
        ("tags", json!("")),
        ("tags", json!(null)),
        ("managedBy", json!({"id": "x"})),
        ("managedBy", json!(7)),
        ("managedByExtended", json!({"a": 1})),
        ("location", json!(["westeurope"])),
        ("name", json!(7)),
        ("type", json!({})),
        ("sku", json!("Premium_LRS")),
        ("zones", json!(1)),
    ]
}

/// The same of members of `properties`.
fn readable_properties() -> Vec<(&'static str, Value)> {
    vec![
        ("provisioningState", json!(2)),
        ("provisioningState", json!({"state": "Succeeded"})),
        ("timeCreated", json!(1_700_000_000)),
        ("timeCreated", json!({"at": "2026-01-01T00:00:00Z"})),
        ("diskState", json!(3)),
        ("creationData", json!({"createOption": {"is": "Empty"}})),
        ("completionPercent", json!([100])),
        ("dataAccessAuthMode", json!(7)),
        ("dataAccessAuthMode", json!(["None"])),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_odd_member_does_not_keep_a_disk_from_being_sealed() {
    for (member, value) in readable() {
        let world = World::new();
        let id = world.disk("d");
        assert!(world.azure.set_member(&id, member, value.clone()));
        let outcome = world.enforce(&id).await.map(|outcome| outcome.label());
        assert_eq!(outcome, Ok("sealed"), "{member} {value}");
        assert_eq!(world.azure.get(&id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
    }
    for (member, value) in readable_properties() {
        let world = World::new();
        let id = world.disk("d");
        assert!(world.azure.set_odd_property(&id, member, value.clone()));
        let outcome = world.enforce(&id).await.map(|outcome| outcome.label());
        assert_eq!(outcome, Ok("sealed"), "{member} {value}");
        assert!(world.is_sealed(&id), "{member} {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_of_which_nothing_follows_is_pending_and_no_other_waits() {
    let pending = async |world: &World, id: &str, what: &str| {
        let error = world.enforce(id).await.expect_err(what);
        assert_eq!((error.concern(), error.reason()), (Concern::Resource, "malformed"), "{what}");
        assert_eq!(world.writes(), 0, "{what}");
    };
    for properties in [json!(null), json!([]), json!("x"), json!(7)] {
        let world = World::new();
        let id = world.disk("d");
        world.azure.set_member(&id, "properties", properties.clone());
        pending(&world, &id, &properties.to_string()).await;
    }
    let world = World::new();
    let id = world.disk("d");
    world.azure.remove_member(&id, "properties");
    pending(&world, &id, "no properties").await;

    // Its tags may exempt it.
    let world = World::with(Options::immediate(), &[("DISKSEAL_EXEMPT_TAG", "exempt")]);
    let id = world.disk("d");
    world.azure.set_member(&id, "tags", json!(["exempt"]));
    pending(&world, &id, "tags that may exempt it").await;

    // It may be an empty snapshot, into which nothing can be uploaded once it is sealed.
    for creation_data in [json!("Empty"), json!({"createOption": ["Empty"]})] {
        let world = World::new();
        let id = world.snapshot("s");
        world.azure.set_odd_property(&id, "creationData", creation_data.clone());
        pending(&world, &id, &creation_data.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_resource_concerns_everything() {
    for body in [r#"{"hello":"world"}"#, "[]", "7", "null", r#""x""#, r#"{"error":{"code":"X"}}"#, "{}", "{"]
    {
        let world = World::new();
        let id = world.disk("d");
        world.fault(Fault::text(200, "application/json", body).on(Kind::Get).always());
        let error = world.enforce(&id).await.expect_err(body);
        assert_eq!((error.concern(), error.reason()), (Concern::System, "unreadable"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_state_is_no_proof() {
    let world = World::with(Options { throttling: None, ..Options::default() }, &[]);
    let id = world.disk("d");
    world.azure.set_odd_property(&id, "provisioningState", json!(2));
    // A read shows the mode while the operation goes on and fails: only a known state would prove it.
    world.fault(Fault::operation_fails("InternalExecutionError", "m").on(Kind::Patch));
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!(error.reason(), "operation_failed");
    assert_eq!(world.azure.get(&id).unwrap()["tags"].get("diskseal-auth-mode"), None);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_cannot_be_read_is_a_doubt_of_the_backup_guard() {
    const VAULT: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v";
    const MACHINE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm";
    for (member, value, is_property) in [
        ("managedBy", json!({"id": "x"}), false),
        ("managedBy", json!(7), false),
        ("managedBy", json!(false), false),
        ("managedByExtended", json!([{}]), false),
        ("diskState", json!(3), true),
        ("creationData", json!(["x"]), true),
        ("creationData", json!({"createOption": "Copy", "sourceResourceId": {}}), true),
    ] {
        let world = World::new();
        world.azure.protect(MACHINE, VAULT, diskseal_emulator::Protection::Backup);
        let id = world.disk("d");
        // A new disk that no machine holds is in no backup yet.
        world.azure.set_property(&id, "timeCreated", json!("2020-01-01T00:00:00Z"));
        if is_property {
            world.azure.set_odd_property(&id, member, value.clone());
        } else {
            world.azure.set_member(&id, member, value.clone());
        }
        let outcome = world.enforce(&id).await.unwrap();
        assert_eq!(
            (outcome.label(), outcome.reason()),
            ("protected", Some("guard_unknown")),
            "{member} {value}"
        );
        assert_eq!(world.writes(), 0, "{member} {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_in_an_unexpected_form_is_looked_at() {
    let world = World::new();
    let (odd, empty) = (world.disk("odd"), world.disk("empty"));
    world.azure.set_member(&odd, "tags", json!({"env": null}));
    world.azure.set_member(&empty, "properties", json!(null));
    world.disk("good");
    let found = collect(&world.ctx, terms()).await.unwrap();
    let mut names: Vec<_> = found.to_seal.iter().map(|id| id.name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["empty", "good", "odd"], "a row is only a reason to look");
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_is_skipped_wherever_arm_answers() {
    for kind in [Kind::Get, Kind::Patch, Kind::TagsWrite] {
        let world = World::new();
        let id = world.disk("d");
        let marked = world.fault(Fault::byte_order_mark().on(kind).always());
        assert_eq!(world.enforce(&id).await.map(|outcome| outcome.label()), Ok("sealed"), "{kind:?}");
        assert!(world.is_sealed(&id) && marked.fired() > 0, "{kind:?}");
    }
    for source in [Source::Graph, Source::Lists] {
        let world = World::new();
        world.disk("d");
        world.fault(Fault::byte_order_mark().always());
        let survey = diskseal::sweep::plan(&world.ctx, source, |_, _| ()).await.unwrap();
        assert_eq!(survey.counts.unsealed, 1, "{source:?}");
    }
    let world = World::new();
    let id = world.disk("d");
    world.fault(Fault::refuse(Refusal::disallowed_by_policy()).on(Kind::Patch).with_byte_order_mark());
    assert_eq!(world.enforce(&id).await.unwrap_err().reason(), "disallowed_by_policy", "an error's code");
}
