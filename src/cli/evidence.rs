//! `diskseal report --evidence`: whether the files of evidence are the ones that were written, and all of them.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anstyle::AnsiColor;
use azure_core::http::{HttpClient, Url};
use clap::{Arg, ArgMatches};
use indicatif::HumanCount;
use serde_json::json;
use tokio::runtime::Runtime;

use super::{
    flags,
    interrupt::{stopped_with, unless_interrupted},
    output::{above_bar, screen},
    progress::Progress,
    session::{Exit, complain, now, print, warn_of_environment},
};
use crate::{
    azure::{Identity, Terms, network},
    config::{Config, container as container_url},
    evidence::{Checked, Container, Days, Error, Folder, check},
    telemetry::{Audience, Telemetry, write_lines},
    text::{Column, Row},
};

/// The name of the flag.
pub(super) const FLAG: &str = "evidence";
/// How long the command may read. A file of a large estate has more than 100 MB.
const TIME: Duration = Duration::from_hours(4);
/// Time limit for the last export of telemetry.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn arg() -> Arg {
    Arg::new(FLAG)
        .long(FLAG)
        .value_name("URL|DIR")
        .conflicts_with_all(["all", "fail-on", "file", "restore-points", "exact"])
        .help("Check the evidence in a container or folder")
        .long_help(
            "Check the evidence in a container or a folder instead: list its days, gaps and changed files",
        )
}

/// The container at a URL, for the identity that the settings name.
///
/// # Errors
/// There is no HTTP client or no credential.
pub(super) fn container(url: Url, config: &Config) -> Result<Container, String> {
    let client = network().map_err(|fault| format!("no HTTP client: {fault}"))?;
    let http: Arc<dyn HttpClient> = Arc::new(client.clone());
    let identity =
        Identity::new(&config.storage_identity(), &http, now).map_err(|fault| fault.to_string())?;
    Ok(Container::new(url, client.into(), identity))
}

/// Runs the command if its flag is given.
pub(super) fn run(matches: &ArgMatches) -> Option<ExitCode> {
    let place = matches.get_one::<String>(FLAG)?;
    let output = matches.get_one::<String>("output").map_or("table", String::as_str);
    // The forms of the report on the scope have no place for days.
    if !["table", "json"].contains(&output) {
        return Some(complain("--evidence has --output table and json alone", Exit::Usage));
    }
    let lookup = flags::lookup(matches, None);
    let config = match Config::for_command(&lookup) {
        Ok(config) => config,
        Err(faults) => return Some(complain(&flags::faults(matches, None, &faults), Exit::Usage)),
    };
    write_lines(|write| above_bar(write));
    let telemetry = Telemetry::start(&lookup, Audience::Person, &config.azure_monitor, 1.0);
    warn_of_environment();
    let days = match days(place, &config) {
        Ok(days) => days,
        Err(fault) => return Some(complain(&fault, Exit::Usage)),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => return Some(complain(&format!("no async runtime: {fault}"), Exit::Usage)),
    };
    let exit = runtime.block_on(async {
        match unless_interrupted(checked(&days)).await {
            Some(Ok(checked)) => show(&checked, output),
            Some(Err(error)) => failed(&error),
            None => stopped_with("the evidence was not checked"),
        }
    });
    telemetry.stop(FLUSH_TIMEOUT);
    Some(exit.into())
}

fn days(place: &str, config: &Config) -> Result<Days, String> {
    if place.contains("://") {
        return Ok(Days::Container(container(container_url(place)?, config)?));
    }
    let folder = PathBuf::from(place);
    if folder.is_dir() {
        return Ok(Days::Folder(Folder(folder)));
    }
    Err(format!("{place:?} is neither a URL nor a folder"))
}

async fn checked(days: &Days) -> Result<Vec<Checked>, Error> {
    let progress = Progress::new("{pos} files read");
    check(days, Terms::behind_events(TIME), || progress.advance()).await
}

fn failed(error: &Error) -> Exit {
    let exit = match error {
        Error::Refused(_) | Error::File(_) => Exit::NotAll,
        _ => Exit::Unreachable,
    };
    refuse(&error.to_string(), exit)
}

fn refuse(fault: &str, exit: Exit) -> Exit {
    complain(fault, exit);
    exit
}

fn show(checked: &[Checked], output: &str) -> Exit {
    let wrong = checked.iter().filter(|one| !one.state.is_right()).count();
    let is_right = wrong == 0 && !checked.is_empty();
    let verdict = match (checked.len(), wrong) {
        (0, _) => "There is no evidence here.".to_owned(),
        (1, 0) => "1 day, and nothing speaks against it.".to_owned(),
        (all, 0) => format!("{all} days, and nothing speaks against them."),
        (_, 1) => "1 entry is not as it was written.".to_owned(),
        (_, wrong) => format!("{wrong} entries are not as they were written."),
    };
    if output == "json" {
        let document = json!({"format": 1, "clean": is_right, "verdict": verdict, "days": checked});
        print(format!("{document:#}\n").as_bytes());
    } else {
        let screen = screen();
        let mut text = vec![];
        // A list in memory can always be written.
        let _ = screen.table(&mut text, &COLUMNS, || Box::new(checked.iter().map(|one| Ok(row(one)))));
        let lead = if text.is_empty() { "" } else { "\n" };
        text.extend(format!("{lead}{}", screen.prose(&verdict, 0)).bytes());
        print(text.strip_prefix(b"\n").unwrap_or(&text));
    }
    if is_right { Exit::Done } else { Exit::NotAll }
}

const COLUMNS: [Column; 4] =
    [Column::whole("DAY"), Column::whole("STATE"), Column::number("RESOURCES"), Column::prose("WHY")];

fn row(one: &Checked) -> Row {
    let colour = if one.state.is_right() { AnsiColor::Green } else { AnsiColor::Red };
    let resources = one.resources.map(|count| HumanCount(count as u64).to_string()).unwrap_or_default();
    let why = one.why.clone().unwrap_or_default();
    Row::new([one.day.clone(), one.state.label().to_owned(), resources, why])
        .styled("STATE", colour.on_default())
}
