//! `diskseal policy check`, with the real binary.

use diskseal_emulator::{Emulator, Options, disk_body, fault::Kind, snapshot_body};
use serde_json::{Value, json};

use super::{commands::command, disk, run, snapshot, tables::conforms};

const SCHEMA: &str = include_str!("../../../docs/schemas/policy-check-1.json");

#[tokio::test]
async fn every_setting_in_force_is_shown_without_a_request_to_azure() {
    let environment = [("DISKSEAL_EXEMPT_NAMES", "tmp-*, asr?"), ("DISKSEAL_MAX_PERCENT", "20")];
    let output = run(&["policy", "check", "--backup-guard", "warn"], &environment).await;
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let shown: Vec<_> = out.lines().map(|line| line.split_once("  ").unwrap()).collect();
    let names: Vec<_> = diskseal::config::settings().map(|setting| setting.name).collect();
    assert_eq!(shown.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (name, value) in [
        ("DISKSEAL_MODE", "enforce (default)"),
        ("DISKSEAL_BACKUP_GUARD", "warn"),
        ("DISKSEAL_EXEMPT_NAMES", "tmp-*,asr?"),
        ("DISKSEAL_EXEMPT_TAG", "off (default)"),
        ("DISKSEAL_MAX_PERCENT", "20"),
        ("DISKSEAL_DEADLINE", "25 (default)"),
    ] {
        assert!(shown.iter().any(|line| (line.0, line.1.trim_start()) == (name, value)), "{name}: {out}");
    }

    let environment = [("DISKSEAL_EXEMPT_TAG", "keep"), ("DISKSEAL_MODE", "audit")];
    let output = run(&["policy", "check", "--output", "json", "--tags", "a={trace_id}"], &environment).await;
    let settings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(settings.as_object().unwrap().len(), names.len());
    conforms(SCHEMA, &settings);
    assert_eq!(settings["DISKSEAL_MODE"], "audit");
    assert_eq!(settings["DISKSEAL_TAGS"], "a={trace_id}");
    assert_eq!(settings["DISKSEAL_EXEMPT_TAG"], "keep");
    assert_eq!(settings["DISKSEAL_SWITCH"], Value::Null);

    let wrong = [("DISKSEAL_MODE", "maybe"), ("DISKSEAL_TAGS", "a={who}")];
    let output = run(&["policy", "check"], &wrong).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("2 invalid settings") && err.contains("sealed_at"), "{err}");
}

#[tokio::test]
async fn each_resource_is_reported_with_the_rule_that_decides() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let mut expired = disk_body("westeurope");
    expired["tags"] = json!({"keep": "until=2020-01-01; long ago"});
    let mut exempt = disk_body("westeurope");
    exempt["tags"] = json!({"keep": "until=2999-12-31; INC-1"});
    for (name, body) in [("bare", disk_body("westeurope")), ("expired", expired), ("exempt", exempt)] {
        azure.insert(&disk(name), &body).unwrap();
    }
    azure.insert(&snapshot("busy"), &snapshot_body("westeurope", &disk("bare"))).unwrap();
    azure.set_property(&snapshot("busy"), "provisioningState", json!("Updating"));
    let ids = [disk("bare"), disk("expired"), disk("exempt"), disk("TMP-1"), disk("gone"), snapshot("busy")];
    let arguments = ["policy", "check", "--exempt-names", "tmp-*", "--exempt-tag", "keep", "--tags", "a=b"];

    let given: Vec<&str> = arguments.iter().copied().chain(ids.iter().map(String::as_str)).collect();
    let (code, out, err) = command(&serving, &given, "").await;
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let missing = "missing: dataAccessAuthMode=AzureActiveDirectory, tag a=b";
    let mut lines = out.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["NAME", "KIND", "GROUP", "OUTCOME", "REASON", "WHY"]
    );
    let late = "the exemption ends on 2999-12-31, more than 366 days from today (DISKSEAL_EXEMPT_MAX_DAYS)";
    for (name, outcome, reason, why) in [
        ("bare", "would seal", "auth_mode", missing.to_owned()),
        (
            "expired",
            "would seal",
            "auth_mode",
            format!("{missing}; note: its exemption expired on 2020-01-01 and is ignored"),
        ),
        ("exempt", "exempt", "tag", format!("its tag exempts it until 2999-12-31: INC-1; note: {late}")),
        ("TMP-1", "exempt", "name", "its name matches \"tmp-*\"".to_owned()),
        ("gone", "not found", "not_found", "it does not exist".to_owned()),
        ("busy", "not yet", "provisioning", "it is being created or changed".to_owned()),
    ] {
        let line = lines.next().unwrap();
        let kind = if name == "busy" { "snapshot" } else { "disk" };
        let cells: Vec<_> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!((cells[0], cells[1]), (name, kind), "{line}");
        assert_eq!(cells[3..], [outcome, reason, &why], "{line}");
    }
    assert!(azure.journal().iter().all(|exchange| exchange.method == "GET" || exchange.kind == Kind::Query));

    let piped: Vec<&str> = arguments.iter().copied().chain(["--stdin", "-o", "json"]).collect();
    let (code, out, _) = command(&serving, &piped, &ids[2..4].join("\n")).await;
    let rulings: Value = serde_json::from_str(&out).unwrap();
    conforms(SCHEMA, &rulings);
    assert_eq!((code, rulings.as_array().unwrap().len()), (Some(0), 2));
    assert_eq!((&rulings[1]["outcome"], &rulings[1]["reason"]), (&json!("exempt"), &json!("name")));
    assert_eq!(rulings[1]["detail"], "its name matches \"tmp-*\"");

    let (code, out, _) = command(&serving, &["policy", "check", "--mode", "audit", &ids[0]], "").await;
    assert!(code == Some(1) && out.contains("  would seal  auth_mode  missing: "), "{out}");
}
