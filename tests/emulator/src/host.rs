//! The Functions host's side of the custom-handler protocol, with the real handler as its child process.
//!
//! It starts from a folder laid out like the deployed app, calls the handler as host 4.1052 does, judges its
//! replies like that host, and restarts it by that host's rules.

mod app;
mod arguments;
mod client;
mod console;
mod dispatch;
mod envelope;
mod in_process;
mod instances;
mod json;
mod options;
mod outputs;
mod port;
mod process;
mod records;
mod reply;
mod stage;
mod webhook;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::body::Bytes;
use tokio::{sync::oneshot, task::JoinHandle};

pub use self::console::{Category, ConsoleLine, Level, Reading, Stream};
pub use self::dispatch::Invocation;
pub use self::envelope::{ScheduleStatus, TimerInfo, Trigger};
pub use self::instances::{FunctionApp, FunctionGroup};
pub use self::options::{EventDates, HostError, HostOptions, LOOK_OFTEN};
pub use self::process::Exit;
pub use self::reply::{Failure, RawReply, Verdict};
pub use self::stage::{stage, stage_definitions};
pub use self::webhook::{EventGridFunction, WebhookAnswer, WebhookRequest};

use self::{
    app::App,
    client::Client,
    dispatch::{Dispatcher, Timer},
    in_process::InProcess,
    port::Port,
    process::{Order, Phase, Process, Supervisor},
    records::Records,
};
use crate::{
    clock::Clock,
    queue::{QueueAccount, QueueTrigger, Queues, TriggerOptions},
    storage::StorageError,
};

/// A running host. Dropping it kills the handler.
#[derive(Debug)]
pub struct FunctionsHost {
    settings: BTreeMap<String, String>,
    dispatcher: Arc<Dispatcher>,
    queues: Queues,
    listeners: Vec<QueueTrigger>,
    supervisor: JoinHandle<()>,
    _port: Option<Port>,
}

impl FunctionsHost {
    /// Reads the app and starts the handler, without waiting for it. Must be called inside a tokio runtime.
    pub fn start(options: HostOptions) -> Result<Self, HostError> {
        Self::start_with(options, Records::default())
    }

    fn start_with(options: HostOptions, records: Records) -> Result<Self, HostError> {
        let app = read(&options)?;
        let port = Port::claim().ok_or(HostError::NoPort)?;
        let client = Client::loopback();
        let settings = options.whole_environment();
        let (errors, reading) = (options.errors_until_down, options.reading.clone());
        let (process, supervisor) =
            Supervisor::start(app.clone(), settings, port.number, client.clone(), errors, reading, &records);
        Self::assemble(app, options, Some(port), client, records, (process, supervisor))
    }

    /// Reads the app and calls a service where [`start`](Self::start) calls a process, so that the clock can
    /// be paused. `make` is called for the first start and after each [`kill`](Self::kill), which drops the
    /// requests in progress; tasks that the service has spawned live on. No error stops this host, and it has
    /// no console.
    pub fn start_in_process(
        options: HostOptions,
        make: impl Fn() -> axum::Router + Send + Sync + 'static,
    ) -> Result<Self, HostError> {
        Self::start_in_process_with(options, make, Records::default())
    }

    fn start_in_process_with(
        options: HostOptions,
        make: impl Fn() -> axum::Router + Send + Sync + 'static,
        records: Records,
    ) -> Result<Self, HostError> {
        let app = read(&options)?;
        let handler = Arc::new(InProcess::new(make));
        let supervised = Arc::clone(&handler).supervise(&records);
        Self::assemble(app, options, None, Client::InProcess(handler), records, supervised)
    }

    fn assemble(
        app: App,
        options: HostOptions,
        port: Option<Port>,
        client: Client,
        records: Records,
        (process, supervisor): (Process, JoinHandle<()>),
    ) -> Result<Self, HostError> {
        let timers = app.functions.values().filter(|function| function.trigger.kind == "timerTrigger");
        let timers = timers.map(|function| (function.name.clone(), Timer::default())).collect();
        let disabled = app.functions.keys().filter(|name| options.disables(name)).cloned().collect();
        let dispatcher = Arc::new(Dispatcher {
            app,
            port: port.as_ref().map_or(0, |port| port.number),
            process,
            client,
            account: options.storage.map_or_else(|| QueueAccount::from(&options.queues), QueueAccount::from),
            invocations: records.invocations,
            clock: Clock::start(),
            host_version: options.host_version,
            chunked: options.chunked,
            traceparent: options.traceparent,
            trace_flags: options.trace_flags,
            event_dates: options.event_dates,
            disabled,
            timers,
        });
        let listeners =
            if options.listen_to_queues { listen(&dispatcher, options.group.as_ref())? } else { Vec::new() };
        Ok(Self {
            settings: options.settings,
            dispatcher,
            queues: options.queues,
            listeners,
            supervisor,
            _port: port,
        })
    }

    /// Waits until the handler answers.
    pub async fn ready(&self) -> Result<(), HostError> {
        let mut state = self.dispatcher.process.state.clone();
        match state.wait_for(|state| state.phase != Phase::Starting).await.map(|state| state.phase.clone()) {
            Ok(Phase::Ready) => Ok(()),
            Ok(Phase::Down(reason) | Phase::NotStarted(reason)) => Err(HostError::Down(reason)),
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

    /// Whether an app setting disables a function.
    pub fn is_disabled(&self, function: &str) -> bool {
        self.dispatcher.disabled.contains(function)
    }

    /// The functions that the host could not index, and why; the others run.
    pub fn not_indexed(&self) -> &BTreeMap<String, String> {
        &self.dispatcher.app.not_indexed
    }

    /// The app settings.
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// The handler's command line, without its name.
    pub fn arguments(&self) -> &[String] {
        &self.dispatcher.app.arguments
    }

    /// `functionTimeout`, if there is a limit.
    pub fn function_timeout(&self) -> Option<Duration> {
        self.dispatcher.app.function_timeout
    }

    /// The options under `extensions.queues`.
    pub fn queue_options(&self) -> TriggerOptions {
        self.dispatcher.app.queues
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
        Ok(self.dispatcher.invoke(found, trigger).await)
    }

    /// Runs a timer function now, as at an occurrence of its schedule. A disabled one is not run by its timer.
    pub async fn fire_timer(&self, function: &str) -> Result<Invocation, HostError> {
        let missing = || HostError::NoFunction(function.to_owned());
        let timer = self.dispatcher.timers.get(function).ok_or_else(missing)?;
        let is_disabled = self.dispatcher.disabled.contains(function);
        let found =
            self.dispatcher.app.functions.get(function).filter(|_| !is_disabled).ok_or_else(missing)?;
        let next = self.dispatcher.clock.now();
        let last = timer.last.lock().replace(next);
        let schedule_status = found.monitored.then_some(ScheduleStatus { last, next });
        self.invoke(function, Trigger::Timer(TimerInfo { is_past_due: false, schedule_status })).await
    }

    /// Calls a function by hand with this input, as the portal does, and `POST /admin/functions/NAME`.
    pub async fn call_by_hand(&self, function: &str, input: &str) -> Result<Invocation, HostError> {
        self.invoke(function, Trigger::ByHand(input.to_owned())).await
    }

    /// Ends the host at once, as SIGKILL does: the handler is killed, and nothing in progress is finished.
    pub(super) fn end(&self) {
        self.supervisor.abort();
        for listener in &self.listeners {
            listener.end();
        }
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
    App::read(&root, &options.whole_environment(), options.processors)
}

/// Starts the listeners of the queue triggers that are not disabled.
fn listen(
    dispatcher: &Arc<Dispatcher>,
    group: Option<&FunctionGroup>,
) -> Result<Vec<QueueTrigger>, StorageError> {
    let functions =
        dispatcher.app.functions.values().filter(|function| function.trigger.kind == "queueTrigger");
    functions
        .filter(|function| !dispatcher.disabled.contains(&function.name))
        .filter(|function| {
            group.is_none_or(|group| *group == FunctionGroup::of(&function.name, &function.trigger.kind))
        })
        .filter_map(|function| {
            let name = function.trigger.queue_name.as_deref()?;
            let (dispatcher, function) = (Arc::clone(dispatcher), function.clone());
            let account = dispatcher.account.clone();
            let options = dispatcher.app.queues;
            Some(QueueTrigger::start(&account, name, options, move |message| {
                let (dispatcher, function) = (Arc::clone(&dispatcher), function.clone());
                async move { dispatcher.invoke(&function, Trigger::QueueMessage(message)).await.succeeded() }
            }))
        })
        .collect()
}
