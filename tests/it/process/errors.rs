//! What a person reads when something is wrong, at two widths of the terminal.

use std::fmt::Write as _;

use diskseal_emulator::{
    Emulator, Options,
    azure_cli::{AzureCli, Run},
    disk_body,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
};
use futures::{StreamExt, stream};
use serde_json::json;

use super::{binary, commands::program, disk};

/// One that is larger than a line of a log, as ARM's refusals are: the policy's names are at its end.
const DENIED: &str = "Resource 'd' was disallowed by policy. Policy identifiers: '[{\"policyAssignment\":{\"name\":\"Deny \
                      changes of disks outside of the change window of the platform team\",\"id\":\"/providers/\
                      Microsoft.Management/managementGroups/mg-platform/providers/Microsoft.Authorization/\
                      policyAssignments/deny-disk-changes\"},\"policyDefinition\":{\"name\":\"Deny disk changes\",\"id\":\
                      \"/providers/Microsoft.Management/managementGroups/mg-platform/providers/\
                      Microsoft.Authorization/policyDefinitions/deny-disk-changes\"}}]'.";

/// A way in which a command fails.
struct Case {
    what: &'static str,
    command: &'static str,
    prepare: fn(&Emulator),
    environment: &'static [(&'static str, &'static str)],
}

fn nothing(_: &Emulator) {}

fn forbidden(azure: &Emulator) {
    for kind in [Kind::Get, Kind::List, Kind::Query] {
        azure.inject(Fault::refuse(Refusal::authorization_failed()).on(kind).always());
    }
}

fn denied(azure: &Emulator) {
    let refusal = Refusal::new(403, "RequestDisallowedByPolicy", DENIED);
    azure.inject(Fault::refuse(refusal).on(Kind::Patch).always());
}

fn locked(azure: &Emulator) {
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
}

fn no_subscription(azure: &Emulator) {
    azure.inject(Fault::refuse(Refusal::subscription_not_found()).on(Kind::Get).always());
}

fn uploading(azure: &Emulator) {
    azure.set_property(&disk("d"), "diskState", json!("ActiveUpload"));
}

fn down(azure: &Emulator) {
    for kind in [Kind::Get, Kind::List, Kind::Query] {
        azure.inject(Fault::refuse(Refusal::server_error(503)).on(kind).always());
    }
}

/// The commands for people, with what makes each of them ask Azure.
const UNSEAL: &str = "unseal --yes --exempt-tag keep --until 2999-12-31 --reason INC-1 ID";
const COMMANDS: [&str; 7] = [
    "seal ID",
    "sweep",
    UNSEAL,
    "reseal --exempt-tag keep ID",
    "report",
    "doctor --app none",
    "policy check ID",
];

fn cases() -> Vec<Case> {
    let case = |what, command, prepare: fn(&Emulator)| Case { what, command, prepare, environment: &[] };
    let of_all = |what, prepare: fn(&Emulator)| COMMANDS.map(|command| case(what, command, prepare));
    let wrong = |command| case("command line", command, nothing);
    let mut cases = vec![
        wrong("nonsense"),
        wrong("unseal"),
        wrong("unseal --until tomorrow --reason x ID"),
        wrong("unseal --yes --exempt-tag keep --until 2020-01-31 --reason x ID"),
        wrong("unseal --yes --until 2999-12-31 --reason x ID"),
        wrong("seal ID -o json --dry-run"),
        wrong("seal --dry-run ID"),
        wrong("man -o json"),
        wrong("sweep --colour"),
        wrong("sweep --subscriptions abc"),
        wrong("sweep --mode on --network none"),
        wrong("sweep --concurrency 0"),
        wrong("sweep --created-after yesterday"),
        wrong("sweep --kind volume"),
        wrong("sweep -o yaml"),
        wrong("sweep --plan a --apply b"),
        wrong("sweep --apply /nowhere/plan.json"),
        wrong("report -o yaml"),
        wrong("report --since never"),
        wrong("report --exports 91d"),
        wrong("report --evidence /nowhere"),
        wrong("doctor --location west/europe"),
        wrong("doctor --storage-account account"),
        wrong("policy check --stdin ID"),
        wrong("completions sh"),
    ];
    let ids = [
        "seal nonsense",
        "reseal nonsense",
        "policy check nonsense",
        "unseal --yes --until 2999-12-31 --reason x nonsense",
    ];
    cases.extend(ids.map(|command| case("no ID", command, nothing)));
    let missing = COMMANDS.into_iter().filter(|command| command.ends_with("ID"));
    cases.extend(missing.map(|command| {
        case("not found", command, |azure| {
            azure.delete(&disk("d"), &crate::world::jane());
        })
    }));
    cases.extend(of_all("forbidden", forbidden));
    cases.extend(of_all("down", down));
    let writes = COMMANDS.into_iter().filter(|command| ["seal ID", "sweep"].contains(command));
    cases.extend(writes.clone().map(|command| case("denied by policy", command, denied)));
    cases.extend(writes.clone().map(|command| case("locked", command, locked)));
    cases.extend(writes.map(|command| case("uploading", command, uploading)));
    cases.push(case("no subscription", "seal ID", no_subscription));
    let unreachable = &[("DISKSEAL_ARM_ENDPOINT", "http://127.0.0.1:1")];
    cases.extend(
        COMMANDS.map(|command| Case { environment: unreachable, ..case("unreachable", command, nothing) }),
    );
    let variable = &[("DISKSEAL_MODE", "on")];
    cases
        .extend(COMMANDS.map(|command| Case { environment: variable, ..case("variable", command, nothing) }));
    cases
}

/// Exit code and text of a case at a width.
async fn text(Case { what, command: line, prepare, environment }: &Case, columns: &str) -> String {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    prepare(&azure);
    let id = disk("d");
    let words: Vec<&str> = line.split(' ').map(|word| if word == "ID" { &id } else { word }).collect();
    let output =
        with_environment(&serving, &words, environment).env("COLUMNS", columns).output().await.unwrap();
    // The tables of a report and of the checks are no errors.
    let is_table = line.starts_with("report") || line.starts_with("doctor");
    let out = if is_table { String::new() } else { String::from_utf8_lossy(&output.stdout).into_owned() };
    let printed = format!("{out}{}", String::from_utf8_lossy(&output.stderr));
    let address = serving.arm_https.trim_start_matches("https://");
    let printed = printed.replace(&id, "ID").replace(address, "localhost:PORT");
    // Which commands have an output format is for their own tests.
    let tip = "commands have an output format: ";
    let short = |line: &str| match line.split_once(tip) {
        Some((begin, _)) => format!("{begin}{tip}…"),
        None => line.to_owned(),
    };
    let kept = printed.lines().filter(|line| !line.starts_with("diskseal: settings: from "));
    let kept: Vec<String> = kept.map(short).collect();
    format!("## {what}: diskseal {line}\n{}\n[{}]\n", kept.join("\n"), output.status.code().unwrap())
}

/// The program with settings by variables alone, so that an error cannot name a flag that nobody typed.
fn with_environment(serving: &Serving, words: &[&str], more: &[(&str, &str)]) -> tokio::process::Command {
    let mut program = tokio::process::Command::new(binary());
    program
        .args(words)
        .env_clear()
        .env("SSL_CERT_FILE", &serving.ca_pem)
        .env("IDENTITY_ENDPOINT", &serving.identity)
        .env("IDENTITY_HEADER", &serving.identity_header)
        .env("DISKSEAL_ARM_ENDPOINT", &serving.arm_https)
        .env("DISKSEAL_CREDENTIAL", "managed-identity")
        .env("DISKSEAL_SUBSCRIPTIONS", crate::world::SUBSCRIPTION)
        .envs(more.iter().copied())
        .stdin(std::process::Stdio::null());
    program
}

#[tokio::test]
async fn every_error_says_what_was_given_where_it_was_asked_and_what_to_do() {
    for columns in ["80", "140"] {
        let cases = cases();
        let texts: Vec<_> = stream::iter(&cases).map(|case| text(case, columns)).buffered(4).collect().await;
        let mut all = String::new();
        for text in texts {
            writeln!(all, "{text}").unwrap();
        }
        insta::assert_snapshot!(format!("errors__{columns}"), all);
    }
}

#[tokio::test]
async fn what_arm_says_is_whole_on_the_command_line() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    denied(&azure);
    for arguments in [&["seal", &disk("d")][..], &["sweep"], &["sweep", "-o", "json"]] {
        let output = program(&serving, arguments).output().await.unwrap();
        let out = String::from_utf8(output.stdout).unwrap().replace("\\\"", "\"");
        assert!(out.contains(DENIED), "{arguments:?}: {out}");
    }
}

#[tokio::test]
async fn the_azure_cli_is_explained_in_one_sentence() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let az = AzureCli::new().unwrap();
    // As the real one prints them.
    let expired = "ERROR: AADSTS700082: The refresh token has expired due to inactivity. The token was issued on \
                   2026-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00. Trace ID: 1 Correlation ID: 2 Timestamp: \
                   2026-11-27 00:00:00Z\nInteractive authentication is needed. Please run:\naz logout\naz login";
    for (run, expected) in [
        (
            Some("ERROR: Please run 'az login' to setup account."),
            "the Azure CLI is not signed in, or its sign-in has expired; run az login",
        ),
        (
            Some(expired),
            "the Azure CLI is not signed in, or its sign-in has expired (AADSTS700082); run az login",
        ),
        (
            Some(
                "WARNING: a hint\nERROR: The command failed with an unexpected error. Here is the traceback:\nERROR: x\n",
            ),
            "the Azure CLI failed: The command failed with an unexpected error. Here is the traceback; run az account \
             get-access-token to see more",
        ),
        (
            None,
            "the Azure CLI (az) is not on PATH; install it, or choose another credential with --credential",
        ),
    ] {
        let path = match run {
            Some(text) => {
                az.does(&Run::Fails(text.to_owned())).unwrap();
                az.path()
            }
            None => "/nowhere".to_owned(),
        };
        let mut program = with_environment(&serving, &["report"], &[("DISKSEAL_CREDENTIAL", "azure-cli")]);
        let output = program.env("PATH", path).output().await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{err}");
        let said = format!("diskseal: getting a token failed: {expected}\n");
        assert!(err.ends_with(&said) && !err.contains("troubleshoot"), "{err}");
    }
}
