//! From a write at ARM, through Event Grid and the host, to the seal.

use std::time::Duration;

use diskseal_emulator::{
    Options, disk_body,
    event_grid::{DeliverySchema, Duplicates, EventGridOptions, Spelling},
    fault::{Fault, Kind, Refusal},
    journal::Exchange,
    queue::Encoding,
    snapshot_body,
};
use serde_json::json;

use super::{EVENT_GRID_SPEED, disk, is_sealed, setup, snapshot, start};
use crate::world::jane;

#[tokio::test]
async fn whatever_is_created_is_sealed_in_both_schemas_and_spellings() {
    for (schema, spelling, chunked) in [
        (DeliverySchema::EventGridSchema, Spelling::AsStored, true),
        (DeliverySchema::CloudEventSchemaV1_0, Spelling::LowerCaseResourceGroups, false),
        (DeliverySchema::EventGridSchema, Spelling::UpperCase, true),
    ] {
        let mut setup = setup();
        // As an event subscription without that filter.
        setup.drops_own_writes = false;
        setup.event_grid.schema = schema;
        setup.event_grid.spelling = spelling;
        setup.host.chunked = chunked;
        let azure = start(setup, &[]).await;
        let ids = [disk("d"), snapshot("s")];
        azure.emulator.put(&ids[0], &jane(), &disk_body("westeurope")).unwrap();
        azure.emulator.put(&ids[1], &jane(), &snapshot_body("westeurope", &ids[0])).unwrap();
        azure.event_grid.idle().await;
        for id in &ids {
            assert!(is_sealed(&azure, id), "{id} {schema:?} {spelling:?}");
            let kinds: Vec<_> =
                azure.emulator.requests_for(id).iter().map(|exchange| exchange.kind).collect();
            assert_eq!(
                kinds,
                [Kind::Get, Kind::Patch, Kind::TagsWrite],
                "and nothing for the echo of our writes"
            );
        }
        let is_echo = |log: &String| log.starts_with("ignored: our own write of /subscriptions/");
        let echoes = azure.host.invocations().iter().filter(|i| i.logs.iter().all(is_echo)).count();
        assert_eq!(echoes, 2, "our PATCH of each was announced, and known for ours");
    }
}

#[tokio::test]
async fn event_grid_drops_our_own_writes_and_none_that_it_cannot_attribute() {
    for claims in [true, false] {
        let mut setup = setup();
        setup.event_grid.claims = claims;
        // Event Grid compares without case.
        setup.event_grid.excluded_app_ids = vec![setup.azure.identity.client_id.to_ascii_uppercase()];
        setup.drops_own_writes = false;
        let azure = start(setup, &[]).await;
        azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
        azure.event_grid.idle().await;
        assert!(is_sealed(&azure, &disk("d")));
        // The creation, and without claims our PATCH of the mode: a missing key passes StringNotIn.
        let expected = if claims { 1 } else { 2 };
        assert_eq!(azure.event_grid.deliveries().len(), expected, "claims: {claims}");
        assert_eq!(azure.host.invocations().len(), expected, "claims: {claims}");
    }
}

#[tokio::test]
async fn azure_as_it_really_answers_is_waited_for() {
    let mut setup = setup();
    // Tests on a paused clock cover the twelve seconds of waiting; here only the wire matters.
    let mut options = Options::default();
    if let diskseal_emulator::options::OperationStyle::Asynchronous(style) = &mut options.operations {
        style.retry_after_accepted = Some(0);
        style.retry_after_polling = Some(0);
    }
    setup.azure = options;
    let azure = start(setup, &[]).await;
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("d")));
}

#[tokio::test]
async fn duplicates_disorder_and_batches_change_nothing() {
    let mut setup = setup();
    setup.event_grid = EventGridOptions {
        duplicates: Duplicates::Times(3),
        disorder: Duration::from_secs(5),
        max_events_per_batch: 10,
        seed: 7,
        speed: EVENT_GRID_SPEED,
        ..EventGridOptions::default()
    };
    let azure = start(setup, &[]).await;
    let ids: Vec<_> = (0..20).map(|n| disk(&format!("d{n}"))).collect();
    for id in &ids {
        azure.emulator.put(id, &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    for id in &ids {
        assert!(is_sealed(&azure, id));
        let writes = azure.emulator.requests_for(id).iter().filter(|x| x.method == "PATCH").count();
        assert_eq!(writes, 2, "{id}");
    }
}

#[tokio::test]
async fn a_user_who_undoes_the_seal_by_a_full_put_is_answered_by_the_next_event() {
    let azure = start(setup(), &[]).await;
    let id = disk("d");
    let read_before = azure.emulator.put(&id, &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    azure.emulator.put(&id, &jane(), &read_before).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &id));
}

#[tokio::test]
async fn a_failure_of_the_resource_goes_to_the_queue_and_is_made_good_from_there() {
    let azure = start(setup(), &[]).await;
    let id = disk("locked");
    let lock = azure
        .emulator
        .inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").times(3));
    azure.emulator.put(&id, &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    let first = azure.host.wait_for_invocation(|i| i.function == "seal_on_write").await;
    assert!(first.succeeded(), "one bad resource must not put the endpoint on probation: {first:?}");
    let message = &first.outputs["pending"];
    assert_eq!((&message["resource"], &message["reason"]), (&json!(id), &json!("locked")));
    assert!(message["firstSeen"].is_string() && message["traceparent"].is_string());

    azure.host.wait_for_invocation(|i| i.function == "seal_queued" && i.succeeded()).await;
    azure.host.queues_drained().await;
    assert!(is_sealed(&azure, &id));
    assert_eq!(lock.fired(), 3);
    assert!(azure.queues.poison("diskseal-pending").is_empty());
}

#[tokio::test]
async fn a_resource_that_never_succeeds_ends_in_the_poison_queue() {
    let azure = start(setup(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::disallowed_by_policy()).on(Kind::Patch).always());
    azure.emulator.put(&disk("denied"), &jane(), &disk_body("westeurope")).unwrap();
    let poison = azure.queues.poison("diskseal-pending");
    poison.wait_for(|messages| !messages.is_empty()).await;
    let [message] = poison.messages().try_into().unwrap();
    let text = Encoding::Base64.decode(&message.text).unwrap();
    assert!(text.contains("disallowed_by_policy"), "{text}");
    let received = azure.host.invocations().iter().filter(|i| i.function == "seal_queued").count();
    assert_eq!(received, 16, "one less than maxDequeueCount of host.json");
    let tries = azure.emulator.requests_for(&disk("denied")).iter().filter(|x| x.method == "PATCH").count();
    assert_eq!(tries, 6, "for the event, and for the 1st, 2nd, 4th, 8th and 16th time that it is received");
}

#[tokio::test]
async fn a_failure_of_the_system_is_delivered_again() {
    let azure = start(setup(), &[("DISKSEAL_DEADLINE", "1")]).await;
    let outage = azure.emulator.inject(Fault::refuse(Refusal::server_error(503)).on(Kind::Get).always());
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    outage.met_times(2).await;
    let delivery = azure.event_grid.wait_for_delivery(|delivery| delivery.attempt == 1).await;
    assert_eq!(delivery.status, Some(500));
    outage.remove();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("d")));
    assert!(azure.queues.queue("diskseal-pending").is_empty(), "the queue is for what concerns one resource");
}

#[tokio::test]
async fn without_an_identity_nothing_is_asked_of_arm_and_the_event_comes_again() {
    let azure = start(setup(), &[("DISKSEAL_DEADLINE", "1")]).await;
    let outage = azure.emulator.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Token).always());
    // The handler fetches the first token at its start, so only a new process has none.
    azure.host.kill("seal_on_write").await;
    azure.host.ready().await.unwrap();
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    let delivery = azure.event_grid.wait_for_delivery(|delivery| delivery.attempt == 1).await;
    assert_eq!(delivery.status, Some(500));
    assert!(azure.emulator.requests_for(&disk("d")).is_empty());
    outage.remove();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("d")));
}

#[tokio::test]
async fn audit_mode_writes_nothing_and_says_what_it_would_do() {
    let azure = start(setup(), &[("DISKSEAL_MODE", "audit")]).await;
    for name in ["a", "b", "c"] {
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    let is_read = |exchange: &Exchange| exchange.method == "GET" || exchange.kind == Kind::Query;
    assert!(azure.emulator.journal().iter().all(|exchange| is_read(exchange)));
    let invocations = azure.host.invocations();
    assert_eq!(invocations.len(), 3);
    for invocation in invocations {
        assert!(
            invocation.succeeded() && invocation.logs[0].starts_with("would_seal /subscriptions/"),
            "{invocation:?}"
        );
    }
}

#[tokio::test]
async fn the_sweep_queues_what_events_have_missed_and_the_queue_seals_it() {
    let azure = start(setup(), &[]).await;
    // More than two pages of Resource Graph.
    let ids: Vec<_> = (0..1_500).map(|n| disk(&format!("d{n:04}"))).collect();
    for id in &ids {
        azure.emulator.insert(id, &disk_body("westeurope")).unwrap();
    }
    azure.emulator.set_property(&ids[0], "provisioningState", json!("Updating"));
    let invocation = azure.host.fire_timer("sweep").await.unwrap();
    assert!(invocation.succeeded(), "{:?}", invocation.verdict);
    assert_eq!(
        invocation.logs,
        ["1499 unsealed, 1 pending, 0 sealed, 0 exempt, 0 protected, 0 unreadable, 0 left to the next run"]
    );
    assert_eq!(invocation.outputs["pending"].as_array().unwrap().len(), 1_499);
    azure.host.queues_drained().await;
    azure.event_grid.idle().await;
    assert!(ids[1..].iter().all(|id| is_sealed(&azure, id)));

    let again = azure.host.fire_timer("sweep").await.unwrap();
    assert_eq!(
        again.logs,
        ["0 unsealed, 1 pending, 0 sealed, 0 exempt, 0 protected, 0 unreadable, 0 left to the next run"]
    );
    assert!(again.outputs.is_empty());
}

#[tokio::test]
async fn where_resource_graph_refuses_the_lists_are_asked() {
    let azure = start(setup(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    for n in 0..150 {
        azure.emulator.insert(&disk(&format!("d{n:03}")), &disk_body("westeurope")).unwrap();
    }
    azure.emulator.insert(&snapshot("s"), &snapshot_body("westeurope", &disk("d000"))).unwrap();
    let invocation = azure.host.fire_timer("sweep").await.unwrap();
    assert_eq!(
        invocation.logs,
        [
            "150 unsealed, 0 pending, 0 sealed, 0 exempt, 1 protected, 0 unreadable, the backup guard is unsure of 1, 0 left to the next run"
        ]
    );
    azure.host.queues_drained().await;
    assert!(is_sealed(&azure, &disk("d149")));
    assert!(!is_sealed(&azure, &snapshot("s")), "a backup may have made it, and nobody can tell");
}

#[tokio::test]
async fn a_sweep_in_audit_mode_queues_nothing() {
    let azure = start(setup(), &[("DISKSEAL_MODE", "audit")]).await;
    azure.emulator.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    let invocation = azure.host.fire_timer("sweep").await.unwrap();
    assert!(invocation.logs[0].starts_with("1 unsealed"), "{invocation:?}");
    assert!(invocation.outputs.is_empty() && azure.queues.queue("diskseal-pending").is_empty());
}
