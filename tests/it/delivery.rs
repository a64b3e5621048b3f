//! Event Grid and the host at their worst, in process on a paused clock: timeouts with a parallel duplicate,
//! probation, storms within ARM's bucket, a slow identity endpoint.

use std::{path::Path, sync::Arc, time::Duration};

use diskseal::function::{self, App};
use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::disk_id,
    event_grid::{EventGrid, EventGridOptions},
    fault::{Fault, Kind, Refusal},
    host::{FunctionsHost, HostOptions, LOOK_OFTEN, stage_definitions},
    options::Throttling,
};
use tokio::time::Instant;

use crate::world::{SUBSCRIPTION, World, jane};

pub(crate) struct Site {
    pub(crate) azure: Emulator,
    pub(crate) host: FunctionsHost,
    pub(crate) event_grid: EventGrid,
    _app: tempfile::TempDir,
}

pub(crate) fn site(azure: &Emulator, deadline: Duration, delivery: EventGridOptions) -> Site {
    site_with(azure, deadline, delivery, &[])
}

/// A function app with our handler and these settings, which receives an event for each write.
pub(crate) fn site_with(
    azure: &Emulator,
    deadline: Duration,
    delivery: EventGridOptions,
    more: &'static [(&str, &str)],
) -> Site {
    // A listener that looks often keeps the times of these tests exact.
    site_of(azure, deadline, delivery, more, |mut options| {
        options.settings.insert(LOOK_OFTEN.0.to_owned(), LOOK_OFTEN.1.to_owned());
        options
    })
}

/// The same with a host of its own.
pub(crate) fn site_of(
    azure: &Emulator,
    deadline: Duration,
    delivery: EventGridOptions,
    more: &'static [(&str, &str)],
    host: impl FnOnce(HostOptions) -> HostOptions,
) -> Site {
    let app = tempfile::tempdir().unwrap();
    stage_definitions(Path::new(env!("CARGO_MANIFEST_DIR")), app.path()).unwrap();
    let settings = [("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned())].into();
    let handler = {
        let azure = azure.clone();
        move || {
            let app = App::new(deadline);
            app.context.set(Arc::new(World::at(azure.clone(), more).ctx)).unwrap();
            function::router(Arc::new(app))
        }
    };
    let options = host(HostOptions { settings, ..HostOptions::new(app.path()) });
    let host = FunctionsHost::start_in_process(options, handler).unwrap();
    let event_grid = EventGrid::start(azure.subscribe_writes(), delivery, host.event_grid("seal_on_write"));
    Site { azure: azure.clone(), host, event_grid, _app: app }
}

impl Site {
    pub(crate) fn create(&self, name: &str) -> String {
        let id = disk_id(SUBSCRIPTION, "rg-app", name);
        self.azure.put(&id, &jane(), &disk_body("westeurope")).unwrap();
        id
    }

    pub(crate) async fn settle(&self) {
        self.event_grid.idle().await;
        self.host.queues_drained().await;
        self.event_grid.idle().await;
    }

    pub(crate) fn is_sealed(&self, id: &str) -> bool {
        let resource = self.azure.get(id).unwrap();
        resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory"
            && resource["tags"]["diskseal-auth-mode"] == "AzureActiveDirectory"
    }
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(25);

#[tokio::test(start_paused = true)]
async fn a_duplicate_in_parallel_after_a_time_out_does_the_work_once() {
    let azure = Emulator::new(Options::immediate());
    // Event Grid's patience is 30 s; a shorter one keeps each request of ours within its own.
    let delivery =
        EventGridOptions { delivery_timeout: Duration::from_secs(10), ..EventGridOptions::default() };
    let site = site(&azure, Duration::from_mins(2), delivery);
    let slow = |kind| azure.inject(Fault::delay(Duration::from_secs(9)).on(kind).times(1));
    let slow = [Kind::Get, Kind::Patch, Kind::TagsWrite].map(slow);
    let id = site.create("d");
    site.settle().await;
    assert!(site.is_sealed(&id));
    assert!(slow.iter().all(|fault| fault.fired() == 1));
    let deliveries = site.event_grid.deliveries();
    assert!(deliveries.iter().any(|delivery| delivery.status.is_none()), "one timed out: {deliveries:?}");
    assert!(deliveries.iter().any(|delivery| delivery.attempt > 1), "and was repeated");
    let writes = azure.requests_for(&id).iter().filter(|x| x.method != "GET").count();
    assert!(writes <= 2, "the mode once and the tags once, not {writes}");
}

#[tokio::test(start_paused = true)]
async fn probation_delays_and_loses_nothing_and_bad_resources_do_not_cause_it() {
    let azure = Emulator::new(Options::immediate());
    let outages = EventGridOptions { probation_after: 3, ..EventGridOptions::default() };
    let site = site(&azure, DEADLINE, outages);
    let bad = azure.inject(Fault::refuse(Refusal::deny_assignment()).on(Kind::Patch).always());
    for n in 0..20 {
        site.create(&format!("denied{n}"));
    }
    site.event_grid.idle().await;
    let statuses: Vec<_> = site.event_grid.deliveries().iter().map(|delivery| delivery.status).collect();
    assert!(statuses.iter().all(|status| *status == Some(202)), "twenty bad disks: {statuses:?}");
    bad.remove();

    let outage = azure.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Get).always());
    let ids: Vec<_> = (0..5).map(|n| site.create(&format!("d{n}"))).collect();
    outage.met_times(15).await;
    outage.remove();
    site.settle().await;
    assert!(ids.iter().all(|id| site.is_sealed(id)));
    assert!(site.event_grid.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_events_under_arms_bucket_is_sealed_to_the_last() {
    let azure = Emulator::new(Options { throttling: Some(Throttling::default()), ..Options::immediate() });
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let started = Instant::now();
    let ids: Vec<_> = (0..400).map(|n| site.create(&format!("d{n:03}"))).collect();
    site.settle().await;
    assert!(ids.iter().all(|id| site.is_sealed(id)));
    // 800 writes through a bucket of 200 that refills at 10 per second take at least a minute.
    assert!(started.elapsed() >= Duration::from_secs(55));
    let journal = azure.journal();
    let refused = journal.iter().filter(|exchange| exchange.status == Some(429)).count();
    assert!(refused * 2 < journal.len(), "{refused} of {} were refused", journal.len());
    assert!(site.event_grid.dead_letters().is_empty());
}

/// Looks at a new disk every five seconds, as for events, and returns the durations.
async fn events(world: &World, name: &str, count: usize) -> Vec<Duration> {
    let mut took = vec![];
    for n in 0..count {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let id = world.disk(&format!("{name}{n}"));
        let started = Instant::now();
        assert_eq!(world.enforce(&id).await.map(|outcome| outcome.label()), Ok("sealed"), "{id}");
        took.push(started.elapsed());
    }
    took.sort();
    took
}

/// All in one subscription, whose bucket is the bottleneck.
#[tokio::test(start_paused = true)]
async fn a_sweep_under_arms_bucket_is_hardly_ever_refused_and_holds_no_event_up() {
    let options = Options {
        throttling: Some(Throttling::default()),
        latency: Duration::from_millis(50),
        ..Options::immediate()
    };
    let world = World::with(options, &[]);
    let p99 = |took: &[Duration]| took[took.len() * 99 / 100];
    let idle = p99(&events(&world, "idle", 100).await);
    for n in 0..5_000 {
        world.disk(&format!("d{n:04}"));
    }
    let mut ended = 0;
    let hour = Duration::from_hours(1);
    let sweep = diskseal::sweep::seal_all(&world.ctx, diskseal::report::Source::Graph, 64, hour, |advance| {
        if let diskseal::sweep::Advance::Ended(id, result) = advance {
            assert_eq!(result.map(|outcome| outcome.label()), Ok("sealed"), "{id}");
            ended += 1;
        }
    });
    // 10,000 writes at 10 per second, of which the events need a few: a quarter of an hour.
    let (swept, busy) = tokio::join!(sweep, events(&world, "new", 180));
    swept.unwrap();
    assert_eq!(ended, 5_000);
    assert!(p99(&busy) < idle * 2, "{:?} under the sweep, {idle:?} without", p99(&busy));
    let journal = world.azure.journal();
    let refused = journal.iter().filter(|exchange| exchange.status == Some(429)).count();
    assert!(refused * 100 < journal.len(), "{refused} of {} were refused", journal.len());
}

#[tokio::test(start_paused = true)]
async fn one_token_is_fetched_for_any_number_of_callers_and_a_slow_endpoint_is_waited_for() {
    let azure = Emulator::new(Options::immediate());
    let site = site(&azure, DEADLINE, EventGridOptions::default());
    let ids: Vec<_> = (0..50).map(|n| site.create(&format!("d{n}"))).collect();
    site.settle().await;
    assert!(ids.iter().all(|id| site.is_sealed(id)));
}
