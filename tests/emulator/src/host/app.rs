//! The files that the host reads from the app's root folder: host.json and the functions' function.json.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value};

use super::{HostError, arguments};
use crate::queue::{Encoding, TriggerOptions};

/// App settings, which are also the handler's environment.
pub(super) type Settings = BTreeMap<String, String>;

/// A function app, from its files.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) root: PathBuf,
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) working_directory: PathBuf,
    pub(super) initialization_timeout: Duration,
    /// None means no limit.
    pub(super) function_timeout: Option<Duration>,
    pub(super) queues: TriggerOptions,
    pub(super) functions: BTreeMap<String, Function>,
    /// The functions that cannot be indexed, and why. The others run (`AllowPartialHostStartup`,
    /// `HostFunctionMetadataProvider`; the recording `host/schedule-unset.json`).
    pub(super) not_indexed: BTreeMap<String, String>,
}

/// A function, from its function.json.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) trigger: Binding,
    pub(super) outputs: Vec<Binding>,
    /// Whether the host keeps the status of a timer: `useMonitor`, and a minute or more between two ticks
    /// (`TimerListener`).
    pub(super) monitored: bool,
}

/// A binding of function.json.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) queue_name: Option<String>,
    /// `cardinality` is `many`.
    pub(super) many: bool,
    /// `dataType` is `binary`.
    pub(super) binary: bool,
}

impl App {
    pub(super) fn read(root: &Path, settings: &Settings, processors: usize) -> Result<Self, HostError> {
        let mut file = read_json(&root.join("host.json"))?;
        override_by_settings(&mut file, settings);
        check_telemetry_mode(&file)?;
        let (functions, not_indexed) = read_functions(root, settings)?;
        check_bundle(&file, &functions)?;
        let description = &file["customHandler"]["description"];
        let named = description["defaultExecutablePath"].as_str().filter(|path| !path.is_empty());
        let named = arguments::path(named.ok_or(HostError::NoExecutable)?, settings);
        let working_directory =
            arguments::path(description["workingDirectory"].as_str().unwrap_or_default(), settings);
        let listed: Vec<_> = ["arguments", "workerArguments"]
            .iter()
            .flat_map(|key| arguments::listed(&description[*key]))
            .collect();
        Ok(Self {
            executable: locate(root, &named, settings),
            arguments: arguments::command_line(&listed, settings),
            working_directory: root.join(working_directory),
            initialization_timeout: duration(&file, &["customHandler", "initializationTimeout"])?
                .unwrap_or(Duration::from_secs(30)),
            function_timeout: match file["functionTimeout"].as_str() {
                Some("-1") => None,
                _ => Some(duration(&file, &["functionTimeout"])?.unwrap_or(Duration::from_mins(30))),
            },
            queues: queue_options(&file, processors)?,
            root: root.to_owned(),
            functions,
            not_indexed,
        })
    }
}

/// A path relative to the app's root if the file exists; otherwise the first match on `PATH`.
fn locate(root: &Path, named: &str, settings: &Settings) -> PathBuf {
    let beside = root.join(named);
    if beside.is_file() {
        return beside;
    }
    let path = settings.get("PATH").map(String::as_str).unwrap_or_default();
    std::env::split_paths(path).map(|folder| folder.join(named)).find(|file| file.is_file()).unwrap_or(beside)
}

fn read_json(path: &Path) -> Result<Value, HostError> {
    let text = fs::read(path).map_err(|source| HostError::File { path: path.to_owned(), source })?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| HostError::Invalid { path: path.to_owned(), fault: error.to_string() })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(HostError::Invalid { path: path.to_owned(), fault: "not a JSON object".to_owned() })
    }
}

/// `AzureFunctionsJobHost__a__b` overrides `a.b` of host.json. .NET's configuration ignores case.
fn override_by_settings(file: &mut Value, settings: &Settings) {
    for (name, value) in settings {
        let mut parts = name.split("__");
        if !parts.next().is_some_and(|first| first.eq_ignore_ascii_case("AzureFunctionsJobHost")) {
            continue;
        }
        let mut place = &mut *file;
        for part in parts {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let known = place.as_object().and_then(|o| o.keys().find(|key| key.eq_ignore_ascii_case(part)));
            let key = known.cloned().unwrap_or_else(|| part.to_owned());
            place = &mut place[key.as_str()];
        }
        *place = Value::String(value.clone());
    }
}

/// Under `logging` the real host silently ignores the mode, so here it is a fault.
fn check_telemetry_mode(file: &Value) -> Result<(), HostError> {
    let misplaced = file["logging"].get("telemetryMode").is_some();
    let mode = file["telemetryMode"].as_str().unwrap_or("ApplicationInsights");
    let known = ["ApplicationInsights", "OpenTelemetry"].iter().any(|name| mode.eq_ignore_ascii_case(name));
    if misplaced || !known { Err(HostError::TelemetryMode) } else { Ok(()) }
}

/// Event Grid and queue bindings come from the extension bundle; timers and HTTP are built in.
fn check_bundle(file: &Value, functions: &BTreeMap<String, Function>) -> Result<(), HostError> {
    let bundle = &file["extensionBundle"];
    let configured = bundle["id"].as_str() == Some("Microsoft.Azure.Functions.ExtensionBundle")
        && bundle["version"].as_str().is_some_and(|range| range.starts_with(['[', '(']));
    let kinds = functions.values().flat_map(|function| {
        std::iter::once(&function.trigger).chain(&function.outputs).map(|binding| binding.kind.as_str())
    });
    match kinds.into_iter().find(|kind| matches!(*kind, "eventGridTrigger" | "queueTrigger" | "queue")) {
        Some(kind) if !configured => Err(HostError::BindingNotRegistered { kind: kind.to_owned() }),
        _ => Ok(()),
    }
}

/// The functions in the direct child folders with a function.json, and those that cannot be indexed.
type Indexed = (BTreeMap<String, Function>, BTreeMap<String, String>);

fn read_functions(root: &Path, settings: &Settings) -> Result<Indexed, HostError> {
    let failed = |source| HostError::File { path: root.to_owned(), source };
    let (mut functions, mut not_indexed) = (BTreeMap::new(), BTreeMap::new());
    for folder in fs::read_dir(root).map_err(failed)? {
        let path = folder.map_err(failed)?.path();
        let file = path.join("function.json");
        if !file.is_file() {
            continue;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match read_function(&file, name.clone(), settings) {
            Ok(function) => drop(functions.insert(name, function)),
            Err(error) => {
                tracing::warn!(name, %error, "the function cannot be indexed");
                not_indexed.insert(name, error.to_string());
            }
        }
    }
    if functions.is_empty() { Err(HostError::NoFunctions) } else { Ok((functions, not_indexed)) }
}

fn read_function(file: &Path, name: String, settings: &Settings) -> Result<Function, HostError> {
    if !is_function_name(&name) {
        return Err(HostError::FunctionName { name });
    }
    let definition = read_json(file)?;
    let invalid = |fault: &str| HostError::Invalid { path: file.to_owned(), fault: fault.to_owned() };
    let bindings = definition["bindings"].as_array().ok_or_else(|| invalid("no bindings"))?;
    let mut trigger = None;
    let mut outputs = Vec::new();
    let mut monitored = true;
    for binding in bindings {
        let text = |key: &str| binding[key].as_str().map(str::to_owned);
        let read = Binding {
            name: text("name").ok_or_else(|| invalid("a binding without a name"))?,
            kind: text("type").ok_or_else(|| invalid("a binding without a type"))?,
            queue_name: text("queueName").map(|name| expand(&name, settings)).transpose()?,
            many: text("cardinality").is_some_and(|many| many.eq_ignore_ascii_case("many")),
            binary: text("dataType").is_some_and(|kind| kind.eq_ignore_ascii_case("binary")),
        };
        if !is_binding_name(&read.name) {
            return Err(HostError::BindingName { function: name, binding: read.name });
        }
        if read.kind == "timerTrigger" {
            let schedule = expand(&text("schedule").unwrap_or_default(), settings)?;
            let at_least_a_minute = is_monitored(&schedule).ok_or_else(|| invalid("no schedule"))?;
            monitored = at_least_a_minute && binding["useMonitor"] != false;
        }
        if matches!(read.kind.as_str(), "queue" | "queueTrigger") && read.queue_name.is_none() {
            return Err(invalid("a queue binding without a queueName"));
        }
        if text("direction").is_some_and(|direction| direction.eq_ignore_ascii_case("out")) {
            outputs.push(read);
        } else if !read.kind.ends_with("Trigger") {
            return Err(invalid("an input binding, which this host does not know"));
        } else if trigger.replace(read).is_some() {
            return Err(invalid("more than one trigger"));
        }
    }
    let trigger = trigger.ok_or_else(|| invalid("no trigger"))?;
    Ok(Function { name, trigger, outputs, monitored })
}

/// `^[a-z][a-z0-9_\-]{0,127}$` regardless of case, and not `host`.
pub(super) fn is_function_name(name: &str) -> bool {
    is_name(name, |letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
        && !name.eq_ignore_ascii_case("host")
}

/// `^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$`.
pub(super) fn is_binding_name(name: &str) -> bool {
    name == "$return" || is_name(name, |letter| letter.is_ascii_alphanumeric())
}

fn is_name(name: &str, allowed: impl Fn(char) -> bool) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 128
        && name.chars().all(allowed)
}

/// Whether a schedule has a minute or more between two ticks, or none if it is no schedule: an expression of five or
/// six fields, or a time span (`TimerSchedule.Create`).
fn is_monitored(schedule: &str) -> Option<bool> {
    if let Some(span) = time_span(schedule) {
        return Some(span >= Duration::from_mins(1));
    }
    let fields: Vec<_> = schedule.split_whitespace().collect();
    let is_field = |field: &&str| field.chars().all(|c| c.is_ascii_alphanumeric() || "*,-/".contains(c));
    match fields.as_slice() {
        fields if !fields.iter().all(is_field) => None,
        [_, _, _, _, _] => Some(true),
        [second, _, _, _, _, _] => Some(second.parse::<u8>().is_ok()),
        _ => None,
    }
}

/// Replaces every `%NAME%` by the app setting of that name.
fn expand(text: &str, settings: &Settings) -> Result<String, HostError> {
    let mut expanded = String::new();
    for (at, part) in text.split('%').enumerate() {
        if at % 2 == 0 {
            expanded.push_str(part);
        } else {
            let value =
                settings.get(part).ok_or_else(|| HostError::UnknownSetting { name: part.to_owned() })?;
            expanded.push_str(value);
        }
    }
    Ok(expanded)
}

fn queue_options(file: &Value, processors: usize) -> Result<TriggerOptions, HostError> {
    let defaults = TriggerOptions::default();
    let queues = &file["extensions"]["queues"];
    // A value that an app setting overrides is a string.
    let number = |key: &str| {
        queues[key]
            .as_u64()
            .or_else(|| queues[key].as_str()?.parse().ok())
            .and_then(|n| u32::try_from(n).ok())
    };
    let size = |key: &str| number(key).map(|n| n as usize);
    let batch_size = size("batchSize").unwrap_or(defaults.batch_size);
    let options = TriggerOptions {
        batch_size,
        new_batch_threshold: size("newBatchThreshold").unwrap_or(batch_size / 2 * processors),
        visibility_timeout: duration(file, &["extensions", "queues", "visibilityTimeout"])?
            .unwrap_or(defaults.visibility_timeout),
        max_polling_interval: duration(file, &["extensions", "queues", "maxPollingInterval"])?
            .unwrap_or(defaults.max_polling_interval),
        max_dequeue_count: number("maxDequeueCount").unwrap_or(defaults.max_dequeue_count),
        encoding: match queues["messageEncoding"].as_str() {
            Some(name) if name.eq_ignore_ascii_case("none") => Encoding::None,
            Some(name) if !name.eq_ignore_ascii_case("base64") => return Err(refused("messageEncoding")),
            _ => Encoding::Base64,
        },
    };
    // `QueuesOptions` throws on these, which ends the start.
    match options {
        _ if !(1..=32).contains(&options.batch_size) => Err(refused("batchSize")),
        _ if options.max_dequeue_count < 1 => Err(refused("maxDequeueCount")),
        _ if options.max_polling_interval < TriggerOptions::POLLING_MIN => Err(refused("maxPollingInterval")),
        options => Ok(options),
    }
}

fn refused(option: &str) -> HostError {
    HostError::QueueOption { option: option.to_owned() }
}

fn duration(file: &Value, path: &[&str]) -> Result<Option<Duration>, HostError> {
    let value = path.iter().fold(file, |value, key| &value[*key]);
    let Some(text) = value.as_str() else { return Ok(None) };
    time_span(text)
        .map(Some)
        .ok_or_else(|| HostError::TimeSpan { key: path.join("."), value: text.to_owned() })
}

/// .NET's `[d.]hh:mm:ss[.fffffff]`, or a number of days alone.
pub(super) fn time_span(text: &str) -> Option<Duration> {
    if let Ok(days) = text.parse::<u64>() {
        return Some(Duration::from_hours(days.checked_mul(24)?));
    }
    let (hours, rest) = text.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (days, hours, minutes): (u64, u64, u64) =
        (days.parse().ok()?, hours.parse().ok()?, minutes.parse().ok()?);
    let seconds: f64 = seconds.parse().ok()?;
    let whole = Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60);
    (hours < 24 && minutes < 60 && (0.0..60.0).contains(&seconds))
        .then(|| whole + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_host_s_expressions() {
        assert!(is_function_name("seal_on_write") && is_function_name("Sweep_2"));
        for name in ["", "2nd", "-x", "host", "HOST", "a.b", &"a".repeat(129)] {
            assert!(!is_function_name(name), "{name}");
        }
        assert!(is_binding_name("event") && is_binding_name("$return"));
        assert!(!is_binding_name("my_event") && !is_binding_name("my-event"));
    }

    #[test]
    fn time_spans_are_dotnet_s() {
        assert_eq!(time_span("00:05:00"), Some(Duration::from_mins(5)));
        assert_eq!(time_span("1.02:03:04.5"), Some(Duration::from_millis(93_784_500)));
        assert_eq!(time_span("00:61:00"), None);
        assert_eq!(time_span("5"), Some(Duration::from_hours(120)));
        assert_eq!(time_span("5 min"), None);
    }

    #[test]
    fn settings_override_host_json_regardless_of_case() {
        let mut file = serde_json::json!({ "extensions": { "queues": { "batchSize": 16 } } });
        let settings = [("azureFunctionsJobHost__extensions__Queues__batchSize", "3")];
        override_by_settings(&mut file, &settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(queue_options(&file, 1).unwrap().batch_size, 3);
    }

    #[test]
    fn a_schedule_has_five_or_six_fields_or_is_a_time_span() {
        for (schedule, expected) in [
            ("0 0 * * * *", Some(true)),
            ("*/5 * * * * *", Some(false)),
            ("0 * * * *", Some(true)),
            ("00:00:07", Some(false)),
            ("01:00:00", Some(true)),
            ("", None),
            ("hourly", None),
            ("0 0 * ; * *", None),
        ] {
            assert_eq!(is_monitored(schedule), expected, "{schedule:?}");
        }
    }

    #[test]
    fn settings_expand_between_percent_signs() {
        let settings: Settings = [("CRON".to_owned(), "0 0 * * * *".to_owned())].into();
        assert_eq!(expand("%CRON%", &settings).unwrap(), "0 0 * * * *");
        assert!(matches!(expand("%OTHER%", &settings), Err(HostError::UnknownSetting { .. })));
    }
}
