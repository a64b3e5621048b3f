//! Disks of virtual machines and scale sets, sealed by the machine's event, from Azure's point of view.

use std::time::Duration;

use diskseal_emulator::{
    Emulator, Options,
    estate::{scale_set_id, virtual_machine_id},
    event_grid::{Duplicates, EventGridOptions},
    fault::{Fault, Kind, Refusal},
    scale_set_body, virtual_machine_body,
};
use serde_json::{Value, json};

use crate::{
    delivery::{DEADLINE, Site, site_with},
    world::{SUBSCRIPTION, jane, ourselves},
};

fn site(options: Options) -> Site {
    with(options, EventGridOptions::default(), &[])
}

fn with(options: Options, delivery: EventGridOptions, settings: &'static [(&str, &str)]) -> Site {
    site_with(&Emulator::new(options), DEADLINE, delivery, settings)
}

fn vm(name: &str) -> String {
    virtual_machine_id(SUBSCRIPTION, "rg-app", name)
}

fn create(site: &Site, name: &str, data_disks: u32) -> Vec<String> {
    site.azure.put_machine(&vm(name), &jane(), &virtual_machine_body("westeurope", data_disks)).unwrap()
}

/// The number of reads of machines.
fn machine_reads(site: &Site) -> usize {
    site.azure.journal().iter().filter(|exchange| exchange.kind == Kind::Machine).count()
}

fn all_sealed(site: &Site, ids: &[String]) -> bool {
    !ids.is_empty() && ids.iter().all(|id| site.is_sealed(id))
}

fn sealed(site: &Site, ids: &[String]) -> usize {
    ids.iter().filter(|id| site.is_sealed(id)).count()
}

fn writes(site: &Site, id: &str) -> usize {
    site.azure.requests_for(id).iter().filter(|exchange| exchange.method != "GET").count()
}

fn logs(site: &Site, beginning: &str) -> Vec<String> {
    let invocations = site.host.invocations();
    let logs = invocations.iter().flat_map(|invocation| &invocation.logs);
    logs.filter(|line| line.starts_with(beginning)).cloned().collect()
}

/// The messages that `seal_on_write` put on the queue.
fn queued(site: &Site) -> Vec<Value> {
    let invocations = site.host.invocations();
    let outputs = invocations.iter().filter(|one| one.function == "seal_on_write");
    let pending = outputs.filter_map(|one| one.outputs.get("pending"));
    pending.flat_map(|pending| pending.as_array().cloned().unwrap_or_else(|| vec![pending.clone()])).collect()
}

#[tokio::test(start_paused = true)]
async fn a_machines_disks_are_sealed_whether_or_not_they_tell_of_themselves() {
    for machine_disks_raise_events in [false, true] {
        let site = site(Options { machine_disks_raise_events, ..Options::immediate() });
        let disks = create(&site, "vm-1", 3);
        site.settle().await;
        assert_eq!(disks.len(), 4);
        assert!(all_sealed(&site, &disks), "events of disks: {machine_disks_raise_events}");
        assert_eq!(machine_reads(&site), 1, "one read, whatever the number of disks");
        assert!(disks.iter().all(|id| writes(&site, id) == 2), "the mode once and the tags once");
        assert!(queued(&site).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn more_disks_than_an_invocation_takes_on_go_to_the_queue_one_by_one() {
    let site = site(Options::immediate());
    let few = create(&site, "few", 31);
    site.settle().await;
    assert!(all_sealed(&site, &few) && queued(&site).is_empty(), "thirty-two are done at once");

    let many = create(&site, "many", 32);
    site.event_grid.idle().await;
    let messages = queued(&site);
    assert_eq!(messages.len(), 33);
    for message in &messages {
        assert_eq!(
            (&message["reason"], &message["ofMachine"]),
            (&json!("machine"), &Value::Null),
            "{message}"
        );
        assert!(message["firstSeen"].is_string() && message["traceparent"].is_string(), "{message}");
    }
    site.settle().await;
    assert!(all_sealed(&site, &many));
    assert_eq!(machine_reads(&site), 2, "one a machine");
    assert_eq!(logs(&site, "sealed").len(), 65);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_gone_is_no_trouble() {
    let site = with(
        Options::immediate(),
        EventGridOptions { latency: Duration::from_secs(5), ..EventGridOptions::default() },
        &[],
    );
    create(&site, "vm-1", 1);
    assert!(site.azure.delete_machine(&vm("vm-1"), &jane()));
    site.settle().await;
    assert_eq!(machine_reads(&site), 2, "and once more, because a replica may not know a new one yet");
    let left = logs(&site, "left_to_sweep");
    assert!(left.len() == 1 && left[0].starts_with(&format!("left_to_sweep {}", vm("vm-1"))), "{left:?}");
    assert!(site.host.invocations().iter().all(diskseal_emulator::host::Invocation::succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_a_replica_does_not_know_yet_is_looked_for_again() {
    let site = site(Options::immediate());
    site.azure.inject(Fault::refuse(Refusal::resource_not_found()).on(Kind::Machine));
    let disks = create(&site, "vm-1", 1);
    site.settle().await;
    assert!(all_sealed(&site, &disks));
    assert_eq!(machine_reads(&site), 2);
}

#[tokio::test(start_paused = true)]
async fn a_role_without_the_right_to_read_machines_costs_no_event_and_the_sweep_finds_the_disks() {
    let site = site(Options::immediate());
    site.azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Machine).always());
    let disks = create(&site, "vm-1", 1);
    let scale_set = scale_set_id(SUBSCRIPTION, "rg-app", "web");
    let instances =
        site.azure.put_machine(&scale_set, &jane(), &scale_set_body("westeurope", "Uniform", 1)).unwrap();
    site.settle().await;
    assert_eq!(site.event_grid.deliveries().iter().filter(|one| one.status == Some(202)).count(), 2);
    assert_eq!(queued(&site).len(), 0);
    assert_eq!(sealed(&site, &disks) + sealed(&site, &instances), 0);
    let told = logs(&site, "left_to_sweep");
    let names = |action: &str| {
        told.iter().any(|line| line.contains(&format!("the identity's role lacks {action}: ")))
    };
    assert!(
        names("Microsoft.Compute/virtualMachines/read")
            && names("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read"),
        "{told:?}"
    );

    site.host.fire_timer("sweep").await.unwrap();
    site.settle().await;
    assert!(all_sealed(&site, &disks) && all_sealed(&site, &instances));
}

#[tokio::test(start_paused = true)]
async fn where_it_is_off_a_machines_event_is_ignored() {
    let site = with(Options::immediate(), EventGridOptions::default(), &[("DISKSEAL_MACHINE_EVENTS", "off")]);
    let disks = create(&site, "vm-1", 1);
    site.settle().await;
    assert_eq!((sealed(&site, &disks), machine_reads(&site)), (0, 0));
    assert_eq!(
        logs(&site, "ignored"),
        [format!("ignored: a write of {}, and DISKSEAL_MACHINE_EVENTS is off", vm("vm-1"))]
    );
}

#[tokio::test(start_paused = true)]
async fn a_scale_set_is_sealed_by_two_reads_whichever_way_it_is_orchestrated() {
    for mode in ["Uniform", "Flexible"] {
        let site = site(Options { page_size: 10, ..Options::immediate() });
        let id = scale_set_id(SUBSCRIPTION, "rg-app", "web");
        let disks = site.azure.put_machine(&id, &jane(), &scale_set_body("westeurope", mode, 10)).unwrap();
        site.settle().await;
        assert_eq!(disks.len(), 20);
        assert!(all_sealed(&site, &disks), "{mode}");
        assert_eq!(machine_reads(&site), if mode == "Uniform" { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn disks_beyond_two_reads_of_a_scale_set_are_left_to_the_sweep() {
    for (mode, known) in [("Uniform", 4), ("Flexible", 2)] {
        let site = site(Options { page_size: 2, ..Options::immediate() });
        let id = scale_set_id(SUBSCRIPTION, "rg-app", "web");
        let disks = site.azure.put_machine(&id, &jane(), &scale_set_body("westeurope", mode, 5)).unwrap();
        site.settle().await;
        assert_eq!((sealed(&site, &disks), machine_reads(&site)), (2 * known, 2), "{mode}");
        assert_eq!(logs(&site, "left_to_sweep").len(), 1, "{mode}");
        site.host.fire_timer("sweep").await.unwrap();
        site.settle().await;
        assert!(all_sealed(&site, &disks), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_gets_a_disk_is_looked_at_alone() {
    let site = site(Options::immediate());
    let id = scale_set_id(SUBSCRIPTION, "rg-app", "web");
    let body = scale_set_body("westeurope", "Uniform", 3);
    site.azure.put_machine(&id, &jane(), &body).unwrap();
    site.settle().await;
    site.azure.clear_journal();
    let instance = format!("{id}/virtualMachines/1");
    let profile = &body["properties"]["virtualMachineProfile"];
    let mut one = json!({"location": "westeurope", "properties": profile});
    let more = json!({"lun": 7, "createOption": "Empty", "diskSizeGB": 8});
    one["properties"]["storageProfile"]["dataDisks"].as_array_mut().unwrap().push(more);
    site.azure.put_machine(&instance, &jane(), &one).unwrap();
    site.settle().await;
    let disks = site.azure.machine_disks(&instance);
    assert_eq!(disks.len(), 3);
    assert!(all_sealed(&site, &disks));
    assert_eq!(disks.iter().filter(|id| writes(&site, id) > 0).count(), 1, "the others were sealed");
    assert_eq!(site.azure.requests_for(&instance).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn duplicates_in_parallel_and_events_of_disks_among_them_write_once() {
    let site = with(
        Options {
            machine_disks_raise_events: true,
            latency: Duration::from_millis(80),
            ..Options::immediate()
        },
        EventGridOptions {
            duplicates: Duplicates::Times(3),
            disorder: Duration::from_millis(200),
            ..EventGridOptions::default()
        },
        &[],
    );
    let disks = create(&site, "vm-1", 5);
    site.settle().await;
    assert!(all_sealed(&site, &disks));
    assert!(disks.iter().all(|id| writes(&site, id) == 2), "{:?}", disks.iter().map(|id| writes(&site, id)));
    assert_eq!(machine_reads(&site), 3, "once an event");
}

#[tokio::test(start_paused = true)]
async fn one_bad_disk_does_not_slow_others() {
    let site = site(Options::immediate());
    let lock = Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").always();
    let lock = site.azure.inject(lock);
    let mut body = virtual_machine_body("westeurope", 3);
    body["properties"]["storageProfile"]["dataDisks"][1]["name"] = json!("locked");
    let disks = site.azure.put_machine(&vm("vm-1"), &jane(), &body).unwrap();
    site.event_grid.idle().await;
    let messages = queued(&site);
    assert_eq!((messages.len(), &messages[0]["reason"]), (1, &json!("locked")), "{messages:?}");
    assert_eq!(sealed(&site, &disks), 3, "all but the locked one, in the same invocation");
    lock.remove();
    site.settle().await;
    assert!(all_sealed(&site, &disks));
}

#[tokio::test(start_paused = true)]
async fn an_outage_brings_the_event_again() {
    for kind in [Kind::Machine, Kind::Get] {
        let site = site(Options::immediate());
        let outage = site.azure.inject(Fault::refuse(Refusal::server_error(503)).on(kind).always());
        let disks = create(&site, "vm-1", 1);
        outage.met_times(6).await;
        outage.remove();
        site.settle().await;
        assert!(all_sealed(&site, &disks), "{kind:?}");
        let failed =
            site.event_grid.deliveries().iter().any(|one| one.status.is_some_and(|status| status >= 500));
        assert!(failed, "{kind:?}: the first delivery failed");
        assert!(site.event_grid.dead_letters().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_write_of_a_machine_would_be_an_echo_and_another_subscription_is_nobodys() {
    let site = with(
        Options::immediate(),
        EventGridOptions::default(),
        &[("DISKSEAL_SUBSCRIPTIONS", "11111111-2222-4333-8444-555555555555")],
    );
    let us = ourselves(&site.azure);
    site.azure.put_machine(&vm("vm-1"), &us, &virtual_machine_body("westeurope", 0)).unwrap();
    let elsewhere = virtual_machine_id("22222222-3333-4444-8555-666666666666", "rg-app", "vm-2");
    site.azure.put_machine(&elsewhere, &jane(), &virtual_machine_body("westeurope", 0)).unwrap();
    site.settle().await;
    assert_eq!(machine_reads(&site), 0);
    assert_eq!(logs(&site, "ignored").len(), 1);
    assert_eq!(logs(&site, "exempt").len(), 1);
}
