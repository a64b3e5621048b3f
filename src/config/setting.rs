//! The table of settings: variable, flag and help text, each said once.

/// Which commands have a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Every command that talks to Azure.
    Always,
    /// Sweeps, on the timer and on the command line.
    Sweep,
    /// The custom handler alone.
    Serve,
}

/// One setting: an environment variable, and the flag of the same meaning.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The flag's name, without its dashes.
    pub flag: &'static str,
    /// What stands for the value in the help text.
    pub value: &'static str,
    /// What it does, what is allowed, and what holds without it.
    pub help: &'static str,
    /// Which commands have it.
    pub used: Use,
}

/// The tags of the seal where nothing else is set.
pub(super) const DEFAULT_TAGS: &str =
    "diskseal-auth-mode=AzureActiveDirectory,diskseal-sealed-at={sealed_at}";

/// The port on which the Functions host expects its handler.
pub const PORT: Setting = Setting {
    name: "FUNCTIONS_CUSTOMHANDLER_PORT",
    flag: "port",
    value: "PORT",
    help: "Port to listen on, on 127.0.0.1 only. The Functions host sets it",
    used: Use::Serve,
};

/// Every setting.
pub const SETTINGS: [Setting; 25] = [
    PORT,
    Setting {
        name: "DISKSEAL_MODE",
        flag: "mode",
        value: "enforce|audit",
        help: "Whether to seal, or only to say what would be sealed and never write [default: enforce]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_CLOUD",
        flag: "cloud",
        value: "AzurePublic|AzureUSGovernment|AzureChina",
        help: "Azure cloud, which decides the endpoint and the audience of Azure Resource Manager [default: AzurePublic]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_ARM_ENDPOINT",
        flag: "arm-endpoint",
        value: "URL",
        help: "Base URL of Azure Resource Manager instead of the cloud's. HTTPS, or plain HTTP to loopback",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_ARM_AUDIENCE",
        flag: "arm-audience",
        value: "URL",
        help: "Resource for which tokens are asked, instead of the cloud's",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_CREDENTIAL",
        flag: "credential",
        value: "managed-identity|workload-identity|azure-cli",
        help: "How the identity proves itself [default: managed-identity for serve, azure-cli elsewhere]",
        used: Use::Always,
    },
    Setting {
        name: "AZURE_CLIENT_ID",
        flag: "client-id",
        value: "GUID",
        help: "Client ID of a user-assigned identity. Without it the system-assigned one is used",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_TAGS",
        flag: "tags",
        value: "NAME=VALUE,...",
        help: "Tags of the seal. Values may hold {sealed_at}, {event_time} and {trace_id}, which are written once, \
               when the resource is sealed. The word none: no tags \
               [default: diskseal-auth-mode=AzureActiveDirectory,diskseal-sealed-at={sealed_at}]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_SUBSCRIPTIONS",
        flag: "subscriptions",
        value: "GUID,...",
        help: "Subscriptions in scope. Without it: all that the identity sees",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_MANAGEMENT_GROUP",
        flag: "management-group",
        value: "ID",
        help: "Management group whose subscriptions are in scope, at any depth, instead of --subscriptions",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_EXEMPT_SUBSCRIPTIONS",
        flag: "exempt-subscriptions",
        value: "GLOB,...",
        help: "Subscription IDs that are left as they are",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_EXEMPT_RESOURCE_GROUPS",
        flag: "exempt-resource-groups",
        value: "GLOB,...",
        help: "Resource groups that are left as they are",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_EXEMPT_NAMES",
        flag: "exempt-names",
        value: "GLOB,...",
        help: "Names of disks and snapshots that are left as they are",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_EXEMPT_TAG",
        flag: "exempt-tag",
        value: "NAME",
        help: "Tag that exempts a resource, with a value like \"until=2027-01-31; INC-1234 restore test\". \
               Whoever may write tags can then exempt a resource, so it is off unless set",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_BACKUP_GUARD",
        flag: "backup-guard",
        value: "skip|warn|off",
        help: "What sweep and seal do about disks of virtual machines that Azure Backup or Azure Site Recovery \
               protects: leave them, seal them with a warning, or seal them unasked [default: skip]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_MACHINE_EVENTS",
        flag: "machine-events",
        value: "on|off",
        help: "Whether a write of a virtual machine or scale set leads to its disks, which Compute makes itself and \
               may tell of by no event [default: on]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_SWITCH",
        flag: "switch",
        value: "RESOURCE-ID",
        help: "Resource, resource group or subscription whose tag diskseal=off stops every write within a minute \
               [default: none]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_MAX_RESOURCES",
        flag: "max-resources",
        value: "NUMBER",
        help: "Most resources that one sweep may seal. A sweep that would seal more writes nothing [default: no limit]",
        used: Use::Sweep,
    },
    Setting {
        name: "DISKSEAL_MAX_PERCENT",
        flag: "max-percent",
        value: "PERCENT",
        help: "The same in percent of all resources in scope, 1 to 100 [default: no limit]",
        used: Use::Sweep,
    },
    Setting {
        name: "DISKSEAL_PACE",
        flag: "pace",
        value: "NUMBER",
        help: "Most writes a second and subscription that are not for an event [default: as ARM allows]",
        used: Use::Sweep,
    },
    Setting {
        name: "DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT",
        flag: "azure-monitor-traces-endpoint",
        value: "URL",
        help: "Whole URL of Azure Monitor's OTLP ingestion for traces, which are sent with the identity's token. \
               HTTPS, or plain HTTP to loopback [default: none]",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT",
        flag: "azure-monitor-metrics-endpoint",
        value: "URL",
        help: "The same for metrics",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT",
        flag: "azure-monitor-logs-endpoint",
        value: "URL",
        help: "The same for logs",
        used: Use::Always,
    },
    Setting {
        name: "DISKSEAL_DEADLINE",
        flag: "deadline",
        value: "SECONDS",
        help: "Time for one invocation, waits included, 1 to 600. Event Grid waits for 30 [default: 25]",
        used: Use::Serve,
    },
    Setting {
        name: "DISKSEAL_SWEEP_SCHEDULE",
        flag: "sweep-schedule",
        value: "NCRONTAB",
        help: "When the sweep runs, six fields, for example \"0 17 * * * *\". The Functions host reads it",
        used: Use::Serve,
    },
];
