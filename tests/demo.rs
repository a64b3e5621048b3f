//! `cargo demo`: runs the real handler in a local Azure and shows its work in the terminal.
//!
//! It builds the handler, starts it as the Functions host does, in one process for each group of functions, creates
//! disks and snapshots as different users, and shows what happens to each and the trace of one seal. The exit code is 0
//! only if every resource ended as expected. With `--keep` the local Azure keeps running, with a page and an HTTP API.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anstream::{eprintln, println};
use clap::{Arg, ArgAction, Command, value_parser};
use diskseal_emulator::{
    event_grid::EventGridOptions,
    host::FunctionGroup,
    local_azure::{LocalAzure, Setup},
    options::Options,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::{
    act::Stage,
    chronicle::Chronicle,
    scene::{Mode, SCENES, Scene},
};

#[path = "demo/act.rs"]
mod act;
#[path = "demo/actions.rs"]
mod actions;
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
#[path = "demo/settings.rs"]
mod settings;
#[path = "demo/style.rs"]
mod style;
#[path = "demo/table.rs"]
mod table;
#[path = "demo/verdict.rs"]
mod verdict;
#[path = "demo/waterfall.rs"]
mod waterfall;

/// An error that stops the demo.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The start takes about a second, and the demo about ten. The limit is for each, and allows for a busy machine.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Event Grid retries after 10 s, and the queue delivers a message again after 5 min; here both take about half a
/// second.
const EVENT_GRID_SPEED: f64 = 20.0;
const QUEUE_SPEED: f64 = 600.0;

/// A shell's exit code of a command that Ctrl-C interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("demo: starting the async runtime failed: {fault}");
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
    // A blocking read of standard input cannot be cancelled.
    runtime.shutdown_background();
    code
}

async fn run() -> Result<ExitCode, Fault> {
    let mut command = command();
    let arguments = command.get_matches_mut();
    let given: Vec<_> =
        arguments.get_many::<(String, String)>("setting").unwrap_or_default().cloned().collect();
    if let Err(fault) = settings::check(&mut command, &given) {
        fault.exit();
    }
    let mode = if arguments.get_flag("audit") { Mode::Audit } else { Mode::Enforce };
    let kept = if arguments.get_flag("keep") {
        let port = arguments.get_one("port").copied().unwrap_or(keep::PORT);
        Some(keep::bind(port).await?)
    } else {
        None
    };
    let handler = tokio::select! {
        handler = build::handler() => handler?,
        signal = stopped() => return signal.map(|()| ExitCode::from(INTERRUPTED)),
    };
    let azure = tokio::select! {
        azure = start(&handler, mode, given) => Arc::new(azure?),
        signal = stopped() => return signal.map(|()| ExitCode::from(INTERRUPTED)),
    };
    let stage = Arc::new(Stage::set(&azure, Chronicle::begin(&azure.emulator), mode)?);
    let code = tokio::select! {
        code = show(&azure, &stage) => code,
        signal = stopped() => {
            println!("\n  Stopped.");
            azure.host.stop().await;
            return signal.map(|()| ExitCode::from(INTERRUPTED));
        }
    };
    match kept {
        None => next(mode),
        Some(listener) if code.is_ok() => tokio::select! {
            played = keep::run(&azure, &stage, listener, &handler) => played?,
            signal = stopped() => signal?,
        },
        Some(_) => {}
    }
    azure.host.stop().await;
    code
}

/// Waits for Ctrl-C or a closed terminal. Without it, the handler would outlive the demo.
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
        _ => Err("cannot listen for signals".into()),
    }
}

fn command() -> Command {
    Command::new("cargo demo")
        .about("Run Diskseal in a local Azure. The exit code is 0 if every resource ends as expected")
        .arg(
            Arg::new("keep")
                .long("keep")
                .action(ArgAction::SetTrue)
                .help("Keep the local Azure running, with a live page, an HTTP API and the command line"),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .requires("keep")
                .value_parser(value_parser!(u16))
                .help(format!("Port of the page and the HTTP API; 0 is any free port [default: {}]", keep::PORT)),
        )
        .arg(
            Arg::new("audit")
                .long("audit")
                .action(ArgAction::SetTrue)
                .help("Run in audit mode: the handler reports what it would seal, and writes nothing"),
        )
        .arg(
            Arg::new("setting")
                .long("set")
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .value_parser(settings::pair)
                .help("Additional app setting of the handler, such as RUST_LOG=debug")
                .long_help(
                    "Additional app setting of the handler, such as RUST_LOG=debug. Settings with which resources end \
                     otherwise, such as DISKSEAL_EXEMPT_NAMES=*, let the demo fail",
                ),
        )
}

/// Starts an Azure with its recorded timing; the queue and Event Grid run faster.
async fn start(handler: &Path, mode: Mode, given: Vec<(String, String)>) -> Result<LocalAzure, Fault> {
    let mut setup = Setup::new(Path::new(env!("CARGO_MANIFEST_DIR")), handler, "seal_on_write");
    setup.azure = Options { latency: Duration::from_millis(15), ..Options::default() };
    // The command line reads the queue's storage account, which listens at the address of Resource Manager.
    setup.azure.audiences.push("https://storage.azure.com".to_owned());
    setup.queue_speed = QUEUE_SPEED;
    // With --keep a user can kill the handler any number of times. Azure starts another host after three errors.
    setup.host.errors_until_down = usize::MAX;
    setup.event_grid = EventGridOptions {
        speed: EVENT_GRID_SPEED,
        latency: Duration::from_secs(2),
        disorder: Duration::from_secs(4),
        ..EventGridOptions::default()
    };
    let azure = LocalAzure::start(setup, |serving| {
        let mode = ("DISKSEAL_MODE".to_owned(), mode.value().to_owned());
        settings::own(&serving.arm_https).into_iter().chain([mode]).chain(given).collect()
    });
    let azure = tokio::time::timeout(TIME_LIMIT, azure).await;
    Ok(azure.map_err(|_| format!("the handler has not answered within {} s", TIME_LIMIT.as_secs()))??)
}

async fn show(azure: &LocalAzure, stage: &Arc<Stage>) -> Result<ExitCode, Fault> {
    let started = Instant::now();
    println!(
        "  {} diskseal is running, {}; Resource Manager is at {}",
        style::mark(true),
        processes(azure),
        azure.serving.arm_https
    );
    let speeds = format_args!(
        "Retries are faster than in Azure: those of Event Grid {EVENT_GRID_SPEED} times, those of the queue \
         {QUEUE_SPEED} times"
    );
    println!("    {}\n", style::Painted(style::DIM, speeds));
    let in_time = live::watch(azure, stage, act::play_all(azure, stage)).await?;
    println!("{}\n", table::render(azure, stage, live::width()));

    let wrong = verdict::all(azure, stage);
    for (scene, expected, found) in &wrong {
        println!("  {} {}: expected {expected}; found {found}", style::mark(false), scene.name);
    }
    if !in_time {
        println!("  {} not finished within {} s", style::mark(false), TIME_LIMIT.as_secs());
    }
    println!("{}\n", summary(azure, wrong.len(), started.elapsed()));
    if stage.mode == Mode::Audit && wrong.is_empty() {
        println!("  Audit mode: the handler reported what it would seal, and wrote nothing.\n");
    }
    if in_time && let Some(scene) = SCENES.iter().find(|scene| scene.shows_trace()) {
        waterfall::show(azure, scene, stage.mode).await?;
    }
    Ok(if wrong.is_empty() && in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what to try next.
fn next(mode: Mode) {
    let of_mode = match mode {
        Mode::Enforce => ("cargo demo --audit", "the same in audit mode, which writes nothing"),
        Mode::Audit => ("cargo demo", "the same in enforce mode"),
    };
    println!("  {}", style::Painted(style::STRONG, "Next:"));
    for (command, what) in [
        ("cargo demo --keep", "keep it running: a live page, and the command line against it"),
        of_mode,
        ("README.md, \"Install it\"", "install it in Azure, in audit mode first"),
    ] {
        println!("    {command:<26} {}", style::Painted(style::DIM, what));
    }
}

/// The process of each group of functions, as on Flex Consumption.
fn processes(azure: &LocalAzure) -> String {
    let of = |(group, pid): (FunctionGroup, Option<u32>)| Some(format!("{group} as pid {}", pid?));
    azure.host.pids().into_iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

fn summary(azure: &LocalAzure, wrong: usize, took: Duration) -> String {
    let right = SCENES.len() - wrong;
    let calls: usize = SCENES.iter().map(|scene: &Scene| chronicle::calls(azure, scene)).sum();
    format!(
        "  {} {right} of {} as expected, with {calls} calls to Resource Manager in {:.1} s",
        style::mark(wrong == 0),
        SCENES.len(),
        took.as_secs_f64()
    )
}
