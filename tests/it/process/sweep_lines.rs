//! What `diskseal sweep` prints: a line for each resource, the numbers, the progress bar.

use std::collections::BTreeSet;

use diskseal::enforce::{Outcome, Reverted, Unsealed};
use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
};
use serde_json::{Value, json};

use super::{
    commands::{command, program},
    disk, snapshot,
    terminal::{Terminal, seen},
};
use crate::world::SUBSCRIPTION;

const SCHEMA: &str = include_str!("../../../docs/schemas/resource-1.json");

async fn azure() -> (Emulator, Serving) {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    (azure, serving)
}

/// One resource of each kind that a sweep meets: open ones, an exempt, an uploading, a locked, a protected, a sealed one.
fn estate(azure: &Emulator) {
    for name in ["a", "b", "tmp-1", "upload", "locked", "held"] {
        azure.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    azure.set_property(&disk("upload"), "diskState", json!("ActiveUpload"));
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").always());
    let machine = disk("vm").replace("disks", "virtualMachines");
    let vault = disk("v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    azure.attach(&disk("held"), &machine);
    azure.protect(&machine, &vault, Protection::Backup);
    let mut done = disk_body("westeurope");
    done["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
    done["tags"] =
        json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z"});
    azure.insert(&disk("done"), &done).unwrap();
}

fn sorted(out: &str) -> (Vec<&str>, &str) {
    let mut lines: Vec<_> = out.lines().collect();
    let last = lines.pop().unwrap();
    lines.sort_unstable();
    (lines, last)
}

const HERE: [&str; 4] = ["--subscriptions", SUBSCRIPTION, "--exempt-names", "tmp-*"];

#[tokio::test]
async fn each_resource_is_named_with_its_outcome_and_reason_and_the_last_line_has_the_numbers() {
    let (azure, serving) = azure().await;
    estate(&azure);
    let (code, dry, _) = command(&serving, &[&["sweep", "--dry-run"][..], &HERE].concat(), "").await;
    assert_eq!(code, Some(0), "{dry}");
    let (lines, last) = sorted(&dry);
    assert_eq!(
        last,
        "Dry run: 3 would be sealed, 2 exempt or not yet, 1 protected by a vault. Nothing was written."
    );
    assert_eq!(
        lines[0],
        "not yet         disk upload in rg-app: an upload into it is in progress, which the seal would break"
    );
    assert!(lines[1].starts_with("protected       disk held in rg-app: /subscriptions/"), "{dry}");
    assert_eq!(lines[2..], ["a", "b", "locked"].map(|name| format!("would seal      disk {name} in rg-app")));

    let (code, audit, _) = command(&serving, &[&["sweep", "--mode", "audit"][..], &HERE].concat(), "").await;
    assert_eq!(code, Some(1), "{audit}");
    assert_eq!(sorted(&audit).0, lines, "a dry run and audit mode name the same");
    assert!(
        audit.ends_with("Audit mode: 3 would be sealed, 2 exempt or not yet, 1 protected by a vault. Nothing was written.\n"),
        "{audit}"
    );
    assert!(azure.journal().iter().all(|exchange| exchange.method == "GET" || exchange.kind == Kind::Query));

    let (code, out, _) = command(&serving, &[&["sweep"][..], &HERE].concat(), "").await;
    assert_eq!(code, Some(1), "{out}");
    let (lines, last) = sorted(&out);
    let begins = lines.iter().map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        begins,
        [
            "not sealed      disk locked in rg-app",
            "not yet         disk upload in rg-app",
            "protected       disk held in rg-app",
            "sealed          disk a in rg-app",
            "sealed          disk b in rg-app",
        ]
    );
    assert!(lines[0].contains("setting dataAccessAuthMode failed: 409 ScopeLocked"), "{out}");
    assert_eq!(last, "2 sealed, 1 not sealed, 2 exempt or not yet, 1 protected by a vault, 1 sealed before.");
    assert!(!out.contains("active_upload") && !out.contains("pending") && !out.contains(" 0 "), "{out}");
}

#[tokio::test]
async fn with_nothing_to_do_the_numbers_say_so() {
    let (azure, serving) = azure().await;
    let (_, out, _) = command(&serving, &[&["sweep"][..], &HERE].concat(), "").await;
    assert_eq!(out, "Nothing to seal.\n");
    for name in ["a", "b", "tmp-1"] {
        azure.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    let (code, out, _) = command(&serving, &[&["sweep"][..], &HERE].concat(), "").await;
    assert_eq!((code, sorted(&out).1), (Some(0), "2 sealed, 1 exempt."), "{out}");
    for arguments in
        [&["sweep"][..], &["sweep", "--exact"], &["sweep", "--dry-run"], &["sweep", "--mode", "audit"]]
    {
        let (code, out, _) = command(&serving, &[arguments, &HERE].concat(), "").await;
        assert_eq!(
            (code, out.as_str()),
            (Some(0), "Nothing to seal: 2 sealed, 1 exempt.\n"),
            "{arguments:?}"
        );
        let (_, out, _) = command(&serving, &[arguments, &HERE, &["-v"]].concat(), "").await;
        assert!(
            out.to_lowercase().contains("exempt          disk tmp-1 in rg-app: its name matches"),
            "{out}"
        );
    }
}

#[tokio::test]
async fn in_several_subscriptions_each_line_has_the_name_of_its_own() {
    let (azure, serving) = azure().await;
    let other = disk("a").replace("11111111-", "22222222-");
    for id in [&disk("a"), &other] {
        azure.insert(id, &disk_body("westeurope")).unwrap();
    }
    // The names that the local Azure gives them.
    let names = ["Local 11111111", "Local 22222222"];
    let (_, out, _) = command(&serving, &["sweep", "--dry-run", "--all-subscriptions"], "").await;
    for name in &names {
        assert!(out.contains(&format!("disk a in rg-app, {name}\n")), "{out}");
    }
    let (_, out, _) = command(&serving, &["seal", "--all-subscriptions", &disk("a"), &other], "").await;
    for name in &names {
        assert!(out.contains(&format!("sealed          disk a in rg-app, {name}\n")), "{out}");
    }
}

#[tokio::test]
async fn json_has_one_object_per_line_that_conforms_to_its_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let (azure, serving) = azure().await;
    estate(&azure);
    azure.insert(&snapshot("s"), &disk_body("westeurope")).unwrap();
    let json = ["--output", "json", "--verbose"];
    let mut outcomes = BTreeSet::new();
    for arguments in
        [&["sweep", "--dry-run"][..], &["sweep", "--mode", "audit"], &["sweep"], &["sweep", "--exact"]]
    {
        let (_, out, err) = command(&serving, &[arguments, &HERE, &json].concat(), "").await;
        assert!(err.contains(" sealed"), "the numbers: {err}");
        for line in out.lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            let faults: Vec<_> = validator.iter_errors(&object).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{line}: {faults:?}");
            let id = object["id"].as_str().unwrap();
            assert!(
                id.to_lowercase().ends_with(&format!("s/{}", object["name"].as_str().unwrap())),
                "{line}"
            );
            outcomes.insert(object["outcome"].as_str().unwrap().to_owned());
        }
    }
    let expected = ["exempt", "pending", "protected", "sealed", "would_seal"];
    assert_eq!(outcomes.iter().collect::<Vec<_>>(), expected);

    let known = schema["properties"]["outcome"]["enum"].as_array().unwrap();
    let known: BTreeSet<_> = known.iter().filter_map(Value::as_str).collect();
    let words =
        [Outcome::labels(), Reverted::labels(), Unsealed::labels(), vec!["pending", "failed", "unknown"]]
            .concat();
    assert_eq!(known, words.into_iter().collect(), "the vocabulary");
}

#[tokio::test]
async fn each_command_about_given_resources_has_the_same_json() {
    let validator = jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let (azure, serving) = azure().await;
    azure.insert(&disk("a"), &disk_body("westeurope")).unwrap();
    let id = disk("a");
    let more = ["--yes", "--exempt-tag", "keep", "-o", "json", &id];
    let unseal = ["unseal", "--until", "2999-12-31", "--reason", "INC-1"];
    for (arguments, code, outcome) in [
        (&["seal"][..], 0, "sealed"),
        (&["seal"], 0, "already_sealed"),
        (&unseal, 0, "unsealed"),
        (&unseal, 0, "already_unsealed"),
        (&["seal"], 0, "exempt"),
        (&["reseal"], 0, "sealed"),
    ] {
        let (actual, out, err) = command(&serving, &[arguments, &more].concat(), "").await;
        let object: Value = serde_json::from_str(&out).unwrap();
        let faults: Vec<_> = validator.iter_errors(&object).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{out}: {faults:?}");
        assert_eq!(
            (actual, &object["outcome"], &object["id"]),
            (Some(code), &json!(outcome), &json!(id)),
            "{err}"
        );
    }
}

#[tokio::test]
async fn the_progress_bar_stays_whole_whatever_is_printed() {
    let (azure, serving) = azure().await;
    estate(&azure);
    for n in 0..30 {
        let mut body = disk_body("westeurope");
        body["tags"] = json!({"keep": "until=2020-01-31; INC-1"});
        azure.insert(&disk(&format!("d{n}")), &body).unwrap();
    }
    for term in ["xterm", "dumb"] {
        let terminal = Terminal::open(120);
        let mut sweep = program(&serving, &[&["sweep", "--exempt-tag", "keep"][..], &HERE].concat());
        sweep.env("TERM", term).stdin(terminal.end()).stdout(terminal.end()).stderr(terminal.end());
        let mut child = sweep.spawn().unwrap();
        // It keeps the ends of the terminal.
        drop(sweep);
        child.wait().await.unwrap();
        let printed = terminal.printed().await;
        let is_drawn = printed.contains('█');
        assert_eq!(is_drawn, term == "xterm", "{printed:?}");
        for line in seen(&printed) {
            assert!(!line.contains(['█', '░', '\u{1b}']), "{term}: a torn bar: {line:?} in {printed:?}");
        }
        if !is_drawn {
            assert!(!printed.contains('\u{1b}'), "{printed:?}");
            continue;
        }
        let warnings: Vec<_> =
            seen(&printed).into_iter().filter(|line| line.contains("expired on")).collect();
        assert_eq!(warnings.len(), 30, "{printed}");
        let begins = format!("warning: {}", disk("d"));
        assert!(
            warnings.iter().all(|line| line.starts_with(&begins) && line.contains(": its exemption")),
            "{warnings:?}"
        );
        assert!(printed.contains(" done, ") && !printed.contains("listed"), "{printed}");
    }
}
