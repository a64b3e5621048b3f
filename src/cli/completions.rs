//! `diskseal completions` and `diskseal man`, generated from the same definition as `--help`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::session::{Exit, complain, print};

pub(super) fn completions_command() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell")
        .after_help(
            "Examples:\n  \
             diskseal completions bash > ~/.local/share/bash-completion/completions/diskseal\n  \
             diskseal completions zsh > \"${fpath[1]}/_diskseal\"\n  \
             diskseal completions fish > ~/.config/fish/completions/diskseal.fish",
        )
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("Shell to print the completions for"),
        )
}

pub(super) fn man_command() -> Command {
    Command::new("man")
        .about("Print the manual page, or write a page for every command")
        .after_help(
            "Examples:\n  \
             diskseal man | man -l -\n  \
             diskseal man --directory /usr/local/share/man/man1",
        )
        .arg(
            Arg::new("directory")
                .long("directory")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Write diskseal.1, diskseal-seal.1 and so on to this directory instead"),
        )
}

pub(super) fn completions(mut definition: Command, matches: &ArgMatches) -> ExitCode {
    let Some(shell) = matches.get_one::<Shell>("shell") else { return Exit::Usage.into() };
    let mut script = vec![];
    clap_complete::generate(*shell, &mut definition, "diskseal", &mut script);
    print(&script);
    Exit::Done.into()
}

pub(super) fn man(definition: Command, matches: &ArgMatches) -> ExitCode {
    if let Some(directory) = matches.get_one::<PathBuf>("directory") {
        return match clap_mangen::generate_to(definition, directory) {
            Ok(()) => Exit::Done.into(),
            Err(fault) => complain(&format!("{}: {fault}", directory.display()), Exit::NotAll),
        };
    }
    let mut page = vec![];
    match clap_mangen::Man::new(definition).render(&mut page) {
        Ok(()) => {
            print(&page);
            Exit::Done.into()
        }
        Err(fault) => complain(&fault.to_string(), Exit::NotAll),
    }
}
