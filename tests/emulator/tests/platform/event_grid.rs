//! Event Grid: events, the retry schedule, and events that no endpoint accepts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use diskseal_emulator::{
    event_grid::{
        DeliverySchema, Disturbance, Duplicates, EventGrid, EventGridOptions, EventGridStats, Spelling,
    },
    write::{Caller, ResourceWrite},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use time::macros::datetime;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-app/providers/Microsoft.Compute/disks/d";

fn write() -> ResourceWrite {
    ResourceWrite {
        resource_id: ID.to_owned(),
        subscription_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        operation_name: "Microsoft.Compute/disks/write".to_owned(),
        method: "PUT".to_owned(),
        url: format!("https://management.azure.com{ID}?api-version=2025-01-02"),
        caller: Caller::user("0d0d0d0d-1111-4222-8333-444444444444", "Jane Doe"),
        correlation_id: "c0ffee00-0000-4000-8000-000000000001".to_owned(),
        at: datetime!(2026-11-24 01:02:03.456_789_1 UTC),
        succeeded: true,
    }
}

type Batches = Arc<Mutex<Vec<Vec<Value>>>>;

/// Delivers writes to an endpoint that accepts everything.
async fn deliver(options: EventGridOptions, writes: Vec<ResourceWrite>) -> (Vec<Vec<Value>>, EventGridStats) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let taken = Batches::default();
    let endpoint = {
        let taken = Arc::clone(&taken);
        move |events| {
            taken.lock().push(events);
            async { 202 }
        }
    };
    let grid = EventGrid::start(receiver, options, endpoint);
    for write in writes {
        sender.send(write).unwrap();
    }
    grid.idle().await;
    let batches = taken.lock().clone();
    (batches, grid.stats())
}

/// Publishes one event to an endpoint that always answers `status`; returns the times of the deliveries.
async fn refused(options: EventGridOptions, status: u16) -> (EventGrid, Vec<Duration>) {
    let start = Instant::now();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let endpoint = {
        let asked = Arc::clone(&asked);
        move |_| {
            asked.lock().push(start.elapsed());
            async move { status }
        }
    };
    let grid = EventGrid::start(mpsc::unbounded_channel().1, options, endpoint);
    grid.publish(vec![json!({ "id": "e1", "data": {} })]);
    grid.idle().await;
    let asked = asked.lock().clone();
    (grid, asked)
}

fn steady() -> EventGridOptions {
    EventGridOptions { probation_after: 0, ..EventGridOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn an_event_has_event_grid_s_shape() {
    let options = EventGridOptions { schema: DeliverySchema::EventGridSchema, ..EventGridOptions::default() };
    let (batches, _) = deliver(options, vec![write()]).await;
    let event = &batches[0][0];
    assert_eq!(event["eventType"], "Microsoft.Resources.ResourceWriteSuccess");
    assert_eq!(event["eventTime"], "2026-11-24T01:02:03.4567891Z");
    assert_eq!(event["subject"], ID);
    assert_eq!(event["topic"], "/subscriptions/11111111-2222-4333-8444-555555555555");
    assert_eq!((&event["dataVersion"], &event["metadataVersion"]), (&json!("2"), &json!("1")));
    let data = &event["data"];
    assert_eq!(data["claims"]["appid"], "04b07795-8ddb-461a-bbee-02f9e1bf7b46");
    assert_eq!(
        data["claims"]["http://schemas.microsoft.com/identity/claims/objectidentifier"],
        "0d0d0d0d-1111-4222-8333-444444444444"
    );
    assert_eq!(data["authorization"]["action"], "Microsoft.Compute/disks/write");
    assert_eq!(data["authorization"]["evidence"]["principalId"], "0d0d0d0d111142228333444444444444");
    assert_eq!(data["httpRequest"]["method"], "PUT");
    assert_eq!((&data["status"], &data["resourceUri"]), (&json!("Succeeded"), &json!(ID)));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_event_carries_the_same_data() {
    let options = EventGridOptions {
        spelling: Spelling::UpperCase,
        http_request: false,
        claims: false,
        ..EventGridOptions::default()
    };
    let (batches, _) = deliver(options, vec![write()]).await;
    let event = &batches[0][0];
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "Microsoft.Resources.ResourceWriteSuccess");
    assert_eq!(event["subject"], ID.to_ascii_uppercase());
    assert_eq!(event["data"]["operationName"], "MICROSOFT.COMPUTE/DISKS/WRITE");
    assert_eq!(event["data"]["authorization"]["evidence"], json!([]));
    assert!(event["data"].get("httpRequest").is_none() && event["data"].get("claims").is_none());
}

#[tokio::test(start_paused = true)]
async fn filters_hold_back_what_the_subscription_does_not_ask_for() {
    let failed = ResourceWrite { succeeded: false, ..write() };
    let tags = ResourceWrite { operation_name: "Microsoft.Resources/tags/write".to_owned(), ..write() };
    let deleted = ResourceWrite { operation_name: "Microsoft.Compute/disks/delete".to_owned(), ..write() };
    let shouted = ResourceWrite { operation_name: "MICROSOFT.COMPUTE/SNAPSHOTS/WRITE".to_owned(), ..write() };
    let ours = ResourceWrite { caller: Caller::app("oid", "our-app"), ..write() };
    let options =
        EventGridOptions { excluded_app_ids: vec!["OUR-APP".to_owned()], ..EventGridOptions::default() };
    let (batches, stats) = deliver(options, vec![failed, tags, deleted, shouted, ours]).await;
    assert_eq!(batches.len(), 1);
    assert_eq!((stats.published, stats.filtered, stats.delivered), (1, 4, 1));
}

#[tokio::test(start_paused = true)]
async fn batches_and_duplicates_are_opt_in() {
    let (batches, _) = deliver(EventGridOptions::default(), vec![write(); 3]).await;
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    let options = EventGridOptions {
        max_events_per_batch: 2,
        duplicates: Duplicates::Times(2),
        ..EventGridOptions::default()
    };
    let (batches, stats) = deliver(options, vec![write(); 3]).await;
    let mut sizes: Vec<_> = batches.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 2]);
    assert_eq!((stats.published, stats.delivered), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run() {
    let run = |seed| async move {
        let options = EventGridOptions {
            disorder: Duration::from_mins(1),
            duplicates: Duplicates::Sometimes(0.3),
            loss: 0.2,
            seed,
            ..EventGridOptions::default()
        };
        let writes: Vec<_> =
            (0..50).map(|n| ResourceWrite { resource_id: format!("{ID}{n}"), ..write() }).collect();
        let (batches, stats) = deliver(options, writes).await;
        let order: Vec<_> = batches.iter().map(|batch| batch[0]["subject"].clone()).collect();
        (order, stats)
    };
    let (order, stats) = run(7).await;
    assert_eq!((&order, stats), (&run(7).await.0, run(7).await.1));
    assert!(stats.lost > 0 && stats.delivered > stats.published - stats.lost, "{stats:?}");
    assert_ne!(order, run(8).await.0);
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_on_the_documented_schedule_for_a_day() {
    let (grid, asked) = refused(steady(), 500).await;
    let minutes = |m: u64| Duration::from_mins(m);
    let mut at = Duration::ZERO;
    let mut expected = vec![at];
    let hours = [60, 180, 360, 720].map(minutes);
    for wait in
        [Duration::from_secs(10), Duration::from_secs(30), minutes(1), minutes(5), minutes(10), minutes(30)]
            .into_iter()
            .chain(hours)
    {
        at += wait;
        expected.push(at);
    }
    let seconds = |times: &[Duration]| times.iter().map(Duration::as_secs).collect::<Vec<_>>();
    // The next attempt would be after the event's time to live.
    assert_eq!(seconds(&asked), seconds(&expected));
    assert_eq!(grid.stats().dropped, 1);
    assert_eq!(grid.deliveries().last().unwrap().attempt, 11);
}

#[tokio::test(start_paused = true)]
async fn some_statuses_wait_longer() {
    let options = EventGridOptions { max_delivery_attempts: 2, ..steady() };
    for (status, wait) in [(404, 300), (408, 120), (503, 30), (500, 10), (205, 10)] {
        let (_, asked) = refused(options.clone(), status).await;
        assert_eq!(asked[1].as_secs(), wait, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_for_good_are_dead_letters_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for (status, outcome) in [(400, "BadRequest"), (403, "Forbidden"), (413, "PayloadTooLarge")] {
        let options = EventGridOptions { dead_letters: Some(folder.path().into()), ..steady() };
        let (grid, asked) = refused(options, status).await;
        assert_eq!(asked.len(), 1);
        let letter = &grid.dead_letters()[0];
        assert_eq!(letter["deadLetterReason"], format!("UndeliverableDueToHttp{outcome}"));
        assert_eq!(
            (&letter["lastDeliveryOutcome"], &letter["lastHttpStatusCode"]),
            (&json!(outcome), &json!(status))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_the_event_and_its_fate() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        EventGridOptions { dead_letters: Some(folder.path().into()), max_delivery_attempts: 2, ..steady() };
    let start = Instant::now();
    let (grid, _) = refused(options, 500).await;
    assert_eq!(start.elapsed().as_secs(), 10 + 300);
    assert_eq!(grid.stats().dead_lettered, 1);
    let letter = &grid.dead_letters()[0];
    assert_eq!((&letter["id"], &letter["deliveryAttempts"]), (&json!("e1"), &json!(2)));
    assert_eq!(letter["deadLetterReason"], "MaxDeliveryAttemptsExceeded");
    assert!(letter["publishTime"].is_string() && letter["lastDeliveryAttemptTime"].is_string());
    let mut path = folder.path().join("DISKSEAL");
    while path.is_dir() {
        path = std::fs::read_dir(&path).unwrap().next().unwrap().unwrap().path();
    }
    let blob: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(blob, json!([letter]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_is_asked_again_while_it_still_works() {
    let (working, most) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let endpoint = {
        let (working, most) = (Arc::clone(&working), Arc::clone(&most));
        move |_| {
            let (working, most) = (Arc::clone(&working), Arc::clone(&most));
            async move {
                let now = {
                    let mut working = working.lock();
                    *working += 1;
                    *working
                };
                let most_so_far = (*most.lock()).max(now);
                *most.lock() = most_so_far;
                tokio::time::sleep(Duration::from_secs(50)).await;
                *working.lock() -= 1;
                200
            }
        }
    };
    let grid = EventGrid::start(mpsc::unbounded_channel().1, steady(), endpoint);
    grid.publish(vec![json!({ "id": "e1" })]);
    grid.idle().await;
    // 30 s, then 10 s of waiting. The second attempt times out as well; while the third waits, the late
    // success of the second cancels it.
    assert_eq!(*most.lock(), 2);
    let statuses: Vec<_> = grid.deliveries().iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, [None, None]);
    assert_eq!(grid.stats().delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn ten_failures_put_the_endpoint_on_probation_and_a_success_ends_it() {
    let status = Arc::new(AtomicU16::new(500));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let endpoint = {
        let (status, asked) = (Arc::clone(&status), Arc::clone(&asked));
        move |_| {
            asked.lock().push(start.elapsed().as_secs());
            let status = status.load(Ordering::SeqCst);
            async move { status }
        }
    };
    let options = EventGridOptions { max_delivery_attempts: 1, ..EventGridOptions::default() };
    let grid = EventGrid::start(mpsc::unbounded_channel().1, options, endpoint);
    grid.publish((0..10).map(|n| json!({ "id": n.to_string() })).collect());
    grid.idle().await;
    status.store(200, Ordering::SeqCst);
    grid.publish(vec![json!({ "id": "late" })]);
    grid.idle().await;
    grid.publish(vec![json!({ "id": "free" })]);
    grid.idle().await;
    assert_eq!(asked.lock()[9..], [0, 300, 300]);
}

#[tokio::test(start_paused = true)]
async fn speed_divides_every_wait_but_the_time_out() {
    let options = EventGridOptions { max_delivery_attempts: 3, speed: 10.0, ..steady() };
    let (_, asked) = refused(options, 500).await;
    assert_eq!(asked.iter().map(Duration::as_secs).collect::<Vec<_>>(), [0, 1, 4]);
}

#[tokio::test(start_paused = true)]
async fn idle_waits_for_what_deliveries_cause() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (echo, seen) = (sender.clone(), Arc::new(AtomicU16::new(0)));
    let (counted, release) = (Arc::clone(&seen), Arc::new(Notify::new()));
    release.notify_one();
    let grid = EventGrid::start(receiver, steady(), move |_| {
        // The write of the first delivery raises an event.
        if counted.fetch_add(1, Ordering::SeqCst) == 0 {
            echo.send(write()).unwrap();
        }
        let release = Arc::clone(&release);
        async move {
            release.notified().await;
            release.notify_one();
            202
        }
    });
    sender.send(write()).unwrap();
    grid.idle().await;
    assert_eq!((seen.load(Ordering::SeqCst), grid.undelivered()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn events_of_a_resource_can_be_lost_or_name_an_earlier_time() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let taken = Batches::default();
    let kept = Arc::clone(&taken);
    let options = EventGridOptions { schema: DeliverySchema::EventGridSchema, ..EventGridOptions::default() };
    let grid = EventGrid::start(receiver, options, move |events| {
        kept.lock().push(events);
        async { 202 }
    });
    grid.disturb("D-LOST", Disturbance::Lost);
    grid.disturb("d-late", Disturbance::Late(Duration::from_mins(5)));
    for name in ["-lost", "-late", "-lost", "-other"] {
        sender.send(ResourceWrite { resource_id: format!("{ID}{name}"), ..write() }).unwrap();
    }
    grid.idle().await;
    let mut times: Vec<_> = taken
        .lock()
        .concat()
        .iter()
        .map(|event| {
            (
                event["subject"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(),
                event["eventTime"].clone(),
            )
        })
        .collect();
    times.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [("d-late", "2026-11-24T00:57:03.4567891Z"), ("d-other", "2026-11-24T01:02:03.4567891Z")];
    assert_eq!(times, expected.map(|(name, time)| (name.to_owned(), json!(time))));
    assert_eq!((grid.stats().published, grid.stats().lost), (4, 2));
}
