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
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::Router;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

use super::{FunctionsHost, HostError, HostOptions, Invocation, read};
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
    /// The queue of each function with a queue trigger.
    queue_names: BTreeMap<FunctionGroup, String>,
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
    /// Starts one instance of each group, with a handler process each. Must be called inside a tokio runtime.
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
            queue_names: queue_names.collect(),
            turn: AtomicUsize::new(0),
        };
        for function in functions {
            let group = group_of(&function.name, &function.trigger.kind);
            if this.instances(&group).is_empty() {
                this.set_instances(&group, 1)?;
            }
        }
        Ok(this)
    }

    fn instance(&self, group: &FunctionGroup) -> Result<Arc<FunctionsHost>, HostError> {
        let mut options = HostOptions { group: Some(group.clone()), ..self.options.clone() };
        let id = Uuid::new_v4().simple().to_string();
        options.settings.insert("WEBSITE_INSTANCE_ID".to_owned(), id);
        let host = match &self.make {
            None => FunctionsHost::start(options),
            Some(make) => {
                let make = Arc::clone(make);
                FunctionsHost::start_in_process(options, move || make())
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
        let hosts: Vec<_> = self.groups.lock().values().flatten().cloned().collect();
        for host in hosts {
            host.ready().await?;
        }
        Ok(())
    }

    /// Runs a timer function. Whatever the number of instances, one of them runs it.
    pub async fn fire_timer(&self, function: &str) -> Result<Invocation, HostError> {
        let group = FunctionGroup::Function(function.to_owned());
        let first = self.instances(&group).into_iter().next();
        first.ok_or_else(|| HostError::NoFunction(function.to_owned()))?.fire_timer(function).await
    }

    /// Every invocation of the instances that run now.
    pub fn invocations(&self) -> Vec<Invocation> {
        let hosts: Vec<_> = self.groups.lock().values().flatten().cloned().collect();
        hosts.iter().flat_map(|host| host.invocations()).collect()
    }

    /// Waits until the queues are empty, including messages that a dead instance has leased.
    pub async fn queues_drained(&self) {
        for name in self.queue_names.values() {
            self.options.queues.queue(name).wait_for(<[_]>::is_empty).await;
        }
    }
}

impl Endpoint for Arc<FunctionApp> {
    /// The platform's front hands deliveries to the instances of the group `http` in turn.
    fn deliver(&self, events: Vec<Value>) -> BoxFuture<'_, u16> {
        Box::pin(async move {
            let instances = self.instances(&FunctionGroup::Http);
            let functions = instances.first().map(|host| host.event_grid_functions()).unwrap_or_default();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            match (instances.get(turn % instances.len().max(1)), functions.first()) {
                (Some(host), Some(function)) => host.event_grid(function).deliver(events).await,
                _ => 404,
            }
        })
    }
}
