//! The texts of `diskseal help settings`, `environment` and `exit-codes`, which the manual page has too.

use std::fmt::Write as _;

use crate::config::{Fallback, Setting, Value, settings};

/// A topic of `diskseal help`.
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) text: fn() -> String,
}

pub(super) const SETTINGS: &str = "settings";

pub(super) const ALL: &[Topic] = &[
    Topic { name: SETTINGS, about: "Settings: flags, variables and defaults", text: all_settings },
    Topic { name: "environment", about: "Environment variables that are not settings", text: environment },
    Topic { name: "exit-codes", about: "Exit codes of the commands", text: exit_codes },
];

/// Where the topics are, for the end of a short help.
pub(super) fn list() -> String {
    let names: Vec<_> = ALL.iter().map(|topic| topic.name).collect();
    format!("Topics: diskseal help {}", names.join("|"))
}

/// The form of a setting's value.
pub(super) fn form(setting: &Setting) -> String {
    match setting.value {
        Value::Text(form) => form.to_owned(),
        Value::Words(words) => words().join("|"),
    }
}

/// Every setting: its names, what it does, and its default.
fn all_settings() -> String {
    let mut text = "Each setting is an environment variable, which is an app setting in Azure, and a flag of the \
                    commands that use it. A flag overrides its variable. A command that finds a function app takes its \
                    settings instead of the variables.\n\n\
                    `diskseal help settings NAME` shows all about one, and `diskseal policy check` the values in force.\n"
        .to_owned();
    for setting in settings() {
        let _ = write!(text, "\n{}, --{} <{}>\n", setting.name, setting.flag, form(setting));
        let _ = writeln!(text, "    {} [default: {}]", setting.summary(), default(setting));
    }
    text
}

/// What applies without the setting. A list has spaces after its commas, which are taken and can be broken at.
pub(super) fn default(setting: &Setting) -> String {
    match setting.default {
        Fallback::Text(list) => list.split(',').collect::<Vec<_>>().join(", "),
        Fallback::Means(words) => words.to_owned(),
    }
}

/// All about the setting with this flag or variable.
pub(super) fn setting(name: &str) -> String {
    let is_named = |setting: &&Setting| {
        setting.flag.eq_ignore_ascii_case(name) || setting.name.eq_ignore_ascii_case(name)
    };
    settings().find(is_named).map(one).unwrap_or_default()
}

fn one(setting: &'static Setting) -> String {
    format!(
        "{}\n\nFlag:     --{}\nVariable: {}\nValue:    {}\nDefault:  {}\n",
        setting.help.replacen('\n', "\n\n", 1),
        setting.flag,
        setting.name,
        form(setting),
        default(setting),
    )
}

/// Variables that keep the meaning that a platform or a standard gives them.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    (
        "IDENTITY_ENDPOINT, IDENTITY_HEADER",
        "Where a function app gets the tokens of its managed identity; App Service sets them.",
    ),
    ("AZURE_AUTHORITY_HOST", "Microsoft Entra ID's endpoint, instead of the public cloud's."),
    ("SSL_CERT_FILE", "File with the trusted certificate authorities, instead of the system's."),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "Proxies, and the hosts that are reached without one. The identity endpoint is never asked through a proxy.",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS and other OTEL_ variables",
        "Export of traces, metrics and logs, as in the OpenTelemetry specification. Without an endpoint nothing is exported.",
    ),
    ("RUST_LOG", "Messages to log, for example warn,diskseal=debug."),
    (
        "AzureWebJobsStorage__queueServiceUri",
        "Queue service of the app's storage account, for doctor and report.",
    ),
    ("NO_COLOR", "Any value: no colours."),
    ("COLUMNS", "Width of help where standard output is no terminal."),
];

fn environment() -> String {
    let mut text = "Variables of settings: diskseal help settings. These variables keep the meaning that their platform \
                    or standard gives them:\n"
        .to_owned();
    for (names, meaning) in VARIABLES {
        let _ = write!(text, "\n{names}\n    {meaning}\n");
    }
    text
}

/// The exit codes of most commands ("diskseal help exit-codes" and the first page of the manual).
pub(super) const EXITS: &[(u8, &str)] = &[
    (0, "done: everything is sealed or exempt, or as it was asked for"),
    (1, "something is not, or could not be read, or the confirmation was declined"),
    (2, "invalid arguments or settings: nothing was tried. Also if the output\ncould not be written"),
    (3, "Azure could not be reached: no token, no connection, 5xx, throttled,\nor no answer in time"),
];

/// Exit codes, each on a line that nobody has to break.
pub(super) fn exits(exits: &[(u8, &str)]) -> String {
    let width = exits.iter().map(|(code, _)| code.to_string().len()).max().unwrap_or_default();
    let line = |(code, meaning): &(u8, &str)| {
        let meaning = meaning.replace('\n', &format!("\n{:1$}", "", width + 4));
        format!("  {code:<width$}  {meaning}\n")
    };
    exits.iter().map(line).collect()
}

fn exit_codes() -> String {
    format!(
        "Exit codes of the commands:\n\n{}\nWith several resources, the highest code counts. `--help` of a command has what a \
         code means for it. `diskseal serve` has exit codes of its own, which the Functions host reads.\n",
        exits(EXITS)
    )
}
