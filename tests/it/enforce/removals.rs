//! Seals that somebody removes: pauses that grow, and a reason that an alert reads.

use std::time::Duration;

use diskseal::enforce::Outcome;
use diskseal_emulator::fault::Kind;
use serde_json::json;
use tokio::time::Instant;

use crate::world::{World, jane};

fn undo(world: &World, id: &str) {
    world.azure.patch(id, &jane(), &json!({"properties": {"dataAccessAuthMode": "None"}})).unwrap();
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_no_write_is_refused_for_ever() {
    let world = World::new();
    let (id, other) = (world.disk("d"), world.disk("other"));
    let mut waited = vec![];
    for _ in 0..8 {
        let started = Instant::now();
        let outcome = world.enforce_within(&id, Duration::from_mins(2)).await.unwrap();
        waited.push(started.elapsed().as_secs());
        assert_eq!(outcome.label(), "sealed");
        undo(&world, &id);
    }
    assert_eq!(waited, [0, 0, 0, 5, 15, 30, 60, 60]);
    let started = Instant::now();
    assert_eq!(world.enforce(&other).await.unwrap().label(), "sealed", "others go on");
    assert!(started.elapsed() < Duration::from_secs(1));
    // Who has no time for the pause hands it on at once.
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.reason(), error.is_expected_wait()), ("seal_removed", true));
    assert!(started.elapsed() < Duration::from_secs(1));
    tokio::time::advance(Duration::from_mins(10)).await;
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
}

#[tokio::test(start_paused = true)]
async fn after_the_pause_the_resource_is_looked_at_again() {
    let world = World::new();
    let id = world.disk("d");
    for _ in 0..3 {
        world.enforce(&id).await.unwrap();
        undo(&world, &id);
    }
    world.azure.clear_journal();
    let mend = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mode = json!({"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}});
        world.azure.patch(&id, &jane(), &mode).unwrap();
    };
    let (outcome, ()) = tokio::join!(world.enforce(&id), mend);
    assert_eq!(outcome, Ok(Outcome::AlreadySealed));
    assert_eq!(world.requests(&id), [Kind::Get, Kind::Get]);
}

#[tokio::test(start_paused = true)]
async fn one_invocation_waits_for_a_pause_and_the_others_do_not_hold_their_places() {
    let world = World::new();
    let id = world.disk("d");
    for _ in 0..6 {
        world.enforce_within(&id, Duration::from_mins(2)).await.unwrap();
        undo(&world, &id);
    }
    let waiting = world.enforce_within(&id, Duration::from_mins(2));
    let others = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let started = Instant::now();
        for _ in 0..20 {
            let error = world.enforce_within(&id, Duration::from_mins(2)).await.unwrap_err();
            assert_eq!(error.reason(), "seal_removed");
        }
        assert!(started.elapsed() < Duration::from_secs(1));
    };
    let (outcome, ()) = tokio::join!(waiting, others);
    assert_eq!(outcome.unwrap().label(), "sealed");
}

#[tokio::test(start_paused = true)]
async fn a_removed_seal_is_a_reason_of_its_own_and_copied_tags_are_none() {
    let world = World::new();
    let id = world.disk("d");
    assert_eq!(world.enforce(&id).await.unwrap().reason(), None, "the first seal");
    undo(&world, &id);
    let outcome = world.enforce(&id).await.unwrap();
    assert_eq!((outcome.label(), outcome.reason()), ("sealed", Some("seal_removed")));

    // Whoever removes the tags as well is noticed by the number of writes.
    let bare = json!({"tags": {}, "properties": {"dataAccessAuthMode": "None"}});
    let other = world.disk("other");
    let mut reasons = vec![];
    for _ in 0..5 {
        reasons.push(world.enforce_within(&other, Duration::from_mins(2)).await.unwrap().reason());
        world.azure.patch(&other, &jane(), &bare).unwrap();
    }
    assert_eq!(reasons, [None, None, None, Some("seal_removed"), Some("seal_removed")]);

    let copied = world.tagged_disk(
        "copied",
        &json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z"}),
    );
    assert_eq!(world.enforce(&copied).await.unwrap().reason(), None);

    let audit = World::at(world.azure.clone(), &[("DISKSEAL_MODE", "audit")]);
    undo(&audit, &id);
    let outcome = audit.enforce(&id).await.unwrap();
    assert_eq!((outcome.label(), outcome.reason()), ("would_seal", Some("seal_removed")));
}
