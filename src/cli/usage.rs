//! What a person reads after a wrong command line.

use clap::{
    Arg, Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// The flags of the output format.
const OUTPUT: [&str; 2] = ["-o", "--output"];

/// Gives each command with settings a usage without them. Clap lists each flag whose variable is set as if it were on
/// the command line.
pub(super) fn with_usage(command: Command, path: &str) -> Command {
    let has_settings = command.get_arguments().any(|arg| arg.get_env().is_some());
    let command = if has_settings {
        let usage = usage(&command, path);
        command.override_usage(usage)
    } else {
        command
    };
    command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        with_usage(command, &path)
    })
}

fn usage(command: &Command, path: &str) -> String {
    let form = |arg: &Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names.first().map(ToString::to_string).unwrap_or_default()
    };
    let required = command.get_arguments().filter(|arg| arg.is_required_set() && !arg.is_positional());
    let required = required.map(|arg| format!("--{} <{}>", arg.get_long().unwrap_or_default(), form(arg)));
    let positional = command.get_positionals().map(|arg| format!("[{}]...", form(arg)));
    let parts: Vec<_> = required.chain(positional).collect();
    [&format!("{path} [OPTIONS]"), &parts[..].join(" ")].map(String::as_str).join(" ").trim_end().to_owned()
}

/// The same error with a tip that helps. Clap's own about an unknown flag is how to pass it as a value.
pub(super) fn with_tip(mut error: clap::Error, all: &Command) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
    let name = flag.split('=').next().unwrap_or_default();
    let tip = if OUTPUT.contains(&name) {
        Some(format!("only these commands have an output format: {}", with_output(all, "").join(", ")))
    } else if name == "--dry-run" {
        Some("--mode audit shows what the command would do, and writes nothing".to_owned())
    } else {
        None
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
        error.remove(ContextKind::SuggestedArg);
    } else if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let kept: Vec<_> =
            tips.iter().filter(|tip| !tip.to_string().contains("as a value")).cloned().collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(kept));
    }
    error
}

/// The commands with an output format.
fn with_output(command: &Command, path: &str) -> Vec<String> {
    let mut all = vec![];
    for command in command.get_subcommands() {
        let path = format!("{path} {}", command.get_name()).trim_start().to_owned();
        if command.get_arguments().any(|arg| arg.get_long() == Some("output")) {
            all.push(path.clone());
        }
        all.extend(with_output(command, &path));
    }
    all
}
