//! Several instances of the app at one queue and at one bucket of ARM's, in process on a paused clock: how they share
//! it, and what becomes of messages that wait for it.

mod several;

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use diskseal::{
    function::{self, App},
    sweep::collect_for,
};
use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::disk_id,
    event_grid::{EventGrid, EventGridOptions},
    fault::{Fault, Kind, Refusal},
    host::{FunctionsHost, HostOptions, Invocation, stage_definitions},
    options::{Bucket, Throttling},
    queue::{Encoding, Queue, Queues},
};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use crate::{
    delivery::DEADLINE,
    world::{SUBSCRIPTION, World, jane, now},
};

const OTHER: &str = "22222222-2222-4333-8444-555555555555";

/// Instances of the app that share a queue.
struct Fleet {
    azure: Emulator,
    instances: Vec<FunctionsHost>,
    queues: Queues,
    _app: tempfile::TempDir,
}

impl Fleet {
    fn start(azure: &Emulator, instances: u32, settings: &'static [(&str, &str)]) -> Self {
        let app = tempfile::tempdir().unwrap();
        stage_definitions(Path::new(env!("CARGO_MANIFEST_DIR")), app.path()).unwrap();
        let queues = Queues::new(1.0);
        let instance = |_| {
            let azure = azure.clone();
            let handler = move || {
                let app = App::new(DEADLINE);
                app.context.set(Arc::new(World::at(azure.clone(), settings).ctx)).unwrap();
                function::router(Arc::new(app))
            };
            let app_settings = [("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned())].into();
            let options = HostOptions {
                settings: app_settings,
                queues: queues.clone(),
                ..HostOptions::new(app.path())
            };
            FunctionsHost::start_in_process(options, handler).unwrap()
        };
        let instances = (0..instances).map(instance).collect();
        Self { azure: azure.clone(), instances, queues, _app: app }
    }

    fn queue(&self) -> Queue {
        self.queues.queue("diskseal-pending")
    }

    /// Puts a message for each of so many new disks, as a sweep does.
    fn sweep(&self, subscription: &str, disks: u32) -> Vec<String> {
        let ids = (0..disks).map(|n| {
            let id = disk_id(subscription, "rg-app", &format!("d{n:05}"));
            self.azure.insert(&id, &disk_body("westeurope")).unwrap();
            id
        });
        let ids: Vec<_> = ids.collect();
        self.put(&ids);
        ids
    }

    /// Puts a message for each of these disks.
    fn put(&self, ids: &[String]) {
        for id in ids {
            let first_seen = now().format(&Rfc3339).unwrap();
            let message = json!({"resource": id, "reason": "sweep", "firstSeen": first_seen}).to_string();
            self.queue().put(Encoding::Base64.encode(message.as_bytes())).unwrap();
        }
    }

    async fn drained(&self) {
        for instance in &self.instances {
            instance.queues_drained().await;
        }
    }

    /// How many messages each instance has sealed a disk for, and how many invocations failed.
    fn sealed_and_failed(&self) -> (Vec<u32>, usize) {
        let mut failed = 0;
        let of = |instance: &FunctionsHost| {
            let invocations = instance.invocations();
            failed += invocations.iter().filter(|one| !one.succeeded()).count();
            let has_sealed = |one: &&Invocation| one.logs.iter().any(|line| line.starts_with("sealed "));
            u32::try_from(invocations.iter().filter(has_sealed).count()).unwrap()
        };
        (self.instances.iter().map(of).collect(), failed)
    }

    /// How often each disk's mode was written.
    fn writes_of_modes(&self) -> HashMap<String, usize> {
        let mut writes = HashMap::new();
        for exchange in self.azure.journal() {
            if exchange.kind == Kind::Patch && exchange.status.is_some_and(|status| status < 300) {
                *writes.entry(exchange.path.clone()).or_default() += 1;
            }
        }
        writes
    }
}

/// How many disks the instances share. `DISKSEAL_QUOTA_DISKS` sets another number, for a long run.
fn disks() -> u32 {
    let given = std::env::var("DISKSEAL_QUOTA_DISKS").ok();
    given.map_or(500, |text| text.parse().unwrap())
}

/// Eight instances work off a queue of disks. They need no more than `most` times what the bucket allows, none does
/// less than half of its share, none fails, and no disk is written twice.
#[expect(clippy::print_stdout, reason = "a long run reports its figures")]
async fn share(throttling: Throttling, most: f64) {
    const INSTANCES: u32 = 8;
    let disks = disks();
    let options = Options {
        throttling: Some(throttling.clone()),
        latency: Duration::from_millis(50),
        ..Options::immediate()
    };
    let azure = Emulator::new(options);
    let fleet = Fleet::start(&azure, INSTANCES, &[]);
    let start = Instant::now();
    fleet.sweep(SUBSCRIPTION, disks);
    fleet.drained().await;
    let took = start.elapsed().as_secs_f64();
    let (sealed, failed) = fleet.sealed_and_failed();
    let refused = azure.journal().iter().filter(|exchange| exchange.status == Some(429)).count();
    let bucket = throttling.writes;
    let allowed = f64::from(disks * 2 - bucket.size) / f64::from(bucket.refill_per_second);
    let figures = format!("{took:.1} s of {allowed:.1}, {sealed:?} by instance, {refused} requests refused");
    println!("{disks} disks: {figures}");
    assert_eq!(failed, 0, "no invocation fails for want of quota: {figures}");
    assert_eq!(sealed.iter().sum::<u32>(), disks, "{figures}");
    let writes = fleet.writes_of_modes();
    assert_eq!(writes.len(), usize::try_from(disks).unwrap());
    assert!(writes.values().all(|writes| *writes == 1), "no disk is written twice");
    assert!(took <= allowed * most, "{figures}");
    assert!(sealed.iter().all(|of_instance| of_instance * INSTANCES * 2 >= disks), "{figures}");
}

#[tokio::test(start_paused = true)]
async fn instances_share_the_quota_by_what_arms_headers_say_is_left() {
    share(Throttling::default(), 1.1).await;
}

#[tokio::test(start_paused = true)]
async fn instances_share_the_quota_by_refusals_alone() {
    for closed in [1, 3] {
        let closed = Duration::from_secs(closed);
        share(Throttling { names_quota: false, closed, ..Throttling::default() }, 1.3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_subscription_keeps_no_places_of_others_and_its_messages_lose_no_receipt() {
    let azure = Emulator::new(Options { throttling: None, ..Options::immediate() });
    let fleet = Fleet::start(&azure, 1, &[]);
    let refusal = Refusal::throttled_compute(90);
    let throttled = azure.inject(Fault::refuse(refusal).on(Kind::Patch).subscription(SUBSCRIPTION).always());
    let start = Instant::now();
    let first = fleet.sweep(SUBSCRIPTION, 500);
    let others = fleet.sweep(OTHER, 50);
    for id in &others {
        let id = id.clone();
        fleet.instances[0]
            .wait_for_invocation(|one| {
                one.logs.iter().any(|line| line.split(':').next() == Some(&format!("sealed {id}")))
            })
            .await;
    }
    let took = start.elapsed();
    assert!(took < Duration::from_mins(1), "{took:?}");
    assert!(throttled.fired() <= 24, "{} requests that ARM had asked not to be sent", throttled.fired());

    throttled.remove();
    fleet.drained().await;
    assert_eq!(fleet.writes_of_modes().len(), first.len() + others.len());
    let (_, failed) = fleet.sealed_and_failed();
    assert_eq!(failed, 0);
    assert!(fleet.queues.poison("diskseal-pending").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_without_quota_goes_to_the_queue_and_its_invocation_succeeds() {
    let azure = Emulator::new(Options { throttling: None, ..Options::immediate() });
    let fleet = Fleet::start(&azure, 1, &[]);
    let endpoint = fleet.instances[0].event_grid("seal_on_write");
    let event_grid = EventGrid::start(azure.subscribe_writes(), EventGridOptions::default(), endpoint);
    azure.inject(Fault::refuse(Refusal::throttled_arm(60)).on(Kind::Patch).times(1));
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    azure.put(&id, &jane(), &disk_body("westeurope")).unwrap();
    event_grid.idle().await;
    assert!(event_grid.deliveries().iter().all(|delivery| delivery.status == Some(202)));
    let before = azure.requests_for(&id).len();
    fleet.drained().await;
    assert_eq!(fleet.writes_of_modes().len(), 1);
    let (_, failed) = fleet.sealed_and_failed();
    assert_eq!(failed, 0);
    let after = azure.requests_for(&id).len() - before;
    assert!(after < 20, "{after} requests for a message that waits for a minute");
}

#[tokio::test(start_paused = true)]
async fn a_seal_that_was_begun_is_finished_although_the_quota_ends_between_its_writes() {
    let world = World::with(Options { throttling: None, ..Options::immediate() }, &[]);
    let id = world.disk("d");
    world.fault(Fault::refuse(Refusal::throttled_arm(1)).on(Kind::TagsWrite).times(12));
    let outcome = world.enforce(&id).await;
    assert_eq!(outcome.map(|outcome| outcome.label()), Ok("sealed"));
    assert!(world.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn no_seal_is_begun_without_quota_for_all_of_it() {
    let bucket = Bucket { size: 41, refill_per_second: 10 };
    let throttling = Throttling { writes: bucket, ..Throttling::default() };
    let world = World::with(Options { throttling: Some(throttling), ..Options::immediate() }, &[]);
    let ids: Vec<_> = (0..60).map(|n| world.disk(&format!("d{n}"))).collect();
    futures::future::join_all(ids.iter().map(|id| world.enforce(id))).await;
    for id in &ids {
        let resource = world.azure.get(id).unwrap();
        let is_set = resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory";
        assert_eq!(is_set, world.is_sealed(id), "the mode and the tags, or neither: {id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_hands_on_what_can_be_sealed_before_the_next_one() {
    for (pace, of_first) in [(None, 300), (Some("2"), 60)] {
        let settings: Vec<_> = pace.map(|pace| ("DISKSEAL_PACE", pace)).into_iter().collect();
        let world = World::with(Options::immediate(), &settings);
        for n in 0..400 {
            world.disk(&format!("d{n:03}"));
        }
        for n in 0..10 {
            let id = disk_id(OTHER, "rg-app", &format!("d{n}"));
            world.azure.insert(&id, &disk_body("westeurope")).unwrap();
        }
        let minute = Some(Duration::from_mins(1));
        let found = collect_for(&world.ctx, minute, crate::sweep::terms()).await.unwrap();
        let of = |subscription: &str| {
            found.to_seal.iter().filter(|id| id.subscription_id() == subscription).count()
        };
        assert_eq!((of(SUBSCRIPTION), of(OTHER), found.left), (of_first, 10, 400 - of_first), "{pace:?}");
        assert_eq!(found.survey.counts.unsealed, 410);
    }
}
