//! What all interactive commands share: settings, identity, ARM.

use std::{process::ExitCode, sync::Arc, time::Duration};

use azure_core::http::{HttpClient, Url};
use clap::ArgMatches;
use time::OffsetDateTime;
use tokio::runtime::{Handle, Runtime};
use tracing::warn;

pub(super) use super::{
    answer::Exit,
    output::{complain, note, print, say},
};
use super::{
    flags,
    installation::{self, Installation, Reach, Refusal},
    interrupt::{stopped_with, unless_interrupted},
    narrowing,
    output::above_bar,
    queue, scope,
};
use crate::{
    arm::Client,
    azure::{Identity, Terms, network, proxy_faults},
    config::{Config, is_unresolved},
    enforce::Context,
    telemetry::{Audience, Authorize, Connection, Telemetry, write_lines},
};

/// Time limit for the last export of telemetry.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// A person's session with Azure.
pub(super) struct Session {
    pub(super) ctx: Arc<Context>,
    pub(super) config: Config,
    /// The installation whose settings apply; `None` if the command's own settings apply.
    pub(super) installation: Option<Installation>,
    /// Whether the scope is a default, so that the command must ask for confirmation before its first write.
    pub(super) asks: bool,
}

impl Session {
    /// The queue service that the installation's settings name, with an identity for it; None if there is none, or its
    /// address is not Azure's.
    pub(super) fn queue_service(&self, http: &Arc<dyn HttpClient>) -> Option<(Url, Identity)> {
        let named = self.installation.as_ref()?.queue_service.as_deref()?;
        let url = queue::of_app(named, &self.config.arm_endpoint().ok()?)?;
        queue::service(&url, &self.config.identity(), http, now).ok()
    }

    /// The terms of one resource, starting now.
    pub(super) fn terms(&self) -> Terms {
        Terms::behind_events(self.config.deadline)
    }
}

/// Reads the settings, signs in, runs `command` until it ends or Ctrl-C, and flushes telemetry.
pub(super) fn run<F>(matches: &ArgMatches, reach: Reach, command: impl FnOnce(Session) -> F) -> ExitCode
where
    F: Future<Output = Exit>,
{
    if let Some(fault) = flags::clash(matches) {
        return complain(fault, Exit::Usage);
    }
    if let Some(fault) = narrowing::fault(matches, now()) {
        return complain(&fault, Exit::Usage);
    }
    let lookup = flags::lookup(matches, None);
    let config = match Config::for_command(&lookup) {
        Ok(config) => config,
        Err(faults) => return complain(&flags::faults(matches, None, &faults), Exit::Usage),
    };
    write_lines(|write| above_bar(write));
    // Of what a person does, every trace is exported.
    let telemetry = Telemetry::start(&lookup, Audience::Person, &config.azure_monitor, 1.0);
    warn_of_environment();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => return complain(&format!("no async runtime: {fault}"), Exit::Usage),
    };
    let exit = match client(&config, runtime.handle().clone()) {
        Ok((arm, connection)) => {
            telemetry.connect(connection);
            runtime.block_on(async {
                match unless_interrupted(open(arm, config, matches, reach)).await {
                    Some(Ok(session)) => command(session).await.into(),
                    Some(Err((fault, exit))) => complain(&fault, exit),
                    None => stopped_with("nothing was done").into(),
                }
            })
        }
        Err(fault) => complain(&fault, Exit::Usage),
    };
    // The last exports need the runtime.
    telemetry.stop(FLUSH_TIMEOUT);
    exit
}

/// Opens a session with the installation's settings, if there is one.
async fn open(
    arm: Client,
    mut config: Config,
    matches: &ArgMatches,
    reach: Reach,
) -> Result<Session, Refusal> {
    // The Azure CLI takes up to 15 s, which is not to be a part of a resource's deadline. A failure is the first
    // request's to report, in the command's own form.
    let _ = arm.identity().sign_in().await;
    let installation = installation::find(&arm, matches, reach).await?;
    if let Some(found) = &installation {
        let ignored = flags::ignored(matches, found);
        if !ignored.is_empty() {
            note(&format!(
                "ignored environment variables, because the app's settings apply: {}",
                ignored.join(", ")
            ));
        }
        let read = Config::for_command(&flags::lookup(matches, Some(found)));
        config = read.map_err(|faults| (flags::faults(matches, Some(found), &faults), Exit::Usage))?;
    }
    config.options.selection = narrowing::of(matches, now());
    let asks = scope::confine(&mut config, matches, reach, installation.is_some()).await?;
    let arm = arm.at_pace(config.pace);
    let ctx = Arc::new(Context::new(arm, config.policy.clone(), config.options.clone(), now));
    Ok(Session { ctx, config, installation, asks })
}

/// Builds the ARM client and the telemetry connection from the settings.
pub(super) fn client(config: &Config, runtime: Handle) -> Result<(Client, Connection), String> {
    let client = network().map_err(|fault| format!("no HTTP client: {fault}"))?;
    let http: Arc<dyn HttpClient> = Arc::new(client.clone());
    let identity = |options| Identity::new(&options, &http, now).map_err(|fault| fault.to_string());
    let is_monitored = config.azure_monitor.endpoints().next().is_some();
    let authorize = is_monitored.then(|| identity(config.monitor_identity())).transpose()?;
    let connection = Connection {
        runtime,
        http: Arc::clone(&http),
        authorize: authorize.map(|identity| Arc::new(identity) as Arc<dyn Authorize>),
    };
    let identity = identity(config.identity())?;
    let endpoint = config.arm_endpoint().map_err(|fault| fault.to_string())?;
    Ok((Client::new(endpoint, client, identity, config.pace), connection))
}

/// Warns about each variable of the environment that cannot be used: a proxy's, and one that holds an
/// unresolved reference instead of its intended value. In Diskseal's own settings, an unresolved reference is a fault.
pub(super) fn warn_of_environment() {
    for fault in proxy_faults(&|name| std::env::var(name).ok()) {
        warn!("{fault}");
    }
    for (name, value) in std::env::vars_os() {
        if value.to_str().is_some_and(is_unresolved) {
            warn!(
                "{} holds an unresolved reference to Key Vault or App Configuration, so its value is wrong",
                name.display()
            );
        }
    }
}

/// The wall clock. Everything else takes it as an argument, so that a test can set it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
