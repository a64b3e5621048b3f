//! How much memory the handler holds while nobody takes its telemetry. `cargo bench --bench memory`
//!
//! 100,000 events, each a look at a disk that is sealed already: three spans and a log record. Once without
//! telemetry, once with all signals to a collector that is not there, once to one that never answers.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use diskseal_emulator::{
    Emulator, Options,
    collector::{Answers, Collector},
    disk_body,
    options::Keep,
    serve::Serving,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

const BINARY: &str = env!("CARGO_BIN_EXE_diskseal");
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
const EVENTS: usize = 100_000;
const DISKS: usize = 1_000;
const IN_FLIGHT: usize = 64;

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let azure = Emulator::new(Options {
        accept_any_token: true,
        journal: Keep::Last(0),
        throttling: None,
        ..Options::immediate()
    });
    let serving = azure.serve().await.unwrap();
    for number in 0..DISKS {
        let mut disk = disk_body("westeurope");
        disk["properties"]["dataAccessAuthMode"] = "AzureActiveDirectory".into();
        disk["tags"] = json!({
            "diskseal-auth-mode": "AzureActiveDirectory",
            "diskseal-sealed-at": "2026-01-01T00:00:00Z",
        });
        azure.insert(&id(number), &disk).unwrap();
    }
    let dead = Collector::dead_endpoint().await.unwrap();
    let silent = Collector::start().await.unwrap();
    silent.answer(Answers::Slow(Duration::from_hours(1)));
    let without = round("no telemetry", &serving, None).await;
    for (name, endpoint) in [("collector dead", dead), ("collector silent", silent.endpoint())] {
        let with = round(name, &serving, Some(&endpoint)).await;
        println!("{:18} {:.1} MiB more than without", "", with - without);
    }
}

/// Sends the events, and tells the handler's peak of resident memory, in MiB.
async fn round(name: &str, serving: &Serving, otlp: Option<&str>) -> f64 {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(BINARY);
    command
        .arg("serve")
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("DISKSEAL_ARM_ENDPOINT", &serving.arm_http)
        .env("IDENTITY_ENDPOINT", &serving.identity)
        .env("IDENTITY_HEADER", &serving.identity_header)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(endpoint) = otlp {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    }
    let handler = command.spawn().unwrap();
    let client = Client::builder().pool_max_idle_per_host(IN_FLIGHT).build().unwrap();
    let target = format!("http://127.0.0.1:{port}/seal-on-write");
    while client.get(format!("http://127.0.0.1:{port}/")).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    send(&client, &target, DISKS).await;
    assert_eq!(exports(&handler), otlp.is_some(), "what is measured is what is meant");
    let warm = resident(&handler, "VmRSS");
    send(&client, &target, EVENTS).await;
    let peak = resident(&handler, "VmHWM");
    println!("{name:18} RSS {warm:.1} MiB after {DISKS} events, peak {peak:.1} MiB after {EVENTS} more");
    peak
}

async fn send(client: &Client, target: &str, events: usize) {
    let taken = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, target, taken) = (client.clone(), target.to_owned(), Arc::clone(&taken));
        tasks.spawn(async move {
            loop {
                let number = taken.fetch_add(1, Ordering::Relaxed);
                if number >= events {
                    return;
                }
                look(&client, &target, &id(number % DISKS)).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn look(client: &Client, target: &str, id: &str) {
    let event = json!({
        "subject": id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "id": uuid::Uuid::new_v4().to_string(),
        "eventTime": "2026-01-01T00:00:00.0000000Z",
        "topic": format!("/subscriptions/{SUBSCRIPTION}"),
        "data": {"operationName": "Microsoft.Compute/disks/write", "status": "Succeeded"},
    });
    let envelope = json!({"Data": {"event": event}, "Metadata": {"sys": {"MethodName": "seal-on-write"}}});
    let reply = client.post(target).body(envelope.to_string()).send().await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert!(reply["Logs"][0].as_str().unwrap().starts_with("already_sealed "), "{reply}");
}

/// Whether the process has the SDK's threads.
fn exports(handler: &Child) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", handler.id().unwrap())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
    names.into_iter().any(|name| name.starts_with("OpenTelemetry"))
}

/// A line of the kernel's status of the process, in MiB.
fn resident(handler: &Child, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", handler.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() as f64 / 1_024.0
}

fn id(number: usize) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks/disk-{number:06}"
    )
}
