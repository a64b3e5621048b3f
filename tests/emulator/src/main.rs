//! The local Azure as a program.
//!
//! It starts on loopback, prints one line of JSON with its addresses, and stops when its standard input is
//! closed or on a signal. One of the addresses is the control surface: see [`diskseal_emulator::control`].

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use diskseal_emulator::{
    Emulator, Options,
    collector::Collector,
    control::Control,
    event_grid::{DeadLetters, DeliverySchema, EventGridOptions},
    host::FunctionGroup,
    local_azure::{LocalAzure, Setup},
    options::OperationStyle,
    serve::{Ports, Serving},
    storage::StorageAccount,
    write::Caller,
};
use serde_json::{Map, Value, json};
use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{SignalKind, signal},
};

/// Run a local Azure: Resource Manager, managed identity, Event Grid, a storage queue, the Functions host.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port of Resource Manager with TLS (0: any free port).
    #[arg(long, default_value_t = 0)]
    https_port: u16,
    /// Port of Resource Manager without TLS (0: any free port).
    #[arg(long, default_value_t = 0)]
    http_port: u16,
    /// Port of the identity endpoint (0: any free port).
    #[arg(long, default_value_t = 0)]
    identity_port: u16,
    /// Port of the control surface (0: any free port).
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// Port of Event Grid's custom topic with TLS (0: any free port).
    #[arg(long, default_value_t = 0)]
    topic_https_port: u16,
    /// Port of Event Grid's custom topic without TLS (0: any free port).
    #[arg(long, default_value_t = 0)]
    topic_http_port: u16,
    /// Answer at once and without limits, instead of with Azure's delays.
    #[arg(long)]
    immediate: bool,
    /// `Retry-After` of running operations in seconds (default: as Azure).
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u32>,
    /// Number of resources per page of a list.
    #[arg(long, value_name = "NUMBER")]
    page_size: Option<usize>,
    /// Raise an event for each disk that is created with a machine.
    #[arg(long)]
    machine_disks_raise_events: bool,
    /// Existing subscription; can be repeated (default: every well-formed ID).
    #[arg(long, value_name = "ID")]
    subscription: Vec<String>,
    /// Executable of a custom handler, which the Functions host starts and to which Event Grid delivers.
    #[arg(long, value_name = "FILE", requires = "app")]
    handler: Option<PathBuf>,
    /// Folder with host.json and function-definitions.
    #[arg(long, value_name = "FOLDER")]
    app: Option<PathBuf>,
    /// Function to which Event Grid delivers.
    #[arg(long, value_name = "NAME", default_value = "seal_on_write")]
    function: String,
    /// Deliver in the Event Grid schema instead of CloudEvents.
    #[arg(long)]
    event_grid_schema: bool,
    /// Maximum number of delivery attempts of Event Grid.
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    delivery_attempts: u32,
    /// Connection string of a real storage account to use:
    /// `QueueEndpoint=…;BlobEndpoint=…;SharedAccessSignature=…`.
    #[arg(long, value_name = "CONNECTION", requires = "handler")]
    storage: Option<String>,
    /// Container of that account for dead letters.
    #[arg(long, value_name = "NAME", requires = "storage")]
    dead_letters: Option<String>,
    /// Divisor of the waits of Event Grid and the queue.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Resource ID of a function app that exists without a handler here, with the app settings of `--setting`, so that
    /// the command line finds an installation.
    #[arg(long, value_name = "ID", conflicts_with = "handler")]
    installation: Option<String>,
    /// App setting of the function app; can be repeated. `{arm}` is replaced by Resource Manager's address.
    #[arg(long, value_name = "NAME=VALUE")]
    setting: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            complain(&fault);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let azure = options(&arguments);
    let ports = Ports {
        arm_https: arguments.https_port,
        arm_http: arguments.http_port,
        identity: arguments.identity_port,
        control: arguments.control_port,
        topic_https: arguments.topic_https_port,
        topic_http: arguments.topic_http_port,
        ..Ports::default()
    };
    if let (Some(handler), Some(app)) = (&arguments.handler, &arguments.app) {
        let mut setup = Setup::new(app, handler, &arguments.function);
        setup.azure = azure;
        setup.ports = ports;
        setup.queue_speed = arguments.speed;
        let storage = arguments.storage.as_deref().map(|text| StorageAccount::new(text, arguments.speed));
        setup.storage = storage.transpose().map_err(|fault| fault.to_string())?;
        let container = setup.storage.iter().zip(&arguments.dead_letters);
        let mut container =
            container.map(|(account, name)| account.container(name).map(DeadLetters::Container));
        setup.event_grid = EventGridOptions {
            speed: arguments.speed,
            schema: if arguments.event_grid_schema {
                DeliverySchema::EventGridSchema
            } else {
                DeliverySchema::CloudEventSchemaV1_0
            },
            max_delivery_attempts: arguments.delivery_attempts,
            dead_letters: container.next().transpose().map_err(|fault| fault.to_string())?,
            ..EventGridOptions::default()
        };
        let settings = |serving: &Serving| settings(&arguments.setting, serving);
        let local = LocalAzure::start(setup, settings).await.map_err(|fault| fault.to_string())?;
        announce(&local.emulator, &local.serving, &local.collector, &local.control, &local.host.pids());
        ended().await;
        local.host.stop().await;
    } else {
        let emulator = Emulator::new(azure);
        let serving = emulator.serve_on(ports).await.map_err(|fault| fault.to_string())?;
        if let Some(app) = &arguments.installation {
            let settings = settings(&arguments.setting, &serving);
            let pairs: Vec<_> =
                settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            emulator.install(app, &pairs);
        }
        let collector = Arc::new(Collector::start().await.map_err(|fault| fault.to_string())?);
        let control = Control::start(&emulator, &collector, &serving, ports).await;
        let control = control.map_err(|fault| fault.to_string())?;
        announce(&emulator, &serving, &collector, &control, &[]);
        ended().await;
    }
    Ok(())
}

fn options(arguments: &Arguments) -> Options {
    let mut azure = if arguments.immediate { Options::immediate() } else { Options::default() };
    azure.subscriptions.clone_from(&arguments.subscription);
    azure.machine_disks_raise_events = arguments.machine_disks_raise_events;
    azure.page_size = arguments.page_size.unwrap_or(azure.page_size);
    if let (Some(seconds), OperationStyle::Asynchronous(style)) =
        (arguments.retry_after, &mut azure.operations)
    {
        style.retry_after_accepted = Some(seconds);
        style.retry_after_polling = Some(seconds);
    }
    azure
}

fn settings(given: &[String], serving: &Serving) -> BTreeMap<String, String> {
    given
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace("{arm}", &serving.arm_https)))
        .collect()
}

#[expect(clippy::print_stdout, reason = "the addresses are this program's output")]
fn announce(
    emulator: &Emulator,
    serving: &Serving,
    collector: &Collector,
    control: &Control,
    handlers: &[(FunctionGroup, Option<u32>)],
) {
    let jane = Caller::user("0d0d0d0d-0000-4000-8000-000000000001", "Jane Doe");
    let addresses: Value = json!({
        "armHttps": serving.arm_https,
        "armHttp": serving.arm_http,
        "caPem": serving.ca_pem,
        "identityEndpoint": serving.identity,
        "identityHeader": serving.identity_header,
        "clientId": emulator.options().identity.client_id,
        "otlp": collector.endpoint(),
        "azureMonitor": serving.azure_monitor.endpoint(),
        "userToken": emulator.token_for(&jane, "https://management.azure.com/"),
        "handlers": handlers.iter().map(|(group, pid)| (group.to_string(), json!(pid))).collect::<Map<_, _>>(),
        "controlUrl": control.url,
        "topicEndpoint": control.topic.as_ref().map(|topic| &topic.https),
        "topicEndpointHttp": control.topic.as_ref().map(|topic| &topic.http),
        "topicKey": control.topic.as_ref().map(|topic| &topic.key),
    });
    println!("{addresses}");
}

#[expect(clippy::print_stderr, reason = "errors of a program go to standard error")]
fn complain(fault: &str) {
    eprintln!("emulator: {fault}");
}

/// Waits until the parent process has gone, or for a signal.
async fn ended() {
    let mut input = Vec::new();
    // Without it, the handler would outlive this program.
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else { return };
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        _ = stdin.read_to_end(&mut input) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
}
