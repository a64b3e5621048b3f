//! What a person reads after a wrong command line.

use clap::{
    Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// The flags of the output format.
const OUTPUT: [&str; 2] = ["-o", "--output"];

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
