//! The real binary over real HTTP: what only a process can show.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
};

use diskseal_emulator::{
    Options,
    estate::{disk_id, snapshot_id},
    event_grid::EventGridOptions,
    host::FunctionGroup,
    local_azure::{LocalAzure, Setup},
    serve::Serving,
};
use serde_json::{Value, json};

use crate::world::SUBSCRIPTION;

mod bounds;
mod commands;
mod completions;
mod console;
mod cost;
mod crash;
mod credentials;
mod doctor;
mod doctor_try;
mod emitted;
mod errors;
mod evidence;
mod exemptions;
mod exit_codes;
mod exporting;
mod exports;
mod grants;
mod help;
mod hostile;
mod installation;
mod instances;
mod interrupted;
mod life;
mod local_doctor;
mod machines;
mod manual;
mod message_id;
mod metrics;
mod network;
mod outcomes;
mod output;
mod planned;
mod poison;
mod policy_check;
mod proof;
mod protocol;
mod proxies;
mod report;
mod reseal;
mod restore_points;
mod rings;
mod sampling;
mod seal;
mod sweep;
mod sweep_lines;
mod tables;
mod telemetry;
mod terminal;
mod tokens;
mod unseal;
mod variables;
mod waiting;

/// The folder of a deployed app whose executable is tested instead of cargo's.
const PACKAGE: &str = "DISKSEAL_TEST_PACKAGE";

fn package() -> Option<PathBuf> {
    std::env::var_os(PACKAGE).map(PathBuf::from)
}

fn binary() -> PathBuf {
    package().map_or_else(|| env!("CARGO_BIN_EXE_diskseal").into(), |package| package.join("diskseal"))
}

/// Shortens the waits of Event Grid and the queue from minutes to fractions of a second.
const EVENT_GRID_SPEED: f64 = 50.0;
const QUEUE_SPEED: f64 = 1_000.0;

fn setup() -> Setup {
    let mut setup = Setup::new(Path::new(env!("CARGO_MANIFEST_DIR")), &binary(), "seal_on_write");
    setup.app_root = package();
    setup.azure = Options::immediate();
    setup.event_grid = EventGridOptions { speed: EVENT_GRID_SPEED, ..EventGridOptions::default() };
    setup.queue_speed = QUEUE_SPEED;
    setup
}

/// The app's settings: ARM is the local one, over TLS, and whatever else is given.
fn settings(serving: &Serving, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    [
        ("DISKSEAL_ARM_ENDPOINT", serving.arm_https.as_str()),
        ("DISKSEAL_SWEEP_SCHEDULE", "0 17 * * * *"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "20"),
    ]
    .iter()
    .chain(more)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect()
}

async fn start(setup: Setup, more: &[(&str, &str)]) -> LocalAzure {
    LocalAzure::start(setup, |serving| settings(serving, more)).await.unwrap()
}

/// The instance that events reach, alone, for what one process logs and asks for.
async fn start_one(mut setup: Setup, more: &[(&str, &str)]) -> LocalAzure {
    setup.host.group = Some(FunctionGroup::Http);
    start(setup, more).await
}

/// Ends the handlers of all groups with SIGTERM, so that they export what they hold.
async fn end_all(azure: &LocalAzure) {
    for function in azure.host.functions() {
        if let Some(pid) = azure.host.pid(&function) {
            azure.host.terminate(&function);
            azure.host.wait_exit(pid).await;
        }
    }
}

fn disk(name: &str) -> String {
    disk_id(SUBSCRIPTION, "rg-app", name)
}

fn snapshot(name: &str) -> String {
    snapshot_id(SUBSCRIPTION, "rg-app", name)
}

fn is_sealed(azure: &LocalAzure, id: &str) -> bool {
    azure.emulator.get(id).is_some_and(|resource| {
        resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
            && resource["tags"]["diskseal-auth-mode"] == "AzureActiveDirectory"
            && resource["tags"]["diskseal-sealed-at"].is_string()
    })
}

/// The beginning of a command's line about a resource: its outcome in a person's words, kind, name and group.
fn line_of(word: &str, id: &str) -> String {
    let (rest, name) = id.rsplit_once('/').unwrap();
    let kind = if rest.ends_with("snapshots") { "snapshot" } else { "disk" };
    let group = id.split('/').nth(4).unwrap();
    format!("{word:<14}  {kind} {name} in {group}")
}

/// An Event Grid event of a write of `id`.
fn event(id: &str) -> Value {
    json!({
        "id": "4db48cba-50a2-455a-93b4-de41a3b5b7f6",
        "topic": format!("/subscriptions/{SUBSCRIPTION}"),
        "subject": id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-11-24T01:02:03.4567891Z",
        "data": {"operationName": "Microsoft.Compute/disks/write", "status": "Succeeded"},
        "dataVersion": "2",
        "metadataVersion": "1",
    })
}

/// Runs the binary to its end, with only the given environment.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    tokio::process::Command::new(binary())
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}
