//! The installation that a command works for: its function app, whose settings apply to the command too.
//!
//! The settings are read with the rights of the person who signed in. The app decides what is sealed and how; the
//! credential and the cloud are settings of the command.

use std::{collections::BTreeMap, time::Duration};

use azure_core::http::Url;
use clap::{Arg, ArgMatches};
use serde_json::Value;

use super::{
    answer::{Exit, explained},
    names::Names,
    output::note,
    queue,
};
use crate::{
    arm::{Client, Error, Failure, Query, api},
    azure::Terms,
    config::{Config, Setting, of_ingestion, of_installation},
    enforce,
    scope::Scope,
};

/// Time limit for finding the app and reading its settings.
const PATIENCE: Duration = Duration::from_secs(25);
/// The function apps of installations. `infra/` sets this tag on everything that it creates.
const QUERY: &str = "resources | where type =~ 'microsoft.web/sites' and tostring(tags['application']) =~ 'diskseal' \
                     | project id | order by id asc";
/// The setting in which the host finds its Application Insights component.
const CONNECTION: &str = "APPLICATIONINSIGHTS_CONNECTION_STRING";
/// The endings of the host name of a data collection endpoint in each cloud ("Data collection endpoints in Azure
/// Monitor", components).
const INGESTION: [&str; 3] =
    [".ingest.monitor.azure.com", ".ingest.monitor.azure.us", ".ingest.monitor.azure.cn"];
/// The settings that name an endpoint for traces ("OpenTelemetry Protocol Exporter", and docs/telemetry.md).
const TRACES: [&str; 3] = [
    "DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];
/// The word for no app.
pub(super) const NONE: &str = "none";

/// The flag.
pub(super) fn arg() -> Arg {
    Arg::new("app")
        .long("app")
        .value_name("RESOURCE_ID")
        .value_parser(app)
        .add(Names::FunctionApps.completer())
        .help("Function app whose settings apply")
        .long_help(
            "Function app whose settings apply: mode, scope, exemptions, tags, switch, limits and backup guard. A flag \
             takes precedence over the app's setting; environment variables of these settings are ignored. Use \
             `none` for no app.\n\n\
             [default: the only function app with the tag application=diskseal that is visible]",
        )
}

/// What a command does. This decides which settings it must know before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It looks for faults, so a fault in the app's settings does not stop it.
    Examines,
    /// It reads.
    Reads,
    /// It writes the one resource that a person names, or several after the command's own confirmation.
    Named,
    /// It writes several resources that a person names. `yes` skips the confirmation.
    Several { yes: bool },
    /// It writes everything in scope.
    Scope { yes: bool },
}

impl Reach {
    fn only_reads(self) -> bool {
        matches!(self, Self::Examines | Self::Reads)
    }
}

/// A function app, and its settings that apply to commands.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) app: String,
    settings: BTreeMap<&'static str, String>,
    /// The setting `AZURE_CLIENT_ID`, which names the handler's identity.
    pub(super) client_id: Option<String>,
    /// The app's queue service, as its settings name it.
    pub(super) queue_service: Option<String>,
    /// The application ID of the Application Insights component to which the app's host sends telemetry.
    pub(super) application_id: Option<String>,
    /// Whether a setting names an endpoint for traces.
    pub(super) exports_traces: bool,
    /// The addresses of Azure Monitor's OTLP ingestion, by setting.
    ingestion: BTreeMap<&'static str, String>,
}

impl Installation {
    #[cfg(test)]
    pub(super) fn with(settings: &[(&'static str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self {
            app: String::new(),
            settings,
            client_id: None,
            queue_service: None,
            application_id: None,
            exports_traces: false,
            ingestion: BTreeMap::new(),
        }
    }

    /// Whether the app decides a setting. It decides the settings of `scope` only if it sets at least one of them.
    pub(super) fn decides(&self, name: &str, scope: &[&str]) -> bool {
        let is_set = |name: &&str| self.settings.get(*name).is_some_and(|text| !text.trim().is_empty());
        of_installation().any(|setting| setting.name == name)
            && (!scope.contains(&name) || scope.iter().any(is_set))
    }

    /// The addresses of Azure Monitor's OTLP ingestion that the app's settings name, with the names of their signals, as
    /// far as they are Azure's, or where `arm` is on loopback. Whoever can write the settings of an app could otherwise
    /// name a server of their own, which would get a token of the person who reads them.
    pub(super) fn ingestion(&self, arm: &Url) -> Vec<(&'static str, Url)> {
        let read = Config::for_command(&|name: &str| self.ingestion.get(name).cloned());
        let is_local = |url: &Url| url.host_str() == arm.host_str() && arm.host_str() == Some("localhost");
        let is_azures = |url: &Url| {
            let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
            INGESTION.iter().any(|domain| host.ends_with(domain)) || is_local(url)
        };
        let all = read.iter().flat_map(|config| config.azure_monitor.endpoints());
        all.filter(|(_, url)| is_azures(url)).map(|(signal, url)| (signal, url.clone())).collect()
    }

    /// An app setting; `None` if it is not set. An empty setting is set.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).cloned()
    }
}

/// Why a command does not start.
pub(super) type Refusal = (String, Exit);

/// Returns the installation that is given or found; `None` if the command's own settings apply. Prints the source of
/// the settings on standard error.
pub(super) async fn find(
    arm: &Client,
    matches: &ArgMatches,
    reach: Reach,
) -> Result<Option<Installation>, Refusal> {
    let own = |why: &str| note(&format!("settings: from this command line and environment ({why})"));
    let found = match matches.get_one::<String>("app").map(String::as_str) {
        Some(NONE) => Err("--app none".to_owned()),
        Some(app) => match read(arm, app).await {
            Err((fault, _)) if reach == Reach::Examines => Err(fault),
            read => Ok(read?),
        },
        None => match visible(arm).await {
            Ok(apps) => match &apps[..] {
                [] => Err("no installation is visible".to_owned()),
                [app] => match read(arm, app).await {
                    Err((fault, exit)) if !reach.only_reads() => {
                        return Err((
                            format!("{fault}; use --app none to continue without the app's settings"),
                            exit,
                        ));
                    }
                    read => read.map_err(|(fault, _)| fault),
                },
                _ if reach.only_reads() => {
                    Err(format!("{} installations are visible; choose one with --app", apps.len()))
                }
                _ => {
                    let all = apps.join("\n  ");
                    let fault = format!(
                        "{} installations are visible; choose one with --app, or use --app none:\n  {all}",
                        apps.len()
                    );
                    return Err((fault, Exit::Usage));
                }
            },
            Err(error) if reach.only_reads() || error.is_refusal() => {
                Err(format!("cannot search for installations: {error}"))
            }
            Err(error) => return Err((explained(&error), Exit::Unreachable)),
        },
    };
    match found {
        Ok(installation) => {
            note(&format!("settings: from the function app {}", installation.app));
            Ok(Some(installation))
        }
        Err(why) => {
            own(&why);
            Ok(None)
        }
    }
}

/// Lists the function apps of all installations that Resource Graph returns to this identity.
async fn visible(arm: &Client) -> Result<Vec<String>, Error> {
    let query = Query::new(QUERY.to_owned(), Scope::Visible);
    let rows = arm.query(&query, None, terms()).await?;
    let id = |row: &Value| app(row["id"].as_str()?).ok().filter(|id| id != NONE);
    let rows = rows.into_iter().flat_map(|rows| rows.rows);
    Ok(rows.filter_map(|row| id(&serde_json::from_str(row.get()).ok()?)).collect())
}

async fn read(arm: &Client, app: &str) -> Result<Installation, Refusal> {
    let answer = arm.inspect(&api::APP_SETTINGS, &format!("{app}/config/appsettings/list"), terms()).await;
    let answer = answer.map_err(|error| {
        let needed = match (error.failure, api::APP_SETTINGS.action) {
            (Failure::Resource(_), Some(action)) => format!(" (requires {action})"),
            _ => String::new(),
        };
        let text = format!("cannot read the settings of {app}: {error:#}{needed}");
        (text, Exit::from(&enforce::Error::from(error)))
    })?;
    let all = answer["properties"].as_object();
    if !all.is_some_and(|all| all.keys().any(|name| name.starts_with("DISKSEAL_"))) {
        return Err((
            format!("{app} is not an installation of Diskseal: it has no DISKSEAL_ setting"),
            Exit::Usage,
        ));
    }
    // Other settings are dropped: they may hold secrets.
    let setting = |setting: &Setting| Some((setting.name, all?.get(setting.name)?.as_str()?.to_owned()));
    let client_id = all.and_then(|all| all.get("AZURE_CLIENT_ID")?.as_str()).filter(|id| !id.is_empty());
    Ok(Installation {
        app: app.to_owned(),
        settings: of_installation().filter_map(setting).collect(),
        client_id: client_id.map(str::to_owned),
        queue_service: all.and_then(|all| all.get(queue::SETTING)?.as_str()).map(str::to_owned),
        application_id: all.and_then(|all| application_id(all.get(CONNECTION)?.as_str()?)),
        exports_traces: TRACES.iter().any(|name| {
            all.and_then(|all| all.get(*name)?.as_str()).is_some_and(|text| !text.trim().is_empty())
        }),
        ingestion: of_ingestion().filter_map(setting).collect(),
    })
}

/// The application ID in a connection string ("Connection strings in Application Insights"), whose other parts are keys.
fn application_id(connection: &str) -> Option<String> {
    let parts = connection.split(';').filter_map(|part| part.split_once('='));
    let (_, id) = parts.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("ApplicationId"))?;
    uuid::Uuid::try_parse(id.trim()).ok().map(|id| id.to_string())
}

fn terms() -> Terms {
    Terms::behind_events(PATIENCE)
}

/// Accepts the path of a site without characters that could redirect a request, or the word for no app.
fn app(text: &str) -> Result<String, String> {
    let segments: Vec<String> = text.trim_end_matches('/').split('/').map(str::to_ascii_lowercase).collect();
    let is_name =
        |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains(['?', '#', '%', '\\']);
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts[..] {
        [NONE] => Ok(NONE.to_owned()),
        ["", "subscriptions", id, "resourcegroups", group, "providers", "microsoft.web", "sites", name]
            if [id, group, name].into_iter().all(is_name) =>
        {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("expected the form /subscriptions/…/resourceGroups/…/providers/Microsoft.Web/sites/NAME"
            .to_owned()),
    }
}
