//! Every table as a person sees it on a terminal of 80 and of 140 columns, with the real binary.

use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    estate::{disk_id, snapshot_id},
    fault::{Fault, Kind, Refusal},
    serve::Serving,
    snapshot_body,
    write::Caller,
};
use serde_json::{Value, json};

use super::{commands::program, proof::close};
use crate::world::{SUBSCRIPTION, jane};

pub(super) const OTHER: &str = "99999999-2222-4333-8444-555555555555";
const DOCTOR: &str = include_str!("../../../docs/schemas/doctor-1.json");
const POLICY_CHECK: &str = include_str!("../../../docs/schemas/policy-check-1.json");
const EVIDENCE: &str = include_str!("../../../docs/schemas/evidence-check-1.json");
const VERSION: &str = include_str!("../../../docs/schemas/version-1.json");
const WIDTHS: [usize; 2] = [80, 140];

/// What a command prints on a terminal of this width, without what differs between two runs.
pub(super) async fn printed(serving: &Serving, arguments: &[&str], columns: usize) -> String {
    let output = program(serving, arguments).env("COLUMNS", columns.to_string()).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    steady(&text, serving)
}

/// Times, ports and the identity are those of one run. Their replacements are as wide, so that no line changes.
fn steady(text: &str, serving: &Serving) -> String {
    let port = serving.arm_https.rsplit(':').next().unwrap_or_default().trim_end_matches('/');
    let text = text.replace(port, &"0".repeat(port.len()));
    let time = regex_lite::Regex::new(r"202[5-9]-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let text = time.replace_all(&text, "YYYY-MM-DDTHH:MM:SSZ");
    // What is left of a token's day.
    let minutes = regex_lite::Regex::new(r"\b14[34]\d minutes").unwrap();
    minutes.replace_all(&text, "1439 minutes").into_owned()
}

/// No line of a table is wider than the terminal, but an ID alone on its line.
fn assert_fits(text: &str, columns: usize) {
    for line in text.lines() {
        let width = console::measure_text_width(line);
        let is_id = line.trim_start().starts_with('/') && !line.trim().contains(' ');
        assert!(width <= columns || is_id, "{width} > {columns}: {line:?}");
    }
}

pub(super) async fn snapshots(serving: &Serving, name: &str, arguments: &[&str]) {
    for columns in WIDTHS {
        let text = printed(serving, arguments, columns).await;
        assert_fits(&text, columns);
        insta::assert_snapshot!(format!("{name}__{columns}"), text);
    }
}

/// Whether a JSON document is what its schema says, and has no member that the schema lacks.
pub(super) fn conforms(schema: &str, document: &Value) {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    close(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<_> =
        validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn with_tags(tags: Value) -> Value {
    let mut body = disk_body("westeurope");
    body["tags"] = tags;
    body
}

fn sealed(more: &Value) -> Value {
    let mut tags =
        json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-11-24T01:02:03Z"});
    for (name, value) in more.as_object().into_iter().flatten() {
        tags[name] = value.clone();
    }
    let mut body = with_tags(tags);
    body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
    body
}

/// Two subscriptions with everything that a table has to hold: long names, wide characters, marks of direction, a rule
/// that exempts several, tags, a vault, an upload, and a SAS URL.
pub(super) async fn estate() -> (Emulator, Serving) {
    let names = [(SUBSCRIPTION, "Production"), (OTHER, "Research and Development (Sandbox)")];
    let azure = Emulator::new(Options {
        subscriptions: vec![SUBSCRIPTION.to_owned(), OTHER.to_owned()],
        subscription_names: names.map(|(id, name)| (id.to_owned(), name.to_owned())).into(),
        ..Options::immediate()
    });
    let serving = azure.serve().await.unwrap();
    let insert = |id: &str, body: Value| azure.insert(id, &body).unwrap();
    let here = |group: &str, name: &str| disk_id(SUBSCRIPTION, group, name);
    for number in 1..=6 {
        insert(&here("rg-images", &format!("packer-tmp-{number}")), disk_body("westeurope"));
    }
    for number in 1..=9 {
        insert(&here("rg-web", &format!("vm-web-prod-000{number}_OsDisk_1_{number}f3a")), sealed(&json!({})));
    }
    insert(
        &here("rg-kubernetes-nodes-westeurope-production", "pvc-0f3a9c1e-77aa-4b1c-9d55-1234567890ab"),
        with_tags(json!({"owner": "team-kubernetes-platform@example.com"})),
    );
    insert(&here("rg-daten", "upload"), disk_body("westeurope"));
    azure.set_property(&here("rg-daten", "upload"), "diskState", json!("ActiveUpload"));
    insert(&disk_id(OTHER, "rg-研究", "orders-db-os"), with_tags(json!({"owner": "数据库团队 👩‍👩‍👧‍👦"})));
    insert(
        &snapshot_id(OTHER, "rg-研究", "orders-db-os-before-upgrade"),
        snapshot_body("westeurope", &disk_id(OTHER, "rg-研究", "orders-db-os")),
    );
    insert(
        &here("rg-restore", "restore-test"),
        with_tags(
            json!({"keep": "until=9999-12-31; INC-1234 restore test", "owner": "a\u{202e}b\u{1b}[31m"}),
        ),
    );
    insert(&here("rg-web", "odd-tag"), sealed(&json!({"keep": "for ever"})));
    insert(&here("rg-web", "shared"), sealed(&json!({})));
    azure.set_property(&here("rg-web", "shared"), "diskState", json!("ActiveSAS"));
    let machine = here("rg-backup", "vm").replace("disks", "virtualMachines");
    let vault =
        here("rg-backup", "v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    insert(&here("rg-backup", "backed-up"), disk_body("westeurope"));
    azure.attach(&here("rg-backup", "backed-up"), &machine);
    azure.protect(&machine, &vault, Protection::Backup);
    (azure, serving)
}

const EXEMPT: [&str; 6] = ["--exempt-names", "packer-tmp-*", "--exempt-tag", "keep", "--owner-tag", "owner"];

fn report<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["report"], &EXEMPT[..], more].concat()
}

#[tokio::test]
async fn the_report() {
    let (_azure, serving) = estate().await;
    snapshots(&serving, "report", &report(&[])).await;
    snapshots(&serving, "report_wide", &report(&["-o", "wide"])).await;
    snapshots(&serving, "report_all", &report(&["--all"])).await;
}

#[tokio::test]
async fn what_one_rule_exempts_is_one_line_and_a_pipe_has_no_width() {
    let (_azure, serving) = estate().await;
    let output = program(&serving, &report(&[])).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("packer-tmp-1"), "{text}");
    let line = text.lines().find(|line| line.contains("packer-tmp-*")).unwrap();
    assert!(line.starts_with("6 × packer-tmp-* ") && line.contains(" exempt "), "{line}");
    assert!(text.contains("pvc-0f3a9c1e-77aa-4b1c-9d55-1234567890ab  disk"), "nothing is shortened: {text}");
    assert!(!text.contains('…'), "{text}");
    assert!(text.lines().any(|line| line.ends_with("SEALED %  EXEMPT  PENDING  UNSEALED  TOTAL")));
    let production = text.lines().find(|line| line.starts_with("Production ")).unwrap();
    assert!(
        production.contains(" 52.3 ") && !production.contains('%'),
        "the title says percent: {production}"
    );

    let output = program(&serving, &report(&["-o", "wide"])).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for number in 1..=6 {
        assert!(
            text.contains(&disk_id(SUBSCRIPTION, "rg-images", &format!("packer-tmp-{number}"))),
            "{text}"
        );
    }
}

#[tokio::test]
async fn exemptions_and_exports() {
    let (azure, serving) = estate().await;
    let listed = json!([
        {"names": ["old-*"], "until": "2020-01-01", "reason": "INC-1 migration", "owner": "ada"},
        {"resourceGroups": ["RG-RESTORE-OF-THE-PRODUCTION-*"], "names": ["asr-*"], "until": "2999-12-31", "reason": "INC-2 restores"},
    ])
    .to_string();
    let more = ["--exempt-list", &listed, "--exempt-ticket", "^INC-"];
    snapshots(&serving, "exemptions", &report(&[&more[..], &["--exemptions"]].concat())).await;
    snapshots(&serving, "exemptions_wide", &report(&[&more[..], &["--exemptions", "-o", "wide"]].concat()))
        .await;

    let at = time::OffsetDateTime::now_utc() - time::Duration::days(2);
    let vendor = Caller::app("bbbb1111-0000-4000-8000-000000000001", "aaaa1111-3333-4444-8555-666677778888");
    let of_disk = "Microsoft.Compute/disks/beginGetAccess/action";
    azure.log_operation(of_disk, &disk_id(SUBSCRIPTION, "rg-web", "shared"), &vendor, at);
    azure.log_operation(of_disk, &disk_id(OTHER, "rg-研究", "orders-db-os"), &vendor, at);
    azure.log_operation(of_disk, &disk_id(OTHER, "rg-研究", "deleted-since"), &jane(), at);
    snapshots(&serving, "exports", &report(&["--exports", "30d"])).await;
}

#[tokio::test]
async fn doctor() {
    let (_azure, serving) = estate().await;
    snapshots(&serving, "doctor", &["doctor", "--app", "none"]).await;
    let (_, out, _) =
        super::commands::command(&serving, &["doctor", "--app", "none", "-o", "json"], "").await;
    let findings: Value = serde_json::from_str(&out).unwrap();
    conforms(DOCTOR, &findings);
    let named = |finding: &&Value| finding["about"].as_str().unwrap().starts_with(OTHER);
    let of_other: Vec<_> = findings.as_array().unwrap().iter().filter(named).collect();
    assert!(!of_other.is_empty(), "{out}");
    assert!(
        of_other.iter().all(|one| one["subscriptionName"] == "Research and Development (Sandbox)"),
        "{out}"
    );

    // A scope of IDs has names all the same.
    let arguments = ["doctor", "--app", "none", "--subscriptions", OTHER];
    let (_, out, _) = super::commands::command(&serving, &arguments, "").await;
    assert!(
        out.contains("Research and Development (Sandbox): ") && !out.contains(&format!(" {OTHER}: ")),
        "{out}"
    );
}

#[tokio::test]
async fn policy_check() {
    let (azure, serving) = estate().await;
    let here = |group: &str, name: &str| disk_id(SUBSCRIPTION, group, name);
    let ids = [
        here("rg-web", "vm-web-prod-0001_OsDisk_1_1f3a"),
        here("rg-images", "packer-tmp-1"),
        here("rg-kubernetes-nodes-westeurope-production", "pvc-0f3a9c1e-77aa-4b1c-9d55-1234567890ab"),
        here("rg-daten", "upload"),
        here("rg-backup", "backed-up"),
        here("rg-web", "mistyped"),
        snapshot_id(OTHER, "rg-研究", "orders-db-os-before-upgrade"),
    ];
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let arguments = [&["policy", "check", "--app", "none"], &EXEMPT[..], &ids].concat();
    snapshots(&serving, "policy_check", &arguments).await;
    snapshots(&serving, "policy_check_wide", &[&arguments[..], &["-o", "wide"]].concat()).await;
    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Get).always());
    let (code, out, _) =
        super::commands::command(&serving, &[&arguments[..], &["-o", "json"]].concat(), "").await;
    let rulings: Value = serde_json::from_str(&out).unwrap();
    conforms(POLICY_CHECK, &rulings);
    assert_eq!(code, Some(1));
    let words: Vec<_> =
        rulings.as_array().unwrap().iter().map(|one| (&one["outcome"], &one["reason"])).collect();
    assert_eq!(words[1], (&json!("exempt"), &json!("name")));
    assert_eq!(words[6], (&json!("pending"), &json!("forbidden")));
    assert_eq!(rulings[6]["subscriptionName"], "Research and Development (Sandbox)");
}

#[tokio::test]
async fn settings() {
    for columns in WIDTHS {
        let mut program = tokio::process::Command::new(super::binary());
        program.args([
            "policy",
            "check",
            "--exempt-names",
            "packer-tmp-*,azure-backup-restore-*,asr-replica-of-production-*,x-*",
        ]);
        let output = program.env_clear().env("COLUMNS", columns.to_string()).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_fits(&text, columns);
        insta::assert_snapshot!(format!("settings__{columns}"), text);
    }
}

#[tokio::test]
async fn evidence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("2026-11-20.json"), "{}").unwrap();
    std::fs::write(folder.path().join("2026-11-23.json"), "not JSON").unwrap();
    let place = folder.path().to_str().unwrap();
    let run = async |output: &str, columns: usize| {
        let mut program = tokio::process::Command::new(super::binary());
        program.args(["report", "--evidence", place, "-o", output]).env_clear();
        let output = program.env("COLUMNS", columns.to_string()).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    for columns in WIDTHS {
        let text = run("table", columns).await;
        assert_fits(&text, columns);
        insta::assert_snapshot!(format!("evidence__{columns}"), text);
    }
    let checked: Value = serde_json::from_str(&run("json", 80).await).unwrap();
    conforms(EVIDENCE, &checked);
    assert_eq!((&checked["clean"], &checked["days"][1]["state"]), (&json!(false), &json!("no_file")));
}

#[tokio::test]
async fn the_version_has_a_form_for_programs() {
    for arguments in [&["version"][..], &["version", "-o", "json"]] {
        let output = super::run(arguments, &[]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        if arguments.len() == 1 {
            assert!(text.starts_with(concat!("diskseal ", env!("CARGO_PKG_VERSION"), " (")), "{text}");
            continue;
        }
        let json: Value = serde_json::from_str(&text).unwrap();
        conforms(VERSION, &json);
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert!(json["target"].as_str().unwrap().starts_with(std::env::consts::ARCH), "{json}");
    }
}

#[tokio::test]
async fn a_plan() {
    let (azure, serving) = estate().await;
    let folder = tempfile::tempdir().unwrap();
    for columns in WIDTHS {
        let file = folder.path().join(format!("plan-{columns}.json"));
        let more = ["--plan", file.to_str().unwrap(), "--all-subscriptions", "--network", "deny-public"];
        let arguments = [&["sweep"], &EXEMPT[..], &more].concat();
        let text = printed(&serving, &arguments, columns).await;
        let table: Vec<_> = text.lines().take_while(|line| !line.contains(", ")).collect();
        let table = table.join("\n");
        assert_fits(&table, columns);
        insta::assert_snapshot!(format!("plan__{columns}"), table);
    }
    assert!(!azure.journal().iter().any(|exchange| ["PATCH", "PUT"].contains(&exchange.method.as_str())));
}
