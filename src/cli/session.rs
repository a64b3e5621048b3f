//! What every command that a person runs shares: settings, identity, ARM, exit codes.

use std::{process::ExitCode, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use time::OffsetDateTime;
use tokio::runtime::{Handle, Runtime};

use crate::{
    arm::Client,
    azure::{Identity, Terms, http_client},
    config::Config,
    enforce::{Concern, Context, Error, Outcome, Unsealed},
    policy::decide::Decision,
    telemetry::{Audience, Authorize, Connection, Telemetry},
};

/// How long telemetry may take to leave at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How a command ended. For a resource, the outcome decides; of several, the highest code counts.
///
/// | code | when |
/// | --- | --- |
/// | 0 | `sealed`, `already_sealed`, `exempt`, and `gone` of what a listing named; for `unseal`: `unsealed`, `already_unsealed`; a dry run that was carried out |
/// | 1 | whatever else leaves a resource without the seal (`pending`, `would_seal`, `left_to_sweep`, `switched_off`, `protected`, unreadable in a listing), or for `unseal` with it; `not_found`; a sweep that a limit or the switch stopped; Ctrl-C |
/// | 2 | a wrong command line or wrong settings: nothing was tried |
/// | 3 | Azure could not be asked (`failed`) |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Done.
    #[default]
    Done,
    /// A resource is not as it should be.
    NotAll,
    /// A wrong command line or wrong settings: nothing was tried.
    Usage,
    /// Azure could not be asked.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::NotAll => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        })
    }
}

impl From<&Result<Outcome, Error>> for Exit {
    fn from(result: &Result<Outcome, Error>) -> Self {
        match result {
            Ok(
                Outcome::Sealed(_)
                | Outcome::Resealed(_)
                | Outcome::Tagged(_)
                | Outcome::Retagged(_)
                | Outcome::AlreadySealed
                | Outcome::Exempt(_)
                | Outcome::Gone,
            ) => Self::Done,
            Ok(
                Outcome::WouldSeal(_) | Outcome::NotFound | Outcome::LeftToSweep(_) | Outcome::SwitchedOff,
            ) => Self::NotAll,
            Err(error) => error.into(),
        }
    }
}

impl From<&Result<Unsealed, Error>> for Exit {
    fn from(result: &Result<Unsealed, Error>) -> Self {
        match result {
            Ok(Unsealed::Unsealed | Unsealed::AlreadyUnsealed) => Self::Done,
            Ok(Unsealed::WouldUnseal | Unsealed::NotFound) => Self::NotAll,
            Err(error) => error.into(),
        }
    }
}

impl From<&Decision> for Exit {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Compliant | Decision::Exempt(_) => Self::Done,
            Decision::Pending(_) | Decision::Seal(_) => Self::NotAll,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.concern() {
            Concern::Resource => Self::NotAll,
            Concern::System => Self::Unreachable,
        }
    }
}

/// A person's session with Azure.
pub(super) struct Session {
    pub(super) ctx: Arc<Context>,
    pub(super) config: Config,
}

impl Session {
    /// The terms of one resource, from now on.
    pub(super) fn terms(&self) -> Terms {
        Terms::behind_events(self.config.deadline)
    }
}

/// Reads the settings, signs in, runs `command` until it ends or Ctrl-C, and flushes telemetry.
pub(super) fn run<F>(lookup: &dyn Fn(&str) -> Option<String>, command: impl FnOnce(Session) -> F) -> ExitCode
where
    F: Future<Output = Exit>,
{
    let config = match Config::for_command(lookup) {
        Ok(config) => config,
        Err(faults) => return complain(&faults.to_string(), Exit::Usage),
    };
    let telemetry = Telemetry::start(lookup, Audience::Person, &config.azure_monitor);
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => return complain(&format!("no async runtime: {fault}"), Exit::Usage),
    };
    let exit = match azure(&config, runtime.handle().clone()) {
        Ok((ctx, connection)) => {
            telemetry.connect(connection);
            runtime.block_on(command(Session { ctx, config })).into()
        }
        Err(fault) => complain(&fault, Exit::Usage),
    };
    // The runtime carries the last exports.
    telemetry.stop(FLUSH_TIMEOUT);
    exit
}

/// Everything that enforcing and exporting need, from the settings.
pub(super) fn azure(config: &Config, runtime: Handle) -> Result<(Arc<Context>, Connection), String> {
    let http = http_client().map_err(|fault| format!("no HTTP client: {fault:?}"))?;
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
    let client = Client::new(endpoint, http, identity, config.pace);
    let context = Context::new(client, config.policy.clone(), config.options.clone(), now);
    Ok((Arc::new(context), connection))
}

/// The wall clock. Everything else takes it as an argument, so that a test can set it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// One line on standard error.
#[expect(clippy::print_stderr, reason = "meant for whoever runs the command")]
pub(super) fn complain(fault: &str, exit: Exit) -> ExitCode {
    eprintln!("diskseal: {fault}");
    exit.into()
}

/// One line on standard output. A reader that has gone, as `head` does, is no fault of ours.
pub(super) fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A bar of this form on a terminal; elsewhere it draws nothing.
pub(super) fn progress(form: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_finish(ProgressFinish::AndClear)
}
