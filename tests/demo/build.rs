//! Builds the handler: an example builds the library alone.

use std::path::PathBuf;
use std::process::Stdio;

use anstream::println;
use serde_json::Value;
use tokio::process::Command;

use crate::Fault;

/// What cargo sets for whatever it runs, by the beginnings of the names.
const PACKAGE_VARIABLES: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Builds `diskseal` in the profile of this example, and says where it is.
pub(crate) async fn handler() -> Result<PathBuf, Fault> {
    println!("\n  Building diskseal …");
    // Named beside this example, it is built with the same features of the same dependencies, most of which
    // would be compiled once more otherwise.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What `cargo run` has told us of our package would make build scripts that look at it run again, and
    // with them half the dependencies, each time.
    for (name, _) in std::env::vars_os() {
        let of_package =
            name.to_str().is_some_and(|name| PACKAGE_VARIABLES.iter().any(|part| name.starts_with(part)));
        if of_package {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--bin", "diskseal", "--example", "demo", "--profile", &profile()?])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        return Err("diskseal does not build".into());
    }
    let told = String::from_utf8(output.stdout)?;
    let executable = told
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "diskseal")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.ok_or_else(|| "cargo does not say where it has put diskseal".into())
}

/// The folder's name is the profile's, but for that of `dev`.
fn profile() -> Result<String, Fault> {
    let example = std::env::current_exe()?;
    let folder =
        example.parent().and_then(|examples| examples.parent()).and_then(|folder| folder.file_name());
    match folder.and_then(|name| name.to_str()) {
        None | Some("debug") => Ok("dev".to_owned()),
        Some(name) => Ok(name.to_owned()),
    }
}
