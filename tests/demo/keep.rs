//! `--keep`: the local Azure as a playground, on a page and over HTTP.

use std::sync::Arc;

use anstream::println;
use diskseal_emulator::estate::disk_id;
use diskseal_emulator::local_azure::LocalAzure;
use tokio::io::AsyncReadExt as _;

use crate::act::Stage;
use crate::people::Person;
use crate::scene::PRODUCTION;
use crate::style::{DIM, Painted, STRONG};
use crate::{Fault, page};

/// Each with what it does. They use what [`variables`] gives; none is wider than the table.
const COMMANDS: [(&str, &str); 11] = [
    (
        "create a disk as Jane",
        r#"curl -sS --cacert $CA -H "Authorization: Bearer $TOKEN" -X PUT "$DISK" -H 'Content-Type: application/json' \
      -d '{"location":"westeurope","properties":{"creationData":{"createOption":"Empty"},"diskSizeGB":64}}'"#,
    ),
    (
        "see it sealed, two or three seconds later",
        r#"curl -sS --cacert $CA -H "Authorization: Bearer $TOKEN" "$DISK""#,
    ),
    ("every request about it", r#"curl -sS "$CONTROL/journal?resource=my-disk""#),
    ("what exists", "curl -sS $CONTROL/resources"),
    ("what the handler says", "curl -sS $CONTROL/console"),
    ("how its invocations ended", "curl -sS $CONTROL/invocations"),
    ("the traces, as the collector has them", "curl -sS $CONTROL/spans"),
    (
        "throttle the next write of the mode",
        r#"curl -sS $CONTROL/faults \
      -d '{"kind":"patch","action":{"refuse":{"as":"throttledArm","retryAfter":3}}}'"#,
    ),
    ("kill the handler; its host starts it again", "curl -sS -X POST $CONTROL/kill"),
    (
        "publish an event to a custom topic",
        r#"curl -sS --cacert $CA "$TOPIC?api-version=2018-01-01" -H "aeg-sas-key: $TOPIC_KEY" \
      -H 'Content-Type: application/cloudevents+json' \
      -d '{"id":"1","source":"/me","specversion":"1.0","type":"hello"}'"#,
    ),
    ("whatever else can be asked", "curl -sS $CONTROL/"),
];

/// Prints how to play, and waits until standard input is closed. Signals end it from outside.
pub(crate) async fn run(azure: &Arc<LocalAzure>, stage: &Arc<Stage>) -> Result<(), Fault> {
    let (address, server) = page::serve(azure, stage).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("play.env");
    let variables = variables(azure);
    std::fs::write(&file, assignments(&variables))?;
    println!("  {}\n", Painted(STRONG, "All of it keeps running. What exists and its traces, live:"));
    println!("    {address}\n");
    println!("  {}\n", Painted(STRONG, "In another terminal, first:"));
    println!("    . {}\n", file.display());
    println!("  which sets\n");
    for (name, value) in &variables {
        println!("    {}", Painted(DIM, format_args!("{name:<9} {value}")));
    }
    println!("\n  and then\n");
    for (what, command) in COMMANDS {
        println!("    {}\n    {command}\n", Painted(DIM, format_args!("# {what}")));
    }
    println!("  Ctrl-C ends it.");
    let (mut input, mut stdin) = (Vec::new(), tokio::io::stdin());
    tokio::select! {
        ended = server => ended?,
        read = stdin.read_to_end(&mut input) => drop(read?),
    }
    Ok(())
}

/// What the commands use, the token last because it is long.
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

/// Assignments for a shell. The values hold nothing that needs more than single quotes.
fn assignments(variables: &[(&str, String)]) -> String {
    variables.iter().fold(String::new(), |all, (name, value)| all + &format!("{name}='{value}'\n"))
}
