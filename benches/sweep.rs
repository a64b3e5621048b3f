//! A sweep of many resources: memory, seals per second, whether it keeps a pace, and whether events wait for
//! it. `cargo bench --bench sweep`, optionally with names of cases after `--`: `estate`, `report`, `listing`, `ids`,
//! `rate`, `pace`, `events`.
//!
//! ARM is the local one, on the same cores, with TLS; its Resource Graph scans all resources for each page.
//! The bare client reads, seals and tags the same number of resources with the same concurrency, and lists
//! nothing.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod bare_client;
mod beside;
mod process;
mod report;

use std::{
    collections::HashMap,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use diskseal_emulator::{Emulator, Options, estate::seeded::Seeded, options::Keep, serve::Serving};
use futures::{StreamExt, stream};
use reqwest::{Certificate, Client};
use serde_json::json;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

const BINARY: &str = env!("CARGO_BIN_EXE_diskseal");
const IN_FLIGHT: usize = 64;
const ARM_TIME: Duration = Duration::from_millis(50);

struct Azure {
    emulator: Emulator,
    serving: Serving,
    unsealed: Vec<String>,
}

/// The measurements of one sweep.
struct Swept {
    took: Duration,
    peak_rss_kib: u64,
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let is_wanted = |case: &str| named.is_empty() || named.iter().any(|name| name == case);
    if is_wanted("estate") {
        whole_estate().await;
    }
    if is_wanted("report") {
        report::whole_estate().await;
    }
    if is_wanted("listing") {
        for resources in [10_000, 100_000, 1_000_000] {
            listing(resources).await;
        }
    }
    if is_wanted("ids") {
        ids(20_000).await;
    }
    if is_wanted("rate") {
        rate(1_000).await;
        rate(10_000).await;
    }
    if is_wanted("pace") {
        pace(20).await;
    }
    if is_wanted("events") {
        beside::events_beside_a_sweep().await;
    }
}

/// Every resource ends in the right state, nothing is written twice, and memory stays flat.
async fn whole_estate() {
    for resources in [10_000, 100_000] {
        let azure = azure(resources, 40, Duration::ZERO).await;
        let swept = sweep(&azure, &[]).await;
        println!(
            "{resources:>7} resources, {} unsealed, ARM at 0 ms: {:.1} s, {:.0} seals/s, peak RSS {:.1} MiB",
            azure.unsealed.len(),
            swept.took.as_secs_f64(),
            azure.unsealed.len() as f64 / swept.took.as_secs_f64(),
            swept.peak_rss_kib as f64 / 1_024.0,
        );
    }
}

/// Lists everything in scope for a report: rows that Resource Graph generates, one in a thousand unsealed.
async fn listing(resources: usize) {
    let emulator = Emulator::new(Options {
        journal: Keep::Last(0),
        accept_any_token: true,
        resource_graph_generated: resources,
        ..Options::immediate()
    });
    let serving = emulator.serve().await.unwrap();
    let child = command(&serving, &["report", "--all-subscriptions"]).stdout(Stdio::null()).spawn().unwrap();
    let (run, status) = watched(child).await;
    println!(
        "{resources:>7} resources listed for a report: {:.1} s, {:.0} a second, peak RSS {:.1} MiB, {status}",
        run.took.as_secs_f64(),
        resources as f64 / run.took.as_secs_f64(),
        run.peak_rss_kib as f64 / 1_024.0,
    );
}

/// How long it takes until IDs from standard input are read: after the last one, the command ends without a request,
/// because it is none.
async fn ids(count: usize) {
    let serving = Emulator::new(Options::immediate()).serve().await.unwrap();
    let lines: String = (0..count).fold(String::new(), |all, n| {
        all + &diskseal_emulator::estate::disk_id(
            "11111111-2222-4333-8444-555555555555",
            "rg",
            &format!("disk-{n}"),
        ) + "\n"
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines + "no id\n").unwrap();
    let mut command = command(&serving, &["policy", "check", "--stdin", "--output", "json"]);
    let child =
        command.stdin(std::fs::File::open(file.path()).unwrap()).stdout(Stdio::null()).spawn().unwrap();
    let (run, status) = watched(child).await;
    println!("{count:>7} IDs on standard input, no request: {:.2} s, {status}", run.took.as_secs_f64());
}

/// Compares it, with a slow ARM, with a client that only sends the requests.
async fn rate(resources: usize) {
    let bare = bare_client(&azure(resources, 100, ARM_TIME).await).await;
    let azure = azure(resources, 100, ARM_TIME).await;
    let swept = sweep(&azure, &[]).await.took;
    println!(
        "{resources:>7} unsealed, ARM at {} ms, {IN_FLIGHT} in flight: {:.1} s, {:.0} seals/s; bare client {:.1} s; \
         sweep / bare client: {:.2}",
        ARM_TIME.as_millis(),
        swept.as_secs_f64(),
        resources as f64 / swept.as_secs_f64(),
        bare.as_secs_f64(),
        swept.as_secs_f64() / bare.as_secs_f64(),
    );
}

/// Writes per second in one subscription, over a minute.
async fn pace(per_second: usize) {
    let resources = per_second * 60 / 2;
    let azure = azure_of(resources, 100, Duration::ZERO, 1).await;
    let swept = sweep(&azure, &["--pace", &per_second.to_string()]).await;
    let held = (resources * 2) as f64 / swept.took.as_secs_f64();
    println!(
        "pace of {per_second} writes a second: {held:.1} over {:.1} s ({:+.1} %)",
        swept.took.as_secs_f64(),
        (held / per_second as f64 - 1.0) * 100.0,
    );
}

async fn azure(resources: usize, unsealed_percent: u8, latency: Duration) -> Azure {
    azure_of(resources, unsealed_percent, latency, 50).await
}

async fn azure_of(resources: usize, unsealed_percent: u8, latency: Duration, subscriptions: u32) -> Azure {
    let emulator = Emulator::new(Options {
        journal: Keep::Last(0),
        accept_any_token: true,
        latency,
        ..Options::immediate()
    });
    let tags = json!({
        "diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z",
    });
    let estate = Seeded { seed: 1, resources, subscriptions, unsealed_percent };
    let unsealed = emulator.insert_estate(estate, &tags).unwrap();
    let serving = emulator.serve().await.unwrap();
    Azure { emulator, serving, unsealed }
}

/// A command of the handler's binary.
fn command(serving: &Serving, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .args(["--arm-endpoint", &serving.arm_https, "--credential", "managed-identity"])
        .env_clear()
        .env("SSL_CERT_FILE", &serving.ca_pem)
        .env("IDENTITY_ENDPOINT", &serving.identity)
        .env("IDENTITY_HEADER", &serving.identity_header)
        .kill_on_drop(true);
    command
}

/// Waits for the end of a process, and how much memory it had at most.
async fn watched(mut child: Child) -> (Swept, ExitStatus) {
    let started = Instant::now();
    let status_file = format!("/proc/{}/status", child.id().unwrap());
    let mut peak_rss_kib = 0;
    loop {
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(20), child.wait()).await {
            return (Swept { took: started.elapsed(), peak_rss_kib }, ended.unwrap());
        }
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
            peak_rss_kib = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
    }
}

async fn sweep(azure: &Azure, more: &[&str]) -> Swept {
    let mut writes = azure.emulator.subscribe_writes();
    let mut command = command(&azure.serving, &["sweep", "--all-subscriptions"]);
    let child = command.args(more).stdout(Stdio::null()).spawn().unwrap();
    let (swept, status) = watched(child).await;
    assert!(status.success(), "{status}");
    let mut written: HashMap<(String, String), usize> = HashMap::new();
    while let Ok(write) = writes.try_recv() {
        *written.entry((write.operation_name, write.resource_id)).or_default() += 1;
    }
    assert!(written.values().all(|count| *count == 1), "something was written twice");
    assert_eq!(written.len(), azure.unsealed.len() * 2, "one write of the mode and one of the tags each");
    for id in &azure.unsealed {
        let resource = azure.emulator.get(id).unwrap();
        assert_eq!(resource["properties"]["dataAccessAuthMode"], "AzureActiveDirectory", "{id}");
        assert_eq!(resource["tags"]["diskseal-auth-mode"], "AzureActiveDirectory", "{id}");
    }
    swept
}

async fn bare_client(azure: &Azure) -> Duration {
    let ca = Certificate::from_pem(&std::fs::read(&azure.serving.ca_pem).unwrap()).unwrap();
    let client = Client::builder().tls_certs_only([ca]).pool_max_idle_per_host(IN_FLIGHT).build().unwrap();
    let started = Instant::now();
    let arm = &azure.serving.arm_https;
    let work = stream::iter(&azure.unsealed).map(|id| bare_client::write(&client, arm, id));
    work.buffer_unordered(IN_FLIGHT).collect::<()>().await;
    started.elapsed()
}
