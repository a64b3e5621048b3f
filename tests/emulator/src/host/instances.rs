//! An app on Flex Consumption: its functions in groups, and each group on instances of its own.
//!
//! Every instance is a host with a handler process of its own, which listens to the functions of one group. The
//! functions with an HTTP or Event Grid trigger are one group, and each other function is one
//! (`BindingMetadataExtensions`, `FunctionMetadataExtensions`, `FunctionGroupListenerDecorator` of the host). How often
//! the platform asks for votes, and how it ends an instance, was not recorded: here both are up to the test.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Bytes};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

use super::{
    ConsoleLine, Exit, Failure, FunctionsHost, HostError, HostOptions, Invocation, RawReply, Trigger, read,
    records::Records,
};
use crate::{
    event_grid::Endpoint,
    queue::{Queues, TriggerOptions},
};

/// A group of functions that share instances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionGroup {
    /// The functions with an HTTP or Event Grid trigger: `http`.
    Http,
    /// A function with another trigger: `function:NAME`.
    Function(String),
}

impl FunctionGroup {
    /// The group of a function with this trigger.
    pub(super) fn of(function: &str, trigger: &str) -> Self {
        match trigger {
            "httpTrigger" | "eventGridTrigger" => Self::Http,
            _ => Self::Function(function.to_owned()),
        }
    }
}

impl fmt::Display for FunctionGroup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => out.write_str("http"),
            Self::Function(name) => write!(out, "function:{name}"),
        }
    }
}

/// Creates a handler's service, for instances in process.
type Make = Arc<dyn Fn() -> Router + Send + Sync>;

/// A running app. Dropping it kills the handlers of all instances.
pub struct FunctionApp {
    options: HostOptions,
    /// None for real processes.
    make: Option<Make>,
    queues: TriggerOptions,
    /// `maximumInstances`: the most instances of a group.
    maximum: usize,
    groups: Mutex<BTreeMap<FunctionGroup, Vec<Arc<FunctionsHost>>>>,
    /// The group of each function.
    functions: BTreeMap<String, FunctionGroup>,
    /// The queue of each function with a queue trigger.
    queue_names: BTreeMap<FunctionGroup, String>,
    /// What all instances have recorded, also those that are gone.
    records: Records,
    turn: AtomicUsize,
}

impl fmt::Debug for FunctionApp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: BTreeMap<_, _> =
            self.groups.lock().iter().map(|(group, hosts)| (group.to_string(), hosts.len())).collect();
        out.debug_struct("FunctionApp").field("instances", &counts).finish_non_exhaustive()
    }
}

impl FunctionApp {
    /// Starts one instance of each group, or of the one group that the options name, with a handler process each. Must be called inside a tokio runtime.
    pub fn start(options: HostOptions, maximum: usize) -> Result<Self, HostError> {
        Self::assemble(options, None, maximum)
    }

    /// Starts one instance of each group, each with a service of its own from `make`.
    pub fn start_in_process(
        options: HostOptions,
        maximum: usize,
        make: impl Fn() -> Router + Send + Sync + 'static,
    ) -> Result<Self, HostError> {
        Self::assemble(options, Some(Arc::new(make)), maximum)
    }

    fn assemble(options: HostOptions, make: Option<Make>, maximum: usize) -> Result<Self, HostError> {
        let app = read(&options)?;
        let group_of = |name: &str, kind: &str| FunctionGroup::of(name, kind);
        let functions = app.functions.values();
        let queue_names = functions.clone().filter_map(|function| {
            let group = group_of(&function.name, &function.trigger.kind);
            Some((group, function.trigger.queue_name.clone()?))
        });
        let this = Self {
            options,
            make,
            queues: app.queues,
            maximum: maximum.max(1),
            groups: Mutex::default(),
            functions: functions
                .clone()
                .map(|function| (function.name.clone(), group_of(&function.name, &function.trigger.kind)))
                .collect(),
            queue_names: queue_names.collect(),
            records: Records::default(),
            turn: AtomicUsize::new(0),
        };
        let only = this.options.group.clone();
        for group in this.functions.values().filter(|group| only.as_ref().is_none_or(|only| only == *group)) {
            if this.instances(group).is_empty() {
                this.set_instances(group, 1)?;
            }
        }
        Ok(this)
    }

    fn instance(&self, group: &FunctionGroup) -> Result<Arc<FunctionsHost>, HostError> {
        let mut options = HostOptions { group: Some(group.clone()), ..self.options.clone() };
        let id = Uuid::new_v4().simple().to_string();
        options.settings.insert("WEBSITE_INSTANCE_ID".to_owned(), id);
        let records = self.records.of_one();
        let host = match &self.make {
            None => FunctionsHost::start_with(options, records),
            Some(make) => {
                let make = Arc::clone(make);
                FunctionsHost::start_in_process_with(options, move || make(), records)
            }
        };
        host.map(Arc::new)
    }

    /// The storage account in process.
    pub fn queues(&self) -> &Queues {
        &self.options.queues
    }

    /// The groups.
    pub fn groups(&self) -> Vec<FunctionGroup> {
        self.groups.lock().keys().cloned().collect()
    }

    /// The instances of a group.
    pub fn instances(&self, group: &FunctionGroup) -> Vec<Arc<FunctionsHost>> {
        self.groups.lock().get(group).cloned().unwrap_or_default()
    }

    /// Starts or stops instances until the group has this many. What a stopped one was doing is lost.
    pub fn set_instances(&self, group: &FunctionGroup, count: usize) -> Result<(), HostError> {
        let missing = count.saturating_sub(self.instances(group).len());
        let new = (0..missing).map(|_| self.instance(group)).collect::<Result<Vec<_>, _>>()?;
        let mut groups = self.groups.lock();
        let instances = groups.entry(group.clone()).or_default();
        for stopped in instances.drain(instances.len().min(count)..) {
            stopped.end();
        }
        instances.extend(new);
        Ok(())
    }

    /// Kills an instance, host and handler, with SIGKILL, and starts another in its place. Its messages are visible
    /// again after their lease; its other invocations are lost. Returns the process that was killed.
    pub fn replace(&self, group: &FunctionGroup, index: usize) -> Result<Option<u32>, HostError> {
        let new = self.instance(group)?;
        let mut groups = self.groups.lock();
        let instances = groups.entry(group.clone()).or_default();
        let Some(place) = instances.get_mut(index) else { return Ok(None) };
        let pid = place.pid();
        place.end();
        *place = new;
        Ok(pid)
    }

    /// The number of instances for which the host of a group with a queue votes: one for as many messages as an
    /// instance takes at once (`QueueTargetScaler`), between one and `maximumInstances`.
    pub fn vote(&self, group: &FunctionGroup) -> usize {
        let at_once = (self.queues.batch_size + self.queues.new_batch_threshold).max(1);
        let length = self.queue_names.get(group).map_or(0, |name| self.options.queues.queue(name).len());
        length.div_ceil(at_once).clamp(1, self.maximum)
    }

    /// Scales each group with a queue by its vote.
    pub fn scale(&self) -> Result<(), HostError> {
        for group in self.queue_names.keys() {
            self.set_instances(group, self.vote(group))?;
        }
        Ok(())
    }

    /// Waits until every handler answers.
    pub async fn ready(&self) -> Result<(), HostError> {
        for host in self.running() {
            host.ready().await?;
        }
        Ok(())
    }

    /// Runs a timer function. Whatever the number of instances, one of them runs it.
    pub async fn fire_timer(&self, function: &str) -> Result<Invocation, HostError> {
        self.instance_of(function)?.fire_timer(function).await
    }

    /// Runs a function on the first instance of its group. See [`FunctionsHost::invoke`].
    pub async fn invoke(&self, function: &str, trigger: Trigger) -> Result<Invocation, HostError> {
        self.instance_of(function)?.invoke(function, trigger).await
    }

    /// Posts any bytes to any path of a handler: of the group of the function with this name, else of `http`. See
    /// [`FunctionsHost::invoke_raw`].
    pub async fn invoke_raw(&self, path: &str, body: impl Into<Bytes>) -> Result<RawReply, Failure> {
        let group = self.functions.get(path).unwrap_or(&FunctionGroup::Http);
        let down = || Failure::HostDown(format!("the group {group} has no instance"));
        self.first(group).ok_or_else(down)?.invoke_raw(path, body).await
    }

    /// The names of the functions.
    pub fn functions(&self) -> Vec<String> {
        self.functions.keys().cloned().collect()
    }

    /// Whether an app setting disables a function.
    pub fn is_disabled(&self, function: &str) -> bool {
        self.options.disables(function)
    }

    /// The first instance of the group to which a function belongs.
    pub fn instance_of(&self, function: &str) -> Result<Arc<FunctionsHost>, HostError> {
        let group = self.functions.get(function);
        group.and_then(|group| self.first(group)).ok_or_else(|| HostError::NoFunction(function.to_owned()))
    }

    /// The endpoint to which Event Grid delivers the events of a function. The platform's front hands deliveries to the
    /// instances of the group `http` in turn. A function that does not exist answers 404.
    pub fn event_grid(self: &Arc<Self>, function: &str) -> impl Endpoint + use<> {
        Front { app: Arc::downgrade(self), function: function.to_owned() }
    }

    fn next(&self, group: &FunctionGroup) -> Option<Arc<FunctionsHost>> {
        let instances = self.instances(group);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        instances.get(turn % instances.len().max(1)).cloned()
    }

    /// The id of the process that runs a function, while there is one. See [`FunctionsHost::pid`].
    pub fn pid(&self, function: &str) -> Option<u32> {
        self.instance_of(function).ok()?.pid()
    }

    /// Kills the process that runs a function, with SIGKILL. See [`FunctionsHost::kill`].
    pub async fn kill(&self, function: &str) {
        if let Ok(host) = self.instance_of(function) {
            host.kill().await;
        }
    }

    /// Sends SIGTERM to the process that runs a function. See [`wait_exit`](Self::wait_exit).
    pub fn terminate(&self, function: &str) {
        if let Ok(host) = self.instance_of(function) {
            host.terminate();
        }
    }

    fn first(&self, group: &FunctionGroup) -> Option<Arc<FunctionsHost>> {
        self.groups.lock().get(group)?.first().cloned()
    }

    /// Each group, and the id of the handler's process on its first instance; none while it is not running.
    pub fn pids(&self) -> Vec<(FunctionGroup, Option<u32>)> {
        let groups = self.groups.lock();
        let pid = |hosts: &Vec<Arc<FunctionsHost>>| hosts.first().and_then(|host| host.pid());
        groups.iter().map(|(group, hosts)| (group.clone(), pid(hosts))).collect()
    }

    /// Stops all instances as the platform does: kills the handlers without a restart.
    pub async fn stop(&self) {
        for host in self.running() {
            host.stop().await;
        }
    }

    fn running(&self) -> Vec<Arc<FunctionsHost>> {
        self.groups.lock().values().flatten().cloned().collect()
    }

    /// Every invocation with a judged reply, also of instances that are gone, in that order.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.records.invocations.all()
    }

    /// Waits for an invocation that matches, which may have ended before.
    pub async fn wait_for_invocation(&self, fits: impl Fn(&Invocation) -> bool) -> Invocation {
        self.records.invocations.wait_for(fits).await
    }

    /// Every line that a handler has written, also of instances that are gone.
    pub fn console(&self) -> Vec<ConsoleLine> {
        self.records.console.all()
    }

    /// Every line that a handler has written, which is forgotten: for a run whose lines would not fit into memory.
    pub fn take_console(&self) -> Vec<ConsoleLine> {
        self.records.console.take()
    }

    /// Every invocation with a judged reply, which is forgotten likewise.
    pub fn take_invocations(&self) -> Vec<Invocation> {
        self.records.invocations.take()
    }

    /// Every end of a handler's process, except of those whose whole instance was stopped.
    pub fn exits(&self) -> Vec<Exit> {
        self.records.exits.all()
    }

    /// Waits for a line of a handler, which may have been written before.
    pub async fn wait_for_line(&self, fits: impl Fn(&ConsoleLine) -> bool) -> ConsoleLine {
        self.records.console.wait_for(fits).await
    }

    /// Waits until the process with this id has ended, which may have happened before.
    pub async fn wait_exit(&self, pid: u32) -> Exit {
        self.records.exits.wait_for(|exit| exit.pid == pid).await
    }

    /// Waits until the queues are empty, including messages that a dead instance has leased, and no message is in
    /// progress.
    pub async fn queues_drained(&self) {
        for name in self.queue_names.values() {
            self.options.queues.queue(name).wait_for(<[_]>::is_empty).await;
        }
        for host in self.running() {
            host.queues_drained().await;
        }
    }
}

/// The webhook of one function of an app, behind the platform's front.
#[derive(Debug)]
struct Front {
    /// What is being delivered keeps no handler alive.
    app: Weak<FunctionApp>,
    function: String,
}

impl Endpoint for Front {
    fn deliver(&self, events: Vec<Value>) -> BoxFuture<'_, u16> {
        Box::pin(async move {
            let next = self.app.upgrade().and_then(|app| app.next(&FunctionGroup::Http));
            match next.map(|host| host.event_grid(&self.function)) {
                Some(webhook) => webhook.deliver(events).await,
                None => 404,
            }
        })
    }
}
