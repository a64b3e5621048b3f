//! `diskseal report --exports`, with the real binary: who took SAS URLs, and whom enforcement would break.

use diskseal_emulator::{
    Emulator, Options, disk_body,
    estate::disk_id,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
    snapshot_body,
    write::Caller,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{commands::command, disk, proof::assert_conforms, snapshot};
use crate::world::{SUBSCRIPTION, jane};

const OTHER: &str = "99999999-2222-4333-8444-555555555555";
const VENDOR: &str = "aaaa1111-3333-4444-8555-666677778888";
const AZURE_BACKUP: &str = "262044b1-e2ce-469f-a196-69ab7ada62d3";
const OF_DISK: &str = "Microsoft.Compute/disks/beginGetAccess/action";
const OF_SNAPSHOT: &str = "MICROSOFT.COMPUTE/SNAPSHOTS/BEGINGETACCESS/ACTION";
const OF_RESTORE_POINT: &str =
    "Microsoft.Compute/restorePointCollections/restorePoints/retrieveSasUris/action";

fn vendor() -> Caller {
    Caller::app("bbbb1111-0000-4000-8000-000000000001", VENDOR)
}

fn restore_point() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/restorePointCollections/vm/restorePoints/monday"
    )
}

/// A sealed disk, unsealed ones in two subscriptions, and an exempt one; with what was taken of them.
async fn estate() -> (Emulator, Serving) {
    let azure = Emulator::new(Options { page_size: 4, ..Options::immediate() });
    let serving = azure.serve().await.unwrap();
    let elsewhere = disk_id(OTHER, "rg-app", "elsewhere");
    for id in [disk("sealed"), disk("open"), disk("tmp-1"), elsewhere.clone()] {
        azure.insert(&id, &disk_body("westeurope")).unwrap();
    }
    azure.insert(&snapshot("copy"), &snapshot_body("westeurope", &disk("open"))).unwrap();
    let (code, ..) = command(&serving, &["seal", &disk("sealed")], "").await;
    assert_eq!(code, Some(0));

    let now = OffsetDateTime::now_utc();
    let ago = |days: i64| now - Duration::days(days);
    for day in 1..=9 {
        azure.log_operation(OF_DISK, &disk("open").to_uppercase(), &vendor(), ago(day));
    }
    azure.log_operation(OF_DISK, &elsewhere, &vendor(), ago(2));
    azure.log_operation(OF_SNAPSHOT, &snapshot("copy"), &Caller::app("cccc", AZURE_BACKUP), ago(3));
    azure.log_operation(OF_DISK, &disk("open"), &jane(), ago(4));
    azure.log_operation(OF_DISK, &disk("sealed"), &jane(), ago(5));
    azure.log_operation(OF_DISK, &disk("tmp-1"), &vendor(), ago(6));
    azure.log_operation(OF_DISK, &disk("deleted"), &vendor(), ago(7));
    azure.log_operation(OF_RESTORE_POINT, &restore_point(), &vendor(), ago(8));
    // Something else, a failure, and what was taken long before.
    azure.log_operation("Microsoft.Compute/disks/write", &disk("open"), &vendor(), ago(1));
    azure.log_operation(OF_DISK, &disk("open"), &vendor(), ago(40));
    azure.clear_journal();
    (azure, serving)
}

async fn report(serving: &Serving, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["report", "--exempt-names", "tmp-*"], more].concat();
    command(serving, &arguments, "").await
}

/// The callers of a report: kind, application ID, exports, resources and what enforcement would break.
fn callers(exports: &Value) -> Vec<(String, String, u64, u64, u64)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = exports["callers"].as_array().unwrap().iter();
    let mut all: Vec<_> = all
        .map(|one| {
            let number = |name: &str| one[name].as_u64().unwrap();
            let numbers = (number("exports"), number("resources"), number("wouldBreak"));
            (text(&one["caller"]), text(&one["applicationId"]), numbers.0, numbers.1, numbers.2)
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn it_names_applications_counts_people_and_marks_what_enforcement_would_break() {
    let (azure, serving) = estate().await;
    for mode in ["audit", "enforce"] {
        let (code, out, err) = report(&serving, &["--exports", "30d", "-o", "json", "--mode", mode]).await;
        assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_conforms(&json);
        let exports = &json["exports"];
        assert_eq!(exports["exports"], 16);
        assert_eq!(
            exports["wouldBreak"],
            json!({"exports": 12, "resources": 3, "callers": 3}),
            "{exports:#}"
        );
        let cli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
        assert_eq!(
            callers(exports),
            [
                ("application".to_owned(), AZURE_BACKUP.to_owned(), 1, 1, 1),
                ("application".to_owned(), VENDOR.to_owned(), 13, 5, 10),
                ("person".to_owned(), cli.to_owned(), 2, 2, 1),
            ]
        );
        let names: Vec<_> =
            exports["callers"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert!(names.contains(&json!("Azure Backup")) && names.contains(&json!("Azure CLI")), "{names:?}");
        for (name, caller, count, effect) in [
            ("open", "application", 9, "would_seal"),
            ("open", "person", 1, "would_seal"),
            ("elsewhere", "application", 1, "would_seal"),
            ("copy", "application", 1, "would_seal"),
            ("sealed", "person", 1, "sealed"),
            ("tmp-1", "application", 1, "left"),
            ("deleted", "application", 1, "not_listed"),
            ("monday", "application", 1, "not_covered"),
        ] {
            let is_it = |row: &&Value| {
                row["id"].as_str().unwrap().to_lowercase().ends_with(&format!("/{name}"))
                    && row["caller"] == caller
            };
            let row = exports["resources"].as_array().unwrap().iter().find(is_it).unwrap();
            assert_eq!((&row["exports"], &row["effect"]), (&json!(count), &json!(effect)), "{row}");
        }
        let open = json["exceptions"].as_array().unwrap().iter().find(|row| row["name"] == "open").unwrap();
        assert_eq!(open["exports"]["count"], 10);
    }
    let reads = azure.journal().into_iter().filter(|exchange| exchange.kind == Kind::Activity).count();
    assert!(reads > 20, "{reads} pages of four events");
    assert!(azure.journal().iter().all(|exchange| exchange.method == "GET" || exchange.kind == Kind::Query));
}

#[tokio::test]
async fn every_form_has_it_and_none_has_anything_of_a_person() {
    let (_azure, serving) = estate().await;
    for (form, parts) in [
        (
            "table",
            vec![
                "16 SAS URLs were taken since ",
                "would break 12 of them, of 3 resources by 3 callers",
                VENDOR,
                "a person, by Azure CLI",
                "not_covered",
            ],
        ),
        ("json", vec!["\"wouldBreak\"", VENDOR]),
        ("html", vec!["aria-labelledby=\"exports\"", VENDOR, "a person, by Azure CLI", "not_covered"]),
        ("csv", vec!["exports_by", VENDOR, "a person, by Azure CLI"]),
    ] {
        let (_, out, err) = report(&serving, &["--exports", "30d", "--all", "-o", form]).await;
        for part in parts {
            assert!(out.contains(part), "{form} lacks {part}: {out}");
        }
        for of_jane in ["Jane", "jane", "example.com", &jane().object_id] {
            assert!(!out.contains(of_jane) && !err.contains(of_jane), "{form} has {of_jane}");
        }
        let (_, without, _) = report(&serving, &["--all", "-o", form]).await;
        assert!(!without.contains(VENDOR), "{form}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_gap_and_too_many_days_are_refused() {
    let (azure, serving) = estate().await;
    for (days, part) in [
        ("91d", "keeps 90 days"),
        ("0", "not a number of days"),
        ("x", "not a number of days"),
        ("9999999", "not a number"),
    ] {
        let (code, _, err) = report(&serving, &["--exports", days]).await;
        assert!(code == Some(2) && err.contains(part), "{days}: {err}");
    }
    assert!(azure.journal().is_empty());
    assert_eq!(report(&serving, &["--exports", "90d", "--fail-on", "gap"]).await.0, Some(0));

    // A grant in a form that cannot be read may be one that enforcement breaks.
    azure.log_event(json!({
        "operationName": {"value": OF_DISK}, "resourceId": disk("open"), "status": {"value": "Done"},
        "resourceProviderName": {"value": "Microsoft.Compute"}, "claims": {"name": "Jane Doe"},
    }));
    let (code, out, err) = report(&serving, &["--exports", "30d", "-o", "json", "--fail-on", "gap"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(err.contains(&format!("1 events in the activity log of subscription {SUBSCRIPTION}")), "{err}");

    for fault in [
        Fault::refuse(Refusal::authorization_failed()),
        Fault::text(200, "application/json", "{\"value\": 7}"),
        Fault::page_leads_to_itself(),
    ] {
        let injected = azure.inject(fault.on(Kind::Activity).always());
        let (code, out, err) = report(&serving, &["--exports", "7", "-o", "json", "--fail-on", "gap"]).await;
        assert_eq!(code, Some(1), "{out}");
        assert!(err.contains(&format!("the activity log of subscription {OTHER}: ")), "{err}");
        // The rest of the report is there.
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["totals"]["total"], 5);
        injected.remove();
    }
}
