//! `--keep`: the local Azure as a playground.

use anstream::println;
use diskseal_emulator::local_azure::LocalAzure;
use tokio::io::AsyncReadExt as _;

use crate::Fault;
use crate::people::Person;
use crate::scene::Scene;
use crate::style::{DIM, Painted, STRONG};

/// Prints how to play, and waits until standard input is closed. Ctrl-C ends it from outside.
pub(crate) async fn run(azure: &LocalAzure, scene: Option<&Scene>) -> Result<(), Fault> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("play.env");
    let variables = variables(azure);
    std::fs::write(&file, assignments(&variables))?;
    println!("  {}\n", Painted(STRONG, "All of it keeps running. In another terminal:"));
    println!("    . {}   {}\n", file.display(), Painted(DIM, "# sets what the commands below use:"));
    for (name, value) in &variables {
        println!("    {}", Painted(DIM, format_args!("{name:<9} {value}")));
    }
    println!();
    let new = "$ARM/subscriptions/$SUB/resourceGroups/rg-play/providers/Microsoft.Compute/disks/my-disk?$API";
    let auth = r#"--cacert "$CA" -H "Authorization: Bearer $TOKEN""#;
    let json = "-H 'Content-Type: application/json'";
    for (what, command) in [
        (
            "create a disk as Jane",
            format!(
                "curl -sS {auth} {json} -X PUT \"{new}\" \\\n      -d '{{\"location\":\"westeurope\",\"properties\":\
                 {{\"creationData\":{{\"createOption\":\"Empty\"}},\"diskSizeGB\":64}}}}'"
            ),
        ),
        ("see it sealed, about two seconds later", format!("curl -sS {auth} \"{new}\"")),
        ("what exists", "curl -sS $CONTROL/resources".to_owned()),
        ("what the handler says", "curl -sS $CONTROL/console".to_owned()),
        ("how its invocations ended", "curl -sS $CONTROL/invocations".to_owned()),
        (
            "throttle its next write",
            "curl -sS $CONTROL/faults -d \\\n      '{\"kind\":\"patch\",\"action\":{\"refuse\":{\"as\":\"throttledArm\",\
             \"retryAfter\":3}}}'"
                .to_owned(),
        ),
        ("kill it; the host starts it again", "curl -sS -X POST $CONTROL/kill".to_owned()),
        (
            "every request about one resource",
            format!("curl -sS \"$CONTROL/journal?resource={}\"", scene.map_or("my-disk", |scene| scene.name)),
        ),
        ("the traces", "curl -sS $CONTROL/spans".to_owned()),
        (
            "publish an event to the custom topic",
            "curl -sS \"$TOPIC?api-version=2018-01-01\" --cacert \"$CA\" -H \"aeg-sas-key: $TOPIC_KEY\" \\\n      \
             -H 'Content-Type: application/cloudevents+json' -d '{\"id\":\"1\",\"source\":\"/me\",\
             \"specversion\":\"1.0\",\"type\":\"hello\"}'"
                .to_owned(),
        ),
        ("all that can be asked", "curl -sS $CONTROL/".to_owned()),
    ] {
        println!("    # {what}\n    {command}\n");
    }
    println!("  Ctrl-C ends it.");
    let mut input = Vec::new();
    tokio::io::stdin().read_to_end(&mut input).await?;
    Ok(())
}

/// What the commands use, the token last because it is long.
fn variables(azure: &LocalAzure) -> Vec<(&'static str, String)> {
    let topic = azure.control.topic.as_ref();
    vec![
        ("ARM", azure.serving.arm_https.clone()),
        ("API", "api-version=2024-03-02".to_owned()),
        ("SUB", "11111111-2222-4333-8444-555555555555".to_owned()),
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
