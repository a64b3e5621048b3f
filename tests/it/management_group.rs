//! A management group for a scope: what is asked, what is left alone, and what a group that cannot be read means.

use std::time::Duration;

use diskseal::{
    azure::Terms,
    enforce::{Concern, Outcome},
    policy::Exemption,
    report::Source,
    sweep::{Advance, Error, collect, plan, seal_all},
};
use diskseal_emulator::{
    Member, Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind, Refusal},
};
use serde_json::json;

use crate::world::{SUBSCRIPTION, World};

const BELOW: &str = "22222222-2222-4333-8444-555555555555";
const OUTSIDE: &str = "99999999-2222-4333-8444-555555555555";

/// A group of one subscription and of another group with another one, and a subscription outside.
fn world() -> World {
    let world = World::with(Options::immediate(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg-prod")]);
    let subscription = |id: &str| Member::Subscription(id.to_owned());
    world.azure.set_management_group(
        "mg-prod",
        &[subscription(SUBSCRIPTION), Member::ManagementGroup("mg-apps".to_owned())],
    );
    world.azure.set_management_group("mg-apps", &[subscription(BELOW)]);
    for subscription in [SUBSCRIPTION, BELOW, OUTSIDE] {
        world.azure.insert(&disk_in(subscription), &disk_body("westeurope")).unwrap();
    }
    world
}

fn disk_in(subscription: &str) -> String {
    // Lists spell the names of groups in upper case.
    disk_id(subscription, "RG", "d")
}

fn terms() -> Terms {
    Terms::behind_events(Duration::from_mins(4))
}

fn asked(world: &World, kind: Kind) -> usize {
    world.azure.journal().iter().filter(|exchange| exchange.kind == kind).count()
}

#[tokio::test(start_paused = true)]
async fn one_query_names_the_group_instead_of_subscriptions() {
    let world = world();
    let found = collect(&world.ctx, terms()).await.unwrap();
    let ids: Vec<_> = found.to_seal.iter().map(ToString::to_string).collect();
    assert_eq!(ids, [disk_in(SUBSCRIPTION), disk_in(BELOW)]);
    let journal = world.azure.journal();
    let query = journal.iter().find(|exchange| {
        exchange.request_body["query"].as_str().is_some_and(|text| text.starts_with("resources "))
    });
    let body = &query.unwrap().request_body;
    assert_eq!((&body["managementGroups"], &body["subscriptions"]), (&json!(["mg-prod"]), &json!(null)));
    assert_eq!(asked(&world, Kind::List), 0);
}

#[tokio::test(start_paused = true)]
async fn lists_and_the_way_out_where_resource_graph_refuses_are_those_of_its_subscriptions() {
    for source in [Source::Lists, Source::Graph] {
        let world = world();
        world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
        let mut sealed = vec![];
        let tell = |advance| {
            if let Advance::Ended(id, result) = advance {
                sealed.push((id.to_string(), result.unwrap().label()));
            }
        };
        seal_all(&world.ctx, source, 1, Duration::from_secs(25), tell).await.unwrap();
        sealed.sort();
        assert_eq!(sealed, [(disk_in(SUBSCRIPTION), "sealed"), (disk_in(BELOW), "sealed")]);
        assert_eq!(world.requests(&disk_in(OUTSIDE)), []);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_from_outside_is_left_alone_and_the_group_is_read_once() {
    let world = world();
    assert_eq!(world.enforce(&disk_in(OUTSIDE)).await, Ok(Outcome::Exempt(Exemption::OutOfScope)));
    for subscription in [SUBSCRIPTION, BELOW] {
        assert_eq!(world.enforce(&disk_in(subscription)).await.unwrap().label(), "sealed");
    }
    assert_eq!(world.requests(&disk_in(OUTSIDE)), []);
    assert_eq!(asked(&world, Kind::Descendants), 1);

    // A subscription that has come into the group meanwhile is known a minute later.
    world.azure.set_management_group("mg-apps", &[Member::Subscription(OUTSIDE.to_owned())]);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(world.enforce(&disk_in(OUTSIDE)).await.unwrap().label(), "sealed");
    // What has left it is known within the hour, though the reads of it fail for a while.
    let outage = world.fault(Fault::refuse(Refusal::server_error(500)).on(Kind::Descendants).always());
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(world.enforce(&disk_in(OUTSIDE)).await.unwrap().label(), "already_sealed");
    outage.remove();
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_leaves_the_last_list_for_a_minute_and_not_for_an_hour() {
    let world = world();
    assert_eq!(world.enforce(&disk_in(SUBSCRIPTION)).await.unwrap().label(), "sealed");
    // The group has changed, and the next reads fail: one for want of time, one by an outage.
    world.azure.set_management_group("mg-prod", &[Member::Subscription(OUTSIDE.to_owned())]);
    tokio::time::advance(Duration::from_hours(1)).await;
    let slow = world.fault(Fault::delay(Duration::from_secs(5)).on(Kind::Descendants).always());
    assert!(world.enforce_within(&disk_in(SUBSCRIPTION), Duration::from_secs(1)).await.is_err());
    slow.remove();
    let outage = world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Descendants).always());
    assert_eq!(world.enforce(&disk_in(SUBSCRIPTION)).await.unwrap().label(), "already_sealed");
    let reads = asked(&world, Kind::Descendants);
    assert_eq!(world.enforce(&disk_in(SUBSCRIPTION)).await.unwrap().label(), "already_sealed");
    assert_eq!(asked(&world, Kind::Descendants), reads, "not for each event");
    outage.remove();
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(world.enforce(&disk_in(SUBSCRIPTION)).await, Ok(Outcome::Exempt(Exemption::OutOfScope)));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_cannot_be_read_is_no_empty_scope() {
    let world = World::with(Options::immediate(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg-typo")]);
    let id = world.disk("d");
    let deadline = terms();
    let is_fault = |error: &Error| {
        let text = error.to_string();
        assert!(text.starts_with("listing the management group's subscriptions failed: 404 "), "{text}");
    };
    is_fault(&collect(&world.ctx, deadline).await.unwrap_err());
    is_fault(&plan(&world.ctx, Source::Graph, |_, _| ()).await.unwrap_err());
    is_fault(&seal_all(&world.ctx, Source::Lists, 1, Duration::from_secs(9), |_| ()).await.unwrap_err());
    // Resource Graph returns no rows, which does not prove that there are none.
    world.azure.set_management_group("mg-typo", &[Member::Subscription(OUTSIDE.to_owned())]);
    world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Descendants).always());
    let error = seal_all(&world.ctx, Source::Graph, 1, Duration::from_secs(9), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains(" failed: 403 "), "{error}");
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::System, "scope_unreadable"), "{error}");
    assert_eq!(world.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_nobody_longer_than_it_has_time() {
    let world =
        World::with(Options::immediate(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg"), ("DISKSEAL_DEADLINE", "5")]);
    world.azure.set_management_group("mg", &[Member::Subscription(SUBSCRIPTION.to_owned())]);
    let id = world.disk("d");
    world.fault(Fault::delay(Duration::from_secs(9)).on(Kind::Descendants).times(1));
    let started = tokio::time::Instant::now();
    let event = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (world.enforce(&id).await, started.elapsed())
    };
    let (sweep, (event, ended)) = tokio::join!(collect(&world.ctx, terms()), event);
    assert_eq!((event.unwrap_err().concern(), ended), (Concern::System, Duration::from_secs(6)));
    assert_eq!(sweep.unwrap().to_seal.len(), 1);
}
