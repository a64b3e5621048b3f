//! Everything around one function app: Resource Manager and identity over sockets, Event Grid, the storage
//! account, a collector, and the app's instances with the real handler: one for each group of functions at first, as on
//! Flex Consumption.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{
    Emulator,
    arm::deployment::Deployment,
    collector::Collector,
    control::{Control, Platform},
    event_grid::{EventGrid, EventGridOptions},
    host::{FunctionApp, HostError, HostOptions, stage},
    options::Options,
    queue::Queues,
    serve::{Ports, Serving},
    storage::StorageAccount,
};

mod tables;

/// The configuration.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How Resource Manager and the identity endpoint behave.
    pub azure: Options,
    /// How Event Grid behaves.
    pub event_grid: EventGridOptions,
    /// Whether Event Grid drops the writes of the app's own identity, as the event subscriptions of `infra/` do. The
    /// filter is in addition to that of `event_grid`.
    pub drops_own_writes: bool,
    /// The function that Event Grid delivers to.
    pub function: String,
    /// The folder with host.json and `function-definitions`.
    pub repository_root: PathBuf,
    /// The handler's executable.
    pub handler: PathBuf,
    /// The folder of a deployed app, used unchanged instead of one created from the two above.
    pub app_root: Option<PathBuf>,
    /// The divisor of the queue's waits.
    pub queue_speed: f64,
    /// A real storage account instead of the one in process.
    pub storage: Option<StorageAccount>,
    /// The ports of Resource Manager, the identity endpoint, the control surface and the custom topic.
    /// Default: free ports.
    pub ports: Ports,
    /// Whether the event subscription exists. Without it, no event is raised.
    pub is_subscribed: bool,
    /// How the host sends bodies, and whether it sends `traceparent`. Its folder, settings and queues are
    /// overridden.
    pub host: HostOptions,
}

impl Setup {
    /// Azure with its real behaviour.
    pub fn new(repository_root: &Path, handler: &Path, function: &str) -> Self {
        Self {
            azure: Options::default(),
            event_grid: EventGridOptions::default(),
            drops_own_writes: true,
            function: function.to_owned(),
            repository_root: repository_root.to_owned(),
            handler: handler.to_owned(),
            app_root: None,
            queue_speed: 1.0,
            storage: None,
            ports: Ports::default(),
            is_subscribed: true,
            host: HostOptions::new(PathBuf::new()),
        }
    }
}

/// Why the start failed.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A socket or a folder cannot be created.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The Functions host refuses the app, or the app does not start.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// A running local Azure. Dropping it stops everything, the handler first.
#[derive(Debug)]
pub struct LocalAzure {
    /// The control surface over HTTP, and the custom topic.
    pub control: Control,
    /// Event Grid, which delivers to the host.
    pub event_grid: Arc<EventGrid>,
    /// The Functions host on the app's instances.
    pub host: Arc<FunctionApp>,
    /// The storage account behind `AzureWebJobsStorage`, unless it is a real one.
    pub queues: Queues,
    /// The collector at `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub collector: Arc<Collector>,
    /// The addresses.
    pub serving: Serving,
    /// Resource Manager and the identity endpoint.
    pub emulator: Emulator,
    /// The app's folder if it was created here; dropping deletes it.
    _staged: Option<TempDir>,
}

impl LocalAzure {
    /// Starts everything and waits until the handler answers. `app_settings` can use the addresses; they
    /// override the settings of the platform.
    pub async fn start(
        setup: Setup,
        app_settings: impl FnOnce(&Serving) -> BTreeMap<String, String>,
    ) -> Result<Self, SetupError> {
        let emulator = Emulator::new(setup.azure);
        let serving = emulator.serve_on(setup.ports).await?;
        let collector = Arc::new(Collector::start().await?);
        let queues = Queues::new(setup.queue_speed);

        let (app_root, staged) = if let Some(app_root) = setup.app_root {
            (app_root, None)
        } else {
            let staged = tempfile::tempdir()?;
            stage(&setup.repository_root, &setup.handler, staged.path())?;
            (staged.path().to_owned(), Some(staged))
        };
        let mut settings = platform_settings(&emulator, &serving, &collector);
        settings.extend(app_settings(&serving));
        let pairs: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        emulator.install(APP, &pairs);
        let options =
            HostOptions { app_root, settings, queues: queues.clone(), storage: setup.storage, ..setup.host };
        let host = Arc::new(FunctionApp::start(options, MAXIMUM_INSTANCES)?);
        host.ready().await?;
        emulator.deploy(Deployment {
            app: APP.to_owned(),
            function: setup.function.clone(),
            functions: host
                .functions()
                .into_iter()
                .map(|name| (name.clone(), host.is_disabled(&name)))
                .collect(),
            is_subscribed: setup.is_subscribed,
        });
        emulator.serve_queues(&queues);
        let (weak, recorder, clock) = (Arc::downgrade(&collector), Arc::downgrade(&host), emulator.clock());
        emulator.put_workspace(WORKSPACE, APPLICATION_ID, move |table| {
            tables::rows(table, &weak, &recorder, clock.now())
        });
        let endpoint = host.event_grid(&setup.function);
        let mut subscription = setup.event_grid;
        if setup.drops_own_writes {
            subscription.excluded_app_ids.push(emulator.options().identity.client_id.clone());
        }
        emulator.exclude_app_ids(&subscription.excluded_app_ids);
        let writes =
            if setup.is_subscribed { emulator.subscribe_writes() } else { mpsc::unbounded_channel().1 };
        let event_grid = Arc::new(EventGrid::start(writes, subscription, endpoint));
        let platform = Platform { host: Arc::downgrade(&host), event_grid: Arc::downgrade(&event_grid) };
        let control =
            Control::start_with(&emulator, &collector, Some(platform), &serving, setup.ports).await?;
        Ok(Self { control, event_grid, host, queues, collector, serving, emulator, _staged: staged })
    }
}

/// The default of `maximumInstances` in the project's templates.
const MAXIMUM_INSTANCES: usize = 10;

/// The function app, as `platform_settings` names it.
pub const APP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal/providers/\
                       Microsoft.Web/sites/func-seal";

/// The workspace of the app's telemetry.
pub const WORKSPACE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal/providers/\
                             Microsoft.OperationalInsights/workspaces/log-seal";

/// The application ID of the component that stores in it.
const APPLICATION_ID: &str = "a99a99a9-0000-4000-8000-000000000001";

/// The settings that App Service sets, and those of every app.
fn platform_settings(
    emulator: &Emulator,
    serving: &Serving,
    collector: &Collector,
) -> BTreeMap<String, String> {
    [
        ("IDENTITY_ENDPOINT", serving.identity.clone()),
        ("IDENTITY_HEADER", serving.identity_header.clone()),
        ("AZURE_CLIENT_ID", emulator.options().identity.client_id.clone()),
        ("SSL_CERT_FILE", serving.ca_pem.display().to_string()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()),
        ("AzureWebJobsStorage__queueServiceUri", serving.arm_https.clone()),
        (
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            format!("InstrumentationKey=00000000-0000-0000-0000-000000000000;ApplicationId={APPLICATION_ID}"),
        ),
        ("REGION_NAME", "West Europe".to_owned()),
        ("WEBSITE_SITE_NAME", "func-seal".to_owned()),
        ("WEBSITE_RESOURCE_GROUP", "rg-seal".to_owned()),
        (
            "WEBSITE_OWNER_NAME",
            "11111111-2222-4333-8444-555555555555+rg-seal-WestEuropewebspace-Linux".to_owned(),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
