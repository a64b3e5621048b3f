//! Where it is not known what is protected.

use diskseal::enforce::Concern;
use diskseal_emulator::{GraphTable, fault::Refusal};
use serde_json::Value;

use super::*;

/// A row of a machine that Azure Backup protects, changed.
fn row(source: &Value) -> serde_json::Map<String, Value> {
    let row = json!({
        "id": format!("{VAULT}/backupFabrics/Azure/protectionContainers/c/protectedItems/vm"),
        "type": "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers/protecteditems",
        "properties": {"backupManagementType": "AzureIaasVM", "sourceResourceId": source},
    });
    row.as_object().unwrap().clone()
}

/// What may be protected: a disk of a machine, an old one that is free, and a snapshot; and a new disk, which is not.
pub(super) fn resources(world: &World) -> ([String; 3], String) {
    let [held, old, new] = ["held", "old", "new"].map(|name| world.disk(name));
    world.azure.attach(&held, &vm("vm-1"));
    world.age(&old);
    ([held, old, world.snapshot("s")], new)
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for_by_the_queue() {
    let silent = Fault::delay(Duration::from_mins(1));
    let truncated = Fault::half_an_answer();
    for fault in [
        Fault::refuse(Refusal::throttled_arm(60)),
        Fault::refuse(Refusal::server_error(503)),
        Fault::reset(),
        silent,
        truncated,
    ] {
        let world = World::new();
        let (doubtful, new) = resources(&world);
        let injected = world.fault(fault.clone().on(Kind::Query).always());
        for id in &doubtful {
            let started = tokio::time::Instant::now();
            let error = world.enforce(id).await.expect_err(id);
            assert_eq!((error.concern(), error.reason()), (Concern::Resource, "guard_unknown"), "{fault:?}");
            assert!(started.elapsed() < Duration::from_secs(6), "{fault:?}: {:?}", started.elapsed());
        }
        assert_eq!(world.enforce(&new).await.unwrap().label(), "sealed", "{fault:?}");
        injected.remove();
        tokio::time::advance(Duration::from_mins(5)).await;
        for id in &doubtful {
            assert_eq!(world.enforce_for(id, Trigger::Queue).await.unwrap().label(), "sealed", "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_lasts_leaves_a_resource_as_it_is_and_is_asked_every_five_minutes() {
    let page = |data: Value| {
        json!({"totalRecords": 2, "count": 0, "data": data, "resultTruncated": "true"}).to_string()
    };
    for fault in [
        Fault::refuse(Refusal::authorization_failed()),
        Fault::refuse(Refusal::subscription_not_found()),
        Fault::refuse(Refusal::resource_not_found()),
        Fault::text(200, "application/json", page(json!([]))),
        Fault::text(200, "application/json", page(json!([["a row"], 7]))),
        Fault::text(200, "application/json", r#"{"data": {}}"#),
    ] {
        let world = World::new();
        let (doubtful, new) = resources(&world);
        let injected = world.fault(fault.clone().on(Kind::Query).always());
        for trigger in [Trigger::Event, Trigger::Queue, Trigger::Sweep, Trigger::Command] {
            for id in &doubtful {
                let left = Ok(Outcome::Protected(Guarded::Unknown));
                assert_eq!(world.enforce_for(id, trigger).await, left, "{trigger:?} {id}: {fault:?}");
            }
        }
        assert_eq!(world.enforce(&new).await.unwrap().label(), "sealed", "{fault:?}");
        assert_eq!(queries(&world.azure), 1, "a refusal is remembered: {fault:?}");
        injected.remove();
        tokio::time::advance(Duration::from_mins(6)).await;
        for id in &doubtful {
            assert_eq!(world.enforce(id).await.unwrap().label(), "sealed", "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_hides_nothing() {
    for source in [json!({"id": vm("vm-1")}), json!([vm("vm-1")]), json!("vm-1"), json!(7), Value::Null] {
        let world = World::new();
        world.azure.add_row(GraphTable::RecoveryServices, row(&source));
        world.azure.protect(&vm("vm-2"), VAULT, Protection::Backup);
        let (doubtful, new) = resources(&world);
        for id in &doubtful {
            assert_eq!(world.enforce(id).await, Ok(Outcome::Protected(Guarded::Unknown)), "{source}");
        }
        assert_eq!(world.enforce(&new).await.unwrap().label(), "sealed", "{source}");
        let known = world.disk("known");
        world.azure.attach(&known, &vm("vm-2"));
        assert_eq!(world.enforce(&known).await, Ok(by(VAULT)), "what can be read is known: {source}");
        let found = collect(&world.ctx, crate::sweep::terms()).await.unwrap();
        assert_eq!(
            (found.survey.protected, found.survey.doubtful, found.to_seal.len()),
            (4, 3, 0),
            "{source}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_refused_leaves_a_doubt_about_all_that_it_may_name() {
    let world = World::with(Options { resource_graph_page_size: 1, ..Options::immediate() }, &[]);
    for n in 1..=3 {
        world.azure.protect(
            &vm(&format!("vm-{n}")),
            &VAULT.replace("/v", &format!("/v{n}")),
            Protection::Backup,
        );
    }
    let held = world.disk("held");
    world.azure.attach(&held, &vm("vm-3"));
    world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).after(1).always());
    assert_eq!(world.enforce(&held).await, Ok(Outcome::Protected(Guarded::Unknown)));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_not_visible_leaves_a_doubt_about_its_subscription() {
    let other = "33333333-2222-4333-8444-555555555555";
    for is_named in [false, true] {
        let world = World::new();
        world.azure.protect_cluster(&cluster(), BACKUP_VAULT, &group("rg-snapshots"));
        if is_named {
            world.azure.add_cluster(&cluster(), "");
        }
        let (doubtful, new) = resources(&world);
        for id in &doubtful {
            assert_eq!(world.enforce(id).await, Ok(Outcome::Protected(Guarded::Unknown)), "{id}");
        }
        assert_eq!(world.enforce(&new).await.unwrap().label(), "sealed");
        let elsewhere = disk_id(other, "rg-app", "old");
        world.azure.insert(&elsewhere, &disk_body("westeurope")).unwrap();
        world.age(&elsewhere);
        assert_eq!(world.enforce(&elsewhere).await.unwrap().label(), "sealed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshots_source_that_cannot_be_read_leaves_a_doubt() {
    for (refusal, label) in [
        (Refusal::authorization_failed(), Ok("protected")),
        (Refusal::server_error(503), Err("guard_unknown")),
    ] {
        let world = World::new();
        world.azure.protect(&vm("vm-1"), VAULT, Protection::Backup);
        let source = world.disk("source");
        let snapshot = world.snapshot_of(&source, "rg-app", "s");
        world.fault(Fault::refuse(refusal).on(Kind::Get).resource("source").always());
        let result = world.enforce(&snapshot).await;
        let result = result.as_ref().map(Outcome::label).map_err(diskseal::enforce::Error::reason);
        assert_eq!(result, label);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lasting_doubt_fills_no_queue_and_a_passing_one_the_queue_alone() {
    for (refusal, receipts) in [(Refusal::authorization_failed(), 0), (Refusal::server_error(503), 1)] {
        let site = site(&[]);
        let outage = site.azure.inject(Fault::refuse(refusal).on(Kind::Query).always());
        let disks =
            site.azure.put_machine(&vm("vm-1"), &jane(), &virtual_machine_body("westeurope", 0)).unwrap();
        site.event_grid.idle().await;
        assert!(site.event_grid.deliveries().iter().all(|delivery| delivery.status == Some(202)));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let queue = site.host.queues().queue("diskseal-pending");
        assert_eq!(queue.messages().len(), receipts);
        outage.remove();
        tokio::time::sleep(Duration::from_hours(2)).await;
        assert!(site.host.queues().poison("diskseal-pending").is_empty());
        assert_eq!(site.is_sealed(&disks[0]), receipts == 1);
        site.host.fire_timer("sweep").await.unwrap();
        site.settle().await;
        assert!(site.is_sealed(&disks[0]));
    }
}
