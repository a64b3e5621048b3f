//! The report's reading of everything in scope, in process: what Azure refuses, drops or spells wrongly is a gap.

use std::time::Duration;

use diskseal::{
    arm::Error,
    estate::inventory,
    report::{Report, Run, Source},
};
use diskseal_emulator::{
    Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind, Refusal},
};
use serde_json::json;

use crate::world::{SUBSCRIPTION, World};

const OTHER: &str = "22222222-2222-4333-8444-555555555555";

/// A world with a disk in each of two subscriptions.
fn world() -> World {
    let settings = [("DISKSEAL_SUBSCRIPTIONS", &*[SUBSCRIPTION, OTHER].join(","))];
    let world = World::with(Options::immediate(), &settings);
    world.disk("d");
    world.azure.insert(&disk_id(OTHER, "rg", "d"), &disk_body("westeurope")).unwrap();
    world
}

async fn take(world: &World, source: Source) -> (Result<Report, Error>, Vec<(usize, Option<usize>)>) {
    let (ctx, mut pages) = (&world.ctx, vec![]);
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
    let report = Report::new(run);
    let on_page = |read, all| pages.push((read, all));
    (inventory(&ctx.arm, &ctx.guard, &ctx.policy, report, Duration::from_secs(25), on_page).await, pages)
}

fn gaps(report: &Report) -> Vec<&str> {
    report.gaps().iter().map(|gap| gap.what.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn both_sources_read_the_same_and_say_how_far_they_are() {
    let world = world();
    let [graph, lists] = [take(&world, Source::Graph).await, take(&world, Source::Lists).await];
    assert_eq!(graph.1, [(2, Some(2))]);
    assert_eq!(lists.1, [(1, None), (1, None), (2, None), (2, None)]);
    let [graph, lists] = [graph, lists].map(|(report, _)| report.unwrap());
    assert_eq!((graph.totals().unsealed, gaps(&graph)), (2, vec![]));
    assert_eq!((graph.totals(), gaps(&graph)), (lists.totals(), gaps(&lists)));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_refused_is_a_gap_and_the_next_list_is_read() {
    let world = world();
    world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let refused = world.fault(Fault::refuse(Refusal::authorization_failed()).on(Kind::List).times(1));
    let report = take(&world, Source::Graph).await.0.unwrap();
    let list = format!("the list of Microsoft.Compute/disks of subscription {SUBSCRIPTION}");
    assert_eq!((report.totals().total(), gaps(&report)), (1, vec![list.as_str()]));
    refused.remove();
    world.fault(Fault::refuse(Refusal::server_error(500)).on(Kind::List).always());
    assert!(take(&world, Source::Lists).await.0.is_err(), "no report where Azure cannot be asked");
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_announced_and_not_returned_are_a_gap() {
    let world = world();
    let page = json!({"totalRecords": 5, "count": 0, "data": [], "resultTruncated": "false"});
    // The first query is that of what is protected.
    world.fault(Fault::text(200, "application/json", page.to_string()).on(Kind::Query).after(1).times(1));
    let report = take(&world, Source::Graph).await.0.unwrap();
    assert_eq!(gaps(&report), ["5 of the 5 rows of Resource Graph"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_nonsense_does_not_fill_the_report() {
    let world = world();
    for n in 0..102 {
        world.azure.insert(&disk_id(SUBSCRIPTION, "rg", &format!("{n}.")), &disk_body("westeurope")).unwrap();
    }
    for source in [Source::Graph, Source::Lists] {
        let report = take(&world, source).await.0.unwrap();
        assert_eq!(report.totals().total(), 2);
        assert_eq!((report.gaps().len(), gaps(&report)[100]), (101, "2 more elements"));
    }
}
