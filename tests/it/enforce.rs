//! What happens to a resource, by the requests to Azure and by its state afterwards.

use std::time::Duration;

use diskseal::{
    enforce::{Concern, Outcome, Trigger},
    policy::Exemption,
};
use diskseal_emulator::{
    Options,
    fault::{Fault, Kind, Refusal},
    options::TagsStyle,
};
use serde_json::json;
use tokio::time::Instant;

use crate::world::{SUBSCRIPTION, World, jane};

mod crash;
mod failures;
mod late;
mod missed;
mod proof;
mod races;
mod removals;
mod terms;
mod uploads;

#[tokio::test(start_paused = true)]
async fn a_seal_takes_three_requests_and_a_sealed_resource_one() {
    let world = World::new();
    for id in [world.disk("d"), world.snapshot("s")] {
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
        assert_eq!(world.requests(&id), [Kind::Get, Kind::Patch, Kind::TagsWrite]);
        assert!(world.is_sealed(&id));

        world.azure.clear_journal();
        assert_eq!(world.enforce(&id).await, Ok(Outcome::AlreadySealed));
        assert_eq!(world.requests(&id), [Kind::Get]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_holds_for_every_trigger_but_an_event() {
    for (trigger, seconds) in
        [(Trigger::Event, 0), (Trigger::Queue, 9), (Trigger::Sweep, 9), (Trigger::Command, 9)]
    {
        let world = World::with(Options::immediate(), &[("DISKSEAL_PACE", "1")]);
        let ids: Vec<_> = (0..5).map(|number| world.disk(&format!("d{number}"))).collect();
        let started = Instant::now();
        let looks = ids.iter().map(|id| world.enforce_for(id, trigger));
        for result in futures::future::join_all(looks).await {
            assert_eq!(result.unwrap().label(), "sealed");
        }
        // Ten writes, the mode's and the tags' of each disk, and the first goes at once.
        assert_eq!(started.elapsed().as_secs(), seconds, "{trigger:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_mode_is_patched_and_tags_are_only_merged() {
    let world = World::new();
    let id = world.tagged_disk("d", &json!({"Owner": "Ada", "env": "prod"}));
    world.enforce(&id).await.unwrap();
    let exchanges = world.exchanges(&id);
    let [_, patch, tags] = exchanges.as_slice() else { panic!("{exchanges:?}") };
    assert_eq!(patch.request_body, json!({"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}}));
    assert_eq!(patch.parameter("api-version").as_deref(), Some("2024-03-02"));
    assert_eq!(tags.request_body["operation"], "Merge");
    let merged = tags.request_body["properties"]["tags"].as_object().unwrap();
    let names: Vec<_> = merged.keys().map(String::as_str).collect();
    assert_eq!(names, ["diskseal-auth-mode", "diskseal-sealed-at", "diskseal-sealed-by"]);
    let resource = world.azure.get(&id).unwrap();
    assert_eq!((&resource["tags"]["Owner"], &resource["tags"]["env"]), (&json!("Ada"), &json!("prod")));
    for exchange in &exchanges {
        assert!(exchange.client_request_id.as_ref().is_some_and(|id| id.len() == 36));
        assert!(exchange.user_agent.as_ref().is_some_and(|agent| agent.starts_with("diskseal/")));
    }
}

#[tokio::test(start_paused = true)]
async fn on_azures_own_timing_reads_prove_the_seal_and_nothing_is_polled() {
    let world = World::with(Options::default(), &[]);
    for id in [world.disk("d"), world.snapshot("s")] {
        world.azure.clear_journal();
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
        assert!(world.is_sealed(&id));
        let requests = [Kind::Get, Kind::Patch, Kind::Get, Kind::TagsWrite, Kind::Get];
        assert_eq!(world.requests(&id), requests, "a read proves each write");
        assert!(world.azure.journal().iter().all(|exchange| exchange.kind != Kind::Poll));
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_missing_parts_are_written() {
    let world = World::new();
    let id = world.sealed_disk("mode");
    world.azure.set_property(&id, "dataAccessAuthMode", json!("None"));
    world.enforce(&id).await.unwrap();
    assert_eq!(world.requests(&id), [Kind::Get, Kind::Patch, Kind::TagsWrite], "a new seal has a new time");
    let id = world.tagged_disk("tags", &json!({"diskseal-auth-mode": "AzureActiveDirectory"}));
    world.azure.set_property(&id, "dataAccessAuthMode", json!("AzureActiveDirectory"));
    world.enforce(&id).await.unwrap();
    assert_eq!(world.requests(&id), [Kind::Get, Kind::TagsWrite]);
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn a_seal_is_written_once_and_its_values_then_stand() {
    let world = World::new();
    let id = world.disk("d");
    world.enforce(&id).await.unwrap();
    let first = world.azure.get(&id).unwrap()["tags"].clone();
    tokio::time::advance(std::time::Duration::from_hours(24)).await;
    for _ in 0..3 {
        assert_eq!(world.enforce(&id).await, Ok(Outcome::AlreadySealed));
    }
    assert_eq!(world.azure.get(&id).unwrap()["tags"], first);
    assert_eq!(world.writes(), 2);
}

#[tokio::test(start_paused = true)]
async fn exemptions_by_id_ask_nothing_and_by_tag_only_read() {
    let settings = [
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "RG-*"),
        ("DISKSEAL_EXEMPT_TAG", "diskseal-exempt"),
        ("DISKSEAL_MODE", "enforce"),
    ];
    let world = World::with(Options::immediate(), &settings[..1]);
    let id = world.disk("d");
    assert_eq!(world.enforce(&id).await, Ok(Outcome::Exempt(Exemption::ResourceGroup("RG-*".into()))));
    assert!(world.requests(&id).is_empty());

    for (setting, value, reason) in [
        ("DISKSEAL_EXEMPT_NAMES", "d?,D", "name"),
        ("DISKSEAL_EXEMPT_SUBSCRIPTIONS", "1111*", "subscription"),
        ("DISKSEAL_SUBSCRIPTIONS", "99999999-2222-4333-8444-555555555555", "out_of_scope"),
    ] {
        let world = World::with(Options::immediate(), &[(setting, value)]);
        let id = world.disk("d");
        match world.enforce(&id).await {
            Ok(Outcome::Exempt(exemption)) => assert_eq!(exemption.reason(), reason),
            other => panic!("{setting}: {other:?}"),
        }
        assert!(world.requests(&id).is_empty(), "{setting}");
    }

    let world = World::with(Options::immediate(), &settings[1..]);
    let tag = |value: &str| json!({"diskseal-exempt": value});
    let exempt = world.tagged_disk("exempt", &tag("until=9999-12-31; INC-1234 restore test"));
    assert!(matches!(world.enforce(&exempt).await, Ok(Outcome::Exempt(Exemption::Tag { .. }))));
    assert_eq!(world.requests(&exempt), [Kind::Get]);
    for (name, value) in [("expired", "until=2020-01-01; over"), ("endless", "because"), ("empty", "")] {
        let id = world.tagged_disk(name, &tag(value));
        assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed", "{name}");
    }
    let unset = World::new();
    let id = unset.tagged_disk("d", &tag("until=9999-12-31; x"));
    assert_eq!(unset.enforce(&id).await.unwrap().label(), "sealed", "off unless it is switched on");
}

#[tokio::test(start_paused = true)]
async fn the_subscription_in_scope_is_compared_without_regard_to_case() {
    let world =
        World::with(Options::immediate(), &[("DISKSEAL_SUBSCRIPTIONS", &SUBSCRIPTION.to_uppercase())]);
    let id = world.disk("d");
    assert_eq!(world.enforce(&id.to_uppercase()).await.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn audit_mode_never_writes_whatever_happens() {
    let faults: [fn() -> Option<Fault>; 8] = [
        || None,
        || Some(Fault::refuse(Refusal::server_error(503)).on(Kind::Get)),
        || Some(Fault::refuse(Refusal::throttled_arm(2)).on(Kind::Get)),
        || Some(Fault::refuse(Refusal::expired_token()).on(Kind::Get)),
        || Some(Fault::reset().on(Kind::Get)),
        || Some(Fault::half_an_answer().on(Kind::Get)),
        || Some(Fault::html(200).on(Kind::Get)),
        || Some(Fault::not_yet_visible(2)),
    ];
    for fault in faults {
        let world = World::with(Options::default(), &[("DISKSEAL_MODE", "audit")]);
        let id = world.disk("d");
        if let Some(fault) = fault() {
            world.fault(fault);
        }
        match world.enforce(&id).await {
            Ok(Outcome::WouldSeal(change)) => {
                assert!(change.data_access_auth_mode.is_some() && change.tags.len() == 3);
            }
            other => panic!("{other:?}"),
        }
        let sealed = world.sealed_disk("sealed");
        assert_eq!(world.enforce(&sealed).await, Ok(Outcome::AlreadySealed));
        assert_eq!(world.writes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_resource_is_gone_once_its_write_is_a_minute_old() {
    for refusal in [Refusal::resource_not_found(), Refusal::resource_group_not_found()] {
        let world = World::new();
        let id = world.disk("d");
        world.azure.delete(&id, &jane());
        world.fault(Fault::refuse(refusal).on(Kind::Get).always());
        let new = world.enforce(&id).await.unwrap_err();
        assert_eq!((new.concern(), new.reason()), (Concern::Resource, "not_visible"));
        assert_eq!(world.enforce_for(&id, Trigger::Queue).await, Err(new), "a message of the same minute");
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(world.enforce_written(&id, Duration::from_secs(61)).await, Ok(Outcome::Gone));
    }
}

#[tokio::test(start_paused = true)]
async fn a_404_to_a_write_of_what_was_just_read_is_no_deletion() {
    for kind in [Kind::Patch, Kind::TagsWrite] {
        for age in [0, 600].map(Duration::from_secs) {
            let world = World::new();
            let id = world.disk("d");
            world.fault(Fault::refuse(Refusal::resource_not_found()).on(kind));
            let label = world.enforce_written(&id, age).await.unwrap().label();
            assert_eq!(label, if kind == Kind::Patch { "sealed" } else { "tagged" });
            assert!(world.is_sealed(&id));
        }
        let world = World::new();
        let id = world.disk("d");
        world.fault(Fault::refuse(Refusal::resource_not_found()).on(kind).always());
        let error = world.enforce_written(&id, Duration::from_mins(10)).await.unwrap_err();
        assert_eq!((error.concern(), error.reason()), (Concern::Resource, "overtaken"));
    }
    let world = World::new();
    let id = world.disk("d");
    world.fault(Fault::refuse(Refusal::resource_not_found()).on(Kind::Patch));
    world.fault(Fault::refuse(Refusal::resource_not_found()).on(Kind::Get).after(1).always());
    let error = world.enforce_written(&id, Duration::from_mins(10)).await.unwrap_err();
    assert_eq!(error.reason(), "not_visible", "the queue looks again before it is gone");
}

#[tokio::test(start_paused = true)]
async fn a_404_that_is_not_arms_is_no_deletion() {
    for fault in [
        Fault::html(404),
        Fault::text(404, "application/json", ""),
        Fault::text(404, "application/json", r#"{"statusCode":404,"message":"no route"}"#),
        Fault::text(404, "application/json", r#"{"error":{"message":"m"}}"#),
        Fault::text(403, "text/html", "<html>"),
    ] {
        for kind in [Kind::Get, Kind::Patch, Kind::TagsWrite] {
            let world = World::new();
            let id = world.disk("d");
            world.fault(fault.clone().on(kind).always());
            let error = world.enforce_written(&id, Duration::from_mins(10)).await.unwrap_err();
            assert_eq!((error.concern(), error.reason()), (Concern::System, "unreadable"), "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_resource_that_a_replica_does_not_know_yet_is_asked_for_again() {
    let world = World::new();
    let id = world.disk("d");
    world.fault(Fault::not_yet_visible(3));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn a_resource_without_room_for_tags_gets_the_mode_alone() {
    let world = World::new();
    let many: serde_json::Map<_, _> = (0..49).map(|n| (format!("tag{n}"), json!("x"))).collect();
    let id = world.tagged_disk("d", &many.into());
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert_eq!(world.requests(&id), [Kind::Get, Kind::Patch]);
    assert_eq!(world.azure.get(&id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
    assert_eq!(world.enforce(&id).await, Ok(Outcome::AlreadySealed));
}

#[tokio::test(start_paused = true)]
async fn a_seal_without_tags_is_the_mode_alone() {
    let world = World::with(Options::immediate(), &[("DISKSEAL_TAGS", "none")]);
    let id = world.disk("d");
    world.enforce(&id).await.unwrap();
    assert_eq!(world.requests(&id), [Kind::Get, Kind::Patch]);
}

#[tokio::test(start_paused = true)]
async fn tags_that_are_answered_202_are_proven_by_a_read() {
    let world = World::with(Options { tags: TagsStyle::BrokenPoll, ..Options::immediate() }, &[]);
    let id = world.disk("d");
    // The first proof read predates the write.
    world.fault(Fault::stale_read().after(1));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
    assert_eq!(world.requests(&id), [Kind::Get, Kind::Patch, Kind::TagsWrite, Kind::Get, Kind::Get]);
}
