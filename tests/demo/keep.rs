//! `--keep`: keeps the local Azure running, with a page and an HTTP API.

use std::sync::Arc;

use anstream::println;
use diskseal_emulator::{estate::disk_id, local_azure::LocalAzure};
use tokio::io::AsyncReadExt as _;

use crate::{
    Fault,
    act::Stage,
    page,
    people::Person,
    scene::PRODUCTION,
    style::{DIM, Painted, STRONG},
};

/// Example commands with a description. They use the variables of [`variables`] and are no wider than the table.
const COMMANDS: [(&str, &str); 11] = [
    (
        "create a disk as the user Jane",
        r#"curl -sS --cacert $CA -H "Authorization: Bearer $TOKEN" -X PUT "$DISK" -H 'Content-Type: application/json' \
      -d '{"location":"westeurope","properties":{"creationData":{"createOption":"Empty"},"diskSizeGB":64}}'"#,
    ),
    (
        "read it: sealed two or three seconds later",
        r#"curl -sS --cacert $CA -H "Authorization: Bearer $TOKEN" "$DISK""#,
    ),
    ("all requests about it", r#"curl -sS "$CONTROL/journal?resource=my-disk""#),
    ("all disks and snapshots", "curl -sS $CONTROL/resources"),
    ("the handler's log", "curl -sS $CONTROL/console"),
    ("the results of its invocations", "curl -sS $CONTROL/invocations"),
    ("all spans", "curl -sS $CONTROL/spans"),
    (
        "throttle the next seal (429)",
        r#"curl -sS $CONTROL/faults \
      -d '{"kind":"patch","action":{"refuse":{"as":"throttledArm","retryAfter":3}}}'"#,
    ),
    (
        "kill the handler of the queue; its host starts it again",
        "curl -sS -X POST '$CONTROL/kill?group=function:seal_queued'",
    ),
    (
        "publish an event to a custom topic",
        r#"curl -sS --cacert $CA "$TOPIC?api-version=2018-01-01" -H "aeg-sas-key: $TOPIC_KEY" \
      -H 'Content-Type: application/cloudevents+json' \
      -d '{"id":"1","source":"/me","specversion":"1.0","type":"hello"}'"#,
    ),
    ("all endpoints", "curl -sS $CONTROL/"),
];

/// Prints the address of the page and example commands, and waits until standard input is closed. The caller
/// handles signals.
pub(crate) async fn run(azure: &Arc<LocalAzure>, stage: &Arc<Stage>) -> Result<(), Fault> {
    let (address, server) = page::serve(azure, stage).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("play.env");
    let variables = variables(azure);
    std::fs::write(&file, assignments(&variables))?;
    println!("  {}\n", Painted(STRONG, "Example commands. In another terminal, first set the variables:"));
    println!("    . {}\n", file.display());
    for (name, value) in &variables {
        println!("    {}", Painted(DIM, format_args!("{name:<9} {value}")));
    }
    println!("\n  Then run, for example:\n");
    for (what, command) in COMMANDS {
        println!("    {}\n    {command}\n", Painted(DIM, format_args!("# {what}")));
    }
    println!("  {} {address}", Painted(STRONG, "Still running. Live page:"));
    println!("  Press Ctrl-C to stop.");
    let (mut input, mut stdin) = (Vec::new(), tokio::io::stdin());
    tokio::select! {
        ended = server => ended?,
        read = stdin.read_to_end(&mut input) => drop(read?),
    }
    Ok(())
}

/// The variables of the commands. The token is last because it is long.
fn variables(azure: &LocalAzure) -> Vec<(&'static str, String)> {
    let topic = azure.control.topic.as_ref();
    let disk = disk_id(PRODUCTION, "rg-play", "my-disk");
    vec![
        ("ARM", azure.serving.arm_https.clone()),
        ("DISK", format!("{}{disk}?api-version=2024-03-02", azure.serving.arm_https)),
        ("CA", azure.serving.ca_pem().display().to_string()),
        ("CONTROL", azure.control.url.clone()),
        ("TOPIC", topic.map(|topic| topic.https.clone()).unwrap_or_default()),
        ("TOPIC_KEY", topic.map(|topic| topic.key.clone()).unwrap_or_default()),
        ("TOKEN", Person::Jane.token(azure)),
    ]
}

/// Assignments for a shell. Single quotes are enough for all values.
fn assignments(variables: &[(&str, String)]) -> String {
    variables.iter().fold(String::new(), |all, (name, value)| all + &format!("{name}='{value}'\n"))
}
