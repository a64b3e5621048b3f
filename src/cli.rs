//! The command line: what the commands are, and where a setting comes from.

mod completions;
mod doctor;
mod ids;
mod policy;
mod report;
mod seal;
mod serve;
mod session;
mod sweep;
mod unseal;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, error::ErrorKind};

use crate::config::{SETTINGS, Setting, Use};
use session::Exit;

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are asked for; everything else is a mistake. Where the terminal is gone,
            // there is no one to tell.
            let _ = error.print();
            let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if is_answer { ExitCode::SUCCESS } else { Exit::Usage.into() };
        }
    };
    match matches.subcommand() {
        Some(("serve", matches)) => serve::run(&lookup(matches)),
        Some(("seal", matches)) => seal::run(&lookup(matches), matches),
        Some(("sweep", matches)) => sweep::run(&lookup(matches), matches),
        Some(("unseal", matches)) => unseal::run(&lookup(matches), matches),
        Some(("doctor", matches)) => doctor::run(&lookup(matches), matches),
        Some(("policy", matches)) => match matches.subcommand() {
            Some(("check", matches)) => policy::run(&lookup(matches), matches),
            _ => Exit::Usage.into(),
        },
        Some(("completions", matches)) => completions::completions(command(), matches),
        Some(("man", matches)) => completions::man(command(), matches),
        Some(("report", matches)) => report::run(&lookup(matches), matches),
        _ => Exit::Usage.into(),
    }
}

fn command() -> Command {
    Command::new("diskseal")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Seals every Azure managed disk and snapshot the moment it is created")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("serve")
                .about("Runs as the custom handler of an Azure Functions app")
                .long_about(
                    "Runs as the custom handler of an Azure Functions app, which starts it and sends it \
                     invocations over HTTP on 127.0.0.1.\n\nEvery setting is an app setting (environment \
                     variable) and a flag; the flag goes before the variable. The standard variables \
                     IDENTITY_ENDPOINT, IDENTITY_HEADER, SSL_CERT_FILE, OTEL_* and RUST_LOG keep their \
                     standard meaning.",
                )
                .after_help(
                    "Example, to try it by hand:\n  \
                     diskseal serve --port 7071 --credential azure-cli --mode audit",
                )
                .args(SETTINGS.iter().map(arg)),
        )
        .subcommand(for_a_person(seal::command(), &[Use::Always]))
        .subcommand(for_a_person(sweep::command(), &[Use::Always, Use::Sweep]))
        .subcommand(for_a_person(unseal::command(), &[Use::Always]))
        .subcommand(for_a_person(doctor::command(), &[Use::Always]))
        .subcommand(policy::command().subcommand(for_a_person(policy::check_command(), &[Use::Always])))
        .subcommand(completions::completions_command())
        .subcommand(completions::man_command())
        .subcommand(for_a_person(report::command(), &[Use::Always]))
        .after_help(
            "Examples:\n  \
             diskseal doctor\n  \
             diskseal seal --mode audit /subscriptions/…/providers/Microsoft.Compute/disks/disk-1\n  \
             diskseal help unseal\n\n\
             Exit codes: 0 done, 1 something is not sealed, 2 wrong command line or settings, 3 Azure could not be \
             reached. `serve` has its own, which the Functions host reads.",
        )
}

/// A command that a person runs has the settings that it uses.
fn for_a_person(command: Command, used: &[Use]) -> Command {
    let settings = SETTINGS.iter().filter(|setting| used.contains(&setting.used));
    command.next_help_heading("Settings, each also an environment variable").args(settings.map(arg))
}

fn arg(setting: &Setting) -> Arg {
    Arg::new(setting.name)
        .long(setting.flag)
        .env(setting.name)
        .hide_env_values(true)
        .value_name(setting.value)
        .help(setting.help)
}

/// A flag, or the variable of the same meaning. What is no setting of ours is a variable of the platform or of a
/// standard; clap tells those apart in debug builds alone, so that nothing may depend on it.
fn lookup(matches: &ArgMatches) -> impl Fn(&str) -> Option<String> {
    |name| match matches.try_get_one::<String>(name) {
        Ok(Some(value)) => Some(value.clone()),
        Ok(None) | Err(_) => std::env::var(name).ok(),
    }
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

    #[test]
    fn a_flag_goes_before_its_variable_and_every_setting_has_one() {
        for setting in SETTINGS {
            let flag = format!("--{}=flag", setting.flag);
            let matches = command().try_get_matches_from(["diskseal", "serve", &flag]).unwrap();
            let (_, matches) = matches.subcommand().unwrap();
            assert_eq!(lookup(matches)(setting.name).as_deref(), Some("flag"), "{}", setting.name);
        }
    }
}
