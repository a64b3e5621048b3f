//! `cargo demo`: the real handler at its main job, in a local Azure, watched in the terminal.
//!
//! It builds and starts the handler as the Functions host does, creates disks and snapshots as different
//! users would, shows what became of each and the trace of one seal, and ends with 0 only if every resource
//! ended as it should. With `--keep` all of it stays, on a page and over HTTP.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anstream::{eprintln, println};
use clap::{Arg, ArgAction, Command};
use diskseal_emulator::event_grid::EventGridOptions;
use diskseal_emulator::local_azure::{LocalAzure, Setup};
use diskseal_emulator::options::{OperationStyle, Options};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::act::Stage;
use crate::chronicle::Chronicle;
use crate::scene::{SCENES, Scene};

#[path = "demo/act.rs"]
mod act;
#[path = "demo/build.rs"]
mod build;
#[path = "demo/chronicle.rs"]
mod chronicle;
#[path = "demo/keep.rs"]
mod keep;
#[path = "demo/live.rs"]
mod live;
#[path = "demo/page.rs"]
mod page;
#[path = "demo/people.rs"]
mod people;
#[path = "demo/picture.rs"]
mod picture;
#[path = "demo/scene.rs"]
mod scene;
#[path = "demo/style.rs"]
mod style;
#[path = "demo/table.rs"]
mod table;
#[path = "demo/verdict.rs"]
mod verdict;
#[path = "demo/waterfall.rs"]
mod waterfall;

/// Whatever keeps the demo from going on.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The demo takes about ten seconds. This is for a machine that has much else to do.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Event Grid tries again after 10 s and the queue shows a message again after 5 min; here both take about
/// half a second.
const EVENT_GRID_SPEED: f64 = 20.0;
const QUEUE_SPEED: f64 = 600.0;

/// The exit code of a shell's command that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("demo: no async runtime: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let code = match runtime.block_on(run()) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("demo: {fault}");
            ExitCode::FAILURE
        }
    };
    // A blocking read of standard input cannot be called off.
    runtime.shutdown_background();
    code
}

async fn run() -> Result<ExitCode, Fault> {
    let arguments = command().get_matches();
    let more: Vec<_> = arguments
        .get_many::<String>("setting")
        .unwrap_or_default()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let azure = tokio::select! {
        azure = raise(&more) => Arc::new(azure?),
        signal = stopped() => return signal.map(|()| ExitCode::from(INTERRUPTED)),
    };
    let stage = Arc::new(Stage::set(&azure, Chronicle::begin(&azure.emulator))?);
    let code = tokio::select! {
        code = show(&azure, &stage) => code,
        signal = stopped() => {
            println!("\n  Stopped.");
            azure.host.stop().await;
            return signal.map(|()| ExitCode::from(INTERRUPTED));
        }
    };
    if arguments.get_flag("keep") && code.is_ok() {
        tokio::select! {
            played = keep::run(&azure, &stage) => played?,
            signal = stopped() => signal?,
        }
    }
    azure.host.stop().await;
    code
}

/// Waits for Ctrl-C, or for a terminal that is closed. The handler would outlive an end without warning.
async fn stopped() -> Result<(), Fault> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [interrupt, terminate, hangup] = &mut signals;
    match (interrupt, terminate, hangup) {
        (Ok(interrupt), Ok(terminate), Ok(hangup)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            Ok(())
        }
        _ => Err("signals cannot be waited for".into()),
    }
}

fn command() -> Command {
    Command::new("cargo demo")
        .about("Shows Diskseal at work in a local Azure. Exit code 0: every resource ended as it should")
        .arg(
            Arg::new("keep")
                .long("keep")
                .action(ArgAction::SetTrue)
                .help("Keep the local Azure running afterwards, to play with on a page and over HTTP"),
        )
        .arg(
            Arg::new("setting").long("set").value_name("NAME=VALUE").action(ArgAction::Append).help(
                "App setting of the handler, such as DISKSEAL_MODE=audit (with which nothing is sealed)",
            ),
        )
}

async fn raise(more: &[(&str, &str)]) -> Result<LocalAzure, Fault> {
    start(&build::handler().await?, more).await
}

/// Azure as it really answers, but for the waits that it asks for.
async fn start(handler: &Path, more: &[(&str, &str)]) -> Result<LocalAzure, Fault> {
    let mut setup = Setup::new(Path::new(env!("CARGO_MANIFEST_DIR")), handler, "seal-on-write");
    setup.azure = Options { latency: Duration::from_millis(15), ..Options::default() };
    if let OperationStyle::Asynchronous(style) = &mut setup.azure.operations {
        style.retry_after_accepted = Some(1);
        style.retry_after_polling = Some(1);
    }
    setup.queue_speed = QUEUE_SPEED;
    // Who plays with it may kill the handler as often as they like. Azure starts another host after three.
    setup.host.errors_until_down = usize::MAX;
    setup.event_grid = EventGridOptions {
        speed: EVENT_GRID_SPEED,
        latency: Duration::from_secs(2),
        disorder: Duration::from_secs(4),
        ..EventGridOptions::default()
    };
    let azure = LocalAzure::start(setup, |serving| {
        let own = [
            ("DISKSEAL_ARM_ENDPOINT", serving.arm_https.as_str()),
            ("DISKSEAL_SWEEP_SCHEDULE", "0 17 * * * *"),
            ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", scene::EXEMPT_GROUPS),
            ("DISKSEAL_EXEMPT_TAG", scene::EXEMPT_TAG),
            // Spans leave at once, so that nobody waits for the trace.
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    });
    Ok(azure.await?)
}

async fn show(azure: &LocalAzure, stage: &Arc<Stage>) -> Result<ExitCode, Fault> {
    let started = Instant::now();
    let pid = azure.host.pid().unwrap_or_default();
    println!(
        "  {} diskseal (process {pid}) runs; Resource Manager is {}\n",
        style::mark(true),
        azure.serving.arm_https
    );
    let in_time = live::watch(azure, stage, act::play_all(azure, stage)).await?;
    println!("{}\n", table::render(azure, stage, live::width()));

    let wrong = verdict::all(azure, stage);
    for (scene, expected, found) in &wrong {
        println!("  {} {}: expected {expected}; found {found}", style::mark(false), scene.name);
    }
    if !in_time {
        println!("  {} not done within {} s", style::mark(false), TIME_LIMIT.as_secs());
    }
    println!("{}\n", summary(azure, wrong.len(), started.elapsed()));
    if in_time && let Some(scene) = SCENES.iter().find(|scene| scene.shows_trace()) {
        waterfall::show(azure, scene).await?;
    }
    Ok(if wrong.is_empty() && in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(azure: &LocalAzure, wrong: usize, took: Duration) -> String {
    let right = SCENES.len() - wrong;
    let calls: usize = SCENES.iter().map(|scene: &Scene| chronicle::calls(azure, scene)).sum();
    format!(
        "  {} {right} of {} ended as they should, after {calls} calls of Resource Manager in {:.1} s",
        style::mark(wrong == 0),
        SCENES.len(),
        took.as_secs_f64()
    )
}
