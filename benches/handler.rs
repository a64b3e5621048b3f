//! The handler, as the Functions host sees it: start-up time, memory, and seals per second.
//! `cargo bench --bench handler`
//!
//! ARM is the local one at 0 ms, on the same cores, over plain HTTP on loopback. With
//! `DISKSEAL_BENCH_ARM=http://127.0.0.1:PORT` it is the server at that address, which must create disks on
//! first access. The bare client sends the same three requests per seal to the same ARM without reading the
//! responses: the upper limit of the machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod bare_client;
mod process;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, http::Uri};
use diskseal_emulator::{Emulator, Options, disk_body, options::Keep, serve::Serving};
use process::Handler;
use reqwest::Client;
use tokio::time::Instant;

const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
const STARTS: usize = 15;
const IN_FLIGHT: usize = 64;
const WARM_UP: usize = 1_000;
const SEALS: usize = 20_000;
const ROUNDS: usize = 3;

struct Azure {
    arm: String,
    serving: Serving,
    emulator: Option<Emulator>,
    otlp: Option<String>,
    has_backtraces: bool,
}

/// A collector that discards everything. It runs on the handler's cores here, and on other machines in
/// production.
#[derive(Default)]
struct Collector {
    traces: AtomicUsize,
    metrics: AtomicUsize,
    logs: AtomicUsize,
}

impl Collector {
    async fn listen(self: Arc<Self>) -> String {
        let take = move |uri: Uri, body: Bytes| {
            let bytes = match uri.path() {
                "/v1/traces" => &self.traces,
                "/v1/metrics" => &self.metrics,
                _ => &self.logs,
            };
            bytes.fetch_add(body.len(), Ordering::Relaxed);
            std::future::ready([("content-type", "application/x-protobuf")])
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).layer(DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

impl Azure {
    async fn handler(&self) -> Handler {
        // A round can end with SIGKILL before the periodic export of metrics.
        let interval = ("OTEL_METRIC_EXPORT_INTERVAL", "1000");
        let mut settings: Vec<_> = match &self.otlp {
            Some(otlp) => vec![("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str()), interval],
            None => vec![],
        };
        if self.has_backtraces {
            settings.push(("RUST_BACKTRACE", "1"));
        }
        Handler::start(&self.arm, &self.serving, &settings).await
    }
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let emulator = Emulator::new(Options {
        accept_any_token: true,
        journal: Keep::Last(0),
        throttling: None,
        ..Options::immediate()
    });
    let serving = emulator.serve().await.unwrap();
    let given = std::env::var("DISKSEAL_BENCH_ARM").ok();
    let mut azure = Azure {
        arm: given.clone().unwrap_or_else(|| serving.arm_http.clone()),
        serving,
        emulator: given.is_none().then_some(emulator),
        otlp: None,
        has_backtraces: false,
    };
    println!("ARM: {}", if given.is_some() { azure.arm.as_str() } else { "the local one" });

    starts(&azure).await;

    let mut next = 0;
    let (mut bare, mut ours, mut backtraced, mut told) = (vec![], vec![], vec![], vec![]);
    let collector = Arc::new(Collector::default());
    let endpoint = Arc::clone(&collector).listen().await;
    for _ in 0..ROUNDS {
        bare.push(load("bare client", &azure, None, &mut next).await);
        ours.push(handler_round("handler", &azure, &mut next).await);
        // As people set it who look for a fault: an error's backtrace costs much, and a seal has no error.
        azure.has_backtraces = true;
        backtraced.push(handler_round("with backtraces", &azure, &mut next).await);
        azure.has_backtraces = false;
        azure.otlp = Some(endpoint.clone());
        told.push(handler_round("all signals", &azure, &mut next).await);
        azure.otlp = None;
    }
    let [traces, metrics, logs] =
        [&collector.traces, &collector.metrics, &collector.logs].map(|bytes| bytes.load(Ordering::Relaxed));
    assert!(traces > 0 && metrics > 0 && logs > 0, "a signal has not come, so that nothing was measured");
    let seals = ROUNDS * (WARM_UP + SEALS);
    println!(
        "telemetry: {} bytes of traces and {} of logs a seal, {metrics} of metrics in all",
        traces / seals,
        logs / seals
    );
    let [bare, ours, backtraced, told] = [bare, ours, backtraced, told].map(median);
    println!(
        "handler / bare client: {:.2}   telemetry on / off: {:.2}   RUST_BACKTRACE=1 / unset: {:.2}",
        ours / bare,
        told / ours,
        backtraced / ours
    );
}

async fn starts(azure: &Azure) {
    let mut first_answers = vec![];
    let mut memory = 0.0;
    for _ in 0..STARTS {
        let handler = azure.handler().await;
        first_answers.push(handler.first_answer.as_secs_f64() * 1_000.0);
        // The first event triggers all lazy initialisation.
        memory = handler.mib("VmRSS");
    }
    let worst = first_answers.iter().copied().fold(0.0, f64::max);
    println!(
        "start to first answer on GET /: median {:.1} ms, worst {worst:.1} ms of {STARTS}; idle RSS {:.1} MiB",
        median(first_answers),
        memory,
    );
}

async fn handler_round(name: &str, azure: &Azure, next: &mut usize) -> f64 {
    let handler = azure.handler().await;
    let per_second = load(name, azure, Some(&handler), next).await;
    println!(
        "                  CPU {:.3} ms a seal, peak RSS {:.1} MiB",
        handler.cpu_seconds() * 1_000.0 / (WARM_UP + SEALS) as f64,
        handler.mib("VmHWM"),
    );
    per_second
}

/// Sends events (or, without a handler, the requests of a seal) and prints the results.
async fn load(name: &str, azure: &Azure, handler: Option<&Handler>, next: &mut usize) -> f64 {
    let ids: Vec<_> = (*next..*next + WARM_UP + SEALS).map(id).collect();
    *next += ids.len();
    if let Some(emulator) = &azure.emulator {
        for id in &ids {
            emulator.insert(id, &disk_body("westeurope")).unwrap();
        }
    }
    let client = Client::builder().pool_max_idle_per_host(IN_FLIGHT).build().unwrap();
    let (ids, taken) = (Arc::new(ids), Arc::new(AtomicUsize::new(0)));
    let target = handler.map(|handler| handler.url.clone());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, ids, taken) = (client.clone(), Arc::clone(&ids), Arc::clone(&taken));
        let (arm, target) = (azure.arm.clone(), target.clone());
        tasks.spawn(async move {
            let mut latencies = vec![];
            loop {
                let number = taken.fetch_add(1, Ordering::Relaxed);
                let Some(id) = ids.get(number) else { return latencies };
                let started = Instant::now();
                match &target {
                    Some(url) => {
                        let line = process::event(&client, url, id).await;
                        assert!(line.starts_with("sealed "), "{line}");
                    }
                    None => bare_client::write(&client, &arm, id).await,
                }
                if number >= WARM_UP {
                    latencies.push((started, started.elapsed()));
                }
            }
        });
    }
    let mut latencies: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let began = latencies.iter().map(|(started, _)| *started).min().unwrap();
    let ended = latencies.iter().map(|(started, took)| *started + *took).max().unwrap();
    latencies.sort_by_key(|(_, took)| *took);
    let percentile = |part: usize| latencies[(latencies.len() - 1) * part / 100].1.as_secs_f64() * 1_000.0;
    let per_second = latencies.len() as f64 / (ended - began).as_secs_f64();
    println!(
        "{name:<16} {per_second:>7.0} seals/s, {IN_FLIGHT} in flight, p50 {:.1} ms, p99 {:.1} ms",
        percentile(50),
        percentile(99),
    );
    per_second
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn id(number: usize) -> String {
    let group = number % 20;
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg{group}/providers/Microsoft.Compute/disks/disk-{number:06}"
    )
}
