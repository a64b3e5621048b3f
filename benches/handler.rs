//! The handler as the Functions host sees it: how soon it answers, how much memory it holds, how many
//! seals a second it makes. `cargo bench --bench handler`
//!
//! ARM is the local one at 0 ms, on the same cores, over plain HTTP on loopback; with
//! `DISKSEAL_BENCH_ARM=http://127.0.0.1:PORT` it is whatever listens there and makes disks on first sight.
//! The bare client sends the same three requests a seal to the same ARM, without reading an answer: what
//! the machine allows at most.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod bare_client;

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use diskseal_emulator::{Emulator, Options, collector::Collector, disk_body, options::Keep};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

const BINARY: &str = env!("CARGO_BIN_EXE_diskseal");
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
const STARTS: usize = 15;
const IN_FLIGHT: usize = 64;
const WARM_UP: usize = 1_000;
const SEALS: usize = 20_000;
const ROUNDS: usize = 3;

struct Azure {
    arm: String,
    identity: String,
    identity_header: String,
    emulator: Option<Emulator>,
    otlp: Option<String>,
}

/// A running handler. It is killed when it is dropped.
struct Handler {
    child: Child,
    port: u16,
    first_answer: Duration,
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
        identity: serving.identity.clone(),
        identity_header: serving.identity_header.clone(),
        emulator: given.is_none().then_some(emulator),
        otlp: None,
    };
    println!("ARM: {}", if given.is_some() { azure.arm.as_str() } else { "the local one" });

    starts(&azure).await;

    let mut next = 0;
    let (mut bare, mut ours, mut told) = (vec![], vec![], vec![]);
    let collector = Collector::start().await.unwrap();
    for _ in 0..ROUNDS {
        bare.push(load("bare client", &azure, None, &mut next).await);
        ours.push(handler_round("handler", &azure, &mut next).await);
        azure.otlp = Some(collector.endpoint());
        told.push(handler_round("all signals", &azure, &mut next).await);
        azure.otlp = None;
    }
    for path in ["/v1/traces", "/v1/metrics"] {
        let exports = collector.exports().iter().filter(|export| export.path == path).count();
        assert!(exports > 0, "nothing came to {path}, so that nothing was measured");
    }
    println!("{} spans arrived", collector.spans().len());
    let (bare, ours, told) = (median(bare), median(ours), median(told));
    println!("handler / bare client: {:.2}   telemetry on / off: {:.2}", ours / bare, told / ours);
}

async fn starts(azure: &Azure) {
    let mut first_answers = vec![];
    let mut memory = 0;
    for _ in 0..STARTS {
        let handler = Handler::start(azure).await;
        first_answers.push(handler.first_answer.as_secs_f64() * 1_000.0);
        // A first event makes everything that is made late.
        memory = handler.status("VmRSS");
    }
    let worst = first_answers.iter().copied().fold(0.0, f64::max);
    println!(
        "start to first answer on GET /: median {:.1} ms, worst {worst:.1} ms of {STARTS}; idle RSS {:.1} MiB",
        median(first_answers),
        kib_to_mib(memory),
    );
}

async fn handler_round(name: &str, azure: &Azure, next: &mut usize) -> f64 {
    let handler = Handler::start(azure).await;
    let per_second = load(name, azure, Some(&handler), next).await;
    println!(
        "                  CPU {:.3} ms a seal, peak RSS {:.1} MiB",
        handler.cpu_seconds() * 1_000.0 / (WARM_UP + SEALS) as f64,
        kib_to_mib(handler.status("VmHWM")),
    );
    per_second
}

/// Sends events (or, without a handler, the requests of a seal) and prints what came of it.
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
    let target = handler.map(|handler| format!("http://127.0.0.1:{}/seal-on-write", handler.port));
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
                    Some(target) => seal(&client, target, id).await,
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

async fn seal(client: &Client, target: &str, id: &str) {
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
    assert!(reply["Logs"][0].as_str().unwrap().starts_with("sealed "), "{reply}");
}

impl Handler {
    async fn start(azure: &Azure) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(BINARY);
        command
            .arg("serve")
            .env_clear()
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("DISKSEAL_ARM_ENDPOINT", &azure.arm)
            .env("IDENTITY_ENDPOINT", &azure.identity)
            .env("IDENTITY_HEADER", &azure.identity_header)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(otlp) = &azure.otlp {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", otlp);
        }
        let started = Instant::now();
        let child = command.spawn().unwrap();
        while !answers(port).await {
            // The host polls as well; this is how exact the figure is.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        Self { child, port, first_answer: started.elapsed() }
    }

    /// A line of the kernel's status of the process, in KiB.
    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// User and system time so far; the kernel counts in hundredths of a second.
    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        ticks as f64 / 100.0
    }
}

/// One poll as the host sends it.
async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.starts_with("HTTP/1.1 200")
}

fn id(number: usize) -> String {
    let group = number % 20;
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg{group}/providers/Microsoft.Compute/disks/disk-{number:06}"
    )
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn kib_to_mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}
