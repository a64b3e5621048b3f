//! The command line and its commands.

mod answer;
mod completions;
mod doctor;
mod evidence;
mod flags;
mod ids;
mod installation;
mod interrupt;
mod narrowing;
mod output;
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
mod serve;
mod session;
mod sweep;
mod tally;
mod unseal;
mod usage;

use std::process::ExitCode;

use clap::{ArgMatches, Command, error::ErrorKind};

use crate::config::{Use, settings};
use flags::{lookup, with_settings};
use session::Exit;
use usage::{with_tip, with_usage};

/// Reads the command line and runs the command.
pub fn run() -> ExitCode {
    output::end(dispatch())
}

fn dispatch() -> ExitCode {
    let matches = match with_usage(command(), "diskseal").try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are what was asked for; everything else is a usage error.
            if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                let _ = with_tip(error, &command()).print();
                for name in unreadable_settings() {
                    output::note(&format!("{name}: its value is not UTF-8"));
                }
                if std::env::args_os().nth(1).is_some_and(|command| command == "serve") {
                    serve::linger();
                }
                return Exit::Usage.into();
            }
            output::print(error.to_string().as_bytes());
            return Exit::Done.into();
        }
    };
    match matches.subcommand() {
        Some(("serve", matches)) => serve::run(&lookup(matches, None)),
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
        "policy" => match matches.subcommand() {
            Some(("check", matches)) => policy::run(matches),
            _ => Exit::Usage.into(),
        },
        "completions" => completions::completions(command(), matches),
        "man" => completions::man(command(), matches),
        "report" => report::run(matches),
        _ => Exit::Usage.into(),
    }
}

/// The variables of settings that the command line cannot read.
fn unreadable_settings() -> impl Iterator<Item = &'static str> {
    let is_unreadable = |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    settings().map(|setting| setting.name).filter(is_unreadable)
}

fn command() -> Command {
    Command::new("diskseal")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Seal every Azure managed disk and snapshot as soon as it is created")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(serve_command(), &[Use::Always, Use::Sweep, Use::Serve]))
        .subcommand(with_settings(seal::command(), &[Use::Always]))
        .subcommand(with_settings(sweep::command(), &[Use::Always, Use::Sweep]))
        .subcommand(with_settings(unseal::command(), &[Use::Always]))
        .subcommand(with_settings(reseal::command(), &[Use::Always]))
        .subcommand(with_settings(doctor::command(), &[Use::Always]))
        .subcommand(policy::command().subcommand(with_settings(policy::check_command(), &[Use::Always])))
        .subcommand(completions::completions_command())
        .subcommand(completions::man_command())
        .subcommand(with_settings(report::command(), &[Use::Always]))
        .after_help(
            "Examples:\n  \
             diskseal doctor\n  \
             diskseal seal --mode audit /subscriptions/…/providers/Microsoft.Compute/disks/disk-1\n  \
             diskseal help unseal\n\n\
             Exit codes: 0 done, 1 something is not sealed, 2 invalid arguments or settings, 3 Azure could not be \
             reached. `serve` has its own exit codes, which the Functions host reads.",
        )
}

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
        .after_help(
            "Example of a local run:\n  \
             diskseal serve --port 7071 --credential azure-cli --mode audit",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn commands(command: &Command, path: &str, without: &mut Vec<String>) {
            for command in command.get_subcommands() {
                let path = format!("{path} {}", command.get_name());
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                if !(help.contains("Example") && help.contains(&path)) {
                    without.push(path.clone());
                }
                commands(command, &path, without);
            }
        }
        let mut without = vec![];
        commands(&command(), "diskseal", &mut without);
        assert!(without.is_empty(), "{without:?}");
        assert!(command().get_after_help().is_some_and(|help| help.to_string().contains("Exit codes: 0")));
    }
}
