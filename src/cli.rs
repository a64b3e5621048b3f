//! The command line: what the commands are, and where a setting comes from.

mod seal;
mod serve;
mod session;
mod sweep;

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
                .args(SETTINGS.iter().map(arg)),
        )
        .subcommand(for_a_person(seal::command(), &[Use::Always]))
        .subcommand(for_a_person(sweep::command(), &[Use::Always, Use::Sweep]))
        .after_help(
            "Exit codes: 0 done, 1 something is not sealed, 2 wrong command line or settings, 3 Azure could not be \
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

/// A flag, or the variable of the same meaning.
fn lookup(matches: &ArgMatches) -> impl Fn(&str) -> Option<String> {
    |name| match matches.try_get_one::<String>(name) {
        Ok(value) => value.cloned(),
        // Not a setting of ours: a variable of the platform or of a standard.
        Err(_) => std::env::var(name).ok(),
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
    fn a_flag_goes_before_its_variable_and_every_setting_has_one() {
        for setting in SETTINGS {
            let flag = format!("--{}=flag", setting.flag);
            let matches = command().try_get_matches_from(["diskseal", "serve", &flag]).unwrap();
            let (_, matches) = matches.subcommand().unwrap();
            assert_eq!(lookup(matches)(setting.name).as_deref(), Some("flag"), "{}", setting.name);
        }
    }
}
