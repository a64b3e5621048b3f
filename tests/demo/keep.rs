//! `--keep`: keeps the local Azure running, with a page, an HTTP API and what a shell needs to use it.

use std::{fmt::Write as _, net::Ipv4Addr, path::Path, sync::Arc};

use anstream::println;
use diskseal_emulator::{estate::disk_id, local_azure::LocalAzure};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use crate::{
    Fault,
    act::Stage,
    page,
    people::Person,
    scene::PRODUCTION,
    style::{DIM, Painted, STRONG},
};

/// The port of the page. It is the same at every start, so that an open page finds the next demo.
pub(crate) const PORT: u16 = 8484;

/// Example commands with a description. They use the variables of [`assignments`].
const COMMANDS: [(&str, &str); 12] = [
    ("which disks and snapshots are sealed, and which are not", "diskseal report"),
    ("is the installation right?", "diskseal doctor"),
    ("what would a sweep write?", "diskseal sweep --all-subscriptions --dry-run"),
    (
        "leave one disk unsealed until a day",
        r#"diskseal unseal "$SQL_DISK" --yes \
      --until 2099-12-31 --reason "INC-1234 restore""#,
    ),
    (
        "the same Azure with the Azure CLI",
        r#"az cloud register -n local \
      --endpoint-resource-manager "$DISKSEAL_ARM_ENDPOINT"
    az cloud set -n local
    az login --identity
    az disk create -g rg-play -n az-disk -l westeurope --size-gb 64"#,
    ),
    (
        "create a disk as the user Jane",
        r#"curl -sS --cacert "$SSL_CERT_FILE" -X PUT "$DISK" \
      -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
      -d '{"location":"westeurope","properties":{"diskSizeGB":64,
           "creationData":{"createOption":"Empty"}}}'"#,
    ),
    ("all requests about it", r#"curl -sS "$CONTROL/journal?resource=my-disk""#),
    ("the handler's log", r#"curl -sS "$CONTROL/console""#),
    (
        "throttle the next seal (429)",
        r#"curl -sS "$CONTROL/faults" -d '{"kind":"patch",
      "action":{"refuse":{"as":"throttledArm","retryAfter":3}}}'"#,
    ),
    (
        "kill the handler of the queue; its host starts it again",
        r#"curl -sS -X POST "$CONTROL/kill?group=function:seal_queued""#,
    ),
    (
        "publish an event to a custom topic",
        r#"curl -sS --cacert "$SSL_CERT_FILE" "$TOPIC?api-version=2018-01-01" \
      -H "aeg-sas-key: $TOPIC_KEY" \
      -H 'Content-Type: application/cloudevents+json' \
      -d '{"id":"1","source":"/me","specversion":"1.0","type":"hello"}'"#,
    ),
    ("all endpoints", r#"curl -sS "$CONTROL/""#),
];

/// Binds the page's port, before anything is built or started.
pub(crate) async fn bind(port: u16) -> Result<TcpListener, Fault> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.map_err(|fault| {
        format!(
            "port {port} of the page: {fault}; choose another one with --port, or any free one with --port 0"
        )
        .into()
    })
}

/// Prints what a shell needs and the address of the page, and waits until standard input is closed. The caller handles
/// signals.
pub(crate) async fn run(
    azure: &Arc<LocalAzure>,
    stage: &Arc<Stage>,
    listener: TcpListener,
    handler: &Path,
) -> Result<(), Fault> {
    let page = format!("http://{}", listener.local_addr()?);
    let server = page::serve(azure, stage, listener);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("demo.env");
    std::fs::write(&file, assignments(azure, &page, handler, folder.path()))?;
    println!("  {}\n", Painted(STRONG, "Still running. To use it in another terminal, first run:"));
    println!("    . {}\n", file.display());
    println!("  Then, for example:\n");
    for (what, command) in COMMANDS {
        println!("    {}\n    {command}\n", Painted(DIM, format_args!("# {what}")));
    }
    println!("  Press Ctrl-C to stop.");
    println!("  {} {page}/", Painted(STRONG, "Live page:"));
    let (mut input, mut stdin) = (Vec::new(), tokio::io::stdin());
    tokio::select! {
        ended = server => ended?,
        read = stdin.read_to_end(&mut input) => drop(read?),
    }
    Ok(())
}

/// Assignments for a shell, with which `diskseal`, `az` and `curl` use this Azure, and nothing of the user's own.
/// Neither command line needs a sign-in of a person: both get tokens from the managed-identity endpoint, for an
/// identity that is not the handler's, because Event Grid drops the handler's own writes.
fn assignments(azure: &LocalAzure, control: &str, handler: &Path, folder: &Path) -> String {
    let topic = azure.control.topic.as_ref();
    let arm = &azure.serving.arm_https;
    let disk = |group: &str, name: &str| disk_id(PRODUCTION, group, name);
    let ca = azure.serving.ca_pem().display().to_string();
    let all = [
        ("DISKSEAL_ARM_ENDPOINT", arm.clone()),
        ("DISKSEAL_CREDENTIAL", "managed-identity".to_owned()),
        ("IDENTITY_ENDPOINT", azure.serving.identity.clone()),
        ("IDENTITY_HEADER", azure.serving.identity_header.clone()),
        ("SSL_CERT_FILE", ca.clone()),
        ("REQUESTS_CA_BUNDLE", ca),
        ("AZURE_CONFIG_DIR", folder.join("azure").display().to_string()),
        ("AZURE_CORE_INSTANCE_DISCOVERY", "false".to_owned()),
        ("CONTROL", control.to_owned()),
        ("SQL_DISK", disk("rg-sql", "sql-data-01")),
        ("DISK", format!("{arm}{}?api-version=2024-03-02", disk("rg-play", "my-disk"))),
        ("TOPIC", topic.map(|topic| topic.https.clone()).unwrap_or_default()),
        ("TOPIC_KEY", topic.map(|topic| topic.key.clone()).unwrap_or_default()),
        ("TOKEN", Person::Jane.token(azure)),
    ];
    let mut text = String::from("unset AZURE_CLIENT_ID\n");
    if let Some(binaries) = handler.parent() {
        let _ = writeln!(text, "export PATH={}:\"$PATH\"", quoted(&binaries.display().to_string()));
    }
    for (name, value) in all {
        let _ = writeln!(text, "export {name}={}", quoted(&value));
    }
    text
}

/// One word of a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}
