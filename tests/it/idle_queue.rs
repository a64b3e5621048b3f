//! The queue of an app with the host.json that is deployed: when it is looked at, and what calls by hand do.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::disk_id,
    event_grid::EventGridOptions,
    fault::{Fault, Kind, Refusal},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    delivery::{DEADLINE, site, site_of},
    world::SUBSCRIPTION,
};

/// The longest pause between two looks, which `maxPollingInterval` of host.json sets; by default it is a minute.
const PAUSE_MAX: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn the_first_try_of_a_pending_disk_comes_within_seconds() {
    let azure = Emulator::new(Options::immediate());
    let site = site_of(&azure, DEADLINE, EventGridOptions::default(), &[], |options| options);
    let locked = azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
    for n in 0..5_u32 {
        // The queue is idle, and the pauses are as long as they get.
        sleep(Duration::from_mins(10) + Duration::from_millis(1_234) * n).await;
        let start = Instant::now();
        site.create(&format!("locked{n}"));
        site.event_grid.idle().await;
        let before = site.host.invocations().len();
        site.host.wait_for_invocation(|_| site.host.invocations().len() > before).await;
        assert!(start.elapsed() <= PAUSE_MAX + Duration::from_secs(2), "{:?}", start.elapsed());
    }
    locked.remove();
}

#[tokio::test(start_paused = true)]
async fn a_call_by_hand_is_a_try() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    azure.insert(&id, &disk_body("westeurope")).unwrap();
    for name in ["resource", "id"] {
        azure.set_property(&id, "dataAccessAuthMode", json!("None"));
        let message = json!({name: id, "reason": "conflict", "firstSeen": "2026-11-24T01:02:03Z"});
        let called = site.host.call_by_hand("seal_queued", &message.to_string()).await.unwrap();
        assert!(called.succeeded(), "{name}: {called:?}");
        assert!(site.is_sealed(&id), "{name}");
    }
    let called = site.host.call_by_hand("sweep", "").await.unwrap();
    assert!(called.succeeded(), "{called:?}");
}

/// A message that is no base64 is poisoned at once; one that is not ours, after its receipts.
#[tokio::test(start_paused = true)]
async fn what_is_not_ours_ends_in_the_poison_queue() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let queues = site.host.queues();
    queues.queue("diskseal-pending").put(r#"{"resource": "/x"}"#).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!((queues.poison("diskseal-pending").len(), site.host.invocations().len()), (1, 0));
    queues.queue("diskseal-pending").put(STANDARD.encode("{}")).unwrap();
    site.host.queues_drained().await;
    assert_eq!((queues.poison("diskseal-pending").len(), site.host.invocations().len()), (2, 17));
}
