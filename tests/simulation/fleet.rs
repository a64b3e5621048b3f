//! The instances of the app: for each function group some, each a host with a process, as Flex Consumption runs them.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, extract::Request, response::Response};
use diskseal::function::{self, App};
use diskseal_emulator::{
    Emulator,
    event_grid::Endpoint,
    host::{FunctionGroup, FunctionsHost, HostOptions, stage_definitions},
    queue::{Queue, Queues},
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};
use tower::ServiceExt;

use super::{
    invocation::Invocation,
    observer::Observer,
    process::{Death, INVOCATION, Process, context},
    script::Group,
    settings::Settings,
};

/// What all instances share.
pub(crate) struct Shared {
    azure: Emulator,
    pub(crate) observer: Arc<Observer>,
    settings: Mutex<Arc<Settings>>,
    pub(crate) no_tokens_until: Arc<Mutex<Option<Instant>>>,
    queues: Queues,
    deaths: mpsc::UnboundedSender<Death>,
    numbers: AtomicU32,
    /// The process that runs in each place.
    processes: Mutex<HashMap<usize, Arc<Process>>>,
}

struct Instance {
    place: usize,
    group: Group,
    host: FunctionsHost,
}

pub(crate) struct Fleet {
    pub(crate) shared: Arc<Shared>,
    instances: Mutex<Vec<Arc<Instance>>>,
    places: AtomicUsize,
    turn: AtomicUsize,
    app: tempfile::TempDir,
}

impl Shared {
    /// A new process in a place, with the settings of now.
    fn start(self: &Arc<Self>, place: usize) -> Router {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let settings = Arc::clone(&self.settings.lock());
        let process = Arc::new(Process::new(number, place, settings, self.deaths.clone()));
        if let Some(before) = self.processes.lock().insert(place, Arc::clone(&process)) {
            before.die();
        }
        let (ctx, deadline) = context(&self.azure, &process, &self.observer, &self.no_tokens_until);
        let app = App::new(deadline);
        app.context.set(Arc::new(ctx)).unwrap();
        watched(function::router(Arc::new(app)), process, Arc::clone(&self.observer))
    }
}

/// The router of a process, with a look at each of its invocations.
fn watched(router: Router, process: Arc<Process>, observer: Arc<Observer>) -> Router {
    Router::new().fallback(move |request: Request| {
        let (router, process, observer) = (router.clone(), Arc::clone(&process), Arc::clone(&observer));
        invoke(router, process, observer, request)
    })
}

async fn invoke(
    router: Router,
    process: Arc<Process>,
    observer: Arc<Observer>,
    request: Request,
) -> Response {
    let function = request.uri().path().trim_matches('/').to_owned();
    let (events, counter) = match function.as_str() {
        "seal_on_write" => (1, &observer.events),
        "seal_queued" => (0, &observer.messages),
        _ => (0, &observer.sweeps),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    let invocation = Arc::new(Invocation::new(&function));
    let running = INVOCATION.scope(Arc::clone(&invocation), router.oneshot(request));
    let Ok(response) = running.await;
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    observer.trace(|| format!("{process:?} {function} {} {}", head.status, String::from_utf8_lossy(&bytes)));
    if head.status.is_success()
        && let Ok(reply) = serde_json::from_slice::<Value>(&bytes)
    {
        invocation.check(&process, &observer, events, &reply);
    }
    Response::from_parts(head, Body::from(bytes))
}

impl Fleet {
    /// One instance for the timer, and these numbers for events and for the queue. Returns the deaths that its processes
    /// report as well.
    pub(crate) fn start(
        azure: &Emulator,
        observer: &Arc<Observer>,
        settings: &Settings,
        instances: [usize; 2],
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Death>) {
        let app = tempfile::tempdir().unwrap();
        stage_definitions(Path::new(env!("CARGO_MANIFEST_DIR")), app.path()).unwrap();
        let (deaths, dying) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            azure: azure.clone(),
            observer: Arc::clone(observer),
            settings: Mutex::new(Arc::new(settings.clone())),
            no_tokens_until: Arc::default(),
            queues: Queues::new(1.0),
            deaths,
            numbers: AtomicU32::new(1),
            processes: Mutex::default(),
        });
        let fleet = Self {
            shared,
            instances: Mutex::default(),
            places: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            app,
        };
        fleet.scale(Group::Http, instances[0]);
        fleet.scale(Group::Queue, instances[1]);
        fleet.scale(Group::Timer, 1);
        (Arc::new(fleet), dying)
    }

    fn instance(&self, group: Group) -> Arc<Instance> {
        let place = self.places.fetch_add(1, Ordering::Relaxed);
        let options = HostOptions {
            settings: [("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned())].into(),
            queues: self.shared.queues.clone(),
            group: Some(match group {
                Group::Http => FunctionGroup::Http,
                Group::Queue => FunctionGroup::Function("seal_queued".to_owned()),
                Group::Timer => FunctionGroup::Function("sweep".to_owned()),
            }),
            ..HostOptions::new(self.app.path())
        };
        let shared = Arc::clone(&self.shared);
        let host = FunctionsHost::start_in_process(options, move || shared.start(place)).unwrap();
        Arc::new(Instance { place, group, host })
    }

    fn of(&self, group: Group) -> Vec<Arc<Instance>> {
        self.instances.lock().iter().filter(|one| one.group == group).cloned().collect()
    }

    fn process(&self, place: usize) -> Option<Arc<Process>> {
        self.shared.processes.lock().get(&place).cloned()
    }

    pub(crate) fn queue(&self) -> Queue {
        self.shared.queues.queue("diskseal-pending")
    }

    /// Starts or ends instances until there are this many.
    pub(crate) fn scale(&self, group: Group, count: usize) {
        let running = self.of(group);
        for more in running.iter().skip(count) {
            self.end(more.place);
        }
        for _ in running.len()..count {
            let instance = self.instance(group);
            self.instances.lock().push(instance);
        }
    }

    /// Ends an instance, host and process.
    fn end(&self, place: usize) {
        if let Some(process) = self.process(place) {
            process.die();
        }
        self.instances.lock().retain(|one| one.place != place);
    }

    /// Kills an instance with its host; another one takes its place.
    pub(crate) fn replace(&self, group: Group, index: usize) {
        let running = self.of(group);
        let Some(killed) = running.get(index % running.len().max(1)) else { return };
        self.shared.observer.kills.fetch_add(1, Ordering::Relaxed);
        self.end(killed.place);
        let instance = self.instance(group);
        self.instances.lock().push(instance);
    }

    /// Kills the process of an instance; its host starts another one.
    pub(crate) async fn kill(&self, group: Group, index: usize) {
        let running = self.of(group);
        let Some(instance) = running.get(index % running.len().max(1)) else { return };
        self.shared.observer.kills.fetch_add(1, Ordering::Relaxed);
        self.restart(instance).await;
    }

    /// Buries a process that has died at a request.
    pub(crate) async fn bury(&self, death: Death) {
        let is_there = self.process(death.place).is_some_and(|process| process.number == death.number);
        let instance = self.instances.lock().iter().find(|one| one.place == death.place).cloned();
        if let (true, Some(instance)) = (is_there, instance) {
            self.shared.observer.kills.fetch_add(1, Ordering::Relaxed);
            self.restart(&instance).await;
        }
    }

    async fn restart(&self, instance: &Instance) {
        if let Some(process) = self.process(instance.place) {
            process.die();
        }
        instance.host.kill().await;
    }

    pub(crate) fn trap(&self, group: Group, index: usize, requests: u32, is_after: bool) {
        let running = self.of(group);
        let instance = running.get(index % running.len().max(1));
        if let Some(process) = instance.and_then(|one| self.process(one.place)) {
            process.set_trap(requests, is_after);
        }
    }

    /// Nobody dies any more.
    pub(crate) fn disarm(&self) {
        self.shared.processes.lock().values().for_each(|process| process.disarm());
    }

    /// Gives the app other settings, and starts its processes again.
    pub(crate) async fn configure(&self, settings: &Settings) {
        *self.shared.settings.lock() = Arc::new(settings.clone());
        let all = self.instances.lock().clone();
        for instance in all {
            self.restart(&instance).await;
        }
    }

    /// The settings of now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.shared.settings.lock())
    }

    /// Runs a sweep, as the timer does; returns whether it succeeded.
    pub(crate) async fn sweep(&self) -> Result<(), String> {
        let Some(instance) = self.of(Group::Timer).into_iter().next() else {
            return Err("there is no instance for the timer".to_owned());
        };
        match instance.host.fire_timer("sweep").await {
            Ok(invocation) if invocation.succeeded() => Ok(()),
            Ok(invocation) => Err(format!("{:?}", invocation.verdict)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Delivers events to one instance after the other.
    pub(crate) async fn deliver(&self, events: Vec<Value>) -> u16 {
        let running = self.of(Group::Http);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        match running.get(turn % running.len().max(1)) {
            Some(instance) => instance.host.event_grid("seal_on_write").deliver(events).await,
            None => 503,
        }
    }

    /// Waits until the queue is empty and no message is in progress.
    pub(crate) async fn drained(&self) {
        for instance in self.of(Group::Queue) {
            instance.host.queues_drained().await;
        }
    }
}
