//! A part of the scope that cannot be read is a gap with its name, and the rest goes on.

use std::{collections::BTreeSet, time::Duration};

use diskseal::{
    arm::Error,
    azure::Terms,
    estate::{Survey, inventory},
    report::{Report, Run, Source},
    sweep::{self, Advance, collect, plan, seal_all},
};
use diskseal_emulator::{
    Emulator, Member, Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind, Refusal},
};

use crate::{
    sweep::terms,
    world::{SUBSCRIPTION, World},
};

const OTHER: &str = "66666666-7777-4888-9999-000000000000";

/// The ways in which Azure refuses to list the disks of one subscription.
fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::new(409, "MissingSubscriptionRegistration", "The subscription is not registered."),
        Refusal::subscription_not_found(),
        Refusal::authorization_failed(),
        Refusal::new(409, "ReadOnlyDisabledSubscription", "The subscription is disabled."),
        Refusal::server_error(500),
        Refusal::throttled_arm(1_000),
    ]
}

/// A disk in each of two subscriptions.
fn world() -> (World, [String; 2]) {
    let settings = [("DISKSEAL_SUBSCRIPTIONS", &*[SUBSCRIPTION, OTHER].join(","))];
    let world = World::with(Options::immediate(), &settings);
    let ids = [SUBSCRIPTION, OTHER].map(|subscription| {
        let id = disk_id(subscription, "rg", "d");
        world.azure.insert(&id, &disk_body("westeurope")).unwrap();
        id
    });
    (world, ids)
}

async fn seal(world: &World, source: Source) -> Result<Survey, sweep::Error> {
    seal_all(&world.ctx, source, 4, Duration::from_secs(25), |_: Advance| ()).await
}

async fn report(world: &World, source: Source) -> Result<Report, Error> {
    let ctx = &world.ctx;
    let run = Run {
        taken_at: ctx.now(),
        identity: None,
        scope: ctx.policy.scope.clone(),
        source,
        expiring_within: 30,
        since: ctx.now() - time::Duration::days(30),
        is_of_all: false,
        portal: "https://portal.azure.com",
    };
    inventory(&ctx.arm, &ctx.guard, &ctx.policy, Report::new(run), Duration::from_secs(25), |_, _| ()).await
}

fn queries(world: &World) -> Vec<serde_json::Value> {
    let journal = world.azure.journal();
    let queries = journal.iter().filter(|exchange| exchange.kind == Kind::Query);
    let bodies = queries.map(|exchange| exchange.request_body.clone());
    bodies.filter(|body| body["query"].as_str().unwrap().starts_with("resources |")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_cannot_be_listed_is_named_and_the_other_is_swept() {
    for refusal in refusals() {
        for (bad, subscription) in [SUBSCRIPTION, OTHER].into_iter().enumerate() {
            let (world, ids) = world();
            world.fault(Fault::refuse(refusal.clone()).on(Kind::List).subscription(subscription).always());
            let survey = seal(&world, Source::Lists).await.unwrap();
            let named: BTreeSet<_> = survey.gaps.iter().map(|gap| gap.what.clone()).collect();
            let lists = ["disks", "snapshots"]
                .map(|kind| format!("the list of Microsoft.Compute/{kind} of subscription {subscription}"));
            assert_eq!(named, BTreeSet::from(lists), "{refusal:?}");
            assert!(world.is_sealed(&ids[1 - bad]) && !world.is_sealed(&ids[bad]), "{refusal:?}");

            // The same of a dry run, of the report, and of the timer's sweep, which falls back to the lists.
            let planned = plan(&world.ctx, Source::Lists, |_, _| ()).await.unwrap();
            assert_eq!(planned.gaps.len(), 2, "{refusal:?}");
            assert_eq!(report(&world, Source::Lists).await.unwrap().gaps().len(), 2, "{refusal:?}");
            world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
            let found = collect(&world.ctx, terms()).await.unwrap();
            assert_eq!(found.survey.gaps.len(), 2, "{refusal:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn azure_that_cannot_be_asked_is_no_gap() {
    let (world, _) = world();
    world.fault(Fault::refuse(Refusal::server_error(503)).on(Kind::List).always());
    for source in [Source::Graph, Source::Lists] {
        world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
        assert!(seal(&world, source).await.is_err(), "{source:?}");
        assert!(report(&world, source).await.is_err(), "{source:?}");
    }
    assert!(collect(&world.ctx, terms()).await.is_err());
}

/// A world with so many disks, and pages of so many rows.
fn paged(disks: usize, page: usize, payload: usize) -> World {
    let options = Options {
        resource_graph_page_size: page,
        resource_graph_payload_rows: payload,
        ..Options::immediate()
    };
    let world = World::with(options, &[]);
    for n in 0..disks {
        world.disk(&format!("d{n:04}"));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_page_of_resource_graph_that_is_refused_throws_no_other_away() {
    for refused in [0, 1, 2, 4] {
        let refuse =
            || Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).after(refused + 1).always();
        let world = paged(30, 6, usize::MAX);
        world.fault(refuse());
        let found = collect(&world.ctx, terms()).await.unwrap();
        assert_eq!((found.to_seal.len(), found.left), (30, 0), "page {refused}");
        assert_eq!((found.survey.unread, found.survey.gaps.len()), (0, 0), "page {refused}");

        let world = paged(30, 6, usize::MAX);
        world.fault(refuse());
        assert!(seal(&world, Source::Graph).await.unwrap().gaps.is_empty(), "page {refused}");
        assert!(world.azure.resources().iter().all(|disk| world.is_sealed(disk["id"].as_str().unwrap())));

        let world = paged(30, 6, usize::MAX);
        world.fault(refuse());
        let report = report(&world, Source::Graph).await.unwrap();
        assert_eq!((report.totals().total(), report.gaps().len()), (30, 0), "page {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_too_large_is_read_in_smaller_ones_and_each_row_once() {
    let world = paged(250, 1_000, 100);
    let found = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!((found.to_seal.len(), found.survey.counts.unsealed), (250, 250));
    let tops: Vec<_> = queries(&world).iter().map(|body| body["options"]["$top"].as_u64().unwrap()).collect();
    assert_eq!(tops, [1_000, 100, 100, 100]);
    assert!(!world.azure.journal().iter().any(|exchange| exchange.kind == Kind::List));

    // No page is small enough.
    let world = paged(30, 1_000, 1);
    let found = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!(found.to_seal.len(), 30);
    assert_eq!(queries(&world).len(), 3, "1,000, 100 and 10 rows");
}

#[tokio::test(start_paused = true)]
async fn the_innermost_code_is_shown() {
    let error = Error::from_answer(
        "m",
        400,
        &serde_json::to_vec(&serde_json::json!({"error": {
            "code": "BadRequest", "message": "Please provide below info.",
            "details": [{"code": "ResponsePayloadTooLarge", "message": "It has 17 MB."}],
        }}))
        .unwrap(),
        None,
    );
    assert_eq!(
        error.to_string(),
        "m failed: 400 BadRequest ResponsePayloadTooLarge: It has 17 MB. (Please provide below info.)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_of_a_run_hands_over_what_was_read() {
    let world = paged(30, 6, usize::MAX);
    world.fault(Fault::refuse(Refusal::server_error(503)).on(Kind::Query).after(3).always());
    let found = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!((found.to_seal.len(), found.survey.unread), (12, 18), "two pages, after the query for vaults");
    assert_eq!(found.survey.counts.unsealed, 12, "what was not read is not unsealed");
    assert_eq!(found.survey.gaps[0].what, "Resource Graph");
    assert!(found.to_string().contains("18 not read"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_no_time_counts_the_rest_as_not_read() {
    let world = paged(30, 6, usize::MAX);
    world.fault(Fault::delay(Duration::from_secs(8)).on(Kind::Query).after(1).always());
    let short = Terms::behind_events(Duration::from_secs(40));
    let found = collect(&world.ctx, short).await.unwrap();
    assert_eq!(found.to_seal.len() + found.survey.unread, 30);
    assert_eq!(found.survey.counts.unsealed, found.to_seal.len());
    assert!(found.survey.unread > 0 && !found.to_seal.is_empty(), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_and_a_hundred_subscriptions_are_two_queries() {
    let ids: Vec<_> = (0..1_100).map(|n| format!("{n:08}-2222-4333-8444-555555555555")).collect();
    let fill = |azure: &Emulator| {
        for id in [&ids[0], &ids[999], &ids[1_000], &ids[1_099]] {
            azure.insert(&disk_id(id, "rg", "d"), &disk_body("westeurope")).unwrap();
        }
    };
    let world = World::with(Options::immediate(), &[("DISKSEAL_SUBSCRIPTIONS", &*ids.join(","))]);
    fill(&world.azure);
    assert_eq!(collect(&world.ctx, terms()).await.unwrap().to_seal.len(), 4);
    assert_eq!((queries(&world).len(), world.azure.journal().len()), (2, 3), "and one for the vaults");
    let report = report(&world, Source::Graph).await.unwrap();
    assert_eq!(report.totals().total(), 4);

    // A query over a management group with too many subscriptions is refused.
    let world = World::with(Options::immediate(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg")]);
    fill(&world.azure);
    let members: Vec<_> = ids.iter().map(|id| Member::Subscription(id.clone())).collect();
    world.azure.set_management_group("mg", &members);
    // Azure/cosmos-explorer #1986.
    let refusal = Refusal::new(400, "TooManySubscriptionsUnderScope", "Please select a more granular scope.");
    world.fault(Fault::refuse(refusal).on(Kind::Query).after(1).times(1));
    assert_eq!(collect(&world.ctx, terms()).await.unwrap().to_seal.len(), 4);
    assert_eq!(queries(&world).len(), 3, "the refused one, and two that name the subscriptions");
    assert!(!world.azure.journal().iter().any(|exchange| exchange.kind == Kind::List));
}

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_is_a_gap() {
    for fault in [Fault::page_leads_to_itself, Fault::page_never_ends] {
        let (world, ids) = world();
        world.fault(fault().on(Kind::List).subscription(SUBSCRIPTION).always());
        let survey = seal(&world, Source::Lists).await.unwrap();
        assert_eq!(survey.gaps.len(), 2, "{:?}", survey.gaps);
        assert!(survey.gaps.iter().all(|gap| gap.what.contains(SUBSCRIPTION)), "{:?}", survey.gaps);
        assert!(ids.iter().all(|id| world.is_sealed(id)), "what its pages have is sealed");
        assert_eq!(report(&world, Source::Lists).await.unwrap().gaps().len(), 2);

        // Resource Graph without an end is left for the lists, and what vaults protect is in doubt.
        let (world, ids) = self::world();
        world.fault(fault().on(Kind::Query).after(1).always());
        assert!(seal(&world, Source::Graph).await.unwrap().gaps.is_empty());
        assert!(ids.iter().all(|id| world.is_sealed(id)));
        let requests = world.azure.journal().len();
        assert!(requests < 1_000, "{requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_management_group_without_an_end_is_a_gap_and_no_proof_of_absence() {
    let world = World::with(Options::immediate(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg")]);
    world.azure.set_management_group("mg", &[Member::Subscription(SUBSCRIPTION.to_owned())]);
    let (inside, outside) = (world.disk("d"), disk_id(OTHER, "rg", "d"));
    world.azure.insert(&outside, &disk_body("westeurope")).unwrap();
    for fault in [Fault::page_leads_to_itself(), Fault::page_never_ends()] {
        let world = World::at(world.azure.clone(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg")]);
        let endless = world.fault(fault.on(Kind::Descendants).always());
        assert!(world.enforce(&inside).await.is_ok());
        // It may be in the rest of the list.
        assert_eq!(world.enforce(&outside).await.unwrap_err().reason(), "scope_unreadable");
        let survey = plan(&world.ctx, Source::Lists, |_, _| ()).await.unwrap();
        assert_eq!(survey.gaps[0].what, "the rest of the list of subscriptions");
        endless.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_knows_nothing_of_its_scope_fails() {
    let (world, [_, other]) = world();
    world.azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    world.azure.inject(
        Fault::refuse(Refusal::authorization_failed()).on(Kind::List).subscription(SUBSCRIPTION).always(),
    );
    let collected = collect(&world.ctx, terms()).await.unwrap();
    assert_eq!((collected.to_seal.len(), collected.survey.gaps.len()), (1, 2), "the rest is swept: {other}");
    world.azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::List).always());
    let error = collect(&world.ctx, terms()).await.unwrap_err();
    assert_eq!(error.reason(), "forbidden");
}
