//! Concurrent writes by others, and by several of our own processes.

use std::time::Duration;

use diskseal::enforce::Outcome;
use diskseal_emulator::{
    Options,
    fault::{Fault, Kind, Refusal},
    options::TagsStyle,
};
use serde_json::json;

use crate::world::{World, jane};

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_added_meanwhile_survives_every_time() {
    // At each of our requests, before and after it takes effect.
    let holds: [fn() -> Fault; 5] = [
        || Fault::hold_after_applying().on(Kind::Get),
        || Fault::hold_before_applying().on(Kind::Patch),
        || Fault::hold_after_applying().on(Kind::Patch),
        || Fault::hold_before_applying().on(Kind::TagsWrite),
        || Fault::hold_after_applying().on(Kind::TagsWrite),
    ];
    for run in 0..100 {
        let world = World::new();
        let id = world.tagged_disk("d", &json!({"env": "prod"}));
        let hold = world.fault(holds[run % holds.len()]());
        let meanwhile = async {
            hold.held().await;
            let mut tags = world.azure.get(&id).unwrap()["tags"].clone();
            tags["owner"] = json!(format!("run {run}"));
            world.azure.patch(&id, &jane(), &json!({"tags": tags})).unwrap();
            hold.release();
        };
        let (outcome, ()) = tokio::join!(world.enforce(&id), meanwhile);
        assert_eq!(outcome.unwrap().label(), "sealed");
        let tags = world.azure.get(&id).unwrap()["tags"].clone();
        assert_eq!(tags["owner"], format!("run {run}"));
        assert_eq!(tags["env"], "prod");
        assert!(world.is_sealed(&id));
    }
}

#[tokio::test(start_paused = true)]
async fn invocations_for_one_resource_at_once_do_the_work_once() {
    let world = World::with(Options { latency: Duration::from_millis(50), ..Options::immediate() }, &[]);
    let id = world.disk("d");
    let spelled_otherwise = id.to_uppercase();
    let looks = (0..50).map(|n| world.enforce(if n % 2 == 0 { &id } else { &spelled_otherwise }));
    let outcomes: Vec<_> = futures::future::join_all(looks).await;
    let labels: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().label()).collect();
    assert_eq!(labels[0], "sealed");
    assert!(labels[1..].iter().all(|label| *label == "already_sealed"), "{labels:?}");
    // A result is shared only if its read began after the arrival, so one more read serves all who came late.
    assert_eq!(world.requests(&id), [Kind::Get, Kind::Patch, Kind::TagsWrite, Kind::Get]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_comes_while_we_look_is_looked_at_on_its_own() {
    let world = World::new();
    let id = world.sealed_disk("d");
    let hold = world.fault(Fault::hold_after_applying().on(Kind::Get));
    let second = async {
        hold.held().await;
        // The first look read its response before this write.
        world.azure.patch(&id, &jane(), &json!({"properties": {"dataAccessAuthMode": "None"}})).unwrap();
        let (outcome, ()) = tokio::join!(world.enforce(&id), async { hold.release() });
        outcome
    };
    let (first, second) = tokio::join!(world.enforce(&id), second);
    assert_eq!(first, Ok(Outcome::AlreadySealed));
    assert_eq!(second.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_write_is_stepped_around() {
    for fault in [
        Fault::refuse(Refusal::conflict()).on(Kind::Patch).times(2),
        Fault::operation_preempted(),
        Fault::operation_preempted().times(2),
    ] {
        let world =
            World::with(Options { throttling: None, ..Options::default() }, &[("DISKSEAL_DEADLINE", "60")]);
        let id = world.disk("d");
        world.fault(fault);
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
        assert!(world.is_sealed(&id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_put_that_was_read_before_the_seal_and_written_after_it_is_made_good() {
    let world = World::new();
    let id = world.disk("d");
    let read_before = world.azure.get(&id).unwrap();
    world.enforce(&id).await.unwrap();
    world.azure.put(&id, &jane(), &read_before).unwrap();
    assert!(!world.is_sealed(&id), "the PUT has undone the seal");
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn a_seal_undone_during_its_proof_is_repeated_at_once() {
    let world = World::with(Options { tags: TagsStyle::BrokenPoll, ..Options::immediate() }, &[]);
    let id = world.disk("d");
    let read_before = world.azure.get(&id).unwrap();
    let proof = world.fault(Fault::hold_before_applying().on(Kind::Get).after(1));
    let undo = async {
        proof.held().await;
        world.azure.put(&id, &jane(), &read_before).unwrap();
        proof.release();
    };
    let (outcome, ()) = tokio::join!(world.enforce(&id), undo);
    assert_eq!(outcome.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn tags_whose_write_had_no_answer_are_not_sent_again_to_a_resource_whose_mode_is_gone() {
    let world = World::new();
    let id = world.disk("d");
    let hold = world.fault(Fault::hold_before_applying().on(Kind::TagsWrite));
    let meanwhile = async {
        hold.held().await;
        let none = json!({"properties": {"dataAccessAuthMode": "None"}});
        world.azure.patch(&id, &jane(), &none).unwrap();
        hold.cut_off();
    };
    let (outcome, ()) = tokio::join!(world.enforce(&id), meanwhile);
    assert_eq!(outcome.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
    let writes: Vec<_> = world.requests(&id).into_iter().filter(|kind| *kind != Kind::Get).collect();
    assert_eq!(writes, [Kind::Patch, Kind::TagsWrite, Kind::Patch, Kind::TagsWrite], "the mode comes first");
}

/// The mode was there at the read, so the change is about the network alone.
#[tokio::test(start_paused = true)]
async fn a_mode_that_goes_while_the_network_is_set_is_set_again_before_the_tags() {
    let world = World::with(Options::immediate(), &[("DISKSEAL_NETWORK", "deny-all")]);
    let id = world.disk("d");
    world.azure.set_property(&id, "dataAccessAuthMode", json!("AzureActiveDirectory"));
    let hold = world.fault(Fault::hold_before_applying().on(Kind::Patch));
    let meanwhile = async {
        hold.held().await;
        let none = json!({"properties": {"dataAccessAuthMode": "None"}});
        world.azure.patch(&id, &jane(), &none).unwrap();
        hold.release();
    };
    let (outcome, ()) = tokio::join!(world.enforce(&id), meanwhile);
    assert_eq!(outcome.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
    let writes: Vec<_> = world.requests(&id).into_iter().filter(|kind| *kind != Kind::Get).collect();
    let of_tags = writes.iter().rposition(|kind| *kind == Kind::TagsWrite).unwrap();
    let of_properties: Vec<_> = (0..writes.len()).filter(|at| writes[*at] == Kind::Patch).collect();
    assert_eq!(of_properties.len(), 2, "{writes:?}");
    assert!(of_properties.iter().all(|at| *at < of_tags), "{writes:?}");
    assert_eq!(
        writes.iter().filter(|kind| **kind == Kind::TagsWrite).count(),
        2,
        "before and after: {writes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_exemption_that_comes_while_the_tag_with_the_network_settings_is_written_counts() {
    let settings = [("DISKSEAL_NETWORK", "deny-all"), ("DISKSEAL_EXEMPT_TAG", "keep")];
    let world = World::with(Options::immediate(), &settings);
    let id = world.disk("d");
    let hold = world.fault(Fault::hold_after_applying().on(Kind::TagsWrite));
    let meanwhile = async {
        hold.held().await;
        let mut tags = world.azure.get(&id).unwrap()["tags"].clone();
        tags["keep"] = json!("until=2999-01-01; INC-1");
        world.azure.patch(&id, &jane(), &json!({"tags": tags})).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        hold.release();
    };
    let (outcome, ()) = tokio::join!(world.enforce(&id), meanwhile);
    assert_eq!(outcome.unwrap().label(), "exempt");
    assert!(!world.requests(&id).contains(&Kind::Patch), "{:?}", world.requests(&id));
}
