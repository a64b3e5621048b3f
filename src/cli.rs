//! The command line and its commands.

mod answer;
mod completions;
mod doctor;
mod evidence;
mod flags;
mod given;
mod help;
mod ids;
mod installation;
mod interrupt;
mod man;
mod names;
mod narrowing;
mod output;
mod pending;
mod planned;
mod policy;
mod progress;
mod question;
mod queue;
mod report;
mod reseal;
mod resource_line;
mod scope;
mod seal;
#[cfg(unix)]
mod serve;
mod session;
mod subscriptions;
mod sweep;
mod tally;
mod topics;
mod unseal;
mod usage;
mod version;

use std::process::ExitCode;

use clap::{ArgMatches, Command, error::ErrorKind};

use crate::config::{Use, settings};
use flags::with_settings;
use help::Guide;
use session::Exit;
use usage::with_tip;

/// Reads the command line and runs the command.
pub fn run() -> ExitCode {
    output::end(completions::answer(command).unwrap_or_else(dispatch))
}

fn dispatch() -> ExitCode {
    // Texts of help are made only where one is shown: each start of the handler would pay for them.
    let read = definition().try_get_matches().or_else(|_| command().try_get_matches());
    let matches = match read {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are what was asked for; everything else is a usage error.
            if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                let _ = with_tip(error, &command()).print();
                for name in unreadable_settings() {
                    output::note(&format!("{name}: its value is not UTF-8"));
                }
                #[cfg(unix)]
                if std::env::args_os().nth(1).is_some_and(|command| command == "serve") {
                    serve::linger();
                }
                return Exit::Usage.into();
            }
            output::print(help::plain(&error.to_string()).as_bytes());
            return Exit::Done.into();
        }
    };
    match matches.subcommand() {
        Some(("serve", matches)) => serve(matches),
        Some((name, matches)) => command_of(name, matches),
        None => Exit::Usage.into(),
    }
}

/// Runs a command for people.
fn command_of(name: &str, matches: &ArgMatches) -> ExitCode {
    interrupt::listen();
    match name {
        "seal" => seal::run(matches),
        "sweep" => sweep::run(matches),
        "unseal" => unseal::run(matches),
        "reseal" => reseal::run(matches),
        "doctor" => doctor::run(matches),
        "pending" => pending::run(matches),
        "policy" => match matches.subcommand() {
            Some(("check", matches)) => policy::run(matches),
            _ => Exit::Usage.into(),
        },
        "completions" => completions::run(matches),
        "man" => man::run(command(), matches),
        "help" => help::run(command(), matches),
        "report" => report::run(matches),
        "version" => version::run(matches),
        _ => Exit::Usage.into(),
    }
}

#[cfg(unix)]
fn serve(matches: &ArgMatches) -> ExitCode {
    serve::run(&flags::lookup(matches, None))
}

/// Function apps with a custom handler in this form run on Linux, and the handler stops by a signal.
#[cfg(not(unix))]
fn serve(_: &ArgMatches) -> ExitCode {
    output::complain("serve runs on Linux only; all other commands run here", Exit::Usage)
}

/// The variables of settings that the command line cannot read.
fn unreadable_settings() -> impl Iterator<Item = &'static str> {
    let is_unreadable = |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    settings().map(|setting| setting.name).filter(is_unreadable)
}

/// The commands with all their help.
fn command() -> Command {
    help::completed(definition())
}

/// The commands, in the order in which a person needs them.
fn definition() -> Command {
    Command::new("diskseal")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Seal every Azure managed disk and snapshot as soon as it is created")
        .add(GUIDE)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(seal::command(), &[Use::Always]))
        .subcommand(with_settings(sweep::command(), &[Use::Always, Use::Sweep]))
        .subcommand(with_settings(report::command(), &[Use::Always]))
        .subcommand(with_settings(unseal::command(), &[Use::Always]))
        .subcommand(with_settings(reseal::command(), &[Use::Always]))
        .subcommand(with_settings(pending::command(), &[Use::Always]))
        .subcommand(policy::command().subcommand(with_settings(policy::check_command(), &[Use::Always])))
        .subcommand(with_settings(doctor::command(), &[Use::Always]))
        .subcommand(version::command())
        .subcommand(with_settings(serve_command(), &[Use::Always, Use::Sweep, Use::Serve]))
        .subcommand(completions::command())
        .subcommand(man::command())
}

const GUIDE: Guide = Guide {
    examples: &[
        "diskseal doctor",
        "diskseal report --output html --file report.html",
        "diskseal sweep --dry-run",
        "diskseal help unseal",
        "diskseal help settings mode",
    ],
    exits: topics::EXITS,
};

fn serve_command() -> Command {
    Command::new("serve")
        .about("Run as the custom handler of an Azure Functions app")
        .long_about(
            "Run as the custom handler of an Azure Functions app. The Functions host starts it and sends it \
             invocations over HTTP on 127.0.0.1.\n\nEvery setting is an app setting (environment \
             variable) and a flag; the flag takes precedence. The standard variables \
             IDENTITY_ENDPOINT, IDENTITY_HEADER, SSL_CERT_FILE, OTEL_* and RUST_LOG keep their \
             standard meaning.",
        )
        .add(Guide {
            examples: &["diskseal serve --port 7071 --credential azure-cli --mode audit"],
            exits: &[
                (1, "the port is in use"),
                (2, "invalid settings"),
                (200, "stopped by a signal; the Functions host starts it again"),
            ],
        })
}

#[cfg(test)]
mod tests;
