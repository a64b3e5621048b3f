//! What auditors, owners and whoever is on call need to see, with the real binary: what no event has sealed, the
//! inventory, the controls, and the forms for programs.

use std::collections::BTreeSet;

use diskseal_emulator::{
    Emulator, Options,
    collector::MetricData,
    disk_body,
    event_grid::{Duplicates, EventGridOptions},
    fault::{Fault, Kind, Refusal},
    local_azure::LocalAzure,
    serve::Serving,
    snapshot_body,
};
use serde_json::{Map, Value, json};

use super::{
    EVENT_GRID_SPEED,
    commands::{command, program},
    disk, end_all, is_sealed, setup, snapshot, start,
};
use crate::world::{SUBSCRIPTION, jane};

const SCHEMA: &str = include_str!("../../../docs/schemas/report-1.json");

async fn report(serving: &Serving, more: &[&str]) -> (Option<i32>, String) {
    let (code, out, err) =
        command(serving, &[&["report", "--exempt-tag", "exempt"], more].concat(), "").await;
    assert!(matches!(code, Some(0 | 1)), "{err}");
    (code, out)
}

async fn json_report(serving: &Serving, more: &[&str]) -> Value {
    let (_, out) = report(serving, &[&["--output", "json"], more].concat()).await;
    let report = serde_json::from_str(&out).unwrap();
    assert_conforms(&report);
    report
}

/// The published schema, where members that it does not name are faults.
pub(super) fn assert_conforms(report: &Value) {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    close(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<_> =
        validator.iter_errors(report).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

pub(super) fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        if object.get("properties").is_some_and(Value::is_object) && object.contains_key("required") {
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        object.values_mut().for_each(close);
    } else if let Some(list) = schema.as_array_mut() {
        list.iter_mut().for_each(close);
    }
}

fn ids(rows: &Value, member: &str) -> BTreeSet<String> {
    let all = rows.as_array().unwrap().iter();
    all.map(|row| row[member].as_str().unwrap().to_ascii_lowercase()).collect()
}

/// Events are lost, and the number of those that no event has sealed is the number of the lost.
#[tokio::test]
async fn a_day_with_lost_events_is_counted_and_named_from_azure_alone() {
    let mut setup = setup();
    setup.event_grid = EventGridOptions {
        speed: EVENT_GRID_SPEED,
        loss: 0.3,
        duplicates: Duplicates::Never,
        seed: 7,
        ..EventGridOptions::default()
    };
    let azure = start(setup, &[]).await;
    let created: Vec<_> = (0..24)
        .map(|n| if n % 4 == 3 { snapshot(&format!("s{n:02}")) } else { disk(&format!("d{n:02}")) })
        .collect();
    for id in &created {
        let is_disk = id.contains("/disks/");
        let body = if is_disk { disk_body("westeurope") } else { snapshot_body("westeurope", &disk("d00")) };
        azure.emulator.put(id, &jane(), &body).unwrap();
    }
    azure.event_grid.idle().await;
    azure.host.queues_drained().await;
    azure.event_grid.idle().await;
    let lost: BTreeSet<_> =
        created.iter().filter(|id| !is_sealed(&azure, id)).map(|id| id.to_ascii_lowercase()).collect();
    assert!(!lost.is_empty() && lost.len() < created.len(), "{} of {}", lost.len(), created.len());

    azure.host.fire_timer("sweep").await.unwrap();
    azure.host.queues_drained().await;
    azure.event_grid.idle().await;
    assert!(created.iter().all(|id| is_sealed(&azure, id)));

    // By a person, later, who is the handler's identity: the event of another one's write of the mode would lead the
    // handler to a look between that write and the tags.
    let by_hand = disk("by-hand");
    azure.emulator.insert(&by_hand, &disk_body("westeurope")).unwrap();
    let client_id = azure.emulator.options().identity.client_id.clone();
    let sealed =
        program(&azure.serving, &["seal", &by_hand]).env("AZURE_CLIENT_ID", client_id).output().await;
    assert_eq!(sealed.unwrap().status.code(), Some(0));

    let taken = json_report(&azure.serving, &["--all", "--since", "1d"]).await;
    let time = &taken["timeToSeal"];
    let counts =
        ["event", "sweep", "command", "unknown", "before", "unsealed"].map(|by| time[by].as_u64().unwrap());
    assert_eq!(counts, [(created.len() - lost.len()) as u64, lost.len() as u64, 1, 0, 0, 0], "{time:#}");
    let named: BTreeSet<_> = lost.iter().cloned().chain([by_hand.to_ascii_lowercase()]).collect();
    assert_eq!(ids(&time["notByEvent"], "id"), named);
    assert!(time["seconds"]["worst"].as_u64() >= time["seconds"]["median"].as_u64(), "{time:#}");
    for row in taken["resources"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap().to_ascii_lowercase();
        let by = if id.ends_with("/by-hand") {
            "command"
        } else if lost.contains(&id) {
            "sweep"
        } else {
            "event"
        };
        assert_eq!((&row["sealedBy"], &row["status"]), (&json!(by), &json!("sealed")), "{id}");
    }
    for (wanted, code) in [("event-missed", 1), ("unsealed,pending,live-sas", 0)] {
        let (ended, _) = report(&azure.serving, &["--fail-on", wanted]).await;
        assert_eq!(ended, Some(code), "{wanted}");
    }

    // The same number on the way to an alert, and the write of every look by an event can be found in the activity log.
    end_all(&azure).await;
    assert!((missed_by_metric(&azure) - f64::from(u32::try_from(lost.len()).unwrap())).abs() < 0.5);
    assert_correlated(&azure, &created, &lost);
}

/// The write of each look by an event, and of no other, has its correlation ID on span and log record.
fn assert_correlated(azure: &LocalAzure, created: &[String], lost: &BTreeSet<String>) {
    let spans = azure.collector.spans();
    let looks: Vec<_> = spans.iter().filter(|span| span.name == "enforce").collect();
    let has_id = |attributes: &dyn Fn(&str) -> Option<Value>| {
        attributes("diskseal.correlation_id").is_some_and(|id| id.as_str().is_some_and(|id| id.len() == 36))
    };
    for id in created {
        let own = |value: Option<&Value>| {
            value.and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id))
        };
        let sealed = |outcome: Option<&Value>| outcome == Some(&json!("sealed"));
        let span = looks.iter().find(|span| {
            own(span.attributes.get("diskseal.resource_id"))
                && sealed(span.attributes.get("diskseal.outcome"))
        });
        let logs = azure.collector.logs();
        let line = logs.iter().find(|line| {
            own(line.attributes.get("diskseal.resource_id"))
                && sealed(line.attributes.get("diskseal.outcome"))
        });
        let (span, line) = (span.unwrap(), line.unwrap());
        let is_by_event = !lost.contains(&id.to_ascii_lowercase());
        assert_eq!(has_id(&|name| span.attributes.get(name).cloned()), is_by_event, "{id}: the span");
        assert_eq!(has_id(&|name| line.attributes.get(name).cloned()), is_by_event, "{id}: the record");
        let reason = span.attributes.get("diskseal.reason").cloned();
        assert_eq!(reason, (!is_by_event).then(|| json!("event_missed")), "{id}");
    }
}

/// The last values of the counter, for disks and for snapshots.
fn missed_by_metric(azure: &LocalAzure) -> f64 {
    let points = azure.collector.metrics();
    let last = |kind: &str| {
        let own = points.iter().filter(|point| {
            point.name == "diskseal.outcomes"
                && point.attributes.get("diskseal.reason") == Some(&json!("event_missed"))
                && point.attributes.get("diskseal.resource.type") == Some(&json!(kind))
        });
        let sums = own.map(|point| if let MetricData::Sum { value, .. } = point.data { value } else { 0.0 });
        sums.fold(0.0, f64::max)
    };
    last("disk") + last("snapshot")
}

/// Everything that a report can say, as a person or program that takes it further would read it.
async fn estate() -> (Emulator, Serving) {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let sealed = |more: Value| {
        let mut body = disk_body("westeurope");
        body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
        for (name, value) in more.as_object().unwrap() {
            body["properties"][name] = value.clone();
        }
        body["tags"] = json!({
            "diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-02T03:04:05Z",
            "diskseal-sealed-by": "event", "Owner": "=cmd|' /C calc'!A0",
        });
        body
    };
    azure.insert(&disk("fine"), &sealed(json!({}))).unwrap();
    azure
        .insert(
            &disk("private"),
            &sealed(json!({"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"})),
        )
        .unwrap();
    azure.insert(&disk("open"), &disk_body("westeurope")).unwrap();
    azure.insert(&snapshot("copy"), &snapshot_body("westeurope", &disk("open"))).unwrap();
    let mut exempt = disk_body("northeurope");
    exempt["tags"] = json!({"exempt": "until=9999-12-31; <script>alert('x')</script>"});
    azure.insert(&disk("exempt"), &exempt).unwrap();
    (azure, serving)
}

fn collection() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/restorePointCollections/vm"
    )
}

#[tokio::test]
async fn the_inventory_has_every_resource_with_its_controls_as_the_schema_says() {
    let (azure, serving) = estate().await;
    azure.add_restore_points(&collection(), &["monday", "tuesday"]);
    for exact in [&[][..], &["--exact"][..]] {
        let json = json_report(&serving, &[&["--all", "--restore-points"], exact].concat()).await;
        let rows = json["resources"].as_array().unwrap();
        let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["open", "copy", "exempt", "fine", "private"], "the worst first");
        let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row("fine")["dataAccessAuthMode"], "AzureActiveDirectory");
        assert_eq!(
            (&row("fine")["sealedAt"], &row("fine")["sealedBy"]),
            (&json!("2026-01-02T03:04:05Z"), &json!("event"))
        );
        assert_eq!(row("private")["networkAccessPolicy"], "DenyAll");
        assert!(row("fine")["subscriptionName"].is_string(), "{}", row("fine"));
        let portal = format!("https://portal.azure.com/#resource{}", row("fine")["id"].as_str().unwrap());
        assert_eq!(row("fine")["portal"], portal);
        let checks = |name: &str| {
            let checks = &row(name)["checks"];
            [checks["dataAccessAuthMode"].as_str().unwrap(), checks["networkAccess"].as_str().unwrap()]
        };
        assert_eq!(checks("fine"), ["pass", "fail"]);
        assert_eq!(checks("private"), ["pass", "pass"]);
        assert_eq!((checks("open"), checks("exempt")), (["fail", "fail"], ["exempt", "fail"]));
        let control = |framework: &str, number: &str| {
            let all = json["controls"].as_array().unwrap().iter();
            let found =
                all.into_iter().find(|one| one["framework"] == framework && one["number"] == number).unwrap();
            ["pass", "fail", "exempt", "unknown"].map(|verdict| found[verdict].as_u64().unwrap())
        };
        assert_eq!(control("CIS Microsoft Azure Foundations Benchmark", "8.6"), [2, 1, 1, 0], "disks alone");
        assert_eq!(control("CIS Microsoft Azure Compute Services Benchmark", "20.5"), [2, 1, 1, 0]);
        assert_eq!(control("NIST SP 800-53", "SC-7"), [1, 3, 0, 0]);
        assert_eq!(json["checks"][0]["snapshot"]["fail"], 1);
        assert_eq!(
            [&json["restorePoints"]["collections"], &json["restorePoints"]["restorePoints"]],
            [&json!(1), &json!(2)]
        );
    }

    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    let json = json_report(&serving, &["--restore-points"]).await;
    assert!(json["restorePoints"]["error"].is_string() && json["resources"].is_null(), "{json:#}");
    assert!(
        json["gaps"].as_array().unwrap().iter().any(|gap| gap["what"] == "the restore points"),
        "{json:#}"
    );
}

#[tokio::test]
async fn people_read_the_same_inventory() {
    let (azure, serving) = estate().await;
    azure.add_restore_points(&collection(), &["monday", "tuesday"]);
    let (_, csv) = report(&serving, &["--all", "--output", "csv"]).await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<Map<String, Value>> = reader
        .records()
        .map(|row| {
            columns.iter().map(str::to_owned).zip(row.unwrap().iter().map(|cell| json!(cell))).collect()
        })
        .collect();
    assert_eq!(
        (rows.len(), &rows[0]["name"], &rows[3]["owner"]),
        (5, &json!("open"), &json!("'=cmd|' /C calc'!A0"))
    );
    assert!(
        rows[0]["controls_failed"]
            .as_str()
            .unwrap()
            .contains("CIS Microsoft Azure Foundations Benchmark 3.0.0 8.6")
    );
    assert_eq!(rows[1]["controls_failed"], "", "no control is about snapshots");

    let (_, table) = report(&serving, &["--all", "--restore-points"]).await;
    for words in [
        "CIS Microsoft Azure Compute Services Benchmark 2.0.0 20.5",
        "8405fdab",
        "Restore points: 2 in 1",
        "retrieveSasUris",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let (_, page) = report(&serving, &["--all", "--restore-points", "--output", "html"]).await;
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(
        at("class=\"verdict") < at("id=\"unsealed-title\"")
            && at("id=\"unsealed-title\"") < at("id=\"coverage\"")
    );
    assert!(
        at("id=\"coverage\"") < at("id=\"all\"")
            && page.contains("href=\"https://portal.azure.com/#resource/")
    );
    assert!(!page.contains("<script>alert") && page.contains("c3921d55"));
}

#[tokio::test]
async fn a_sealed_disk_with_a_valid_sas_is_a_finding() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let mut body = disk_body("westeurope");
    body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
    body["tags"] =
        json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-02T03:04:05Z"});
    azure.insert(&disk("shared"), &body).unwrap();
    let (code, _) = report(&serving, &[]).await;
    assert_eq!(code, Some(0));
    for state in ["ActiveSAS", "ActiveSASFrozen"] {
        azure.set_property(&disk("shared"), "diskState", json!(state));
        let (code, out) = report(&serving, &["--output", "json"]).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_conforms(&json);
        assert_eq!((code, &json["clean"]), (Some(1), &json!(false)), "{state}");
        assert_eq!(json["warnings"][0]["reason"], "live_sas");
        assert_eq!(json["exceptions"][0]["status"], "sealed");
        assert_eq!(report(&serving, &["--fail-on", "unsealed"]).await.0, Some(0));
        assert_eq!(report(&serving, &["--fail-on", "live-sas"]).await.0, Some(1));
    }
}

/// The findings' shape is judged by somebody else's model (tests/judges/ocsf); here it is what they say.
#[tokio::test]
async fn each_resource_has_one_finding_for_each_check() {
    let (_azure, serving) = estate().await;
    let (code, out) = report(&serving, &["--all", "--output", "ocsf"]).await;
    let findings: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, findings.len()), (Some(1), 10));
    let statuses = |name: &str| -> Vec<&str> {
        let own = findings.iter().filter(|one| one["resources"][0]["name"] == name);
        own.map(|one| one["status_code"].as_str().unwrap()).collect()
    };
    assert_eq!(statuses("fine"), ["pass", "fail"]);
    assert_eq!(statuses("exempt"), ["exempt", "fail"]);
    assert!(findings.iter().all(|one| one["class_uid"] == 2003 && one["type_uid"] == 200_301));
    let uids: BTreeSet<_> = findings.iter().map(|one| one["finding_info"]["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), 10, "each finding has an ID of its own");
    let (_, out) =
        report(&serving, &["--output", "ocsf", "--subscriptions", "99999999-2222-4333-8444-555555555555"])
            .await;
    assert_eq!(out, "[]\n");
}
