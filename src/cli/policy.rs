//! `diskseal policy check`: shows the settings in force, and what they decide about given resources and by which
//! rule. Never writes.

mod ruling;

use std::{io::IsTerminal, process::ExitCode};

use clap::{Arg, ArgAction, ArgMatches, Command};
use futures::{StreamExt, stream};
use serde_json::Value;

use super::{
    flags,
    help::Guide,
    ids,
    installation::{self, Reach},
    interrupt::{stopped_with, unless_interrupted},
    output::screen,
    session::{self, Exit, Session, complain, print},
    subscriptions::subscriptions,
};
use crate::{
    config::{Config, Setting, settings},
    resource_id::ResourceId,
};
use ruling::{Rulings, rule};

/// Maximum number of resources that are read at once.
const CONCURRENCY: usize = 16;

pub(super) fn command() -> Command {
    Command::new("policy")
        .about("Show the settings and what they decide")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .add(Guide { examples: &["diskseal policy check"], exits: &[] })
}

const CHECK_GUIDE: Guide = Guide {
    examples: &[
        "diskseal policy check",
        "APP=$(az functionapp list -g rg-diskseal --query \"[0].id\" -o tsv)\n\
         diskseal policy check --app \"$APP\"",
        "DISK=$(az disk show -g rg-app -n disk-1 --query id -o tsv)\n\
         diskseal policy check --exempt-names 'tmp-*' \"$DISK\"",
        "az disk list --query \"[].id\" -o tsv \\\n  | diskseal policy check --stdin --output json",
    ],
    exits: &[
        (0, "everything given is sealed or exempt"),
        (1, "something is not"),
        (2, "invalid arguments or settings"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn check_command() -> Command {
    Command::new("check")
        .about("Check the settings, and show what they decide")
        .long_about(
            "Check the settings, and show what they decide about the given resources. Nothing is written.\n\n\
             Without IDs, list every setting in force, those of `serve` included; without --app, send no request to \
             Azure. With IDs, read each resource and show the decision and the rule behind it.",
        )
        .add(CHECK_GUIDE)
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(wide_output_arg())
        .arg(
            Arg::new("stdin")
                .long("stdin")
                .action(ArgAction::SetTrue)
                .conflicts_with("id")
                .help("Read IDs from standard input, one per line"),
        )
        .arg(
            ids::arg()
                .help("Resource IDs of disks and snapshots")
                .long_help("Resource IDs of disks and snapshots"),
        )
}

/// The output format.
pub(super) fn output_arg() -> Arg {
    Arg::new("output")
        .long("output")
        .short('o')
        .value_name("FORMAT")
        .value_parser(["table", "json"])
        .default_value("table")
        .help("Output format")
}

/// The output format of a command whose table has a wide form.
pub(super) fn wide_output_arg() -> Arg {
    output_arg().value_parser(["table", "wide", "json"]).help("Output format; wide is a table with full IDs")
}

/// A form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A table that fits the terminal.
    Table,
    /// A table with full IDs.
    Wide,
    /// JSON, for programs.
    Json,
}

impl Form {
    /// The form that the command line asks for.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        match matches.get_one::<String>("output").map(String::as_str) {
            Some("json") => Self::Json,
            Some("wide") => Self::Wide,
            _ => Self::Table,
        }
    }
}

pub(super) fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("output").is_some_and(|form| form == "json")
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let form = Form::of(matches);
    if !ids::are_given(matches) && !matches.get_flag("stdin") {
        if flags::is_given(matches, "app") {
            return session::run(matches, Reach::Reads, |session| async move {
                show(&session.config, &flags::lookup(matches, session.installation.as_ref()), form);
                Exit::Done
            });
        }
        let lookup = flags::lookup(matches, None);
        return match Config::for_command(&lookup) {
            Ok(config) => {
                show(&config, &lookup, form);
                Exit::Done.into()
            }
            Err(faults) => complain(&flags::faults(matches, None, &faults), Exit::Usage),
        };
    }
    if matches.get_flag("stdin") && std::io::stdin().is_terminal() {
        return complain("--stdin needs IDs on standard input, which is a terminal", Exit::Usage);
    }
    match ids::read(matches) {
        Ok(ids) => session::run(matches, Reach::Reads, |session| check(session, ids, form)),
        Err(fault) => complain(&fault, Exit::Usage),
    }
}

fn show(config: &Config, lookup: &dyn Fn(&str) -> Option<String>, form: Form) {
    if form == Form::Json {
        print(format!("{:#}\n", settings_json(config)).as_bytes());
    } else {
        print(settings_table(config, lookup).as_bytes());
    }
}

async fn check(session: Session, ids: Vec<ResourceId>, form: Form) -> Exit {
    let session = &session;
    let subscriptions = subscriptions(session).await;
    let mut rulings = stream::iter(ids).map(|id| rule(session, id)).buffered(CONCURRENCY);
    let mut all = vec![];
    let checks = async {
        while let Some(ruling) = rulings.next().await {
            all.push(ruling);
        }
    };
    let is_stopped = unless_interrupted(checks).await.is_none();
    print(&Rulings { all: &all, subscriptions }.text(form));
    if is_stopped {
        return stopped_with("what is not listed was not checked");
    }
    all.iter().map(|ruling| ruling.exit).max().unwrap_or_default()
}

/// Every setting in force, by the name of its variable; null if it is unset and has no default.
fn settings_json(config: &Config) -> Value {
    settings().map(|setting| (setting.name, setting.shown(config))).collect()
}

/// One line per setting, with a note on defaults. What is too long for the terminal goes on below its own start.
fn settings_table(config: &Config, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let (width, screen) = (settings().map(|setting| setting.name.len()).max().unwrap_or_default(), screen());
    let line = |setting: &Setting| {
        let value = setting.shown(config).unwrap_or_else(|| setting.default.text().to_owned());
        let note = if setting.given(lookup).is_some() { "" } else { " (default)" };
        let shown = screen.list(&format!("{value}{note}"), width + 2);
        if shown.starts_with('\n') {
            return format!("{}{shown}", setting.name);
        }
        format!("{:width$}  {shown}", setting.name)
    };
    settings().map(line).collect()
}
