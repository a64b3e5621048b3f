//! The release binary in a local Azure where everything fails: `tests/chaos/run` builds both and runs this.
//!
//! Writers create, overwrite, retag, reset and delete disks and snapshots; events are lost, doubled and forged. Meanwhile
//! handlers are killed, and Azure, the identity endpoint, the proxy, the collector, the clock and standard output fail.
//! Then the faults stop, the sweep runs until it finds nothing, and what was promised is looked up. The exit code is 0
//! only if all of it holds. The same seed gives the same writes and the same failures, though not at the same instant.
#![expect(clippy::unwrap_used, reason = "a run that cannot go on has failed")]

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anstream::println;
use clap::{Arg, Command, value_parser};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, interval, sleep, timeout},
};

use crate::{
    failures::Failures,
    gauge::Gauge,
    invariants::{Broken, Invariant},
    observer::Observer,
    site::Site,
    world::World,
};

#[path = "chaos/confinement.rs"]
mod confinement;
#[path = "chaos/failures.rs"]
mod failures;
#[path = "chaos/gauge.rs"]
mod gauge;
#[path = "chaos/invariants.rs"]
mod invariants;
#[path = "chaos/observer.rs"]
mod observer;
#[path = "chaos/site.rs"]
mod site;
#[path = "chaos/summary.rs"]
mod summary;
#[path = "chaos/wire.rs"]
mod wire;
#[path = "chaos/world.rs"]
mod world;

/// An error that stops the run.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How many events are on their way at most: writers wait for Event Grid. Each that a handler works on has two connections
/// and about 60 KiB, most of it for TLS; 64 MiB hold some hundreds of them, and the host of an instance sends far fewer.
const ON_THE_WAY_MAX: usize = 250;
/// How long a sweep's or the queue's work may take when nothing fails any more.
const REST: Duration = Duration::from_mins(5);
/// After this time without work, idle connections are closed.
const QUIET: Duration = Duration::from_secs(5);
/// How many sweeps may be needed until one finds nothing: one run takes 2,000 resources at most.
const SWEEPS_MAX: usize = 12;

/// What the command line asks for.
#[derive(Clone, Debug)]
struct Arguments {
    events: usize,
    minutes: u64,
    seed: u64,
    instances: usize,
    binary: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let arguments = arguments();
    let ended = tokio::select! {
        ended = run(&arguments) => ended,
        // The handlers end with the runtime; without this they would outlive it.
        signal = stopped() => signal.and(Err("stopped".into())),
    };
    ended.unwrap_or_else(|fault| {
        anstream::eprintln!("error: {fault}");
        ExitCode::FAILURE
    })
}

async fn stopped() -> Result<(), Fault> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn arguments() -> Arguments {
    let number = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(value).help(help)
    };
    let matches = Command::new("chaos")
        .about("Runs the release binary in a local Azure where everything fails")
        .arg(number("events", "100000", "How many events to raise").value_parser(value_parser!(usize)))
        .arg(number("minutes", "600", "How long to raise them at most").value_parser(value_parser!(u64)))
        .arg(number("seed", "1", "The seed of writes and failures").value_parser(value_parser!(u64)))
        .arg(
            number(
                "instances",
                "2",
                "Instances of the groups of events and of the queue; the first is not killed",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(
            Arg::new("binary")
                .long("binary")
                .value_name("FILE")
                .default_value("target/release/diskseal")
                .help("The handler's executable")
                .value_parser(value_parser!(PathBuf)),
        )
        .get_matches();
    Arguments {
        events: matches.get_one::<usize>("events").copied().unwrap_or_default().max(1),
        minutes: matches.get_one::<u64>("minutes").copied().unwrap_or_default(),
        seed: matches.get_one::<u64>("seed").copied().unwrap_or_default(),
        instances: matches.get_one::<usize>("instances").copied().unwrap_or_default().max(1),
        binary: matches.get_one::<PathBuf>("binary").cloned().unwrap_or_default(),
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Fault> {
    let begun = Instant::now();
    let site = Arc::new(Site::start(arguments).await?);
    println!(
        "  seed {}: {} events, {} instances a group",
        arguments.seed, arguments.events, arguments.instances
    );
    for line in site.confinement.describe() {
        println!("  {line}");
    }
    let broken = Arc::new(Broken::default());
    let world = Arc::new(World::new(site.azure.emulator.clone(), arguments.seed, arguments.events));
    let observer = Arc::new(Observer::new(Arc::clone(&site), Arc::clone(&world), Arc::clone(&broken)));
    let gauge = Arc::new(Gauge::default());
    let failures = Arc::new(Failures::begin(Arc::clone(&site), arguments.seed));
    let observing = tokio::spawn(every(Duration::from_millis(250), {
        let observer = Arc::clone(&observer);
        move || observer.look()
    }));
    let gauging = tokio::spawn(every(Duration::from_millis(500), {
        let (gauge, site) = (Arc::clone(&gauge), Arc::clone(&site));
        move || gauge.read(&site.lasting())
    }));
    let failing = tokio::spawn(Arc::clone(&failures).run());

    write(&site, &world, arguments).await;

    gauging.abort();
    failing.abort();
    failures.end().await;
    let rounds = rest(&site, &observer, &broken).await;
    sleep(QUIET).await;
    gauge.read_at_rest(&site.lasting());
    observing.abort();
    // Stopping ends the others on purpose.
    observer.look_at_ends(&failures.killed());
    site.azure.host.stop().await;
    observer.look();
    world.look_at_resources(&broken);
    gauge.judge(&broken);
    Ok(summary::print(&summary::Run {
        arguments,
        site: &site,
        observer: &observer,
        failures: &failures,
        gauge: &gauge,
        broken: &broken,
        rounds,
        time: begun.elapsed(),
    }))
}

async fn every(pause: Duration, mut act: impl FnMut()) {
    let mut ticks = interval(pause);
    loop {
        ticks.tick().await;
        act();
    }
}

/// Writes until Event Grid has raised the wanted number of events.
async fn write(site: &Site, world: &World, arguments: &Arguments) {
    let mut ticks = interval(Duration::from_millis(5));
    let (mut said, end) = (0, Instant::now() + Duration::from_mins(arguments.minutes));
    loop {
        let raised = site.azure.event_grid.stats().published;
        if raised >= arguments.events || Instant::now() > end {
            return;
        }
        if raised * 10 / arguments.events > said {
            said = raised * 10 / arguments.events;
            println!("  {raised} events");
        }
        ticks.tick().await;
        if site.azure.event_grid.undelivered() < ON_THE_WAY_MAX {
            world.write_some(&site.azure.event_grid);
        }
    }
}

/// Waits until nothing is on its way, then sweeps until a sweep finds nothing. Returns the number of sweeps.
async fn rest(site: &Site, observer: &Observer, broken: &Broken) -> usize {
    let settled = async {
        site.azure.host.ready().await?;
        site.azure.event_grid.idle().await;
        site.azure.host.queues_drained().await;
        Ok::<_, Fault>(())
    };
    match timeout(REST, settled).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => broken.add(Invariant::Rest, format!("a handler is not ready: {fault}")),
        Err(_) => broken.add(Invariant::Rest, "events or messages are on their way after five minutes"),
    }
    for round in 1..=SWEEPS_MAX {
        let swept = async {
            let swept = site.azure.host.fire_timer("sweep").await?;
            site.azure.host.queues_drained().await;
            Ok::<_, Fault>(swept)
        };
        let handed_on = match timeout(REST, swept).await {
            Ok(Ok(swept)) if swept.succeeded() => swept.outputs.get("pending").map_or(0, messages),
            Ok(Ok(swept)) => {
                broken.add(Invariant::Rest, format!("a sweep without failures failed: {:?}", swept.verdict));
                return round;
            }
            Ok(Err(fault)) => {
                broken.add(Invariant::Rest, format!("a sweep could not run: {fault}"));
                return round;
            }
            Err(_) => {
                broken.add(Invariant::Rest, "a sweep's messages are in the queue after five minutes");
                return round;
            }
        };
        observer.look();
        if handed_on == 0 {
            return round;
        }
    }
    broken.add(Invariant::Rest, format!("the sweep still finds something after {SWEEPS_MAX} runs"));
    SWEEPS_MAX
}

/// The number of messages in an output binding.
fn messages(output: &serde_json::Value) -> usize {
    output.as_array().map_or(usize::from(!output.is_null()), Vec::len)
}
