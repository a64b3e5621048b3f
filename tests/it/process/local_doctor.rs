//! `diskseal doctor` for a person, against the local Azure's own installation.

use diskseal_emulator::{
    Deployment,
    fault::Refusal,
    local_azure::{APP, LocalAzure},
};
use serde_json::json;

use super::{
    installation::{az, current, person},
    setup, start,
};
use crate::world::SUBSCRIPTION;

async fn local(more: &[(&str, &str)]) -> LocalAzure {
    let mut setup = setup();
    setup.azure.subscriptions = vec![SUBSCRIPTION.to_owned()];
    start(setup, more).await
}

/// The exit code, and the lines that are not ok.
async fn doctor(azure: &LocalAzure) -> (Option<i32>, Vec<String>) {
    let (_folder, variables) = az(&azure.emulator, &azure.serving, &current());
    let (code, out, err) = person(&variables, &["doctor"]).await;
    assert!(err.contains(APP), "the app is found: {err}");
    let lines = out.lines().take_while(|line| !line.is_empty());
    (code, lines.filter(|line| !line.starts_with("ok ")).map(str::to_owned).collect())
}

fn assert_names(lines: &[String], verdict: &str, check: &str, word: &str) {
    let is_it = |line: &&String| line.starts_with(verdict) && line.contains(check) && line.contains(word);
    assert!(lines.iter().any(|line| is_it(&line)), "{verdict} {check} {word}: {lines:#?}");
}

#[tokio::test]
async fn an_installation_without_faults_is_green_in_enforce_and_says_that_audit_seals_nothing() {
    let azure = local(&[]).await;
    let (code, wrong) = doctor(&azure).await;
    assert_eq!((code, &wrong[..]), (Some(0), &[][..]));

    let azure = local(&[("DISKSEAL_MODE", "audit")]).await;
    let (code, wrong) = doctor(&azure).await;
    assert_eq!(code, Some(0));
    assert_names(&wrong, "warning", "settings", "audit");
}

#[tokio::test]
async fn the_addresses_for_telemetry_are_those_of_the_app_and_no_other_server_gets_a_token() {
    let azure = local(&[]).await;
    let arguments = ["doctor", "--app", APP];
    let evil = azure.serving.azure_monitor.ingestion("logs").replace("localhost", "127.0.0.1");
    let settings = [
        ("DISKSEAL_MODE", "enforce"),
        ("DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT", &azure.serving.azure_monitor.ingestion("traces")),
        ("DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT", &evil),
    ];
    azure.emulator.install(APP, &settings);
    let (_, out, _) = super::commands::command(&azure.serving, &arguments, "").await;
    assert!(out.contains("Azure Monitor, traces: it accepts exports"), "{out}");
    let exports = azure.serving.azure_monitor.exports();
    assert!(exports.iter().all(|export| export.path.ends_with("/traces")), "{exports:#?}");
}

#[tokio::test]
async fn each_planted_fault_is_named() {
    let azure = local(&[("DISKSEAL_SWITCH", &format!("/subscriptions/{SUBSCRIPTION}"))]).await;
    let emulator = &azure.emulator;
    let provider = |rest: &str| format!("/subscriptions/{SUBSCRIPTION}/providers/{rest}");

    emulator.put_fact(&provider("Microsoft.EventGrid/systemTopics"), json!({"value": []}));
    let (code, wrong) = doctor(&azure).await;
    assert_eq!(code, Some(1));
    assert_names(&wrong, "failed", "Event Grid", "");
    emulator.forget_fact(&provider("Microsoft.EventGrid/systemTopics"));

    let functions = [("seal_on_write", false), ("seal_queued", true), ("sweep", false)];
    emulator.deploy(Deployment {
        app: APP.to_owned(),
        function: "seal_on_write".to_owned(),
        functions: functions.map(|(name, is_disabled)| (name.to_owned(), is_disabled)).into(),
        is_subscribed: true,
    });
    let (code, wrong) = doctor(&azure).await;
    assert_eq!(code, Some(1));
    assert_names(&wrong, "failed", "", "seal_queued");
    emulator.deploy(Deployment {
        app: APP.to_owned(),
        function: "seal_on_write".to_owned(),
        functions: functions.map(|(name, _)| (name.to_owned(), false)).into(),
        is_subscribed: true,
    });

    emulator.exclude_app_ids(&["ffffffff-0000-4000-8000-00000000beef".to_owned()]);
    let (code, wrong) = doctor(&azure).await;
    assert_eq!(code, Some(0));
    assert_names(&wrong, "warning", "Event Grid", "drops the writes of ffffffff");
    emulator.exclude_app_ids(&[]);
    let (_, wrong) = doctor(&azure).await;
    assert_names(&wrong, "  ", "add StringNotIn data.claims.appid", &emulator.options().identity.client_id);
    emulator.exclude_app_ids(std::slice::from_ref(&emulator.options().identity.client_id));

    let assignments = provider("Microsoft.Authorization/roleAssignments");
    emulator.put_fact(&assignments, json!({"value": []}));
    let (code, wrong) = doctor(&azure).await;
    assert_eq!(code, Some(1));
    assert_names(&wrong, "failed", "permissions", "Microsoft.Compute/disks/write is missing");
    emulator.forget_fact(&assignments);

    emulator.set_scope_tag(&format!("/subscriptions/{SUBSCRIPTION}"), "diskseal", "off");
    let (_, wrong) = doctor(&azure).await;
    assert_names(&wrong, "warning", "switch", "off: nothing is sealed");
    emulator.set_scope_tag(&format!("/subscriptions/{SUBSCRIPTION}"), "diskseal", "on");

    emulator.refuse_fact(&assignments, Refusal::authorization_failed());
    let (_, wrong) = doctor(&azure).await;
    assert_names(&wrong, "warning", "permissions", "not checked");
    emulator.forget_fact(&assignments);

    let (_, wrong) = doctor(&azure).await;
    assert!(!wrong.iter().any(|line| line.starts_with("failed")), "{wrong:#?}");
}
