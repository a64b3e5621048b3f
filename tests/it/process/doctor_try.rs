//! `diskseal doctor --try`, with the real binary, against the local Azure's own installation.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use diskseal_emulator::{
    collector::Answers,
    fault::{Fault, Kind, Refusal},
    local_azure::{APP, LocalAzure, Setup},
    options::{Asynchronous, OperationStyle},
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{
    binary,
    installation::{az, current},
    setup, start,
};
use crate::world::SUBSCRIPTION;

const AUDIT: (&str, &str) = ("DISKSEAL_MODE", "audit");
/// The time, in seconds, for a trial in which nothing arrives.
const SHORT: &str = "3";
/// The same where one thing arrives on a busy machine, and another never does.
const LONG: &str = "25";

fn local() -> Setup {
    let mut setup = setup();
    setup.azure.subscriptions = vec![SUBSCRIPTION.to_owned()];
    setup
}

/// The command of a person, and the folder with their `az`.
fn command(azure: &LocalAzure, more: &[&str]) -> (TempDir, tokio::process::Command) {
    let (folder, variables) = az(&azure.emulator, &azure.serving, &current());
    let mut command = tokio::process::Command::new(binary());
    command
        .args(["doctor", "--try", "--yes", "--app", APP])
        .args(more)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    (folder, command)
}

struct Tried {
    code: Option<i32>,
    lines: Vec<String>,
    err: String,
}

impl Tried {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let lines = text(output.stdout).lines().map(str::to_owned).collect();
        Self { code: output.status.code(), lines, err: text(output.stderr) }
    }

    /// The lines of a check with this verdict.
    fn of_check(&self, verdict: &str, check: &str) -> Vec<&str> {
        let is_it = |line: &&String| {
            line.strip_prefix(verdict)
                .is_some_and(|rest| rest.trim_start().starts_with(&format!("{check}  ")))
        };
        self.lines.iter().filter(is_it).map(String::as_str).collect()
    }

    fn assert_names(&self, verdict: &str, check: &str, words: &[&str]) {
        let all = self.of_check(verdict, check);
        let is_it = |line: &&str| words.iter().all(|word| line.contains(word));
        assert!(
            all.into_iter().any(|line| is_it(&line)),
            "{verdict} {check} {words:?}: {:#?}\n{}",
            self.lines,
            self.err
        );
    }
}

async fn tried(azure: &LocalAzure, more: &[&str]) -> Tried {
    let (_folder, mut command) = command(azure, more);
    Tried::of(command.output().await.unwrap())
}

/// A person's DELETE and PUT of the group, and whether anything is left of it.
fn assert_deleted(azure: &LocalAzure) {
    let journal = azure.emulator.journal();
    let of_group = |method: &str| {
        journal.iter().filter(|exchange| exchange.kind == Kind::Group && exchange.method == method).count()
    };
    assert_eq!(of_group("PUT"), 1);
    assert!(of_group("DELETE") >= 1);
    assert_eq!(azure.emulator.groups(), [""; 0]);
    assert!(
        journal
            .iter()
            .any(|exchange| exchange.method == "PUT" && exchange.path.contains("/disks/disk-diskseal-try"))
    );
    assert!(azure.emulator.resources().is_empty());
}

#[tokio::test]
async fn the_whole_route_is_proven_in_enforce_with_a_time_line_of_four_parts() {
    let mut setup = local();
    setup.azure.operations = OperationStyle::Asynchronous(Asynchronous::default());
    let azure = start(setup, &[]).await;
    let tried = tried(&azure, &[]).await;
    assert_eq!(tried.code, Some(0), "{:#?}\n{}", tried.lines, tried.err);
    for resource in ["/disks/disk-diskseal-try", "/snapshots/snap-diskseal-try"] {
        tried.assert_names("ok", "try", &[resource, "sealed: the auth mode and the tags are there"]);
        let parts = ["Event Grid ", ", host ", ", Diskseal ", ", ARM ", "by seal_on_write"];
        tried.assert_names("ok", "time line", &[&[resource][..], &parts].concat());
    }
    tried.assert_names("ok", "telemetry", &["the traces of both arrived"]);
    tried.assert_names("ok", "clean-up", &["/resourceGroups/rg-diskseal-try-", "deleted"]);
    assert!(
        !tried.lines.iter().any(|line| line.starts_with("failed") || line.starts_with("unknown")),
        "{:#?}",
        tried.lines
    );
    assert!(
        tried.err.contains("trial: creating ") && tried.err.contains("trial: deleting "),
        "{}",
        tried.err
    );
    assert_deleted(&azure);
    let group = azure.emulator.journal();
    let group = group.iter().find(|one| one.kind == Kind::Group && one.method == "PUT").unwrap();
    assert_eq!(group.request_body["tags"]["made-by"], "diskseal doctor --try");
    assert!(
        group.request_body["tags"]["made-at"].is_string() && group.request_body["location"] == "westeurope"
    );
}

#[tokio::test]
async fn in_audit_would_seal_in_the_workspace_is_the_good_end_and_nothing_is_written() {
    let azure = start(local(), &[AUDIT]).await;
    let tried = tried(&azure, &[]).await;
    assert_eq!(tried.code, Some(0), "{:#?}\n{}", tried.lines, tried.err);
    for resource in ["/disks/disk-diskseal-try", "/snapshots/snap-diskseal-try"] {
        tried.assert_names("ok", "try", &[resource, "would_seal"]);
        tried.assert_names("ok", "time line", &[resource, "Event Grid ", ", host ", ", Diskseal ", ", ARM "]);
    }
    let journal = azure.emulator.journal();
    assert!(!journal.iter().any(|one| matches!(one.kind, Kind::Patch | Kind::TagsWrite)));
    assert_deleted(&azure);
}

#[tokio::test]
async fn in_audit_without_a_workspace_the_end_is_unknown_and_nothing_is_created() {
    let azure = start(local(), &[AUDIT]).await;
    let refused = Fault::refuse(Refusal::authorization_failed()).on(Kind::Logs).always();
    azure.emulator.inject(refused);
    let tried = tried(&azure, &["--try-timeout", SHORT]).await;
    assert_eq!(tried.code, Some(1), "{:#?}", tried.lines);
    tried.assert_names(
        "unknown",
        "try",
        &["Microsoft.OperationalInsights/workspaces/query/read", "Nothing was created"],
    );
    let journal = azure.emulator.journal();
    assert!(!journal.iter().any(|one| one.kind == Kind::Group || one.method == "PUT"));
}

#[tokio::test]
async fn without_a_workspace_the_seal_is_proven_and_the_time_line_is_not() {
    let azure = start(local(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Logs).always());
    let tried = tried(&azure, &[]).await;
    assert_eq!(tried.code, Some(0), "{:#?}", tried.lines);
    tried.assert_names("ok", "try", &["/snapshots/snap-diskseal-try", "sealed"]);
    tried.assert_names("warning", "telemetry", &["not checked", "no time line"]);
    assert_deleted(&azure);
}

#[tokio::test]
async fn an_app_without_traces_is_proven_by_the_hosts_log() {
    let settings = [AUDIT, ("OTEL_EXPORTER_OTLP_ENDPOINT", "")];
    let azure = start(local(), &settings).await;
    let audit = tried(&azure, &[]).await;
    assert_eq!(audit.code, Some(0), "{:#?}\n{}", audit.lines, audit.err);
    audit.assert_names("ok", "try", &["/disks/disk-diskseal-try", "would_seal"]);
    audit.assert_names("warning", "telemetry", &["name no endpoint for traces", "no time line"]);
    assert_deleted(&azure);

    let refused = tried(&azure, &["--workspace", "none"]).await;
    assert_eq!(refused.code, Some(1));
    refused.assert_names("unknown", "try", &["--workspace none", "Nothing was created"]);
}

/// A trial with a fault that was planted before it, which must be red.
async fn red(azure: &LocalAzure, seconds: &str) -> Tried {
    let tried = tried(azure, &["--try-timeout", seconds]).await;
    assert_eq!(tried.code, Some(1), "{:#?}\n{}", tried.lines, tried.err);
    tried.assert_names("ok", "clean-up", &["deleted"]);
    assert_deleted(azure);
    tried
}

#[tokio::test]
async fn without_an_event_subscription_event_grid_is_named() {
    let mut setup = local();
    setup.is_subscribed = false;
    let azure = start(setup, &[]).await;
    let tried = red(&azure, SHORT).await;
    tried.assert_names(
        "failed",
        "Event Grid",
        &["/disks/disk-diskseal-try", "no event subscription delivers"],
    );
    tried.assert_names(
        "failed",
        "Event Grid",
        &["/snapshots/snap-diskseal-try", "lacks the auth mode and the tags"],
    );
}

#[tokio::test]
async fn with_a_disabled_function_the_function_app_is_named() {
    let azure = start(local(), &[("AzureWebJobs.seal_on_write.Disabled", "true")]).await;
    let tried = red(&azure, SHORT).await;
    tried.assert_names(
        "failed",
        "function app",
        &["/disks/disk-diskseal-try", "the function seal_on_write is disabled"],
    );
}

#[tokio::test]
async fn without_a_role_the_permissions_are_named() {
    let azure = start(local(), &[]).await;
    azure.emulator.remove_role();
    let tried = red(&azure, LONG).await;
    tried.assert_names("failed", "permissions", &["/disks/disk-diskseal-try", "ended in pending, forbidden"]);
}

#[tokio::test]
async fn with_the_switch_off_the_switch_is_named() {
    let scope = format!("/subscriptions/{SUBSCRIPTION}");
    let azure = start(local(), &[("DISKSEAL_SWITCH", &scope)]).await;
    azure.emulator.set_scope_tag(&scope, "diskseal", "off");
    let tried = red(&azure, LONG).await;
    tried.assert_names("failed", "switch", &["/disks/disk-diskseal-try", "ended in switched_off"]);
}

#[tokio::test]
async fn where_the_guard_is_blind_the_guard_is_named_for_the_snapshot() {
    let azure = start(local(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let tried = red(&azure, LONG).await;
    // A new disk that no machine holds is in no backup; a new snapshot may be one.
    tried.assert_names("ok", "try", &["/disks/disk-diskseal-try", "sealed"]);
    tried.assert_names("failed", "backups", &["/snapshots/snap-diskseal-try", "protected, guard_unknown"]);
}

#[tokio::test]
async fn with_a_deaf_collector_telemetry_is_named() {
    let azure = start(local(), &[]).await;
    azure.collector.answer(Answers::Status(503));
    let tried = red(&azure, LONG).await;
    tried.assert_names("ok", "try", &["/disks/disk-diskseal-try", "sealed"]);
    tried.assert_names("failed", "telemetry", &["no trace of a look arrived"]);
    assert_eq!(tried.of_check("ok", "time line"), [""; 0]);
}

#[tokio::test]
async fn a_signal_deletes_the_group() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut setup = local();
        // Without events, nothing ends the trial.
        setup.is_subscribed = false;
        let azure = start(setup, &[]).await;
        let created =
            azure.emulator.inject(Fault::delay(Duration::ZERO).on(Kind::Put).resource("snap-diskseal-try"));
        let (_folder, mut command) = command(&azure, &[]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        created.met().await;
        kill_process(pid, signal).unwrap();
        let tried = Tried::of(child.wait_with_output().await.unwrap());
        assert_eq!(tried.code, Some(130), "{:#?}\n{}", tried.lines, tried.err);
        tried.assert_names("ok", "clean-up", &["deleted"]);
        assert!(tried.lines.last().unwrap().starts_with("Interrupted: "), "{:#?}", tried.lines);
        assert_deleted(&azure);
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_wait_for_the_deletion_with_the_command_for_it() {
    let mut setup = local();
    setup.is_subscribed = false;
    let azure = start(setup, &[]).await;
    let made = Fault::delay(Duration::ZERO).on(Kind::Put).resource("snap-diskseal-try");
    let made = azure.emulator.inject(made);
    let deletion = Fault::hold_before_applying().on(Kind::Group).method("DELETE");
    let deletion = azure.emulator.inject(deletion);
    let (_folder, mut command) = command(&azure, &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    made.met().await;
    kill_process(pid, Signal::INT).unwrap();
    deletion.held().await;
    kill_process(pid, Signal::INT).unwrap();
    let tried = Tried::of(child.wait_with_output().await.unwrap());
    assert_eq!(tried.code, Some(130), "{:#?}\n{}", tried.lines, tried.err);
    tried.assert_names("failed", "clean-up", &["the deletion is not confirmed: interrupted"]);
    assert!(tried.lines.iter().any(|line| line.contains("→ az group delete --yes")), "{:#?}", tried.lines);
    deletion.release();
}

#[tokio::test]
async fn a_group_that_exists_is_neither_used_nor_deleted() {
    let azure = start(local(), &[]).await;
    let somebody_elses = r#"{"id": "/subscriptions/s/resourceGroups/g", "location": "westeurope"}"#;
    let exists = Fault::text(200, "application/json", somebody_elses).on(Kind::Group).method("GET");
    azure.emulator.inject(exists);
    let tried = tried(&azure, &[]).await;
    assert_eq!(tried.code, Some(1), "{:#?}", tried.lines);
    tried.assert_names("failed", "try", &["a resource group of this name exists; nothing was created"]);
    let journal = azure.emulator.journal();
    assert!(!journal.iter().any(|one| one.method == "PUT" || one.method == "DELETE"));
}

#[tokio::test]
async fn a_deletion_that_is_refused_ends_with_the_command_for_it() {
    let azure = start(local(), &[]).await;
    let refused = Fault::refuse(Refusal::authorization_failed()).on(Kind::Group).method("DELETE").always();
    azure.emulator.inject(refused);
    let tried = tried(&azure, &[]).await;
    assert_eq!(tried.code, Some(1), "{:#?}", tried.lines);
    tried.assert_names("failed", "clean-up", &["the deletion is not confirmed", "resourceGroups/delete"]);
    let [group] = &azure.emulator.groups()[..] else { panic!("one group is left") };
    let name = group.rsplit('/').next().unwrap();
    let command = format!("→ az group delete --yes --subscription {SUBSCRIPTION} --name {name}");
    assert!(tried.lines.iter().any(|line| line.trim() == command), "{:#?}", tried.lines);
}

#[tokio::test]
async fn a_missing_right_to_create_groups_is_named_and_nothing_is_created() {
    let azure = start(local(), &[]).await;
    let refused = Fault::refuse(Refusal::authorization_failed()).on(Kind::Group).method("PUT").always();
    azure.emulator.inject(refused);
    let tried = tried(&azure, &[]).await;
    assert_eq!(tried.code, Some(1), "{:#?}", tried.lines);
    let action =
        "this account lacks Microsoft.Resources/subscriptions/resourceGroups/write; nothing was created";
    tried.assert_names("failed", "try", &[action]);
    let journal = azure.emulator.journal();
    assert!(
        !journal.iter().any(|one| one.method == "PUT" && one.kind != Kind::Group || one.method == "DELETE")
    );
    assert_eq!(azure.emulator.groups(), [""; 0]);
}

#[tokio::test]
async fn a_trial_stays_in_the_installations_scope_and_asks_first() {
    const OTHER: &str = "99999999-2222-4333-8444-555555555555";
    let mut setup = local();
    setup.azure.subscriptions.push(OTHER.to_owned());
    let azure = start(setup, &[("DISKSEAL_SUBSCRIPTIONS", SUBSCRIPTION)]).await;
    for more in [
        &["--try-subscription", OTHER][..],
        &["--subscriptions", OTHER],
        &["--subscriptions", OTHER, "--try-subscription", OTHER],
        &["--all-subscriptions", "--try-subscription", OTHER],
    ] {
        let tried = tried(&azure, more).await;
        assert_eq!(tried.code, Some(1), "{more:?}: {:#?}", tried.lines);
        tried.assert_names("failed", "try", &["the installation's scope", "nothing was created"]);
    }
    // Without a terminal, there is no yes.
    let (_folder, variables) = az(&azure.emulator, &azure.serving, &current());
    let (code, _, err) = super::installation::person(&variables, &["doctor", "--try"]).await;
    assert!(code == Some(2) && err.contains("use --yes"), "{err}");
    let journal = azure.emulator.journal();
    assert!(!journal.iter().any(|one| one.kind == Kind::Group || one.method == "PUT"));
}
