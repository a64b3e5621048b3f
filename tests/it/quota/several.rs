//! What is kept in a process, with several of them: pace, switch, breaker, and looks that share a result.

use super::*;

const INSTANCES: u32 = 5;
const SWITCH: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal";

fn unlimited() -> Emulator {
    Emulator::new(Options { throttling: None, latency: Duration::from_millis(50), ..Options::immediate() })
}

/// The times of the writes, in order.
fn writes(azure: &Emulator) -> Vec<time::OffsetDateTime> {
    let journal = azure.journal();
    let is_write = |kind: Kind| matches!(kind, Kind::Patch | Kind::TagsWrite);
    let mut times: Vec<_> =
        journal.iter().filter(|exchange| is_write(exchange.kind)).map(|exchange| exchange.received).collect();
    times.sort();
    times
}

#[tokio::test(start_paused = true)]
async fn the_pace_holds_in_each_process() {
    let azure = unlimited();
    let fleet = Fleet::start(&azure, INSTANCES, &[("DISKSEAL_PACE", "10")]);
    fleet.sweep(SUBSCRIPTION, disks());
    fleet.drained().await;
    let times = writes(&azure);
    assert_eq!(times.len(), usize::try_from(disks() * 2).unwrap());
    // Five times ten a second, in any ten seconds.
    let window = time::Duration::seconds(10);
    let most =
        times.iter().map(|start| times.iter().filter(|at| **at >= *start && **at < *start + window).count());
    let most = most.max().unwrap();
    assert!(most <= 500, "{most} writes in ten seconds");
    assert!(most > 100, "{most} writes in ten seconds: the pace is not that of all together");
    assert_eq!(fleet.sealed_and_failed().1, 0);
}

#[tokio::test(start_paused = true)]
async fn the_switch_stops_every_process_within_a_minute() {
    let azure = unlimited();
    let fleet = Fleet::start(&azure, INSTANCES, &[("DISKSEAL_SWITCH", SWITCH)]);
    fleet.sweep(SUBSCRIPTION, 50);
    fleet.drained().await;
    assert_eq!(fleet.writes_of_modes().len(), 50);

    azure.set_scope_tag(SWITCH, "diskseal", "off");
    tokio::time::advance(Duration::from_secs(61)).await;
    azure.clear_journal();
    let left = fleet.sweep(OTHER, 50);
    fleet.drained().await;
    assert!(writes(&azure).is_empty(), "written although the switch is off");
    let reads = azure.journal().iter().filter(|exchange| exchange.kind == Kind::TagsRead).count();
    assert!(reads <= usize::try_from(INSTANCES).unwrap(), "{reads} reads of the switch");

    azure.set_scope_tag(SWITCH, "diskseal", "on");
    tokio::time::advance(Duration::from_secs(61)).await;
    fleet.put(&left);
    fleet.drained().await;
    assert_eq!(fleet.writes_of_modes().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn duplicates_in_several_processes_write_a_disk_once_each_at_most() {
    let azure = unlimited();
    let fleet = Fleet::start(&azure, INSTANCES, &[]);
    let ids = fleet.sweep(SUBSCRIPTION, 20);
    for _ in 0..4 {
        fleet.put(&ids);
    }
    fleet.drained().await;
    let writes = fleet.writes_of_modes();
    assert_eq!(writes.len(), ids.len());
    assert!(writes.values().all(|count| *count <= usize::try_from(INSTANCES).unwrap()), "{writes:?}");
    for id in &ids {
        let resource = azure.get(id).unwrap();
        assert_eq!(resource["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
        assert_eq!(resource["tags"]["diskseal-auth-mode"], "AzureActiveDirectory");
    }
    assert_eq!(fleet.sealed_and_failed().1, 0);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_slows_each_process() {
    let azure = unlimited();
    let fleet = Fleet::start(&azure, 3, &[]);
    let ids = fleet.sweep(SUBSCRIPTION, 1);
    fleet.drained().await;
    azure.clear_journal();
    let end = Instant::now() + Duration::from_mins(10);
    let mut removals = 0;
    while Instant::now() < end {
        azure.patch(&ids[0], &jane(), &json!({"properties": {"dataAccessAuthMode": "None"}})).unwrap();
        removals += 1;
        fleet.put(&ids);
        fleet.drained().await;
    }
    assert!(azure.get(&ids[0]).unwrap()["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory");
    // The writes of ten minutes with the longest pauses, and the first ones, in each of three processes.
    let patches = fleet.writes_of_modes().values().sum::<usize>();
    assert!(removals > 10 && patches <= 3 * (10 + 6), "{patches} writes after {removals} removals");
}
