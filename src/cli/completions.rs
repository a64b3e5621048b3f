//! `diskseal completions`: a script with which a shell asks this binary for candidates at each Tab, so that it knows every
//! flag, the words of every setting, and the names that `az` lists.

use std::{ffi::OsString, process::ExitCode};

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser};
use clap_complete::env::Shells;

use super::{
    help::Guide,
    session::{Exit, complain, print},
};

/// The variable by which a script names its shell. It counts only where the first argument is `--`, so it changes no
/// command.
const SHELL: &str = "DISKSEAL_COMPLETE";
const BINARY: &str = "diskseal";

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "diskseal completions bash \\\n  > ~/.local/share/bash-completion/completions/diskseal",
        "diskseal completions zsh > \"${fpath[1]}/_diskseal\"",
        "diskseal completions fish > ~/.config/fish/completions/diskseal.fish",
        "diskseal completions powershell >> $PROFILE",
    ],
    exits: &[],
};

pub(super) fn command() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell")
        .long_about(
            "Print a script that completes commands, flags and values. At each Tab the shell runs `diskseal`, which must be \
             on the PATH. Names of subscriptions, resource groups, function apps and disks come from `az`, if it is \
             installed and signed in.",
        )
        .add(GUIDE)
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(PossibleValuesParser::new(Shells::builtins().names()))
                .help("Shell to print the completions for"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let shells = Shells::builtins();
    let shell = matches.get_one::<String>("shell").and_then(|name| shells.completer(name));
    let Some(shell) = shell else { return Exit::Usage.into() };
    let mut script = vec![];
    if let Err(fault) = shell.write_registration(SHELL, BINARY, BINARY, BINARY, &mut script) {
        return complain(&fault.to_string(), Exit::NotAll);
    }
    if shell.name() == "zsh" {
        // A file of fpath is run at the first Tab, which would have no candidates.
        script.extend(
            b"if [[ ${funcstack[1]} == _diskseal ]]; then _clap_dynamic_completer_diskseal \"$@\"; fi\n",
        );
    }
    print(&script);
    Exit::Done.into()
}

/// Prints the candidates, if a script asks for them: after `--`, the words of the command line as far as they are typed.
pub(super) fn answer(definition: impl FnOnce() -> Command) -> Option<ExitCode> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [first, words @ ..] = &words[..] else { return None };
    let name = std::env::var(SHELL).ok().filter(|_| first == "--")?;
    let shells = Shells::builtins();
    let (shell, words) = (shells.completer(&name)?, words.to_vec());
    let folder = std::env::current_dir().ok();
    let mut candidates = vec![];
    let written = shell.write_complete(&mut definition(), words, folder.as_deref(), &mut candidates);
    print(&candidates);
    Some(if written.is_ok() { Exit::Done.into() } else { Exit::NotAll.into() })
}
