//! Pending resources, in process on a paused clock: how often ARM receives requests for them, and when they
//! are sealed.

use std::time::Duration;

use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::disk_id,
    event_grid::EventGridOptions,
    fault::{Fault, Kind, Refusal},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    delivery::{DEADLINE, Site, site},
    world::{SUBSCRIPTION, jane},
};

const MACHINE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/vm";

const fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// An Azure that refuses the mode on attached disks, our handler, and a disk that is attached at once.
fn attached() -> (Emulator, Site, String) {
    let azure = Emulator::new(Options { attached_disks_refuse_the_mode: true, ..Options::immediate() });
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let id = site.create("attached");
    assert!(azure.attach(&id, MACHINE));
    (azure, site, id)
}

/// The minutes after `start` of each read of the resource.
fn reads(azure: &Emulator, id: &str, start: time::OffsetDateTime) -> Vec<i64> {
    let requests = azure.requests_for(id);
    let reads = requests.iter().filter(|exchange| exchange.kind == Kind::Get);
    reads.map(|exchange| (exchange.received - start).whole_minutes()).collect()
}

/// How many invocations of the queue's function failed.
fn failures(site: &Site) -> usize {
    let invocations = site.host.invocations();
    invocations.iter().filter(|one| one.function == "seal_queued" && !one.succeeded()).count()
}

#[tokio::test(start_paused = true)]
async fn an_attached_disk_is_looked_at_less_and_less_often_and_then_left_to_the_sweep() {
    let (azure, site, id) = attached();
    let start = azure.clock().now();
    sleep(Duration::from_hours(24)).await;
    // The event and the queue's first receipt come at once.
    assert_eq!(reads(&azure, &id, start), [0, 0, 5, 15, 35, 75]);
    assert_eq!(failures(&site), 15, "the last receipt succeeds");
    assert!(site.host.queues().poison("diskseal-pending").is_empty());
    assert!(site.host.queues().queue("diskseal-pending").is_empty());
    let invocations = site.host.invocations();
    let lines: Vec<_> = invocations.iter().flat_map(|one| &one.logs).collect();
    let last = lines.last().unwrap();
    assert!(last.starts_with(&format!("left_to_sweep {id}: it is attached: ")), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_locked_disk_is_looked_at_less_and_less_often_and_then_poisoned() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
    let start = azure.clock().now();
    let id = site.create("locked");
    sleep(Duration::from_hours(24)).await;
    assert_eq!(reads(&azure, &id, start), [0, 0, 5, 15, 35, 75]);
    assert_eq!(failures(&site), 15, "the last receipt moves the message, and succeeds");
    assert_eq!(site.host.queues().poison("diskseal-pending").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_hours_is_sealed_by_the_first_sweep_after_its_end() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let id = disk_id(SUBSCRIPTION, "rg-app", "upload");
    let mut body = disk_body("westeurope");
    body["properties"]["creationData"] = json!({"createOption": "Upload"});
    azure.put(&id, &jane(), &body).unwrap();
    sleep(Duration::from_hours(3)).await;
    azure.set_property(&id, "diskState", json!("ActiveUpload"));
    assert!(site.host.fire_timer("sweep").await.unwrap().succeeded());
    site.settle().await;
    assert!(azure.requests_for(&id).iter().all(|exchange| exchange.kind == Kind::Get));
    let queues = site.host.queues();
    assert!(queues.poison("diskseal-pending").is_empty() && queues.queue("diskseal-pending").is_empty());
    azure.set_property(&id, "diskState", json!("Unattached"));
    assert!(site.host.fire_timer("sweep").await.unwrap().succeeded());
    site.settle().await;
    assert!(site.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn a_detached_disk_is_sealed_at_the_next_look() {
    let (azure, site, id) = attached();
    let start = azure.clock().now();
    sleep(minutes(20)).await;
    assert!(azure.detach(&id));
    sleep(minutes(16)).await;
    assert!(site.is_sealed(&id));
    assert_eq!(reads(&azure, &id, start), [0, 0, 5, 15, 35]);
    assert!(site.host.queues().poison("diskseal-pending").is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_sweep_tries_once_and_the_first_after_it_is_free_seals_it() {
    let (azure, site, id) = attached();
    let start = Instant::now();
    for _ in 0..24 {
        sleep(Duration::from_hours(1)).await;
        assert!(site.host.fire_timer("sweep").await.unwrap().succeeded());
    }
    sleep(minutes(1)).await;
    let requests = azure.requests_for(&id);
    let of = |kind| requests.iter().filter(|exchange| exchange.kind == kind).count();
    // The event, five looks by its message, and one for each sweep; each is a read and a refused change.
    assert_eq!(
        (of(Kind::Get), of(Kind::Patch), of(Kind::TagsWrite)),
        (30, 30, 0),
        "in {:?}",
        start.elapsed()
    );
    assert_eq!(failures(&site), 15, "a sweep's message that ARM refuses fails no invocation");
    assert!(site.host.queues().poison("diskseal-pending").is_empty());
    assert!(site.host.queues().queue("diskseal-pending").is_empty());

    assert!(azure.detach(&id));
    assert!(site.host.fire_timer("sweep").await.unwrap().succeeded());
    site.host.queues_drained().await;
    assert!(site.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_sweep_outlast_an_outage() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let id = site.create("d");
    site.event_grid.idle().await;
    azure.set_property(&id, "dataAccessAuthMode", json!("None"));
    let outage = azure.inject(Fault::refuse(Refusal::server_error(503)).on(Kind::Get).always());
    assert!(site.host.fire_timer("sweep").await.unwrap().succeeded());
    outage.met_times(1).await;
    sleep(minutes(2)).await;
    assert!(!site.is_sealed(&id));
    outage.remove();
    sleep(minutes(4)).await;
    assert!(site.is_sealed(&id), "no other sweep was needed");
}
