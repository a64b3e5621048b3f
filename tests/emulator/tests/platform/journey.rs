//! The whole path of an event: Event Grid, the host, the queue and the host again, in the app as deployed.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, header},
};
use diskseal_emulator::{
    event_grid::{EventGrid, EventGridOptions},
    host::{Failure, FunctionsHost, HostOptions, LOOK_OFTEN, Verdict, stage, stage_definitions},
    queue::Queues,
};
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use crate::host::event;

#[tokio::test]
async fn an_event_that_cannot_be_settled_comes_back_by_the_queue_and_ends_as_poison() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    stage(&repository, Path::new(env!("CARGO_BIN_EXE_puppet")), folder.path()).unwrap();
    let mut options = HostOptions::new(folder.path());
    // Messages are invisible for 5 minutes each time; the speed shortens this.
    options.queues = Queues::new(1e6);
    options.settings.insert("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned());
    let host = FunctionsHost::start(options).unwrap();
    assert_eq!(host.functions(), ["seal_on_write", "seal_queued", "sweep"]);

    let grid = EventGrid::start(
        mpsc::unbounded_channel().1,
        EventGridOptions::default(),
        host.event_grid("seal_on_write"),
    );
    let pending = json!({ "resourceId": "/d", "puppet": { "status": 500 } });
    let reply = json!({ "Outputs": { "pending": pending } }).to_string();
    grid.publish(vec![event(&json!({ "body": reply }))]);
    grid.idle().await;
    assert_eq!(grid.stats().delivered, 1);
    host.queues_drained().await;

    let queued: Vec<_> = host.invocations().into_iter().filter(|one| one.function == "seal_queued").collect();
    assert_eq!(queued.len(), 17, "the `maxDequeueCount` of host.json");
    assert_eq!(host.queues().poison("diskseal-pending").len(), 1);
    assert!(host.fire_timer("sweep").await.unwrap().succeeded());
}

#[tokio::test]
async fn event_grid_tries_again_until_the_handler_is_well() {
    let (_app, host) = crate::host::started(&[]).await;
    // The event must outlive its attempts at any load of the machine.
    let options = EventGridOptions {
        speed: 1e6,
        max_delivery_attempts: 4,
        event_time_to_live: Duration::from_hours(24_000_000),
        ..EventGridOptions::default()
    };
    let grid = EventGrid::start(mpsc::unbounded_channel().1, options, host.event_grid("on-write"));
    grid.publish(vec![event(&json!({ "status": 500 }))]);
    grid.idle().await;
    let statuses: Vec<_> = grid.deliveries().iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, [Some(500); 4]);
    assert_eq!((grid.stats().dropped, host.invocations().len()), (1, 4));
}

/// A handler whose first response puts a message on its own queue, which fails once.
fn service(calls: Arc<AtomicU32>) -> Router {
    Router::new().fallback(move || {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        async move {
            let body = if call == 0 { r#"{"Outputs":{"pending":{"id":"/d"}}}"# } else { "{}" };
            let status = if call == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
            (status, [(header::CONTENT_TYPE, "application/json")], body)
        }
    })
}

fn definitions() -> (tempfile::TempDir, HostOptions) {
    let folder = tempfile::tempdir().unwrap();
    stage_definitions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), folder.path()).unwrap();
    let mut options = HostOptions::new(folder.path());
    for (name, value) in [("DISKSEAL_SWEEP_SCHEDULE", "0 0 * * * *"), LOOK_OFTEN] {
        options.settings.insert(name.to_owned(), value.to_owned());
    }
    (folder, options)
}

#[tokio::test(start_paused = true)]
async fn a_service_in_the_test_takes_the_same_way_on_a_paused_clock() {
    let (_folder, options) = definitions();
    let calls = Arc::new(AtomicU32::new(0));
    let made = Arc::clone(&calls);
    let host = FunctionsHost::start_in_process(options, move || service(Arc::clone(&made))).unwrap();
    let start = Instant::now();
    let grid = EventGrid::start(
        mpsc::unbounded_channel().1,
        EventGridOptions::default(),
        host.event_grid("seal_on_write"),
    );
    grid.publish(vec![event(&json!({}))]);
    grid.idle().await;
    host.queues_drained().await;
    // The queue's visibility timeout in host.json.
    assert_eq!(start.elapsed().as_secs(), 300);
    let functions: Vec<_> = host.invocations().into_iter().map(|one| (one.function, one.verdict)).collect();
    let failed = Verdict::Failed(Failure::Status(502));
    let queued = |verdict| ("seal_queued".to_owned(), verdict);
    let expected =
        [("seal_on_write".to_owned(), Verdict::Succeeded), queued(failed), queued(Verdict::Succeeded)];
    assert_eq!(functions, expected);
}

#[tokio::test(start_paused = true)]
async fn a_kill_drops_what_the_service_was_doing() {
    let (_folder, options) = definitions();
    let made = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&made);
    let host = FunctionsHost::start_in_process(options, move || {
        count.fetch_add(1, Ordering::SeqCst);
        Router::new().fallback(|| async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            StatusCode::OK
        })
    })
    .unwrap();
    let killed = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        host.kill().await;
    };
    let (invocation, ()) = tokio::join!(host.fire_timer("sweep"), killed);
    assert!(matches!(invocation.unwrap().verdict, Verdict::Failed(Failure::Connection(_))));
    assert_eq!(made.load(Ordering::SeqCst), 2);
    // functionTimeout of host.json kills it too.
    let start = Instant::now();
    assert_eq!(host.fire_timer("sweep").await.unwrap().verdict, Verdict::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 300);
    assert_eq!(host.exits().iter().map(|exit| exit.counted).collect::<Vec<_>>(), [true, false]);
}
