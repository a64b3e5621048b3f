//! `diskseal serve`: the process of the custom handler, from its socket to its exit code.
//!
//! The exit code decides what the Functions host does with its handler. After 0 the host does
//! nothing, and every later invocation fails; if the handler was not ready yet, the host counts an error once its wait
//! is over. After 200 it restarts the handler and counts no error.
//! After any other code it restarts the handler twice, and shuts itself down the third time. So the
//! process never exits with 0. A signal is not an error: if the host itself is ending, it ignores the
//! code; if an operator or the platform stopped only this process, the host must restart it. Exit
//! code 200 fits both cases. Invalid settings exit with 2 and an occupied port with 1: the host then
//! stops after three tries, which makes the fault visible.
//!
//! The host reads standard error while the process lives. What it has not read when the process ends is lost, in the
//! log and in the exception that it shows: of 36 starts with a wrong setting, 10 never named it. So a start that fails
//! names its fault first and last, and waits before it ends.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::serve::ListenerExt;
use tokio::{
    runtime::{Handle, Runtime},
    signal::unix::{SignalKind, signal},
};
use tracing::{error, info, warn};

use super::session::{Exit, client, complain, note, now, warn_of_environment};
use crate::{
    azure::Terms,
    config::{self, Config, Setting, settings},
    enforce::Context,
    evidence::Evidence,
    function::{self, App, Function},
    policy::Mode,
    telemetry::{Audience, Connection, Telemetry},
};

/// The host restarts its handler after this exit code, and counts no error.
const RESTART_ME: u8 = 200;
/// Time limit for the last export of telemetry.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a process that failed stays after its last line, so that the host can read it. With 30 ms between the two,
/// the recorded host lost nothing; a busy one needs more.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Serves until a signal.
pub(super) fn run(lookup: &dyn Fn(&str) -> Option<String>) -> ExitCode {
    let code = start(lookup);
    if code != ExitCode::from(RESTART_ME) {
        linger();
    }
    code
}

/// Gives the host the time to read the last lines of a process that failed.
pub(super) fn linger() {
    std::thread::sleep(LAST_WORDS);
}

fn start(lookup: &dyn Fn(&str) -> Option<String>) -> ExitCode {
    let (config, port) = match Config::for_serve(lookup) {
        Ok(settings) => settings,
        Err(faults) => {
            note(&faults.to_string());
            // The exception that the host shows has the last three lines, and none with "warn" in it.
            return complain(&format!("not started: correct {}", faults.names()), Exit::Usage);
        }
    };
    // The host polls from now on, for half a minute: listen first, warm up later.
    let listener = match listen(port) {
        Ok(listener) => listener,
        Err(fault) => return complain(&format!("cannot listen on 127.0.0.1:{port}: {fault}"), Exit::NotAll),
    };
    let telemetry =
        Telemetry::start(lookup, Audience::Host, &config.azure_monitor, config.traces_unchanged_ratio);
    info!("{}", greeting(&config, lookup));
    warn_of_environment();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(fault) => {
            error!("no async runtime: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(config, listener, &telemetry));
    // The last exports need the runtime.
    telemetry.stop(FLUSH_TIMEOUT);
    code
}

/// A runtime with one thread for all invocations. One thread seals thousands of disks a second, and ARM allows ten
/// writes a second in a subscription; an instance of Flex Consumption with 512 MB or 2,048 MB has one core at most. More
/// threads would wake each other for every request, which costs more than the work itself.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

/// What runs here, in one line: the version, the rules in short, each setting that is not its default, the functions.
/// No setting of Diskseal is a secret.
fn greeting(config: &Config, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mode = if config.policy.mode == Mode::Audit { "audit" } else { "enforce" };
    let changed = |setting: &Setting| {
        let value = setting.given(lookup).and_then(|_| setting.shown(config))?;
        let is_list_of_exemptions = setting.name == config::EXEMPTIONS;
        // An entry names its owner, who may be a person.
        let value = if is_list_of_exemptions {
            format!("entries: {}", config.policy.exemptions.listed.0.len())
        } else {
            value
        };
        (value != setting.default.text()).then(|| format!("{}={value}", setting.name))
    };
    let changed: Vec<_> = settings().filter_map(changed).collect();
    let changed = if changed.is_empty() { "all default".to_owned() } else { changed.join(" ") };
    format!(
        "diskseal {} started; mode: {mode}; scope: {}; settings: {changed}; functions: {}",
        env!("CARGO_PKG_VERSION"),
        config.policy.scope,
        Function::names().join(", ")
    )
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    // Loopback only: requests from the host to its handler are not authenticated.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve(config: Config, listener: TcpListener, telemetry: &Telemetry) -> ExitCode {
    let deadline = config.deadline;
    let app = Arc::new(App::new(deadline));
    let (listener, stop) = match (tokio::net::TcpListener::from_std(listener), Stop::new()) {
        (Ok(listener), Ok(stop)) => (listener, stop),
        (Err(fault), _) | (_, Err(fault)) => {
            error!("cannot serve: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let listener = listener.tap_io(|stream| {
        // Answers are small; batching them would delay each by 40 ms.
        let _ = stream.set_nodelay(true);
    });
    let stopping = Arc::new(tokio::sync::Notify::new());
    let server = axum::serve(listener, function::router(Arc::clone(&app)));
    let server = server.with_graceful_shutdown({
        let stopping = Arc::clone(&stopping);
        async move { stopping.notified().await }
    });

    let warm_up = async {
        match warm(config).await {
            Ok((context, connection, evidence)) => {
                telemetry.connect(connection);
                if let Some(evidence) = evidence {
                    let _ = app.evidence.set(Arc::new(evidence));
                }
                // Nothing else sets it.
                let _ = app.context.set(Arc::clone(&context));
                if let Err(fault) = context.object_id(Terms::for_event(deadline)).await {
                    warn!("cannot get a token yet: {fault}");
                }
                std::future::pending().await
            }
            Err(fault) => fault,
        }
    };
    let server = async move { server.await };
    tokio::pin!(server);
    tokio::select! {
        result = &mut server => {
            error!("the server ended unexpectedly: {result:?}");
            return ExitCode::FAILURE;
        }
        fault = warm_up => {
            error!("cannot start: {fault}");
            return Exit::Usage.into();
        }
        name = stop.received() => info!("{name}: finishing the invocations in progress"),
    }
    stopping.notify_one();
    // Every invocation has its own deadline; the extra second covers its answer. A platform that does not wait so long
    // ends the process, which loses nothing.
    if tokio::time::timeout(app.longest_invocation() + Duration::from_secs(1), server).await.is_err() {
        warn!("some invocations were not finished in time; their events will be delivered again");
    }
    ExitCode::from(RESTART_ME)
}

/// Builds the parts that take time.
async fn warm(config: Config) -> Result<(Arc<Context>, Connection, Option<Evidence>), String> {
    let runtime = Handle::current();
    let build = move || {
        let (arm, connection) = client(&config, runtime)?;
        let evidence = evidence(&config)?;
        Ok((Arc::new(Context::new(arm, config.policy, config.options, now)), connection, evidence))
    };
    tokio::task::spawn_blocking(build).await.map_err(|fault| fault.to_string())?
}

/// Where evidence goes, if it is set.
fn evidence(config: &Config) -> Result<Option<Evidence>, String> {
    let container = config.evidence.clone().map(|url| super::evidence::container(url, config)).transpose()?;
    Ok(container.map(|container| Evidence { container, portal: config.portal() }))
}

/// SIGTERM, which container platforms send, and SIGINT, which the Functions Core Tools send on Ctrl-C.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
