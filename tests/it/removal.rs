//! An attacker who removes the seal again and again, against the whole function app on a paused clock.

use std::time::Duration;

use diskseal_emulator::{Emulator, Options, event_grid::EventGridOptions, fault::Kind, host::Trigger};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    delivery::{DEADLINE, Site, site},
    world::jane,
};

const HOUR: Duration = Duration::from_hours(1);

fn remove(site: &Site, id: &str) {
    let mode = json!({"properties": {"dataAccessAuthMode": "None"}});
    site.azure.patch(id, &jane(), &mode).unwrap();
}

/// Removes the seal for an hour, each time after `patience` under the seal. Returns how often, and the longest time
/// that the disk was unsealed.
async fn attack(site: &Site, id: &str, patience: Duration) -> (u32, Duration) {
    let start = Instant::now();
    let (mut removals, mut longest) = (0, Duration::ZERO);
    while start.elapsed() < HOUR {
        sleep(patience).await;
        remove(site, id);
        removals += 1;
        let removed = Instant::now();
        while !site.is_sealed(id) {
            assert!(removed.elapsed() < HOUR, "unsealed for an hour after {removals} removals");
            sleep(Duration::from_millis(100)).await;
        }
        longest = longest.max(removed.elapsed());
    }
    (removals, longest)
}

fn logs(site: &Site) -> Vec<String> {
    site.host.invocations().iter().flat_map(|one| one.logs.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_seal_that_is_removed_for_an_hour_is_set_again_within_a_minute_each_time() {
    for (patience, least, longest) in [
        (Duration::from_secs(1), 30, Duration::from_secs(62)),
        (Duration::from_secs(40), 30, Duration::from_secs(62)),
        (Duration::from_mins(2), 30, Duration::from_secs(7)),
    ] {
        let azure = Emulator::new(Options::immediate());
        let site = site(&azure, DEADLINE, EventGridOptions::default());
        let id = site.create("d");
        site.settle().await;
        azure.clear_journal();
        let (removals, unsealed) = attack(&site, &id, patience).await;
        assert!(removals >= least, "{removals} removals with {patience:?}");
        assert!(unsealed <= longest, "unsealed for {unsealed:?} with {patience:?}");
        let requests = azure.requests_for(&id);
        let patches = requests.iter().filter(|exchange| exchange.kind == Kind::Patch).count();
        assert!(patches <= 66, "{patches} writes in an hour with {patience:?}");
        site.settle().await;
        assert!(site.host.queues().poison("diskseal-pending").is_empty());
        let removed = logs(&site).iter().filter(|line| line.contains("seal had been removed")).count();
        assert_eq!(removed, removals as usize, "one line a seal that was set again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_waits_for_the_pause_too() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let id = site.create("d");
    site.settle().await;
    for _ in 0..6 {
        // Without an event.
        azure.set_property(&id, "dataAccessAuthMode", Value::Null);
        let removed = Instant::now();
        assert!(site.host.fire_timer("sweep").await.unwrap().succeeded());
        site.settle().await;
        assert!(site.is_sealed(&id) && removed.elapsed() <= Duration::from_secs(62));
    }
    let lines = logs(&site);
    assert!(lines.iter().any(|line| *line == format!("sealed {id}: its seal had been removed")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_correlation_id_is_on_the_line_by_event_and_by_queue_if_it_is_safe() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let id = site.create("d");
    site.settle().await;
    let undone = async |correlation_id: Value| {
        azure.set_property(&id, "dataAccessAuthMode", Value::Null);
        let event = json!({
            "eventType": "Microsoft.Resources.ResourceWriteSuccess",
            "subject": id,
            "data": {"correlationId": correlation_id, "claims": {"name": "Jane Doe"}},
        });
        let invocation = site.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap();
        site.settle().await;
        assert!(site.is_sealed(&id));
        invocation.logs
    };
    let guid = "9f3c6f0e-1f5c-4d7b-9f2c-0a1b2c3d4e5f";
    let sealed = format!("sealed {id}: its seal had been removed");
    assert_eq!(undone(json!(guid)).await, [format!("{sealed}; correlation ID {guid}")]);
    for odd in [json!(7), json!("a b"), json!("x\nsealed"), json!("ü"), json!("a".repeat(65)), Value::Null] {
        let lines = undone(odd.clone()).await;
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(!line.contains("correlation"), "{odd}: {line}");
    }
    let lines = undone(json!(guid)).await;
    assert!(lines.iter().all(|line| line.starts_with(&format!("pending {id}: "))), "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with(&format!("; correlation ID {guid}"))), "{lines:?}");
    let lines = logs(&site);
    let last = lines.iter().rfind(|line| line.starts_with("sealed"));
    assert_eq!(last, Some(&format!("{sealed}; correlation ID {guid}")), "carried on by the queue");
    assert!(!lines.iter().any(|line| line.contains("Jane")));
}
