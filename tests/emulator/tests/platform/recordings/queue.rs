//! Messages on the storage queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use diskseal_emulator::{
    host::LOOK_OFTEN,
    queue::{Encoding, QueueTrigger, Queues, TriggerOptions},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{App, Handler, case, names, queue_function, recorded, same_requests, text};

const QUEUE: &str = "diskseal-pending";

fn app(options: &Value) -> App {
    App::new(&json!({ "extensions": { "queues": options } }), &[queue_function()])
}

/// The cases with a form of their own.
const OTHERS: [&str; 4] = [
    "queue/queue-encoding-none",
    "queue/queue-failure-progression",
    "queue/queue-parallelism",
    "queue/queue-put-by-the-same-process",
];

#[tokio::test(start_paused = true)]
async fn messages_reach_the_handler_as_recorded() {
    for name in names("queue").into_iter().filter(|name| !OTHERS.contains(&name.as_str())) {
        let case = case(&name);
        let given = &case["given"];
        let stored = match text(&given["put"], &name) {
            // Bytes that are not UTF-8, as Python shows them.
            put if put.starts_with("b'") => text(&case["poisonQueue"][0]["text"], &name).to_owned(),
            put if given["base64"] == false => put.to_owned(),
            put => Encoding::Base64.encode(put.as_bytes()),
        };
        let app = app(&given["hostJson"]);
        let handler = Handler::answering(&case["reply"]);
        let host = app.start(&handler);
        let start = Instant::now();
        host.queues().queue(QUEUE).put(stored).unwrap();
        host.queues_drained().await;
        same_requests(&name, &handler.seen(), &recorded(&case));
        let poison = host.queues().poison(QUEUE).messages();
        let poison: Vec<_> = poison.iter().map(|message| message.text.as_str()).collect();
        let theirs = case["poisonQueue"].as_array().into_iter().flatten();
        assert_eq!(poison, theirs.map(|one| text(&one["text"], &name)).collect::<Vec<_>>(), "{name}");
        // What is not base64 is gone at its first receipt; what is not UTF-8 is tried three times, 2 s apart.
        let receipts = start.elapsed().as_secs() / 2;
        let tries = case["invocations"].as_u64().unwrap();
        assert_eq!(receipts, tries.saturating_sub(1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn texts_without_an_encoding_are_taken_as_they_are() {
    let name = "queue/queue-encoding-none";
    if !names("queue").iter().any(|known| known == name) {
        return;
    }
    let app = app(&json!({ "messageEncoding": "none" }));
    let handler = Handler::default();
    let host = app.start(&handler);
    for text in ["{\n  \"id\": \"x\"\n}", "not base64 {"] {
        host.queues().queue(QUEUE).put(text).unwrap();
    }
    host.queues_drained().await;
    same_requests(name, &handler.seen(), &recorded(&case(name)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_comes_again_and_is_poisoned_at_the_recorded_times() {
    let name = "queue/queue-failure-progression";
    if !names("queue").iter().any(|known| known == name) {
        return;
    }
    let case = case(name);
    let app = app(&case["given"]["hostJson"]);
    let handler = Handler::answering(&case["given"]["reply"]);
    let host = app.start(&handler);
    let start = Instant::now();
    let put = host.queues().queue(QUEUE).put(text(&case["poison"][0]["MessageText"], name)).unwrap();
    let mut calls = Vec::new();
    for at in 0..3 {
        host.wait_for_invocation(|_| host.invocations().len() > at).await;
        calls.push(start.elapsed().as_secs_f64());
    }
    host.queues_drained().await;
    for (at, recorded) in case["calls"].as_array().unwrap().iter().enumerate() {
        let theirs = recorded["secondsAfterPut"].as_f64().unwrap();
        assert!((calls[at] - theirs).abs() < 0.3, "{calls:?}");
        let body: Value = serde_json::from_str(&handler.seen()[at].body).unwrap();
        assert_eq!(body["Metadata"]["DequeueCount"], recorded["DequeueCount"]);
    }
    let poison = host.queues().poison(QUEUE).messages().remove(0);
    assert_ne!(poison.id, put.id);
    let recorded = &case["poison"][0];
    assert_eq!(
        json!((&poison.text, poison.dequeue_count.to_string())),
        json!((&recorded["MessageText"], &recorded["DequeueCount"]))
    );
    assert_eq!((poison.expiration_time - poison.insertion_time).whole_days(), 7);
}

#[tokio::test(start_paused = true)]
async fn as_many_messages_are_in_progress_as_recorded() {
    let name = "queue/queue-parallelism";
    if !names("queue").iter().any(|known| known == name) {
        return;
    }
    for run in case(name)["runs"].as_array().unwrap() {
        let count = |key: &str| run[key].as_u64().map(|n| usize::try_from(n).unwrap());
        let batch_size = count("batchSize").unwrap_or(16);
        let default = batch_size / 2 * count("processorCount").unwrap_or(1);
        let options = TriggerOptions {
            batch_size,
            new_batch_threshold: count("newBatchThreshold").unwrap_or(default),
            max_polling_interval: TriggerOptions::POLLING_MIN,
            ..TriggerOptions::default()
        };
        let queues = Queues::new(1.0);
        for _ in 0..count("messages").unwrap() {
            queues.queue("q").put("eA==").unwrap();
        }
        let differ = run["secondsPerCall"].is_array();
        let (running, most, calls) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let counters = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&calls));
        let trigger = QueueTrigger::start(&(&queues).into(), "q", options, move |_| {
            let (running, most, calls) = counters.clone();
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let nth = calls.fetch_add(1, Ordering::SeqCst);
                let tenths = if differ { 1 + nth % 10 } else { 4 };
                sleep(Duration::from_millis(100 * tenths as u64)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                true
            }
        });
        trigger.unwrap().drained().await;
        assert_eq!(json!(most.load(Ordering::SeqCst)), run["mostAtOnce"], "{run}");
        assert_eq!(json!(calls.load(Ordering::SeqCst)), run["messages"]);
    }
}

/// A message that this very host puts waits for the listener's next look, up to `maxPollingInterval`.
#[tokio::test(start_paused = true)]
async fn an_idle_listener_is_not_woken_by_a_message_of_its_own_process() {
    if names("queue").is_empty() {
        return;
    }
    // The pauses vary by chance.
    fastrand::seed(7);
    let app =
        App::new(&json!({}), &[super::event_function(), queue_function()]).with(LOOK_OFTEN.0, "00:01:00");
    let body = json!({ "Outputs": { "pending": { "resource": "x" } } }).to_string();
    let reply = json!({ "status": 200, "headers": [["Content-Type", "application/json"]], "body": body });
    let handler = Handler::answering(&reply);
    let host = app.start(&handler);
    sleep(Duration::from_secs(75)).await;
    let start = Instant::now();
    let event = diskseal_emulator::host::Trigger::Event(json!({}));
    host.invoke("seal_on_write", event).await.unwrap();
    host.wait_for_invocation(|one| one.function == "seal_queued").await;
    let waited = start.elapsed().as_secs_f64();
    let recorded = case("queue/queue-put-by-the-same-process")["secondsToCall"].as_f64().unwrap();
    assert!((1.0..=60.0).contains(&waited) && (1.0..=60.0).contains(&recorded), "{waited} s");
}
