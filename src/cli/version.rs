//! `diskseal version`: which build this is.

use std::{
    env::consts::{ARCH, OS},
    process::ExitCode,
};

use clap::{ArgMatches, Command};
use serde_json::json;

use super::{
    help::Guide,
    policy::{is_json, output_arg},
    session::{Exit, print, say},
};

/// The version of the JSON (docs/schemas/version-1.json).
const FORMAT: u32 = 1;
/// The commit, if the build was given one.
const COMMIT: Option<&str> = option_env!("DISKSEAL_COMMIT");
/// The C library that it is linked with, as the names of Rust's targets have it.
const LIBC: &str = if cfg!(target_env = "musl") {
    "-musl"
} else if cfg!(target_env = "gnu") {
    "-gnu"
} else if cfg!(target_env = "msvc") {
    "-msvc"
} else {
    ""
};

const GUIDE: Guide =
    Guide { examples: &["diskseal version", "diskseal version -o json | jq -r .version"], exits: &[] };

pub(super) fn command() -> Command {
    Command::new("version")
        .about("Print the version, the commit and the target of this build")
        .add(GUIDE)
        .arg(output_arg())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let (version, target) = (env!("CARGO_PKG_VERSION"), format!("{ARCH}-{OS}{LIBC}"));
    if is_json(matches) {
        let document = json!({"format": FORMAT, "version": version, "commit": COMMIT, "target": target});
        print(format!("{document:#}\n").as_bytes());
    } else {
        let commit = COMMIT.map(|commit| format!("commit {commit}, ")).unwrap_or_default();
        say(&format!("diskseal {version} ({commit}{target})"));
    }
    Exit::Done.into()
}
