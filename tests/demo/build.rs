//! Builds the handler, because building an example does not build the binary.

use std::{path::PathBuf, process::Stdio};

use anstream::println;
use serde_json::Value;
use tokio::process::Command;

use crate::Fault;

/// Prefixes of the variables that cargo sets for the programs it runs.
const PACKAGE_VARIABLES: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Builds `diskseal` in the profile of this example, and returns its path.
pub(crate) async fn handler() -> Result<PathBuf, Fault> {
    println!("\n  Building the handler …");
    // Building it together with this example uses the same features of the dependencies; otherwise cargo would
    // compile most of them again.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // With the package variables of `cargo run`, build scripts that read them would run again each time, and half
    // of the dependencies would be recompiled.
    for (name, _) in std::env::vars_os() {
        let of_package =
            name.to_str().is_some_and(|name| PACKAGE_VARIABLES.iter().any(|part| name.starts_with(part)));
        if of_package {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--bin", "diskseal", "--example", "demo", "--profile", &profile()?])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        return Err("building diskseal failed".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "diskseal")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.ok_or_else(|| "cargo did not report the path of diskseal".into())
}

/// The profile of this example: the name of its target folder, except for `dev`.
fn profile() -> Result<String, Fault> {
    let example = std::env::current_exe()?;
    let folder =
        example.parent().and_then(|examples| examples.parent()).and_then(|folder| folder.file_name());
    match folder.and_then(|name| name.to_str()) {
        None | Some("debug") => Ok("dev".to_owned()),
        Some(name) => Ok(name.to_owned()),
    }
}
