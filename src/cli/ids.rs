//! The resource IDs that a command works on, from its arguments or from standard input.

use std::{
    collections::HashSet,
    io::{BufRead, IsTerminal},
};

use clap::{Arg, ArgMatches};

use super::names::Names;
use crate::resource_id::ResourceId;

/// The argument.
pub(super) fn arg() -> Arg {
    Arg::new("id")
        .value_name("ID")
        .num_args(0..)
        .add(Names::Resources.completer())
        .help("Resource IDs (default: standard input, one per line)")
        .long_help("Resource IDs of disks and snapshots; without any, they are read from standard input, one per line")
}

/// Whether IDs are on the command line, so that standard input can be used for a confirmation.
pub(super) fn are_given(matches: &ArgMatches) -> bool {
    !given(matches).is_empty()
}

fn given(matches: &ArgMatches) -> Vec<String> {
    matches.get_many("id").unwrap_or_default().cloned().collect()
}

/// Reads the IDs from the arguments or from standard input. An invalid ID fails the command before anything is tried.
pub(super) fn read(matches: &ArgMatches) -> Result<Vec<ResourceId>, String> {
    let given = given(matches);
    let lines = if given.is_empty() {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return Err(
                "no resource IDs: pass them as arguments or on standard input, one per line".to_owned()
            );
        }
        stdin.lock().lines().collect::<Result<_, _>>().map_err(|fault| format!("standard input: {fault}"))?
    } else {
        given
    };
    let mut faults = vec![];
    let mut ids: Vec<ResourceId> = vec![];
    let mut known = HashSet::new();
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        match line.parse() {
            Ok(id) => {
                if known.insert(ResourceId::clone(&id)) {
                    ids.push(id);
                }
            }
            Err(fault) => faults.push(format!("{line:?}: {fault}")),
        }
    }
    if faults.is_empty() { Ok(ids) } else { Err(faults.join("\ndiskseal: ")) }
}
