//! Settings: app settings in Azure, and the same as flags on the command line, one row each.
//!
//! Reading them is a pure function of a lookup, and reports every fault at once.

mod azure;
mod cloud;
mod limits;
mod monitor;
mod scope;
mod seal;
mod serve;
mod setting;
mod values;

use std::{fmt, time::Duration};

pub use azure::{container, without_secrets};
pub use scope::EXEMPTIONS_NAME as EXEMPTIONS;
pub use setting::{Fallback, Setting, Use, Value, is_unresolved};
pub use values::Config;

use crate::{azure::Credential, enforce::Options, policy::Policy, telemetry::AzureMonitor};

/// One invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub name: &'static str,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// Every invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl std::error::Error for Faults {}

impl Faults {
    /// The names of the settings.
    pub fn names(&self) -> String {
        self.0.iter().map(|fault| fault.name).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        // The names come first: a reader may lose or cut off what follows.
        write!(f, "{count} invalid setting{}: {}", if count == 1 { "" } else { "s" }, self.names())?;
        self.0.iter().try_for_each(|Fault { name, message }| write!(f, "\n  {name}: {message}"))
    }
}

/// Every setting, in the order in which they are read and listed.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    of_installation().chain([azure::ALL, monitor::ALL, serve::ALL].into_iter().flatten())
}

/// The settings that every process of an installation shares: what is sealed, and how. The others are about one
/// process: who it is, where Azure is, and how it serves.
pub fn of_installation() -> impl Iterator<Item = &'static Setting> {
    [seal::ALL, scope::ALL, limits::ALL].into_iter().flatten()
}

/// The settings with the addresses of Azure Monitor's OTLP ingestion.
pub fn of_ingestion() -> impl Iterator<Item = &'static Setting> {
    monitor::ALL.iter()
}

impl Config {
    /// Reads every setting from `lookup`, which knows variables by name, for a command that a person runs. Such a
    /// command signs in as that person unless the settings name another credential.
    ///
    /// # Errors
    /// Every invalid setting.
    pub fn for_command(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let (config, faults) = Self::read(lookup, Credential::AzureCli);
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    /// Reads every setting of the custom handler, and the port on which the Functions host expects it.
    ///
    /// # Errors
    /// Every invalid setting; a missing port is one.
    pub fn for_serve(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, u16), Faults> {
        let (config, mut faults) = Self::read(lookup, Credential::ManagedIdentity);
        let name = serve::PORT.name;
        match config.port {
            Some(port) if faults.is_empty() => return Ok((config, port.get())),
            None if faults.iter().all(|fault| fault.name != name) => {
                let message = "is not set: the Functions host sets it; to run the handler by hand, give --port, for \
                               example --port 7071";
                faults.push(Fault { name, message: message.to_owned() });
            }
            _ => {}
        }
        Err(Faults(faults))
    }

    fn read(lookup: &dyn Fn(&str) -> Option<String>, credential: Credential) -> (Self, Vec<Fault>) {
        // What has a default text is set by its row below.
        let mut config = Self {
            policy: Policy::default(),
            options: Options::default(),
            pace: None,
            deadline: Duration::ZERO,
            azure_monitor: AzureMonitor::default(),
            traces_unchanged_ratio: 1.0,
            cloud: cloud::PUBLIC,
            arm_endpoint: None,
            arm_audience: None,
            credential,
            client_id: None,
            port: None,
            sweep_schedule: None,
            evidence: None,
        };
        let mut faults = vec![];
        for setting in settings() {
            let default =
                || matches!(setting.default, Fallback::Text(_)).then(|| setting.default.text().to_owned());
            let Some(text) = setting.given(lookup).or_else(default) else { continue };
            if let Err(message) = setting.read(&mut config, &text) {
                faults.push(Fault { name: setting.name, message });
            }
        }
        (config, faults)
    }
}

#[cfg(test)]
mod tests;
