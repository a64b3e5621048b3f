//! The disks of machines, with the real binary: the trace, a kill half-way, and the queue.

use diskseal_emulator::{
    Options,
    collector::Span,
    estate::{scale_set_id, virtual_machine_id},
    fault::{Fault, Kind},
    local_azure::LocalAzure,
    scale_set_body, virtual_machine_body,
};
use serde_json::json;

use super::{is_sealed, setup, start};
use crate::world::{SUBSCRIPTION, jane};

fn create(azure: &LocalAzure, data_disks: u32) -> Vec<String> {
    let id = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    let body = virtual_machine_body("westeurope", data_disks);
    azure.emulator.put_machine(&id, &jane(), &body).unwrap()
}

async fn settle(azure: &LocalAzure) {
    azure.event_grid.idle().await;
    azure.host.queues_drained().await;
    azure.event_grid.idle().await;
}

fn all_sealed(azure: &LocalAzure, ids: &[String]) -> bool {
    !ids.is_empty() && ids.iter().all(|id| is_sealed(azure, id))
}

#[tokio::test]
async fn one_trace_leads_from_the_machines_event_to_each_of_its_disks() {
    let azure = start(setup(), &[]).await;
    let disks = create(&azure, 2);
    settle(&azure).await;
    assert!(all_sealed(&azure, &disks));
    let subject = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    let is_of_it = |span: &Span| span.attributes.get("cloudevents.event_subject") == Some(&json!(subject));
    let invocation = azure.collector.wait_for(is_of_it).await;
    let spans = azure.collector.spans();
    let children = |name: &str| {
        let ours = spans.iter().filter(|span| span.parent_span_id.as_ref() == Some(&invocation.span_id));
        ours.filter(|span| span.name == name).collect::<Vec<_>>()
    };
    assert_eq!(invocation.name, "seal_on_write");
    let [machine] = children("machine")[..] else { panic!("one machine in {spans:#?}") };
    assert_eq!(machine.attributes["diskseal.machine_id"], json!(subject));
    assert_eq!(machine.attributes["diskseal.disks"], json!(3));
    let reads: Vec<_> =
        spans.iter().filter(|span| span.parent_span_id.as_ref() == Some(&machine.span_id)).collect();
    let template =
        "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines/{name}";
    assert_eq!(reads.len(), 1);
    assert_eq!(reads[0].name, format!("GET {template}"));
    assert_eq!(reads[0].attributes["azure.resource_provider.namespace"], "Microsoft.Compute");
    assert_eq!(children("enforce").len(), 3);
    assert!(children("enforce").iter().all(|span| span.attributes["diskseal.outcome"] == "sealed"));
}

#[tokio::test]
async fn a_kill_half_way_through_a_machine_is_made_good_by_the_next_delivery() {
    for point in [Kind::Machine, Kind::Get, Kind::Patch, Kind::TagsWrite] {
        let azure = start(setup(), &[]).await;
        // By then some of its disks are done, and this one is not.
        let held = azure.emulator.inject(Fault::hold_after_applying().on(point));
        let disks = create(&azure, 4);
        held.held().await;
        let pid = azure.host.pid("seal_on_write").unwrap();
        azure.host.kill("seal_on_write").await;
        assert_eq!(azure.host.wait_exit(pid).await.signal, Some(9));
        held.cut_off();
        azure.host.ready().await.unwrap();
        settle(&azure).await;
        assert!(all_sealed(&azure, &disks), "{point:?}");
        assert!(azure.event_grid.dead_letters().is_empty());
    }
}

#[tokio::test]
async fn a_large_scale_set_goes_through_the_queue() {
    let mut setup = setup();
    setup.azure = Options { page_size: 15, ..Options::immediate() };
    let azure = start(setup, &[]).await;
    let id = scale_set_id(SUBSCRIPTION, "rg-app", "web");
    let body = scale_set_body("westeurope", "Uniform", 25);
    let disks = azure.emulator.put_machine(&id, &jane(), &body).unwrap();
    settle(&azure).await;
    assert_eq!(disks.len(), 50);
    assert!(all_sealed(&azure, &disks));
    let journal = azure.emulator.journal();
    assert_eq!(journal.iter().filter(|exchange| exchange.kind == Kind::Machine).count(), 2);
    let invocations = azure.host.invocations();
    assert!(invocations.iter().filter(|one| one.function == "seal_queued").count() >= 50);
}
