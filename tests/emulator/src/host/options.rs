//! How the host is set up, and why it cannot start.

use std::{collections::BTreeMap, io, path::PathBuf};

use thiserror::Error;

use super::{FunctionGroup, Reading, json::Token};
use crate::{
    queue::Queues,
    storage::{StorageAccount, StorageError},
};

/// An app setting with which listeners look at an idle queue every 0.1 s, for tests on a queue in real time.
pub const LOOK_OFTEN: (&str, &str) =
    ("AzureFunctionsJobHost__extensions__queues__maxPollingInterval", "00:00:00.1");

/// Some variables of the host's image.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("DOTNET_RUNNING_IN_CONTAINER", "true"),
    ("FUNCTIONS_EXTENSION_VERSION", "~4"),
    ("HOME", "/home"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
];

/// What the Event Grid extension does to texts in events that have the form of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventDates {
    /// It writes them anew, as recorded with version 3.3.0.
    Rewritten,
    /// It leaves them alone, from version 3.4.3 on.
    Kept,
}

impl EventDates {
    pub(super) fn read(self, event: Token) -> Token {
        match self {
            Self::Rewritten => event.with_dates(),
            Self::Kept => event,
        }
    }
}

/// How the host is set up.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The app's root folder, as `stage` creates it.
    pub app_root: PathBuf,
    /// The app settings, which belong to the host's environment.
    /// `AzureFunctionsJobHost__a__b` overrides `a.b` of host.json.
    pub settings: BTreeMap<String, String>,
    /// The rest of the host's environment, which the handler gets as well. That of the tests is not passed on, because
    /// it would differ between machines.
    pub environment: BTreeMap<String, String>,
    /// The storage account behind `AzureWebJobsStorage`.
    pub queues: Queues,
    /// A real storage account in place of `queues`.
    pub storage: Option<StorageAccount>,
    /// Whether queue triggers listen.
    pub listen_to_queues: bool,
    /// The group whose functions this instance listens to, as on Flex Consumption. None means all functions for
    /// a host, and every group for an app.
    pub group: Option<FunctionGroup>,
    /// Whether bodies are sent in chunks, as in Azure, or with their length, as with Core Tools.
    pub chunked: bool,
    /// Whether `traceparent` is sent, which depends on the host's telemetry.
    pub traceparent: bool,
    /// Its trace flags: 1 if the trace is sampled. Where App Service or the host records nothing itself, they are 0
    /// (open-telemetry/opentelemetry-dotnet-contrib #2206, Azure/azure-sdk-for-js #31082).
    pub trace_flags: u8,
    /// What becomes of dates in events.
    pub event_dates: EventDates,
    /// The processors of an instance, which the default of `newBatchThreshold` depends on; one of 2,048 MB has one.
    pub processors: usize,
    /// The number of the handler error within 30 minutes that shuts the host down; in Azure the third. The
    /// platform would then start another host, so a long simulation may need more.
    pub errors_until_down: usize,
    /// How the host reads the handler's standard output and standard error.
    pub reading: Reading,
    /// The host's version, without its last part.
    pub host_version: String,
}

impl HostOptions {
    /// A host as in Azure, with an empty storage account in real time.
    pub fn new(app_root: impl Into<PathBuf>) -> Self {
        Self {
            app_root: app_root.into(),
            settings: BTreeMap::new(),
            environment: ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            queues: Queues::new(1.0),
            storage: None,
            listen_to_queues: true,
            group: None,
            chunked: true,
            traceparent: true,
            trace_flags: 1,
            event_dates: EventDates::Rewritten,
            processors: 1,
            errors_until_down: 3,
            reading: Reading::AtOnce,
            host_version: "4.1052.200".to_owned(),
        }
    }

    /// The host's whole environment.
    pub(super) fn whole_environment(&self) -> BTreeMap<String, String> {
        self.environment.iter().chain(&self.settings).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Whether an app setting disables a function ("How to disable functions in Azure Functions"; the recording
    /// `host/function-disabled.json`).
    pub(super) fn disables(&self, name: &str) -> bool {
        let names = [format!("AzureWebJobs.{name}.Disabled"), format!("AzureWebJobs_{name}_Disabled")];
        let is_one = |name: &String| names.iter().any(|one| name.eq_ignore_ascii_case(one));
        let mut values = self.settings.iter().filter(|(name, _)| is_one(name));
        values.any(|(_, value)| value == "1" || value.eq_ignore_ascii_case("true"))
    }
}

/// Why the host cannot start, or has stopped.
#[derive(Debug, Error)]
pub enum HostError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The content of a file is invalid.
    #[error("{}: {fault}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// host.json names no executable.
    #[error("host.json has no customHandler.description.defaultExecutablePath")]
    NoExecutable,
    /// No direct child folder of the root holds a function.json.
    #[error("no functions found")]
    NoFunctions,
    /// The name of a folder is not a function name.
    #[error(
        "{name:?} is not a function name: a letter, then letters, digits, _ or -, up to 128, and not host"
    )]
    FunctionName {
        /// The folder's name.
        name: String,
    },
    /// The name of a binding is invalid.
    #[error("{function}: {binding:?} is not a binding name: a letter, then letters and digits, up to 128")]
    BindingName {
        /// The function.
        function: String,
        /// The binding's name.
        binding: String,
    },
    /// A binding that only the extension bundle provides.
    #[error("the binding type {kind} is not registered: host.json has no valid extensionBundle")]
    BindingNotRegistered {
        /// The binding's type.
        kind: String,
    },
    /// `telemetryMode` is unknown or not at the root of host.json, the only place where it has an effect.
    #[error("telemetryMode must be OpenTelemetry or ApplicationInsights, at the root of host.json")]
    TelemetryMode,
    /// `%NAME%` is not the name of an app setting.
    #[error("'%{name}%' does not resolve to a value")]
    UnknownSetting {
        /// The setting's name.
        name: String,
    },
    /// A duration in host.json is invalid.
    #[error("host.json: {key} is not a time span: {value:?}")]
    TimeSpan {
        /// The path of the value, with dots.
        key: String,
        /// The value.
        value: String,
    },
    /// A value under `extensions.queues` of host.json that the Storage extension refuses.
    #[error("host.json: extensions.queues.{option} is out of range")]
    QueueOption {
        /// The option's name.
        option: String,
    },
    /// The storage account cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No port of loopback is free.
    #[error("no port is free")]
    NoPort,
    /// No function has this name.
    #[error("the function {0:?} does not exist")]
    NoFunction(String),
    /// The host has shut down, or the handler has exited with code 0.
    #[error("the host is down: {0}")]
    Down(String),
}
