//! A seal is claimed only once an answer of ARM has shown it.

use std::time::Duration;

use diskseal::enforce::{Concern, Outcome, TagsKept};
use diskseal_emulator::{
    Options,
    fault::{Fault, Kind, Refusal},
    options::OperationStyle,
};
use tokio::time::Instant;

use crate::world::World;

/// Azure whose operations take this long, and whose first answer to a poll is `InProgress`.
fn lasting(seconds: u64) -> Options {
    let mut options = Options::default();
    if let OperationStyle::Asynchronous(style) = &mut options.operations {
        style.duration = Duration::from_secs(seconds);
    }
    options
}

/// The answers to a poll that do not say how the operation stands.
fn unclear() -> Vec<Fault> {
    let text = |status, body: &str| Fault::text(status, "application/json", body);
    vec![
        Fault::refuse(Refusal::resource_not_found()),
        Fault::refuse(Refusal::authorization_failed()),
        Fault::refuse(Refusal::new(400, "BadRequest", "m")),
        text(202, ""),
        text(200, "{}"),
        text(200, "[]"),
        Fault::html(404),
        Fault::refuse(Refusal::server_error(500)),
        Fault::reset(),
        Fault::delay(Duration::from_mins(1)),
    ]
}

#[tokio::test(start_paused = true)]
async fn on_azures_own_timing_a_seal_takes_less_than_half_a_second() {
    let world = World::with(Options::default(), &[]);
    for id in [world.disk("d"), world.snapshot("s")] {
        let started = Instant::now();
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
        // 250 ms until the mode is read, 100 ms until the tags are.
        assert_eq!(started.elapsed().as_millis() / 10, 35, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_does_not_say_how_the_operation_stands_is_no_end() {
    for fault in unclear() {
        let world = World::with(lasting(60), &[]);
        let id = world.disk("d");
        world.fault(fault.clone().on(Kind::Poll).always());
        let error = world.enforce(&id).await.unwrap_err();
        assert_eq!((error.concern(), error.reason()), (Concern::Resource, "unfinished"), "{fault:?}");
        let requests = world.requests(&id);
        assert!(!requests.contains(&Kind::TagsWrite), "no tag claims it: {fault:?}");
        assert_eq!(requests.iter().filter(|kind| **kind == Kind::Patch).count(), 1, "{fault:?}");

        let world = World::with(lasting(3), &[]);
        let id = world.disk("d");
        world.fault(fault.clone().on(Kind::Poll).always());
        let label = world.enforce(&id).await.unwrap().label();
        assert_eq!(label, "sealed", "{fault:?}");
        assert!(world.is_sealed(&id));
    }
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_after_the_write_are_no_end() {
    for fault in
        [Fault::refuse(Refusal::server_error(503)), Fault::reset(), Fault::html(200), Fault::html(404)]
    {
        let world = World::with(lasting(1), &[]);
        let id = world.disk("d");
        world.fault(fault.clone().on(Kind::Get).after(1).times(3));
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed", "{fault:?}");

        let world = World::with(lasting(60), &[]);
        let id = world.disk("d");
        world.fault(fault.clone().on(Kind::Get).after(1).always());
        let error = world.enforce(&id).await.unwrap_err();
        assert_eq!((error.concern(), error.reason()), (Concern::Resource, "unfinished"), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_arm_answers_without_the_mode_is_not_taken_for_a_seal() {
    let world = World::new();
    let id = world.disk("d");
    let body = r#"{"properties":{"provisioningState":"Succeeded"},"tags":{}}"#;
    world.fault(Fault::text(200, "application/json", body).on(Kind::Patch).always());
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::Resource, "unproven"));
    assert!(!world.requests(&id).contains(&Kind::TagsWrite));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_is_reported_as_failed_however_short_the_time() {
    for deadline in [3, 25] {
        let world = World::with(Options::default(), &[]);
        let id = world.disk("d");
        world.fault(Fault::operation_fails("InternalExecutionError", "m").always());
        let error = world.enforce_within(&id, Duration::from_secs(deadline)).await.unwrap_err();
        assert_eq!(
            (error.concern(), error.reason()),
            (Concern::Resource, "operation_failed"),
            "{deadline} s"
        );
        assert!(!world.requests(&id).contains(&Kind::TagsWrite));
    }
}

#[tokio::test(start_paused = true)]
async fn tags_that_arm_keeps_otherwise_are_written_twice_at_most() {
    let kept =
        r#"{"properties":{"tags":{"diskseal-auth-mode":"azureactivedirectory","diskseal-sealed-at":"x"}}}"#;
    let world = World::new();
    let id = world.disk("d");
    world.fault(Fault::text(200, "application/json", kept).on(Kind::TagsWrite).always());
    let outcome = world.enforce(&id).await.unwrap();
    assert_eq!(outcome, Outcome::Sealed(TagsKept::Modified));
    assert_eq!((outcome.label(), outcome.reason()), ("sealed", Some("tags_modified")));
    assert_eq!(world.requests(&id).iter().filter(|kind| **kind == Kind::TagsWrite).count(), 2);
    let outcome = world.enforce(&id).await.unwrap();
    assert_eq!(outcome, Outcome::Tagged(TagsKept::Modified), "the mode is there");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_had_the_mode_is_tagged_and_names_no_time_of_a_seal() {
    let world = World::new();
    let id = world.disk("d");
    world.azure.set_property(&id, "dataAccessAuthMode", serde_json::json!("AzureActiveDirectory"));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "tagged");
    let tags = world.azure.get(&id).unwrap()["tags"].clone();
    let sealed_at = tags["diskseal-sealed-at"].as_str().unwrap();
    assert!(sealed_at.starts_with("before 20"), "{sealed_at}");
    assert_eq!(world.enforce(&id).await, Ok(Outcome::AlreadySealed));
    // Whoever resets the mode removes a seal, and makes the next write one whose time is known.
    world.azure.set_property(&id, "dataAccessAuthMode", serde_json::json!("None"));
    let outcome = world.enforce(&id).await.unwrap();
    assert_eq!((outcome.label(), outcome.reason()), ("sealed", Some("seal_removed")));
    let sealed_at = world.azure.get(&id).unwrap()["tags"]["diskseal-sealed-at"].clone();
    assert!(sealed_at.as_str().unwrap().starts_with("20"), "{sealed_at}");
}
