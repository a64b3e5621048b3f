//! What the handler's socket sees, byte for byte, and what an idle queue costs.

use std::time::Duration;

use diskseal_emulator::{
    host::{HostError, HostOptions, Trigger},
    queue::{QueueTrigger, Queues, TriggerOptions},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::host::{App, event};

/// The recorded order of the headers, and chunks of 1,024 bytes (`*.request.txt`).
#[tokio::test]
async fn a_request_has_the_recorded_headers_and_chunks() {
    let app = App::new(&[("PUPPET_START", "raw")]);
    let host = app.start();
    let large = json!({ "id": "1", "data": { "text": "x".repeat(3_000) } });
    let invocation = host.invoke("on-write", Trigger::Event(large)).await.unwrap();
    assert!(invocation.succeeded(), "{invocation:?}");
    let line = host.wait_for_line(|line| line.text.contains("POST")).await;
    let raw: Value = serde_json::from_str(&line.text).unwrap();
    let (head, body) = raw["raw"].as_str().unwrap().split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("POST /on-write HTTP/1.1"));
    let names: Vec<_> = lines.map(|line| line.split_once(": ").unwrap().0.to_ascii_lowercase()).collect();
    let expected = [
        "host",
        "x-azure-functions-hostversion",
        "x-azure-functions-invocationid",
        "user-agent",
        "transfer-encoding",
        "traceparent",
        "content-type",
    ];
    assert_eq!(names, expected);
    let (mut rest, mut chunks) = (body, Vec::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        chunks.push(size);
        rest = &after[size + 2..];
    }
    let (end, whole) = chunks.split_last().unwrap();
    let (last, full) = whole.split_last().unwrap();
    assert!(
        *end == 0 && *last <= 1024 && full.len() >= 5 && full.iter().all(|size| *size == 1024),
        "{chunks:?}"
    );
}

/// `maxPollingInterval`: a message that lies in an idle queue waits for the next look, and no longer.
#[tokio::test(start_paused = true)]
async fn an_idle_queue_is_looked_at_when_the_interval_is_over() {
    let queues = Queues::new(1.0);
    let options =
        TriggerOptions { max_polling_interval: Duration::from_secs(5), ..TriggerOptions::default() };
    let trigger = QueueTrigger::start(&(&queues).into(), "q", options, |_| async { true }).unwrap();
    sleep(Duration::from_mins(10)).await;
    for _ in 0..5 {
        let start = Instant::now();
        queues.queue("q").put("eA==").unwrap();
        trigger.drained().await;
        assert!(start.elapsed() <= Duration::from_secs(5), "{:?}", start.elapsed());
        sleep(Duration::from_millis(61_234)).await;
    }
}

/// A message whose host died is visible again after the lease of ten minutes, which a function in progress renews
/// (`QueueListener`).
#[tokio::test(start_paused = true)]
async fn a_lease_lasts_ten_minutes_and_is_renewed_while_the_function_runs() {
    let queues = Queues::new(1.0);
    let queue = queues.queue("q");
    queue.put("eA==").unwrap();
    let listen = || {
        let often =
            TriggerOptions { max_polling_interval: TriggerOptions::POLLING_MIN, ..TriggerOptions::default() };
        QueueTrigger::start(&(&queues).into(), "q", often, |_| async {
            sleep(Duration::from_mins(45)).await;
            true
        })
    };
    let first = listen().unwrap();
    sleep(Duration::from_mins(5)).await;
    let died = Instant::now();
    drop(first);
    assert!(queue.peek(1).is_empty());
    queue.visible().await;
    assert!((5..=10).contains(&(died.elapsed().as_secs() / 60)), "{:?}", died.elapsed());
    let started = Instant::now();
    listen().unwrap().drained().await;
    // The function took longer than four leases, and ran once.
    assert_eq!((started.elapsed().as_secs() / 60, queues.poison("q").len()), (45, 0));
}

/// A function whose setting is missing, or whose name is bad, is not indexed; the others run.
#[tokio::test]
async fn a_bad_function_costs_only_itself() {
    let app = App::new(&[]);
    let rename = |from: &str, to: &str| std::fs::rename(app.root().join(from), app.root().join(to)).unwrap();
    rename("on-many", "1st");
    let mut options: HostOptions = app.options();
    options.settings.remove("CRON");
    let host = diskseal_emulator::host::FunctionsHost::start(options).unwrap();
    assert_eq!(host.functions(), ["on-write", "queued"]);
    assert_eq!(host.not_indexed()["tick"], "'%CRON%' does not resolve to a value");
    assert!(host.not_indexed()["1st"].contains("is not a function name"));
    assert!(matches!(host.fire_timer("tick").await, Err(HostError::NoFunction(_))));
    assert!(host.invoke("on-write", Trigger::Event(event(&json!({})))).await.unwrap().succeeded());
}
