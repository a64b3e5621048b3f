//! The local Azure of the run: everything that the handler speaks to has a relay before it, which can fail.

use std::{path::Path, time::Duration};

use diskseal_emulator::{
    Options,
    collector::Collector,
    event_grid::{Duplicates, EventGridOptions},
    host::FunctionGroup,
    local_azure::{LocalAzure, Setup},
    options::{Keep, OperationStyle},
    proxy::Proxy,
    relay::Relay,
};

use crate::{Arguments, Fault, confinement::Confinement, world};

/// Event Grid waits 10 s for its first retry, and the queue 5 min; here each is less than a second.
const EVENT_GRID_SPEED: f64 = 500.0;
const QUEUE_SPEED: f64 = 1_000.0;
/// The front of Azure closes idle connections after minutes, which here are seconds.
const IDLE: Duration = Duration::from_secs(2);
const ARM_HOST: &str = "management.azure.com:443";

/// What runs.
pub(crate) struct Site {
    pub(crate) azure: LocalAzure,
    pub(crate) collector: Collector,
    pub(crate) to_collector: Relay,
    pub(crate) to_identity: Relay,
    pub(crate) to_proxy: Relay,
    pub(crate) confinement: Confinement,
    pub(crate) instances: usize,
    _proxy: Proxy,
}

impl Site {
    pub(crate) async fn start(arguments: &Arguments) -> Result<Self, Fault> {
        let confinement = Confinement::new(&arguments.binary)
            .map_err(|error| format!("{}: {error}", arguments.binary.display()))?;
        let (collector, proxy) = (Collector::start().await?, Proxy::start().await?);
        let to_collector = Relay::start(Some(IDLE)).await?;
        let to_identity = Relay::start(Some(IDLE)).await?;
        let to_proxy = Relay::start(Some(IDLE)).await?;
        to_collector.leads(&collector.endpoint());
        to_proxy.leads(&proxy.url());
        let mut setup =
            Setup::new(Path::new(env!("CARGO_MANIFEST_DIR")), &confinement.script(), "seal_on_write");
        setup.azure = azure();
        setup.event_grid = event_grid(arguments.seed);
        setup.queue_speed = QUEUE_SPEED;
        // Every kill is an error of the handler for the host, which gives up at the third.
        setup.host.errors_until_down = usize::MAX;
        let azure = LocalAzure::start(setup, |serving| {
            proxy.leads(ARM_HOST, &serving.arm_https);
            to_identity.leads(&serving.identity);
            let settings = [
                ("HTTPS_PROXY", format!("http://{}", to_proxy.address())),
                ("IDENTITY_ENDPOINT", format!("http://{}/msi/token", to_identity.address())),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", to_collector.address())),
                ("OTEL_BSP_SCHEDULE_DELAY", "500".to_owned()),
                ("OTEL_METRIC_EXPORT_INTERVAL", "2000".to_owned()),
                ("DISKSEAL_SWEEP_SCHEDULE", "0 17 * * * *".to_owned()),
            ];
            let settings = settings.into_iter().chain(world::settings());
            settings.map(|(name, value)| (name.to_owned(), value)).collect()
        })
        .await?;
        let instances = arguments.instances;
        for group in killable() {
            azure.host.set_instances(&group, instances)?;
        }
        azure.host.ready().await?;
        Ok(Self {
            azure,
            collector,
            to_collector,
            to_identity,
            to_proxy,
            confinement,
            instances,
            _proxy: proxy,
        })
    }

    /// The processes that nobody kills: the first of each group, if there is another.
    pub(crate) fn lasting(&self) -> Vec<u32> {
        let groups = killable().into_iter().filter(|_| self.instances > 1);
        groups.filter_map(|group| self.azure.host.instances(&group).first()?.pid()).collect()
    }
}

/// The groups of which there are several instances.
pub(crate) fn killable() -> [FunctionGroup; 2] {
    [FunctionGroup::Http, FunctionGroup::Function("seal_queued".to_owned())]
}

/// Azure with its limits and its operations, whose waits are shortened.
fn azure() -> Options {
    let mut options = Options {
        // A token is renewed every minute.
        token_lifetime: Duration::from_mins(6),
        // The observer takes every exchange.
        journal: Keep::All,
        ..Options::default()
    };
    if let OperationStyle::Asynchronous(style) = &mut options.operations {
        style.retry_after_accepted = Some(1);
        style.retry_after_polling = Some(1);
    }
    options
}

fn event_grid(seed: u64) -> EventGridOptions {
    EventGridOptions {
        seed,
        speed: EVENT_GRID_SPEED,
        loss: 0.05,
        duplicates: Duplicates::Sometimes(0.1),
        disorder: Duration::from_mins(5),
        jitter: 0.5,
        max_events_per_batch: 8,
        // A kill every few seconds would keep the endpoint on probation, and the run would wait for most of its time.
        probation_after: 0,
        ..EventGridOptions::default()
    }
}
