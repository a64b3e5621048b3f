//! Several instances of one function, each a process, as Flex Consumption starts them.

use std::{collections::BTreeMap, time::Duration};

use diskseal_emulator::{
    Options, disk_body,
    fault::{Fault, Kind},
    host::FunctionGroup,
};

use super::{disk, is_sealed, setup, start};

#[tokio::test]
async fn a_sweep_is_worked_off_by_several_instances_and_a_kill_loses_nothing() {
    let mut setup = setup();
    // A request takes long enough for a kill in its midst.
    setup.azure = Options { latency: Duration::from_millis(30), ..Options::immediate() };
    let azure = start(setup, &[]).await;
    let ids: Vec<_> = (0..90).map(|number| disk(&format!("d{number}"))).collect();
    for id in &ids {
        azure.emulator.insert(id, &disk_body("westeurope")).unwrap();
    }
    let writing = azure.emulator.inject(Fault::delay(Duration::ZERO).on(Kind::Patch).always());
    let app = &azure.host;
    let group = FunctionGroup::Function("seal_queued".to_owned());
    // Before the queue's listener of the first instance has taken much, the vote is for all three.
    let swept = app.fire_timer("sweep").await.unwrap();
    assert!(swept.succeeded(), "{swept:?}");
    app.set_instances(&group, 3).unwrap();
    writing.met_times(20).await;
    let killed = app.replace(&group, 0).unwrap();
    assert!(killed.is_some());
    app.queues_drained().await;
    assert!(azure.queues.poison("diskseal-pending").is_empty());
    for id in &ids {
        assert!(is_sealed(&azure, id), "{id}");
    }
    // A disk that the killed instance was writing is written once more at most.
    let mut writes: BTreeMap<&String, usize> = BTreeMap::new();
    for id in &ids {
        let requests = azure.emulator.requests_for(id);
        writes.insert(id, requests.iter().filter(|request| request.kind == Kind::Patch).count());
    }
    assert!(writes.values().all(|count| (1..=2).contains(count)), "{writes:?}");
    let worked = app.instances(&group).iter().filter(|host| !host.invocations().is_empty()).count();
    assert!(worked >= 2, "{worked} instances worked");
}
