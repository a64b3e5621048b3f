//! How much memory the handler uses while nothing receives its telemetry. `cargo bench --bench memory`
//!
//! 100,000 events, each a look at a sealed disk: three spans and a log record. One run without telemetry, one
//! with all signals to a collector that does not exist, one to a collector that never responds.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod process;

use std::time::Duration;

use diskseal_emulator::{
    Emulator, Options,
    collector::{Answers, Collector},
    disk_body,
    options::Keep,
    serve::Serving,
};
use futures::{StreamExt, stream};
use process::Handler;
use reqwest::Client;
use serde_json::json;

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

/// Sends the events, and returns the handler's peak resident memory in MiB.
async fn round(name: &str, serving: &Serving, otlp: Option<&str>) -> f64 {
    let settings = otlp.map(|endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint));
    let handler = Handler::start(&serving.arm_http, serving, settings.as_slice()).await;
    send(&handler, DISKS).await;
    assert_eq!(handler.exports(), otlp.is_some(), "what is measured is what is meant");
    let warm = handler.mib("VmRSS");
    send(&handler, EVENTS).await;
    let peak = handler.mib("VmHWM");
    println!("{name:18} RSS {warm:.1} MiB after {DISKS} events, peak {peak:.1} MiB after {EVENTS} more");
    peak
}

async fn send(handler: &Handler, events: usize) {
    let client = Client::builder().pool_max_idle_per_host(IN_FLIGHT).build().unwrap();
    let looks = stream::iter(0..events).map(|number| {
        let client = &client;
        async move {
            let line = process::event(client, &handler.url, &id(number % DISKS)).await;
            assert!(line.starts_with("already_sealed "), "{line}");
        }
    });
    looks.buffer_unordered(IN_FLIGHT).collect::<()>().await;
}

fn id(number: usize) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks/disk-{number:06}"
    )
}
