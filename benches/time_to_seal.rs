//! Time to seal: from the event's arrival at the handler to the read that proves the mode, on Azure's own timing.
//! `cargo bench --bench time_to_seal`
//!
//! ARM is the local one, on the same cores, with TLS, in two settings: its defaults, where a write takes effect after
//! 100 ms and a request takes no time, and the same with 50 ms for each request. Event Grid and the host are left out.
//! The disks at once are spread over subscriptions, so that no quota is used up.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "the local Azure notes requests by the wall clock")]

mod process;

use std::time::Duration;

use diskseal_emulator::{Emulator, Options, disk_body, estate::disk_id, fault::Kind, journal::Exchange};
use process::Handler;
use reqwest::Client;
use time::OffsetDateTime;

const ROUNDS: usize = 100;
const DISKS_PER_SUBSCRIPTION: usize = 50;
const ARM_TIME: Duration = Duration::from_millis(50);

/// The parts of one seal.
struct Seal {
    /// From the event's arrival to the answer that proves the mode.
    proven: Duration,
    /// From the event's arrival to the answer to the host, with the tags.
    whole: Duration,
    /// The time that ARM had requests of it.
    arm: Duration,
    requests: usize,
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    for latency in [Duration::ZERO, ARM_TIME] {
        for (at_once, rounds) in [(1, ROUNDS), (64, ROUNDS / 10), (1_000, 1), (4_000, 1)] {
            measure(latency, at_once, rounds).await;
        }
    }
}

async fn measure(latency: Duration, at_once: usize, rounds: usize) {
    let azure = Emulator::new(Options { latency, ..Options::default() });
    let serving = azure.serve().await.unwrap();
    let handler = Handler::start(&serving.arm_https, &serving, &[]).await;
    let client = Client::new();
    // The first one connects and gets a token.
    invoke(&azure, &handler, &client, &disk("warm-up", 0)).await;
    let mut seals = vec![];
    for round in 0..rounds {
        let ids: Vec<_> = (0..at_once).map(|n| disk("d", round * at_once + n)).collect();
        let invocations = ids.iter().map(|id| invoke(&azure, &handler, &client, id));
        let times = futures::future::join_all(invocations).await;
        seals.extend(ids.iter().zip(times).map(|(id, times)| parts(&azure, id, times)));
    }
    let requests: usize = seals.iter().map(|seal| seal.requests).sum();
    println!(
        "{at_once:>5} at once, ARM at {} ms: proven {}; with tags {}; of it ARM {}; {}.{:02} requests a disk",
        latency.as_millis(),
        spread(&seals, |seal| seal.proven),
        spread(&seals, |seal| seal.whole),
        spread(&seals, |seal| seal.arm),
        requests / seals.len(),
        requests * 100 / seals.len() % 100,
    );
}

fn disk(name: &str, n: usize) -> String {
    let subscription = format!("00000000-0000-4000-8000-{:012}", n / DISKS_PER_SUBSCRIPTION);
    disk_id(&subscription, "rg", &format!("{name}-{n}"))
}

/// When the handler was sent the event, and when it had answered.
async fn invoke(azure: &Emulator, handler: &Handler, client: &Client, id: &str) -> [OffsetDateTime; 2] {
    azure.insert(id, &disk_body("westeurope")).unwrap();
    let started = OffsetDateTime::now_utc();
    process::event(client, &handler.url, id).await;
    [started, OffsetDateTime::now_utc()]
}

fn parts(azure: &Emulator, id: &str, [started, ended]: [OffsetDateTime; 2]) -> Seal {
    let disk = azure.get(id).unwrap();
    assert_eq!(disk["properties"]["dataAccessAuthMode"], "AzureActiveDirectory", "{id}");
    assert_eq!(disk["tags"]["diskseal-auth-mode"], "AzureActiveDirectory", "{id}");
    let exchanges = azure.requests_for(id);
    let shows_mode = |exchange: &Exchange| {
        exchange.kind == Kind::Get
            && exchange.response_body["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
    };
    let proof = exchanges.iter().find(|exchange| shows_mode(exchange)).unwrap();
    Seal {
        proven: (proof.answered - started).unsigned_abs(),
        whole: (ended - started).unsigned_abs(),
        arm: exchanges.iter().map(|exchange| (exchange.answered - exchange.received).unsigned_abs()).sum(),
        requests: exchanges.len(),
    }
}

/// Median, 99th percentile and maximum, in ms.
fn spread(seals: &[Seal], of: impl Fn(&Seal) -> Duration) -> String {
    let mut sorted: Vec<_> = seals.iter().map(of).collect();
    sorted.sort();
    let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_millis();
    format!("p50 {} p99 {} max {} ms", at(50), at(99), at(100))
}
