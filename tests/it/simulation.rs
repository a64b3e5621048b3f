//! A random day from a seed: resources, their writers, a stream of events with loss, duplicates and disorder,
//! faults, and a process that is killed between any two requests. Every day ends with the right state.
//!
//! `DISKSEAL_SEED=N cargo test --test it simulation` repeats a day.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use diskseal::function::{self, App};
use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::{disk_id, scale_set_id, snapshot_id, virtual_machine_id},
    event_grid::{DeliverySchema, Duplicates, EventGrid, EventGridOptions, Spelling},
    fault::{Fault, Kind, Refusal},
    host::{FunctionsHost, HostOptions, Trigger, stage_definitions},
    options::{ConcurrentWrites, TagsStyle},
    queue::Queues,
    scale_set_body, snapshot_body, virtual_machine_body,
};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::world::{SUBSCRIPTION, World, jane, ourselves};

const SEEDS: u64 = 40;
const RESOURCES: usize = 12;
const STEPS: usize = 60;

#[tokio::test(start_paused = true)]
async fn every_day_ends_well() {
    let seeds = match std::env::var("DISKSEAL_SEED") {
        Ok(seed) => seed.parse().map(|seed| seed..seed + 1).unwrap(),
        Err(_) => 0..SEEDS,
    };
    for seed in seeds {
        // The test runner prints this when the test fails.
        eprintln!("DISKSEAL_SEED={seed}");
        Day::begin(seed).run().await;
    }
}

struct Day {
    rng: Rng,
    azure: Emulator,
    host: FunctionsHost,
    event_grid: EventGrid,
    /// What was created and not deleted, with the tags of others.
    estate: BTreeMap<String, BTreeMap<String, String>>,
    _app: tempfile::TempDir,
}

fn options(rng: &mut Rng) -> Options {
    let base = if rng.bool() { Options::default() } else { Options::immediate() };
    Options {
        tags: if rng.bool() { TagsStyle::Merged } else { TagsStyle::BrokenPoll },
        latency: Duration::from_millis(rng.u64(0..200)),
        concurrent_writes: [
            ConcurrentWrites::Preempt,
            ConcurrentWrites::Conflict,
            ConcurrentWrites::Serialize,
        ][rng.usize(0..3)],
        machine_disks_raise_events: rng.bool(),
        page_size: if rng.bool() { 2 } else { 100 },
        ..base
    }
}

fn delivery(rng: &mut Rng) -> EventGridOptions {
    EventGridOptions {
        schema: [DeliverySchema::EventGridSchema, DeliverySchema::CloudEventSchemaV1_0][rng.usize(0..2)],
        spelling: [Spelling::AsStored, Spelling::LowerCaseResourceGroups, Spelling::UpperCase]
            [rng.usize(0..3)],
        claims: rng.bool(),
        latency: Duration::from_millis(rng.u64(0..3_000)),
        disorder: Duration::from_secs(rng.u64(0..20)),
        duplicates: [Duplicates::Never, Duplicates::Times(2), Duplicates::Sometimes(0.3)][rng.usize(0..3)],
        loss: if rng.bool() { 0.1 } else { 0.0 },
        probation_after: 0,
        seed: rng.u64(..),
        ..EventGridOptions::default()
    }
}

impl Day {
    fn begin(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let azure = Emulator::new(options(&mut rng));
        let app = tempfile::tempdir().unwrap();
        stage_definitions(Path::new(env!("CARGO_MANIFEST_DIR")), app.path()).unwrap();
        let host = FunctionsHost::start_in_process(
            HostOptions {
                settings: [("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned())].into(),
                queues: Queues::new(1.0),
                ..HostOptions::new(app.path())
            },
            {
                let azure = azure.clone();
                move || {
                    let world = World::at(azure.clone(), &[("DISKSEAL_EXEMPT_NAMES", "*exempt*")]);
                    let app = App::new(Duration::from_secs(25));
                    app.context.set(Arc::new(world.ctx)).unwrap();
                    function::router(Arc::new(app))
                }
            },
        )
        .unwrap();
        let event_grid =
            EventGrid::start(azure.subscribe_writes(), delivery(&mut rng), host.event_grid("seal_on_write"));
        Self { rng, azure, host, event_grid, estate: BTreeMap::new(), _app: app }
    }

    async fn run(mut self) {
        for step in 0..STEPS {
            self.step(step).await;
            tokio::time::sleep(Duration::from_millis(self.rng.u64(0..8_000))).await;
        }
        self.azure.clear_faults();
        self.settle().await;
        if self.event_grid.stats().lost == 0 && !self.is_anything_left_to_the_sweep() {
            self.check();
        }
        // A look at everything finds lost events, and what was left to the sweep.
        tokio::time::sleep(Duration::from_mins(21)).await;
        self.look_at_everything().await;
        self.check();

        self.azure.clear_journal();
        self.look_at_everything().await;
        let writes = self.azure.journal().iter().filter(|exchange| exchange.method != "GET").count();
        assert_eq!(writes, 0, "what is sealed is not written again");
    }

    async fn step(&mut self, step: usize) {
        match self.rng.u32(0..11) {
            10 if self.estate.len() < RESOURCES => self.create_machine(step),
            0..=3 if self.estate.len() < RESOURCES => self.create(step),
            0..=4 => self.tag(step),
            5 => self.undo(),
            6 => self.delete(),
            7 => self.host.kill().await,
            _ => drop(self.azure.inject(fault(&mut self.rng))),
        }
    }

    fn create(&mut self, step: usize) {
        let name = if self.rng.u32(0..6) == 0 { format!("exempt{step}") } else { format!("r{step}") };
        let tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        let (id, mut body) = if self.rng.bool() {
            (disk_id(SUBSCRIPTION, "rg-app", &name), disk_body("westeurope"))
        } else {
            let source = disk_id(SUBSCRIPTION, "rg-app", "source");
            (snapshot_id(SUBSCRIPTION, "rg-app", &name), snapshot_body("westeurope", &source))
        };
        body["tags"] = json!(tags);
        self.azure.put(&id, &jane(), &body).unwrap();
        self.estate.insert(id, tags);
    }

    /// A virtual machine or a scale set, with the disks that Compute creates.
    fn create_machine(&mut self, step: usize) {
        let (group, exempt) = ("rg-app", self.rng.u32(0..6) == 0);
        let name = if exempt { format!("exempt{step}") } else { format!("m{step}") };
        let (id, mut body) = match self.rng.u32(0..3) {
            0 => (scale_set_id(SUBSCRIPTION, group, &name), scale_set_body("westeurope", "Uniform", 2)),
            1 => (scale_set_id(SUBSCRIPTION, group, &name), scale_set_body("westeurope", "Flexible", 1)),
            _ => (virtual_machine_id(SUBSCRIPTION, group, &name), virtual_machine_body("westeurope", 1)),
        };
        body["tags"] = json!({"env": "prod"});
        for disk in self.azure.put_machine(&id, &jane(), &body).unwrap() {
            let tags = self.azure.get(&disk).unwrap()["tags"].clone();
            self.estate.insert(disk, serde_json::from_value(tags).unwrap_or_default());
        }
    }

    fn any(&mut self) -> Option<String> {
        let index = self.rng.usize(0..self.estate.len().max(1));
        self.estate.keys().nth(index).cloned()
    }

    /// Another user writes a tag by a full update that includes all existing tags.
    fn tag(&mut self, step: usize) {
        let Some(id) = self.any() else { return };
        let mut tags = self.azure.get(&id).unwrap()["tags"].clone();
        tags[format!("step{step}")] = json!("x");
        self.azure.patch(&id, &jane(), &json!({"tags": tags})).unwrap();
        self.estate.get_mut(&id).unwrap().insert(format!("step{step}"), "x".to_owned());
    }

    /// Another user resets the mode.
    fn undo(&mut self) {
        let Some(id) = self.any() else { return };
        let none = json!({"properties": {"dataAccessAuthMode": "None"}});
        self.azure.patch(&id, &jane(), &none).unwrap();
    }

    fn delete(&mut self) {
        let Some(id) = self.any() else { return };
        self.azure.delete(&id, &jane());
        self.estate.remove(&id);
    }

    async fn settle(&self) {
        self.event_grid.idle().await;
        self.host.queues_drained().await;
        self.event_grid.idle().await;
    }

    fn is_anything_left_to_the_sweep(&self) -> bool {
        let invocations = self.host.invocations();
        invocations
            .iter()
            .flat_map(|invocation| &invocation.logs)
            .any(|line| line.starts_with("left_to_sweep"))
    }

    /// Bypasses Event Grid, which could lose this event too.
    async fn look_at_everything(&self) {
        for id in self.estate.keys() {
            let event = json!({"eventType": "Microsoft.Resources.ResourceWriteSuccess", "subject": id});
            let invocation = self.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap();
            assert!(invocation.succeeded(), "{invocation:?}");
        }
        self.settle().await;
    }

    fn check(&self) {
        let us = ourselves(&self.azure).object_id;
        for (id, foreign) in &self.estate {
            let resource = self.azure.get(id).unwrap_or_else(|| panic!("{id} is gone"));
            let is_sealed = resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
                && resource["tags"]["diskseal-auth-mode"] == "AzureActiveDirectory";
            let is_exempt = id.contains("exempt");
            assert_eq!(is_sealed, !is_exempt, "{id}: {resource}");
            for (name, value) in foreign {
                assert_eq!(resource["tags"][name], *value, "{id} has lost a tag: {resource}");
            }
            let writes = self.azure.requests_for(id);
            let ours =
                writes.iter().filter(|x| x.method != "GET" && x.object_id.as_ref() == Some(&us)).count();
            assert!(!is_exempt || ours == 0, "{id} is exempt and was written {ours} times");
        }
        assert_eq!(self.event_grid.dead_letters(), Vec::<Value>::new());
        let poison = self.host.queues().poison("diskseal-pending");
        assert!(poison.is_empty(), "{poison:?}");
    }
}

/// A random fault, at a random kind of request, a few times.
fn fault(rng: &mut Rng) -> Fault {
    let kind = [Kind::Get, Kind::Patch, Kind::TagsWrite, Kind::Poll, Kind::Machine][rng.usize(0..5)];
    let fault = match rng.u32(0..16) {
        0 => Fault::refuse(Refusal::server_error(503)),
        1 => Fault::refuse(Refusal::throttled_arm(rng.u64(1..90))),
        2 => Fault::refuse(Refusal::throttled_compute(rng.u64(1..1_200))),
        3 => Fault::refuse(Refusal::scope_locked()),
        4 => Fault::refuse(Refusal::conflict()),
        5 => Fault::refuse(Refusal::operation_not_allowed()),
        6 => Fault::refuse(Refusal::expired_token()),
        7 => Fault::refuse_after_applying(Refusal::server_error(500)),
        8 => Fault::reset(),
        9 => Fault::reset_after_applying(),
        10 => Fault::half_an_answer(),
        11 => Fault::html(200),
        12 => Fault::delay(Duration::from_secs(rng.u64(1..40))),
        13 => return Fault::operation_preempted(),
        14 => return Fault::operation_fails("InternalExecutionError", "m"),
        _ => return Fault::not_yet_visible(2),
    };
    fault.on(kind).times(rng.u32(1..4))
}
