//! Uploads, imports and attached disks: what a seal would break, and what is expected to last.

use std::time::Duration;

use diskseal::{
    enforce::{Look, Outcome, Trigger, enforce},
    report::Source,
    sweep,
};
use diskseal_emulator::{
    Options, disk_body,
    estate::{disk_id, snapshot_id},
    fault::{Fault, Kind, Refusal},
};
use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, World};

const MACHINE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/vm";

/// A resource that was created by this option.
fn made_by(world: &World, id: String, create_option: &str) -> String {
    let mut body = disk_body("westeurope");
    body["properties"]["creationData"] = json!({"createOption": create_option});
    world.azure.insert(&id, &body).unwrap();
    id
}

async fn reason(world: &World, id: &str) -> &'static str {
    let error = world.enforce(id).await.unwrap_err();
    assert!(error.is_expected_wait(), "{error}");
    error.reason()
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_not_broken_and_its_end_is_sealed() {
    let world = World::new();
    for (option, id) in [
        ("Upload", disk_id(SUBSCRIPTION, "rg-app", "d")),
        ("UploadPreparedSecure", disk_id(SUBSCRIPTION, "rg-app", "secure")),
        ("Upload", snapshot_id(SUBSCRIPTION, "rg-app", "s")),
    ] {
        let id = made_by(&world, id, option);
        assert_eq!(reason(&world, &id).await, "ready_to_upload");
        world.azure.set_property(&id, "diskState", Value::Null);
        assert_eq!(reason(&world, &id).await, "ready_to_upload", "nothing shows that it has ended");
        world.azure.set_property(&id, "diskState", json!("ActiveUpload"));
        assert_eq!(reason(&world, &id).await, "active_upload");
        assert_eq!(world.requests(&id), [Kind::Get; 3], "one read a look, and no write");
        world.azure.set_property(&id, "diskState", json!("Unattached"));
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
        assert!(world.is_sealed(&id));
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_is_not_broken_and_an_empty_snapshot_stays_as_it_is() {
    let world = World::new();
    let id = made_by(&world, disk_id(SUBSCRIPTION, "rg-app", "d"), "Import");
    world.azure.set_property(&id, "completionPercent", json!(40.5));
    assert_eq!(reason(&world, &id).await, "import");
    world.azure.set_property(&id, "completionPercent", json!(100.0));
    world.azure.set_property(&id, "provisioningState", json!("Updating"));
    assert_eq!(reason(&world, &id).await, "import");
    world.azure.set_property(&id, "provisioningState", json!("Succeeded"));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");

    let empty = made_by(&world, snapshot_id(SUBSCRIPTION, "rg-app", "s"), "Empty");
    assert_eq!(reason(&world, &empty).await, "empty_snapshot");
    assert_eq!(world.requests(&empty), [Kind::Get]);
}

#[tokio::test(start_paused = true)]
async fn a_listing_shows_what_a_read_shows() {
    for source in [Source::Graph, Source::Lists] {
        let world = World::new();
        let disk = |name: &str| disk_id(SUBSCRIPTION, "rg-app", name);
        let upload = made_by(&world, disk("upload"), "Upload");
        let import = made_by(&world, disk("import"), "Import");
        world.azure.set_property(&import, "completionPercent", json!(1));
        made_by(&world, snapshot_id(SUBSCRIPTION, "rg-app", "empty"), "Empty");
        made_by(&world, disk("imported"), "Import");
        let mut ended = vec![];
        let time = Duration::from_mins(1);
        let sweep = sweep::seal_all(&world.ctx, source, 4, time, |advance| {
            if let sweep::Advance::Ended(id, result) = advance {
                ended.push((id.name().to_owned(), result.unwrap().label()));
            }
        });
        let survey = sweep.await.unwrap();
        assert_eq!((survey.counts.pending, survey.counts.unsealed), (3, 1), "{source:?}");
        assert_eq!(ended, [("imported".to_owned(), "sealed")]);
        assert!(!world.is_sealed(&upload));
    }
}

#[tokio::test(start_paused = true)]
async fn only_an_attached_disk_that_arm_refuses_to_change_is_expected_to_last() {
    let conflict = || Fault::refuse(Refusal::operation_not_allowed()).on(Kind::Patch).always();
    let world = World::new();
    let ids = ["held", "reserved", "free", "locked"].map(|name| world.disk(name));
    world.azure.attach(&ids[0], MACHINE);
    world.azure.set_property(&ids[1], "diskState", json!("Reserved"));
    world.azure.attach(&ids[3], MACHINE);
    world.fault(conflict());
    for (id, expected) in ids[..3].iter().zip([("attached", true), ("attached", true), ("conflict", false)]) {
        let error = world.enforce(id).await.unwrap_err();
        assert_eq!((error.reason(), error.is_expected_wait()), expected, "{error}");
        assert_eq!(error.azure_code(), Some("OperationNotAllowed"));
    }
    world.azure.clear_faults();
    world.fault(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
    let error = world.enforce(&ids[3]).await.unwrap_err();
    assert_eq!((error.reason(), error.is_expected_wait()), ("locked", false));
}

#[tokio::test(start_paused = true)]
async fn at_the_last_receipt_an_expected_wait_is_left_to_the_sweep() {
    let world = World::with(Options::immediate(), &[]);
    let upload = made_by(&world, disk_id(SUBSCRIPTION, "rg-app", "d"), "Upload");
    let look = |id: &str, is_last| {
        Look::new(id.parse().unwrap(), Trigger::Queue, Duration::from_secs(25)).delivered(true, is_last)
    };
    assert_eq!(enforce(&world.ctx, &look(&upload, false)).await.unwrap_err().reason(), "ready_to_upload");
    let outcome = enforce(&world.ctx, &look(&upload, true)).await.unwrap();
    assert!(matches!(&outcome, Outcome::LeftToSweep(_)), "{outcome:?}");
    assert_eq!((outcome.label(), outcome.reason()), ("left_to_sweep", Some("ready_to_upload")));

    let busy = world.disk("busy");
    world.azure.set_property(&busy, "provisioningState", json!("Updating"));
    assert_eq!(enforce(&world.ctx, &look(&busy, true)).await.unwrap_err().reason(), "provisioning");
}
