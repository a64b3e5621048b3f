//! The Functions host's side of the custom-handler protocol, with the real handler as its child process.
//!
//! It starts from a folder laid out like the deployed app, calls the handler as host 4.1052 does, judges its
//! replies like that host, and restarts it by that host's rules.

mod app;
mod client;
mod console;
mod dispatch;
mod envelope;
mod in_process;
mod outputs;
mod process;
mod reply;
mod stage;

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use axum::body::Bytes;
use thiserror::Error;
use tokio::{sync::oneshot, task::JoinHandle};

pub use self::console::{ConsoleLine, Level, Reading, Stream};
pub use self::dispatch::{EventGridFunction, Invocation};
pub use self::envelope::{ScheduleStatus, TimerInfo, Trigger};
pub use self::process::Exit;
pub use self::reply::{Failure, RawReply, Verdict};
pub use self::stage::{stage, stage_definitions};

use self::{
    app::App,
    client::Client,
    dispatch::Dispatcher,
    in_process::InProcess,
    process::{Order, Phase, Port, Process, Supervisor},
};
use crate::{
    clock::Clock,
    queue::{QueueAccount, QueueTrigger, Queues},
    recorded::Recorded,
    storage::{StorageAccount, StorageError},
};

/// How the host is set up.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The app's root folder, as [`stage`] creates it.
    pub app_root: PathBuf,
    /// The app settings. They and what the host adds are the handler's whole environment.
    /// `AzureFunctionsJobHost__a__b` overrides `a.b` of host.json.
    pub settings: BTreeMap<String, String>,
    /// The storage account behind `AzureWebJobsStorage`.
    pub queues: Queues,
    /// A real storage account in place of `queues`.
    pub storage: Option<StorageAccount>,
    /// Whether queue triggers listen.
    pub listen_to_queues: bool,
    /// Whether bodies are sent in chunks, as in Azure, or with their length, as with Core Tools.
    pub chunked: bool,
    /// Whether `traceparent` is sent, which depends on the host's telemetry.
    pub traceparent: bool,
    /// Its trace flags: 1 if the trace is sampled. Where App Service or the host records nothing itself, they are 0
    /// (open-telemetry/opentelemetry-dotnet-contrib #2206, Azure/azure-sdk-for-js #31082).
    pub trace_flags: u8,
    /// The number of the handler error within 30 minutes that shuts the host down; in Azure the third. The
    /// platform would then start another host, so a long simulation may need more.
    pub errors_until_down: usize,
    /// How the host reads the handler's standard output and standard error.
    pub reading: Reading,
    /// The host's version, without its last part.
    pub host_version: String,
}

impl HostOptions {
    /// A host as in Azure, with an empty storage account in real time.
    pub fn new(app_root: impl Into<PathBuf>) -> Self {
        Self {
            app_root: app_root.into(),
            settings: BTreeMap::new(),
            queues: Queues::new(1.0),
            storage: None,
            listen_to_queues: true,
            chunked: true,
            traceparent: true,
            trace_flags: 1,
            errors_until_down: 3,
            reading: Reading::AtOnce,
            host_version: "4.1052.200".to_owned(),
        }
    }
}

/// Why the host cannot start, or has stopped.
#[derive(Debug, Error)]
pub enum HostError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The content of a file is invalid.
    #[error("{}: {fault}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// host.json names no executable.
    #[error("host.json has no customHandler.description.defaultExecutablePath")]
    NoExecutable,
    /// No direct child folder of the root holds a function.json.
    #[error("no functions found")]
    NoFunctions,
    /// The name of a folder is not a function name.
    #[error(
        "{name:?} is not a function name: a letter, then letters, digits, _ or -, up to 128, and not host"
    )]
    FunctionName {
        /// The folder's name.
        name: String,
    },
    /// The name of a binding is invalid.
    #[error("{function}: {binding:?} is not a binding name: a letter, then letters and digits, up to 128")]
    BindingName {
        /// The function.
        function: String,
        /// The binding's name.
        binding: String,
    },
    /// A binding that only the extension bundle provides.
    #[error("the binding type {kind} is not registered: host.json has no valid extensionBundle")]
    BindingNotRegistered {
        /// The binding's type.
        kind: String,
    },
    /// `telemetryMode` is unknown or not at the root of host.json, the only place where it has an effect.
    #[error("telemetryMode must be OpenTelemetry or ApplicationInsights, at the root of host.json")]
    TelemetryMode,
    /// `%NAME%` is not the name of an app setting.
    #[error("%{name}% does not resolve to a value")]
    UnknownSetting {
        /// The setting's name.
        name: String,
    },
    /// A duration in host.json is invalid.
    #[error("host.json: {key} is not a time span: {value:?}")]
    TimeSpan {
        /// The path of the value, with dots.
        key: String,
        /// The value.
        value: String,
    },
    /// The storage account cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No port of loopback is free.
    #[error("no port is free")]
    NoPort,
    /// No function has this name.
    #[error("the function {0:?} does not exist")]
    NoFunction(String),
    /// The host has shut down, or the handler has exited with code 0.
    #[error("the host is down: {0}")]
    Down(String),
}

/// A running host. Dropping it kills the handler.
#[derive(Debug)]
pub struct FunctionsHost {
    dispatcher: Arc<Dispatcher>,
    queues: Queues,
    listeners: Vec<QueueTrigger>,
    supervisor: JoinHandle<()>,
    _port: Option<Port>,
}

impl FunctionsHost {
    /// Reads the app and starts the handler, without waiting for it. Must be called inside a tokio runtime.
    pub fn start(options: HostOptions) -> Result<Self, HostError> {
        let app = read(&options)?;
        let port = Port::claim().ok_or(HostError::NoPort)?;
        let client = Client::loopback();
        let settings = options.settings.clone();
        let (process, supervisor) = Supervisor::start(
            app.clone(),
            settings,
            port.number,
            client.clone(),
            options.errors_until_down,
            options.reading.clone(),
        );
        Self::assemble(app, options, Some(port), client, process, supervisor)
    }

    /// Reads the app and calls a service where [`start`](Self::start) calls a process, so that the clock can
    /// be paused. `make` is called for the first start and after each [`kill`](Self::kill), which drops the
    /// requests in progress; tasks that the service has spawned live on. No error stops this host, and it has
    /// no console.
    pub fn start_in_process(
        options: HostOptions,
        make: impl Fn() -> axum::Router + Send + Sync + 'static,
    ) -> Result<Self, HostError> {
        let app = read(&options)?;
        let handler = Arc::new(InProcess::new(make));
        let (process, supervisor) = Arc::clone(&handler).supervise();
        Self::assemble(app, options, None, Client::InProcess(handler), process, supervisor)
    }

    fn assemble(
        app: App,
        options: HostOptions,
        port: Option<Port>,
        client: Client,
        process: Process,
        supervisor: JoinHandle<()>,
    ) -> Result<Self, HostError> {
        let timers = app.functions.values().filter(|function| function.trigger.kind == "timerTrigger");
        let timers = timers.map(|function| (function.name.clone(), tokio::sync::Mutex::default())).collect();
        let dispatcher = Arc::new(Dispatcher {
            app,
            port: port.as_ref().map_or(0, |port| port.number),
            process,
            client,
            account: options.storage.map_or_else(|| QueueAccount::from(&options.queues), QueueAccount::from),
            invocations: Recorded::default(),
            clock: Clock::start(),
            host_version: options.host_version,
            chunked: options.chunked,
            traceparent: options.traceparent,
            trace_flags: options.trace_flags,
            timers,
        });
        let listeners =
            if options.listen_to_queues { listen(&dispatcher, &options.settings)? } else { Vec::new() };
        Ok(Self { dispatcher, queues: options.queues, listeners, supervisor, _port: port })
    }

    /// Waits until the handler answers.
    pub async fn ready(&self) -> Result<(), HostError> {
        let mut state = self.dispatcher.process.state.clone();
        match state.wait_for(|state| state.phase != Phase::Starting).await.map(|state| state.phase.clone()) {
            Ok(Phase::Ready) => Ok(()),
            Ok(Phase::Down(reason)) => Err(HostError::Down(reason)),
            _ => Err(HostError::Down("the handler exited with code 0".to_owned())),
        }
    }

    /// The storage account in process, which stays empty with a real one.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// The names of the app's functions.
    pub fn functions(&self) -> Vec<String> {
        self.dispatcher.app.functions.keys().cloned().collect()
    }

    /// The endpoint to which Event Grid delivers the events of a function. A function that does not exist
    /// answers 404.
    pub fn event_grid(&self, function: &str) -> EventGridFunction {
        EventGridFunction { dispatcher: Arc::clone(&self.dispatcher), function: function.to_owned() }
    }

    /// Runs a function. Completes when the invocation has ended; if the host cannot see the end of a reply,
    /// after `functionTimeout`.
    pub async fn invoke(&self, function: &str, trigger: Trigger) -> Result<Invocation, HostError> {
        let found = self.dispatcher.app.functions.get(function);
        let found = found.ok_or_else(|| HostError::NoFunction(function.to_owned()))?;
        Ok(self.dispatcher.invoke(found, &trigger).await)
    }

    /// Runs a timer function now, as at its first occurrence, on an hourly schedule.
    pub async fn fire_timer(&self, function: &str) -> Result<Invocation, HostError> {
        let next = self.dispatcher.clock.now() + Duration::from_hours(1);
        let status = ScheduleStatus { last: None, next };
        let info = TimerInfo { is_past_due: false, schedule_status: Some(status) };
        self.invoke(function, Trigger::Timer(info)).await
    }

    /// Posts any bytes to any path of the handler, with the headers of an invocation. The reply is neither
    /// judged nor recorded, and the function need not exist.
    pub async fn invoke_raw(&self, path: &str, body: impl Into<Bytes>) -> Result<RawReply, Failure> {
        self.dispatcher.post_raw(path, body.into()).await
    }

    /// Requests `GET /`, like the platform's health checks. Returns true for any response.
    pub async fn ping(&self) -> bool {
        self.dispatcher.client.get_root(self.dispatcher.port).await.is_ok()
    }

    /// Kills the handler with SIGKILL from outside. Returns when it has ended and the host has noticed; a
    /// restart is then in progress.
    pub async fn kill(&self) {
        let (done, ended) = oneshot::channel();
        if self.dispatcher.process.orders.send(Order::Kill(done)).is_ok() {
            let _ = ended.await;
        }
    }

    /// Sends SIGTERM to the handler. See [`wait_exit`](Self::wait_exit).
    pub fn terminate(&self) {
        // A stopped host has no handler.
        let _ = self.dispatcher.process.orders.send(Order::Terminate);
    }

    /// Stops the host as the platform does: kills the handler without a restart.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.dispatcher.process.orders.send(Order::Stop(done)).is_ok() {
            let _ = ended.await;
        }
    }

    /// Waits until the process with this id has ended, which may have happened before.
    pub async fn wait_exit(&self, pid: u32) -> Exit {
        self.dispatcher.process.exits.wait_for(|exit| exit.pid == pid).await
    }

    /// Every end of a handler process so far.
    pub fn exits(&self) -> Vec<Exit> {
        self.dispatcher.process.exits.all()
    }

    /// The handler's port, the same after each restart; 0 for a service in the test.
    pub fn port(&self) -> u16 {
        self.dispatcher.port
    }

    /// The id of the handler's process, if there is one.
    pub fn pid(&self) -> Option<u32> {
        self.dispatcher.process.state.borrow().pid
    }

    /// Every line that the handler has written.
    pub fn console(&self) -> Vec<ConsoleLine> {
        self.dispatcher.process.console.all()
    }

    /// Waits for a line of the handler, which may have been written before.
    pub async fn wait_for_line(&self, fits: impl Fn(&ConsoleLine) -> bool) -> ConsoleLine {
        self.dispatcher.process.console.wait_for(fits).await
    }

    /// Every invocation with a judged reply, in that order. Hung ones are included at once.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.dispatcher.invocations.all()
    }

    /// Waits for an invocation that matches, which may have ended before.
    pub async fn wait_for_invocation(&self, fits: impl Fn(&Invocation) -> bool) -> Invocation {
        self.dispatcher.invocations.wait_for(fits).await
    }

    /// Waits until the queues that functions listen to are empty and no message is in progress.
    pub async fn queues_drained(&self) {
        for listener in &self.listeners {
            listener.drained().await;
        }
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        // The child is owned by that task.
        self.supervisor.abort();
    }
}

fn read(options: &HostOptions) -> Result<App, HostError> {
    let root = std::path::absolute(&options.app_root)
        .map_err(|source| HostError::File { path: options.app_root.clone(), source })?;
    App::read(&root, &options.settings)
}

/// Starts the listeners of the queue triggers, except those that an app setting disables.
fn listen(
    dispatcher: &Arc<Dispatcher>,
    settings: &BTreeMap<String, String>,
) -> Result<Vec<QueueTrigger>, StorageError> {
    let functions =
        dispatcher.app.functions.values().filter(|function| function.trigger.kind == "queueTrigger");
    functions
        .filter(|function| !is_disabled(&function.name, settings))
        .filter_map(|function| {
            let name = function.trigger.queue_name.as_deref()?;
            let (dispatcher, function) = (Arc::clone(dispatcher), function.clone());
            let account = dispatcher.account.clone();
            let options = dispatcher.app.queues;
            Some(QueueTrigger::start(&account, name, options, move |message| {
                let (dispatcher, function) = (Arc::clone(&dispatcher), function.clone());
                async move { dispatcher.invoke(&function, &Trigger::QueueMessage(message)).await.succeeded() }
            }))
        })
        .collect()
}

/// Whether `AzureWebJobs.NAME.Disabled` is set ("How to disable functions in Azure Functions"). Here it only
/// prevents the listener of a queue trigger.
fn is_disabled(name: &str, settings: &BTreeMap<String, String>) -> bool {
    let setting = format!("AzureWebJobs.{name}.Disabled");
    let mut values = settings.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&setting));
    values.any(|(_, value)| value == "1" || value.eq_ignore_ascii_case("true"))
}
