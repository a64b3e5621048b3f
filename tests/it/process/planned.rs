//! `diskseal sweep --plan`, `--apply`, `--revert` and its narrowing, with the real binary.

use std::path::{Path, PathBuf};

use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind},
    serve::Serving,
    snapshot_body,
};
use serde_json::{Value, json};

use super::{
    commands::{command, program},
    disk, line_of, snapshot,
};
use crate::world::SUBSCRIPTION;

const SCHEMA: &str = include_str!("../../../docs/schemas/plan-1.json");

struct Estate {
    azure: Emulator,
    serving: Serving,
    folder: tempfile::TempDir,
}

impl Estate {
    async fn with(count: usize) -> Self {
        let azure = Emulator::new(Options::immediate());
        let serving = azure.serve().await.unwrap();
        for n in 0..count {
            azure.insert(&disk(&format!("d{n:05}")), &disk_body("westeurope")).unwrap();
        }
        Self { azure, serving, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("plan.json")
    }

    async fn sweep(&self, how: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let file = self.file();
        let arguments = [&["sweep", how, file.to_str().unwrap()][..], more].concat();
        command(&self.serving, &arguments, "").await
    }

    fn mode(&self, id: &str) -> Value {
        self.azure.get(id).unwrap()["properties"]["dataAccessAuthMode"].clone()
    }

    fn writes(&self) -> usize {
        let journal = self.azure.journal();
        journal.iter().filter(|exchange| exchange.kind != Kind::Query && exchange.method != "GET").count()
    }
}

/// The last line.
fn last(out: &str) -> &str {
    out.split_inclusive('\n').next_back().unwrap_or_default()
}

fn plan_of(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_plan_is_shown_applied_and_reverted() {
    let estate = Estate::with(2).await;
    let tagged = json!({"team": "x", "diskseal-auth-mode": "old"});
    let mut body = disk_body("westeurope");
    body["tags"] = tagged.clone();
    estate.azure.insert(&disk("tagged"), &body).unwrap();
    let (code, out, err) = estate.sweep("--plan", &[]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert_eq!(estate.writes(), 0);
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("NAME ") && lines.len() == 5, "{out}");
    assert!(lines[1].contains("  enforce  None -> AzureActiveDirectory "), "{out}");
    assert!(lines[1].to_ascii_lowercase().starts_with("d00000 "), "{out}");
    assert!(lines[4].starts_with("Plan: 3 would be sealed. Written to "), "{out}");
    assert!(lines[4].ends_with("/plan.json; nothing was written to Azure."), "{out}");
    let plan = plan_of(&estate.file());
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let faults: Vec<_> = validator.iter_errors(&plan).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!((&plan["count"], &plan["settings"]["DISKSEAL_MODE"]), (&json!(3), &json!("enforce")));

    // What is created later is not in it.
    estate.azure.insert(&disk("later"), &disk_body("westeurope")).unwrap();
    let (code, out, err) = estate.sweep("--apply", &[]).await;
    assert_eq!((code, last(&out), err.as_str()), (Some(0), "3 sealed.\n", ""));
    assert_eq!(estate.mode(&disk("d00001")), "AzureActiveDirectory");
    assert_ne!(estate.mode(&disk("later")), "AzureActiveDirectory");
    let (code, out, _) = estate.sweep("--apply", &[]).await;
    assert_eq!((code, last(&out)), (Some(0), "3 already sealed.\n"));

    // A plan is never overwritten, because a revert needs it.
    let (code, _, err) = estate.sweep("--plan", &[]).await;
    assert!(code == Some(2) && err.contains("it exists"), "{err}");
    assert_eq!(plan_of(&estate.file()), plan);

    let (code, _, err) = estate.sweep("--revert", &[]).await;
    assert!(code == Some(2) && err.contains("no terminal for a confirmation"), "{err}");
    let (code, out, err) = estate.sweep("--revert", &["--yes"]).await;
    assert_eq!((code, last(&out), err.as_str()), (Some(0), "3 reverted.\n", ""));
    assert_eq!(estate.mode(&disk("d00001")), "None");
    assert_eq!(estate.azure.get(&disk("tagged")).unwrap()["tags"], tagged);
    assert!(
        estate.azure.get(&disk("d00000")).unwrap()["tags"].as_object().is_none_or(serde_json::Map::is_empty)
    );
}

#[tokio::test]
async fn drift_of_a_resource_or_of_the_settings_is_refused_by_name() {
    let estate = Estate::with(3).await;
    assert_eq!(estate.sweep("--plan", &["--exempt-names", "tmp-*"]).await.0, Some(0));
    let (code, out, err) = estate.sweep("--apply", &["--exempt-names", "d*"]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("\n  DISKSEAL_EXEMPT_NAMES: \"tmp-*\" in the plan, \"d*\" now"), "{err}");
    let (code, _, err) = estate.sweep("--apply", &["--exempt-names", "tmp-*", "--mode", "audit"]).await;
    assert!(
        code == Some(1) && err.contains("DISKSEAL_MODE: \"enforce\" in the plan, \"audit\" now"),
        "{err}"
    );
    assert_eq!(estate.writes(), 0);

    let drifted = disk("d00001");
    estate.azure.set_odd_property(&drifted, "dataAccessAuthMode", json!("Another"));
    // How it is sealed and not what, so it is no drift.
    let (code, out, _) = estate.sweep("--apply", &["--exempt-names", "tmp-*", "--pace", "50"]).await;
    assert_eq!(code, Some(1));
    assert!(
        out.to_ascii_lowercase().contains(&format!("{}: its data", line_of("drifted", &drifted))),
        "{out}"
    );
    assert_eq!(last(&out), "2 sealed, 1 drifted.\n");
    assert_eq!(estate.mode(&drifted), "Another");
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_refused_and_nothing_is_asked() {
    let estate = Estate::with(3).await;
    assert_eq!(estate.sweep("--plan", &[]).await.0, Some(0));
    let good = std::fs::read_to_string(estate.file()).unwrap();
    estate.azure.clear_journal();
    for (text, part) in [
        (good[..good.len() / 3].to_owned(), "only a part of one"),
        (good.replace("d00002", "d00009"), "the hash of its resources"),
        (
            good.replace("\"DISKSEAL_MODE\":\"enforce\"", "\"DISKSEAL_MODE\":\"audit\""),
            "the hash of its settings",
        ),
        (String::new(), "only a part of one"),
        ("{}".to_owned(), "no plan of diskseal"),
        ("\u{0}\u{1}".to_owned(), "only a part of one"),
    ] {
        std::fs::write(estate.file(), &text).unwrap();
        for how in ["--apply", "--revert"] {
            let (code, out, err) = estate.sweep(how, &["--yes"]).await;
            assert!(code == Some(2) && out.is_empty() && err.contains(part), "{part}: {err}");
            assert!(err.contains("plan.json: "), "{err}");
        }
    }
    std::fs::remove_file(estate.file()).unwrap();
    assert_eq!(estate.sweep("--apply", &[]).await.0, Some(2));
    assert!(estate.azure.journal().is_empty());
    for wrong in [&["--revert", "x"][..], &["--dry-run"], &["--exact"], &["--name", "d*"]] {
        assert_eq!(estate.sweep("--apply", wrong).await.0, Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_is_made_good_by_the_same_command() {
    let estate = Estate::with(40).await;
    assert_eq!(estate.sweep("--plan", &[]).await.0, Some(0));
    for (how, kind, expected) in [
        ("--apply", Kind::TagsWrite, json!("AzureActiveDirectory")),
        ("--revert", Kind::Patch, json!("None")),
    ] {
        let file = estate.file();
        let held = estate.azure.inject(Fault::hold_before_applying().on(kind));
        let arguments = ["sweep", how, file.to_str().unwrap(), "--yes", "--concurrency", "1"];
        let mut child = program(&estate.serving, &arguments).spawn().unwrap();
        held.held().await;
        child.kill().await.unwrap();
        held.cut_off();
        held.remove();
        let (code, out, err) = estate.sweep(how, &["--yes"]).await;
        assert_eq!(code, Some(0), "{out}{err}");
        for n in 0..40 {
            let id = disk(&format!("d{n:05}"));
            assert_eq!(estate.mode(&id), expected, "{id}");
            // The mode of the first one is older than the second run, which does not know what named it.
            let tags = estate.azure.get(&id).unwrap()["tags"].as_object().map_or(0, serde_json::Map::len);
            let right = if how == "--revert" {
                0
            } else if n == 0 {
                2
            } else {
                3
            };
            assert_eq!(tags, right, "{id}");
        }
    }
}

#[tokio::test]
async fn a_sweep_is_narrowed_to_what_is_asked_for() {
    const OLD: &str = "2026-01-01T00:00:00Z";
    for (flags, sealed) in [
        (&["--resource-group", "RG-*-1"][..], &["group"][..]),
        (&["--name", "o?d,snap*"], &["old", "snap"]),
        (&["--kind", "snapshot"], &["snap"]),
        (&["--kind", "disk", "--resource-group", "rg-app"], &["old", "new"]),
        (&["--created-after", "2026-02-01"], &["new", "group", "snap"]),
        (&["--created-after", "2026-02-01T00:00:00Z", "--name", "*"], &["new", "group", "snap"]),
        (&["--name", "nothing"], &[]),
    ] {
        for exact in [&[][..], &["--exact"][..]] {
            let estate = Estate::with(0).await;
            let ids = [
                ("old", disk("old")),
                ("new", disk("new")),
                ("group", disk_id(SUBSCRIPTION, "rg-dev-1", "group")),
                ("snap", snapshot("snap")),
            ];
            for (name, id) in &ids {
                let body = if *name == "snap" {
                    snapshot_body("westeurope", &disk("old"))
                } else {
                    disk_body("westeurope")
                };
                estate.azure.insert(id, &body).unwrap();
                let created = if *name == "old" { OLD } else { "2026-03-01T00:00:00Z" };
                estate.azure.set_property(id, "timeCreated", json!(created));
            }
            let (code, out, err) =
                command(&estate.serving, &[&["sweep"][..], flags, exact].concat(), "").await;
            assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
            for (name, id) in &ids {
                assert_eq!(
                    estate.mode(id) == "AzureActiveDirectory",
                    sealed.contains(name),
                    "{flags:?} {name}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_may_be_selected_is_named_and_never_passed_over_in_silence() {
    let estate = Estate::with(1).await;
    estate.azure.set_odd_property(&disk("d00000"), "timeCreated", json!("soon"));
    let (code, out, err) = command(&estate.serving, &["sweep", "--created-after", "6h"], "").await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("1 unreadable in the listing"), "{out}");
    assert!(err.to_ascii_lowercase().contains("/d00000: its time of creation cannot be read"), "{err}");
    assert_eq!(estate.writes(), 0);
    for wrong in
        [&["--created-after", "1w"][..], &["--name", ","], &["--resource-group", "[z"], &["--kind", "vm"]]
    {
        assert_eq!(
            command(&estate.serving, &[&["sweep"][..], wrong].concat(), "").await.0,
            Some(2),
            "{wrong:?}"
        );
    }
    // A plan of a part is applied as it is.
    let (code, ..) = estate.sweep("--plan", &["--name", "none*"]).await;
    assert_eq!((code, &plan_of(&estate.file())["count"]), (Some(0), &json!(0)));
}

#[tokio::test]
async fn a_report_of_a_part_says_so_in_every_form() {
    let estate = Estate::with(3).await;
    estate.azure.insert(&snapshot("snap"), &snapshot_body("westeurope", &disk("d00000"))).unwrap();
    for exact in [&[][..], &["--exact"][..]] {
        let flags = [&["report", "--kind", "disk", "--name", "d*1,s*", "-o", "json"][..], exact].concat();
        let (code, out, _) = command(&estate.serving, &flags, "").await;
        let report: Value = serde_json::from_str(&out).unwrap();
        super::proof::assert_conforms(&report);
        assert_eq!((code, &report["totals"]["total"]), (Some(1), &json!(1)));
        assert_eq!(report["selection"], "--name d*1,s* --kind disk");
    }
    for form in ["table", "json", "html"] {
        let (_, out, _) = command(&estate.serving, &["report", "--kind", "snapshot", "-o", form], "").await;
        assert!(out.contains("Narrowed by --kind snapshot: 1 of 1 disks and snapshots"), "{form}: {out}");
        let (_, out, _) = command(&estate.serving, &["report", "-o", form], "").await;
        assert!(!out.contains("Narrowed"), "{form}: {out}");
    }
}
