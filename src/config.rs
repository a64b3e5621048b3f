//! Settings: app settings in Azure, and the same as flags on the command line, from one table.
//!
//! Reading them is a pure function of a lookup, and tells every fault at once.

mod setting;

use std::{fmt, num::NonZeroU32, time::Duration};

use azure_core::cloud::CloudConfiguration;
pub use setting::{PORT, SETTINGS, Setting, Use};
use url::Url;

use crate::{
    azure::{Credential, IdentityOptions},
    policy::{BackupGuard, Exemptions, Limits, MachineEvents, Mode, Patterns, Policy, TagRule},
    resource::tags,
    resource_id::{self, Estate},
    telemetry::AzureMonitor,
};

/// An Azure cloud, by the name that Microsoft's tools give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    /// The public cloud.
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure operated by 21Vianet.
    China,
}

impl Cloud {
    const fn arm_endpoint(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::UsGovernment => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    const fn arm_audience(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com/",
            Self::UsGovernment => "https://management.core.usgovcloudapi.net/",
            Self::China => "https://management.chinacloudapi.cn/",
        }
    }

    /// The resource of a token that sends telemetry to Azure Monitor ("Logs Ingestion API in Azure Monitor").
    const fn monitor_audience(self) -> &'static str {
        match self {
            Self::Public => "https://monitor.azure.com",
            Self::UsGovernment => "https://monitor.azure.us",
            Self::China => "https://monitor.azure.cn",
        }
    }

    /// Whose Microsoft Entra ID is asked. None is the public one, or what `AZURE_AUTHORITY_HOST` says.
    fn authority(self) -> Option<CloudConfiguration> {
        match self {
            Self::Public => None,
            Self::UsGovernment => Some(CloudConfiguration::AzureGovernment),
            Self::China => Some(CloudConfiguration::AzureChina),
        }
    }
}

/// Everything that is set from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// The rules.
    pub policy: Policy,
    /// Azure Resource Manager's base URL: HTTPS, or plain HTTP on loopback.
    pub arm_endpoint: Url,
    /// With whose token it is asked.
    pub identity: IdentityOptions,
    /// How many writes a second and subscription a sweep sends at most.
    pub pace: Option<NonZeroU32>,
    /// How long one invocation may take, all waits included.
    pub deadline: Duration,
    /// Azure Monitor's OTLP ingestion, where telemetry goes there.
    pub azure_monitor: AzureMonitor,
    /// With whose token that is asked.
    pub monitor_identity: IdentityOptions,
}

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub name: &'static str,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// Every wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} wrong setting{}:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|Fault { name, message }| write!(f, "\n  {name}: {message}"))
    }
}

/// Reads settings one by one and keeps every fault.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// An empty value counts as none: that is how app settings are switched off.
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn parsed<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|message| self.faults.push(Fault { name, message })).ok()
    }

    fn one_of<T: Copy>(&mut self, name: &'static str, allowed: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            let found = allowed.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found.map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<_> = allowed.iter().map(|(word, _)| *word).collect();
                format!("{text:?} is not one of {}", words.join(", "))
            })
        })
    }

    fn finish<T>(self, value: T) -> Result<T, Faults> {
        if self.faults.is_empty() { Ok(value) } else { Err(Faults(self.faults)) }
    }
}

impl Config {
    /// Reads every setting from `lookup`, which knows variables by name, for a command that a person runs:
    /// without a word on the credential, it is that person's.
    pub fn for_command(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut reader = Reader { lookup, faults: vec![] };
        let config = Self::read(&mut reader, Credential::AzureCli);
        reader.finish(config)
    }

    /// Reads every setting of the custom handler, and the port on which the Functions host expects it.
    pub fn for_serve(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Self, u16), Faults> {
        let mut reader = Reader { lookup, faults: vec![] };
        let config = Self::read(&mut reader, Credential::ManagedIdentity);
        let is_missing = reader.text(PORT.name).is_none();
        let port = reader.parsed(PORT.name, |text| {
            text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                format!("{text:?} is not a port: the Functions host sets a number from 1 to 65535")
            })
        });
        if is_missing {
            let message = "is not set: the Functions host sets it; to try by hand, give --port, for example --port 7071";
            reader.faults.push(Fault { name: PORT.name, message: message.to_owned() });
        }
        reader.finish((config, port.unwrap_or_default()))
    }

    fn read(reader: &mut Reader<'_>, credential: Credential) -> Self {
        let cloud = reader
            .one_of(
                "DISKSEAL_CLOUD",
                &[
                    ("AzurePublic", Cloud::Public),
                    ("AzureUSGovernment", Cloud::UsGovernment),
                    ("AzureChina", Cloud::China),
                ],
            )
            .unwrap_or(Cloud::Public);
        let endpoint = reader.parsed("DISKSEAL_ARM_ENDPOINT", endpoint);
        let identity = identity(reader, cloud, credential);
        Self {
            policy: policy(reader),
            arm_endpoint: endpoint.or_else(|| Url::parse(cloud.arm_endpoint()).ok()).unwrap_or_else(unset),
            monitor_identity: IdentityOptions {
                audience: cloud.monitor_audience().to_owned(),
                ..identity.clone()
            },
            identity,
            azure_monitor: AzureMonitor {
                traces: reader.parsed("DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT", ingestion("traces")),
                metrics: reader.parsed("DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT", ingestion("metrics")),
                logs: reader.parsed("DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT", ingestion("logs")),
            },
            pace: reader.parsed("DISKSEAL_PACE", |text| {
                text.parse()
                    .map_err(|_| format!("{text:?} is not a whole number of writes a second, 1 or more"))
            }),
            deadline: reader
                .parsed("DISKSEAL_DEADLINE", |text| {
                    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=600).contains(seconds));
                    seconds
                        .map(Duration::from_secs)
                        .ok_or_else(|| format!("{text:?} is not a whole number of seconds from 1 to 600"))
                })
                .unwrap_or(Duration::from_secs(25)),
        }
    }
}

fn identity(reader: &mut Reader<'_>, cloud: Cloud, default: Credential) -> IdentityOptions {
    let credential = reader.one_of(
        "DISKSEAL_CREDENTIAL",
        &[
            ("managed-identity", Credential::ManagedIdentity),
            ("workload-identity", Credential::WorkloadIdentity),
            ("azure-cli", Credential::AzureCli),
        ],
    );
    let audience = reader.parsed("DISKSEAL_ARM_AUDIENCE", |text| {
        Url::parse(text)
            .map(|_| text.to_owned())
            .map_err(|error| format!("{text:?} is not a URL ({error}); for example {}", cloud.arm_audience()))
    });
    IdentityOptions {
        credential: credential.unwrap_or(default),
        client_id: reader.parsed("AZURE_CLIENT_ID", |text| {
            uuid::Uuid::try_parse(text)
                .map(|_| text.to_owned())
                .map_err(|_| format!("{text:?} is not a GUID: give the identity's client ID"))
        }),
        cloud: cloud.authority(),
        audience: audience.unwrap_or_else(|| cloud.arm_audience().to_owned()),
    }
}

/// A URL that no request can be sent to; it stands only beside a fault.
fn unset() -> Url {
    Url::from_file_path("/").unwrap_or_else(|()| unreachable!("the root is an absolute path"))
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = confidential(text)?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if is_bare {
        Ok(url)
    } else {
        Err(format!("{text:?} must be a scheme and a host alone, for example https://management.azure.com"))
    }
}

/// A whole URL of Azure Monitor's OTLP ingestion, of one signal.
fn ingestion(signal: &'static str) -> impl Fn(&str) -> Result<Url, String> {
    move |text| {
        let end = format!("/otlp/v1/{signal}");
        let url = confidential(text)?;
        if url.path().ends_with(&end) {
            Ok(url)
        } else {
            Err(format!(
                "{text:?} must be a whole URL of {signal}: \
                 https://{{host}}/datacollectionRules/{{immutable ID}}/streams/{{stream}}{end}"
            ))
        }
    }
}

/// A URL to which a token may be sent.
fn confidential(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not a URL ({error})"))?;
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    match url.scheme() {
        "https" | "http" if has_user || !url.has_host() => {
            Err(format!("{text:?} must name a host, and no user"))
        }
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        "http" => Err(format!("{text:?} would send tokens unencrypted: plain HTTP goes to loopback only")),
        scheme => Err(format!("{text:?} must be an https URL, not {scheme}")),
    }
}

fn policy(reader: &mut Reader<'_>) -> Policy {
    let mode = reader.one_of("DISKSEAL_MODE", &[("enforce", Mode::Enforce), ("audit", Mode::Audit)]);
    let mut patterns = |name| reader.parsed(name, str::parse::<Patterns>).unwrap_or_default();
    let subscriptions = patterns("DISKSEAL_EXEMPT_SUBSCRIPTIONS");
    let resource_groups = patterns("DISKSEAL_EXEMPT_RESOURCE_GROUPS");
    let names = patterns("DISKSEAL_EXEMPT_NAMES");
    let tag = reader.parsed("DISKSEAL_EXEMPT_TAG", |name| {
        tags::check_name(name).map(|()| name.to_owned()).map_err(|error| error.to_string())
    });
    Policy {
        mode: mode.unwrap_or(Mode::Enforce),
        tags: reader
            .parsed("DISKSEAL_TAGS", tag_rules)
            .unwrap_or_else(|| tag_rules(setting::DEFAULT_TAGS).unwrap_or_default()),
        estate: estate(reader),
        exemptions: Exemptions { subscriptions, resource_groups, names, tag },
        limits: limits(reader),
        backup_guard: reader
            .one_of("DISKSEAL_BACKUP_GUARD", &[
                ("skip", BackupGuard::Skip),
                ("warn", BackupGuard::Warn),
                ("off", BackupGuard::Off),
            ])
            .unwrap_or(BackupGuard::Skip),
        machine_events: reader
            .one_of("DISKSEAL_MACHINE_EVENTS", &[("on", MachineEvents::On), ("off", MachineEvents::Off)])
            .unwrap_or(MachineEvents::On),
        switch: reader.parsed("DISKSEAL_SWITCH", |text| {
            resource_id::is_scope(text).then(|| text.to_owned()).ok_or_else(|| {
                format!("{text:?} is not a resource ID: /subscriptions/{{id}}, or a resource group or resource in it")
            })
        }),
    }
}

fn estate(reader: &mut Reader<'_>) -> Estate {
    let subscriptions = reader.parsed("DISKSEAL_SUBSCRIPTIONS", subscription_ids).unwrap_or_default();
    let name = "DISKSEAL_MANAGEMENT_GROUP";
    let group = reader.parsed(name, |text| {
        resource_id::is_management_group_id(text).then(|| text.to_owned()).ok_or_else(|| {
            format!(
                "{text:?} is not the ID of a management group, which is the last segment of its resource ID"
            )
        })
    });
    match group {
        Some(_) if !subscriptions.is_empty() => {
            let message =
                "is set together with DISKSEAL_SUBSCRIPTIONS: set one of them, for the scope is either";
            reader.faults.push(Fault { name, message: message.to_owned() });
            Estate::Visible
        }
        Some(id) => Estate::ManagementGroup(id),
        None if subscriptions.is_empty() => Estate::Visible,
        None => Estate::Subscriptions(subscriptions),
    }
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    Limits {
        max_resources: reader.parsed("DISKSEAL_MAX_RESOURCES", |text| {
            text.parse().map_err(|_| format!("{text:?} is not a whole number of resources"))
        }),
        max_percent: reader.parsed("DISKSEAL_MAX_PERCENT", |text| {
            let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
            percent.ok_or_else(|| format!("{text:?} is not a whole number from 1 to 100"))
        }),
    }
}

fn subscription_ids(list: &str) -> Result<Vec<String>, String> {
    list.split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(|id| {
            let is_id = resource_id::is_subscription_id(id);
            is_id.then(|| id.to_owned()).ok_or_else(|| format!("{id:?} is not a subscription ID (a GUID)"))
        })
        .collect()
}

fn tag_rules(list: &str) -> Result<Vec<TagRule>, String> {
    if list.eq_ignore_ascii_case("none") {
        return Ok(vec![]);
    }
    let rules = list
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair:?} is not name=value; write the word none for no tags"))?;
            TagRule::new(name.trim(), value.trim()).map_err(|error| error.to_string())
        })
        .collect::<Result<Vec<_>, _>>()?;
    for (index, rule) in rules.iter().enumerate() {
        if rules[..index].iter().any(|earlier| earlier.name().eq_ignore_ascii_case(rule.name())) {
            return Err(format!("the tag {:?} is there twice", rule.name()));
        }
    }
    if rules.len() > tags::TAGS_MAX {
        return Err(format!("{} tags: a resource can carry {}", rules.len(), tags::TAGS_MAX));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests;
