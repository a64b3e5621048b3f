//! Runs a script, and checks how it ends.

use std::{panic, sync::Arc, time::Duration};

use diskseal_emulator::{
    Emulator,
    clock::Clock,
    event_grid::{Disturbance, EventGrid},
    fault::Injected,
    options::OperationStyle,
    queue::Encoding,
};
use serde_json::{Value, json};
use time::{format_description::well_known::Rfc3339, macros::datetime};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    estate::{Estate, undo},
    fleet::Fleet,
    hostile,
    observer::{Counts, Invariant, Observer, Violation},
    process::now,
    rules::SWITCH_READ,
    script::{Script, Step},
    settings::{Guard, Settings, is_ours},
    slot::SWITCH,
};

/// What became of a day.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
}

/// After a day, how long until a clean sweep: longer than what is remembered anywhere for a time.
const CALM: Duration = Duration::from_mins(21);
/// Everything that was begun ends within some days: an event may come a day late, and its write and that of each sweep raise
/// others.
const END: Duration = Duration::from_hours(240);

/// Runs a day on a clock of its own.
pub(crate) fn run(script: &Script) -> Ended {
    fastrand::seed(script.seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let day = panic::AssertUnwindSafe(|| runtime.block_on(whole(script)));
    panic::catch_unwind(day).unwrap_or_else(|fault| {
        let text = fault.downcast_ref::<String>().cloned();
        let text = text.or_else(|| fault.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("a panic: {}", text.unwrap_or_default());
        let violation = Violation { invariant: Invariant::BoundedRequests, at: Duration::ZERO, what };
        Ended { violations: vec![violation], ..Ended::default() }
    })
}

async fn whole(script: &Script) -> Ended {
    Clock::pin(datetime!(2026-11-27 10:00 UTC));
    let azure = Emulator::new(script.azure.clone());
    let protected = script.slots.iter().filter(|slot| slot.is_protected);
    let protected = protected.map(|slot| slot.id.to_ascii_lowercase()).collect();
    let observer = Arc::new(Observer::new(protected));
    let (fleet, mut dying) = Fleet::start(&azure, &observer, &script.settings, script.instances);
    let burying = Arc::downgrade(&fleet);
    let graves = tokio::spawn(async move {
        while let (Some(death), Some(fleet)) = (dying.recv().await, burying.upgrade()) {
            fleet.bury(death).await;
        }
    });
    let delivering = Arc::clone(&fleet);
    let event_grid = EventGrid::start(azure.subscribe_writes(), script.delivery.clone(), move |events| {
        let fleet = Arc::clone(&delivering);
        async move { fleet.deliver(events).await }
    });
    let estate = Estate::new(azure.clone(), script.slots.clone());
    let mut day = Day { azure, fleet, event_grid, estate, faults: vec![], running: JoinSet::new() };
    let start = Instant::now();
    for timed in &script.steps {
        sleep_until(start + timed.at).await;
        observer.trace(|| format!("{:?}", timed.step));
        day.step(&timed.step).await;
    }
    if timeout(END, day.end()).await.is_err() {
        let what = "an event, a message or an invocation has not come to an end".to_owned();
        observer.violation(Invariant::AcknowledgedOrDeliveredAgain, what);
    }
    graves.abort();
    let faults = day.faults.iter().map(|fault| u64::from(fault.fired())).sum();
    Ended { counts: Counts { faults, ..observer.counts() }, violations: observer.violations() }
}

struct Day {
    azure: Emulator,
    fleet: Arc<Fleet>,
    event_grid: EventGrid,
    estate: Estate,
    faults: Vec<Injected>,
    /// Attacks and sweeps.
    running: JoinSet<()>,
}

impl Day {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Create(slot, is_prod) => self.estate.create(*slot, *is_prod),
            Step::Overwrite(slot) => self.estate.overwrite(*slot),
            Step::Plan(slot) => self.estate.plan(*slot),
            Step::Apply(slot) => self.estate.apply(*slot),
            Step::Tag(slot, number) => self.estate.tag(*slot, "tag-tool", |tags| {
                tags.insert(format!("step{number}"), json!("x"));
            }),
            Step::Modify(slot) => self.estate.tag(*slot, "policy", |tags| {
                tags.insert("cost-center".to_owned(), json!("4711"));
            }),
            Step::Undo(slot) => self.estate.undo(*slot),
            Step::Untag(slot) => {
                self.estate.tag(*slot, "attacker", |tags| tags.retain(|name, _| !is_ours(name)));
            }
            Step::Attack(slot, times, apart) => self.attack(*slot, *times, *apart),
            Step::Exempt(slot, how) => self.estate.exempt(*slot, *how),
            Step::Unexempt(slot) => self.estate.tag(*slot, "owner", |tags| {
                tags.shift_remove(super::settings::EXEMPT_TAG);
            }),
            Step::Attach(slot, machine) => self.estate.attach(*slot, *machine),
            Step::Detach(slot) => self.estate.detach(*slot),
            Step::Grant(slot) => self.estate.access(*slot, true),
            Step::Revoke(slot) => self.estate.access(*slot, false),
            Step::Delete(slot) => self.estate.delete(*slot),
            Step::Fault(plan) => self.faults.push(self.azure.inject(plan.fault())),
            Step::ClearFaults => self.azure.clear_faults(),
            Step::NoTokens(time) => {
                let until = Instant::now() + *time;
                *self.fleet.shared.no_tokens_until.lock() = Some(until);
                *self.fleet.shared.observer.blind_until.lock() = Some(until + SWITCH_READ);
            }
            Step::Kill(group, index) => self.fleet.kill(*group, *index).await,
            Step::Trap(group, index, requests, is_after) => {
                self.fleet.trap(*group, *index, *requests, *is_after);
            }
            Step::Replace(group, index) => self.fleet.replace(*group, *index),
            Step::Scale(group, count) => self.fleet.scale(*group, *count),
            Step::Configure(settings) => self.fleet.configure(settings).await,
            Step::Switch(is_on) => {
                self.azure.set_scope_tag(SWITCH, "diskseal", if *is_on { "on" } else { "off" });
            }
            Step::Sweep => {
                let fleet = Arc::clone(&self.fleet);
                self.running.spawn(async move { drop(fleet.sweep().await) });
            }
            Step::Hostile(how, slot) => {
                let event = hostile::event(*how, self.estate.id(*slot), &self.azure);
                self.event_grid.publish(vec![event]);
            }
            Step::Message(slot) => self.message(*slot),
            Step::Garbage(is_base64) => {
                let text =
                    if *is_base64 { Encoding::Base64.encode(b"{\"resource\": 1}") } else { "{".to_owned() };
                drop(self.fleet.queue().put(text));
            }
            Step::Disturb(slot, late) => {
                let name = self.estate.id(*slot).rsplit('/').next().unwrap_or_default().to_owned();
                self.event_grid.disturb(&name, late.map_or(Disturbance::Lost, Disturbance::Late));
            }
        }
    }

    fn attack(&mut self, slot: usize, times: u32, apart: Duration) {
        let Some(id) = self.estate.resource(slot) else { return };
        let azure = self.azure.clone();
        self.running.spawn(async move {
            for _ in 0..times {
                undo(&azure, &id);
                sleep(apart).await;
            }
        });
    }

    fn message(&self, slot: usize) {
        let Some(id) = self.estate.resource(slot) else { return };
        let first_seen = now().format(&Rfc3339).unwrap();
        let message =
            json!({"resource": id, "reason": "locked", "firstSeen": first_seen, "namedBy": "event"});
        drop(self.fleet.queue().put(Encoding::Base64.encode(message.to_string().as_bytes())));
    }

    /// Azure is well again, everything that was begun comes to its end, and a sweep finds what is left.
    async fn end(&mut self) {
        while self.running.join_next().await.is_some() {}
        self.azure.clear_faults();
        self.fleet.disarm();
        *self.fleet.shared.no_tokens_until.lock() = None;
        self.azure.set_scope_tag(SWITCH, "diskseal", "on");
        self.settle().await;
        let observer = Arc::clone(&self.fleet.shared.observer);
        for _ in 0..self.sweeps() {
            sleep(CALM).await;
            if let Err(why) = self.fleet.sweep().await {
                let what = format!("a clean sweep has failed: {why}");
                observer.violation(Invariant::SealedOrExplained, what);
            }
            self.settle().await;
        }
        self.check(&observer);
        let before = observer.counts().writes;
        sleep(CALM).await;
        drop(self.fleet.sweep().await);
        self.settle().await;
        let writes = observer.counts().writes - before;
        if writes > 0 && observer.violations().is_empty() {
            let what = format!("{writes} writes of an estate that is sealed");
            observer.violation(Invariant::NoForbiddenWrite, what);
        }
    }

    /// How many sweeps seal everything. A look reads for three seconds whether tags have arrived, and where Azure takes
    /// longer for each write, a look of a sweep makes one step: the tag with the earlier settings, the mode, the tags.
    fn sweeps(&self) -> usize {
        match &self.azure.options().operations {
            OperationStyle::Asynchronous(style) if style.duration > Duration::from_secs(3) => 3,
            _ => 1,
        }
    }

    async fn settle(&self) {
        self.event_grid.idle().await;
        self.fleet.drained().await;
        self.event_grid.idle().await;
        self.fleet.drained().await;
    }

    fn check(&self, observer: &Observer) {
        let settings = self.fleet.settings();
        for resource in self.azure.resources() {
            if let Some(why) = unsealed(&settings, observer, &resource) {
                observer.violation(Invariant::SealedOrExplained, format!("{why}: {resource}"));
            }
        }
        for (id, foreign) in &self.estate.foreign {
            // The disks of a machine may go with it.
            let Some(resource) = self.azure.get(id) else { continue };
            for (name, value) in foreign {
                if resource["tags"][name] != *value {
                    let what = format!("{id} has lost its tag {name}: {resource}");
                    observer.violation(Invariant::ForeignTagsKept, what);
                }
            }
        }
    }
}

/// What is wrong with a resource: it is not sealed, and nothing explains it.
fn unsealed(settings: &Settings, observer: &Observer, resource: &Value) -> Option<&'static str> {
    let id = resource["id"].as_str().unwrap_or_default();
    let state = resource["properties"]["diskState"].as_str().unwrap_or_default();
    let is_explained = settings.is_sealed(resource)
        || settings.forbids_id(id).is_some()
        || settings.forbids(resource, now()).is_some()
        || matches!(state, "ReadyToUpload" | "ActiveUpload")
        || (settings.guard == Guard::Skip && observer.is_protected(resource))
        // A write whose operation does not end.
        || resource["properties"]["provisioningState"] == "Updating";
    (!is_explained).then_some("not sealed, and nothing explains it")
}
