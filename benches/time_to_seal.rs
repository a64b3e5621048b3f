//! Time to seal: from the end of the write of a disk to the read that proves the mode, by part, on Azure's own timing.
//! `cargo bench --bench time_to_seal`
//!
//! Event Grid, the Functions host and ARM are the local ones, on the same cores, and Event Grid delivers at once: in Azure
//! it takes a second or more. ARM has TLS and two settings: its defaults, where a write takes effect after 100 ms and a
//! request takes no time, and the same with 50 ms for each request. The parts come from the handler's spans, which are
//! exported meanwhile. The disks at once are spread over subscriptions, so that no quota is used up.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]

use std::{collections::HashMap, path::Path, time::Duration};

use diskseal_emulator::{
    Options,
    collector::{Span, SpanKind},
    disk_body,
    estate::disk_id,
    event_grid::Delivery,
    fault::Kind,
    journal::Exchange,
    local_azure::{LocalAzure, Setup},
    write::{Caller, ResourceWrite},
};
use time::OffsetDateTime;

const ROUNDS: usize = 100;
const DISKS_PER_SUBSCRIPTION: usize = 50;
const ARM_TIME: Duration = Duration::from_millis(50);
/// Room for the spans of all disks at once.
const SPANS_MAX: &str = "200000";

/// The parts of one seal. The others sum up to the time of the invocation and what came before it.
struct Seal {
    /// From the end of the write to the answer that proves the mode.
    proven: Duration,
    /// From the end of the write to the delivery.
    event_grid: Duration,
    /// From the delivery to the start of the invocation in the handler.
    host: Duration,
    /// The requests to ARM, as the handler sees them.
    arm: Duration,
    /// The handler's waits between them: for proof, a turn or quota.
    waits: Duration,
    /// The rest of the invocation.
    us: Duration,
    requests: usize,
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    for latency in [Duration::ZERO, ARM_TIME] {
        for (at_once, rounds) in [(1, ROUNDS), (64, ROUNDS / 10), (1_000, 1), (2_000, 1), (4_000, 1)] {
            measure(latency, at_once, rounds).await;
        }
    }
}

async fn start(latency: Duration) -> LocalAzure {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut setup = Setup::new(root, Path::new(env!("CARGO_BIN_EXE_diskseal")), "seal_on_write");
    setup.azure = Options { latency, ..Options::default() };
    let azure = LocalAzure::start(setup, |serving| {
        let settings = [
            ("DISKSEAL_ARM_ENDPOINT", serving.arm_https.as_str()),
            ("DISKSEAL_SWEEP_SCHEDULE", "0 17 * * * *"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", SPANS_MAX),
        ];
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    });
    azure.await.unwrap()
}

async fn measure(latency: Duration, at_once: usize, rounds: usize) {
    let azure = start(latency).await;
    // The first one connects and gets a token.
    seal(&azure, &[disk("warm-up", 0)]).await;
    let mut seals = vec![];
    for round in 0..rounds {
        let ids: Vec<_> = (0..at_once).map(|n| disk("d", round * at_once + n)).collect();
        seals.extend(seal(&azure, &ids).await);
    }
    azure.host.stop().await;
    let requests: usize = seals.iter().map(|seal| seal.requests).sum();
    println!(
        "{at_once:>5} at once, ARM at {} ms, {}.{:02} requests a disk: proven {}",
        latency.as_millis(),
        requests / seals.len(),
        requests * 100 / seals.len() % 100,
        spread(&seals, |seal| seal.proven),
    );
    for (part, of) in [
        ("Event Grid", (|seal| seal.event_grid) as fn(&Seal) -> Duration),
        ("host", |seal| seal.host),
        ("ARM", |seal| seal.arm),
        ("waits", |seal| seal.waits),
        ("us", |seal| seal.us),
    ] {
        println!("{:>27} {}", part, spread(&seals, of));
    }
}

fn disk(name: &str, n: usize) -> String {
    let subscription = format!("00000000-0000-4000-8000-{:012}", n / DISKS_PER_SUBSCRIPTION);
    disk_id(&subscription, "rg", &format!("{name}-{n}"))
}

/// Creates the disks at once, and waits until all are sealed and their spans have arrived.
async fn seal(azure: &LocalAzure, ids: &[String]) -> Vec<Seal> {
    let jane = Caller::user("0d0d0d0d-0000-4000-8000-000000000001", "Jane Doe");
    let mut writes = azure.emulator.subscribe_writes();
    for id in ids {
        azure.emulator.put(id, &jane, &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    let created: HashMap<String, OffsetDateTime> = std::iter::from_fn(|| writes.try_recv().ok())
        .filter(|write: &ResourceWrite| write.method == "PUT" && write.succeeded)
        .map(|write| (write.resource_id, write.at))
        .collect();
    let deliveries: HashMap<String, Delivery> = azure
        .event_grid
        .deliveries()
        .into_iter()
        .map(|delivery| (delivery.event_id.clone(), delivery))
        .collect();
    let traces = loop {
        let traces = traces(&azure.collector.spans());
        let Some(id) = ids.iter().find(|id| !traces.contains_key(*id)) else { break traces };
        // Its spans are still on their way; that of the invocation is the last.
        let is_look = |span: &Span| {
            span.name == "enforce" && span.attributes.get("diskseal.resource_id").is_some_and(|of| of == id)
        };
        let look = azure.collector.wait_for(is_look).await;
        let is_invocation = |span: &Span| span.name == "seal_on_write" && span.trace_id == look.trace_id;
        azure.collector.wait_for(is_invocation).await;
    };
    ids.iter().map(|id| parts(azure, id, created[id], &deliveries, &traces[id])).collect()
}

/// The spans of the invocation that looked at a resource, by its ID. The echo of a seal is another one, without a look.
fn traces(spans: &[Span]) -> HashMap<String, Vec<Span>> {
    let mut by_trace: HashMap<&str, Vec<Span>> = HashMap::new();
    for span in spans {
        by_trace.entry(&span.trace_id).or_default().push(span.clone());
    }
    let complete = by_trace.into_values().filter_map(|spans| {
        spans.iter().find(|span| span.name == "enforce")?;
        let invocation = spans.iter().find(|span| span.name == "seal_on_write")?;
        Some((invocation.attributes["cloudevents.event_subject"].as_str()?.to_owned(), spans))
    });
    complete.collect()
}

fn parts(
    azure: &LocalAzure,
    id: &str,
    created: OffsetDateTime,
    deliveries: &HashMap<String, Delivery>,
    spans: &[Span],
) -> Seal {
    let disk = azure.emulator.get(id).unwrap();
    assert_eq!(disk["properties"]["dataAccessAuthMode"], "AzureActiveDirectory", "{id}");
    assert_eq!(disk["tags"]["diskseal-auth-mode"], "AzureActiveDirectory", "{id}");
    let invocation = spans.iter().find(|span| span.name == "seal_on_write").unwrap();
    let delivered = deliveries[invocation.attributes["cloudevents.event_id"].as_str().unwrap()].at;
    let exchanges = azure.emulator.requests_for(id);
    let shows_mode = |exchange: &Exchange| {
        exchange.kind == Kind::Get
            && exchange.response_body["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
    };
    let proof = exchanges.iter().find(|exchange| shows_mode(exchange)).unwrap();
    let sum = |of: &dyn Fn(&&Span) -> bool| spans.iter().filter(of).map(took).sum::<Duration>();
    let arm = sum(&|span| span.kind == SpanKind::Client);
    let waits = sum(&|span| span.name.starts_with("wait for "));
    let began = OffsetDateTime::from_unix_timestamp_nanos(invocation.start_unix_nano.into()).unwrap();
    Seal {
        proven: (proof.answered - created).unsigned_abs(),
        event_grid: (delivered - created).unsigned_abs(),
        host: (began - delivered).unsigned_abs(),
        arm,
        waits,
        us: took(invocation).saturating_sub(arm + waits),
        requests: exchanges.len(),
    }
}

fn took(span: &Span) -> Duration {
    Duration::from_nanos(span.end_unix_nano - span.start_unix_nano)
}

/// Median, 99th percentile and maximum, in ms.
fn spread(seals: &[Seal], of: impl Fn(&Seal) -> Duration) -> String {
    let mut sorted: Vec<_> = seals.iter().map(of).collect();
    sorted.sort();
    let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_millis();
    format!("p50 {} p99 {} max {} ms", at(50), at(99), at(100))
}
