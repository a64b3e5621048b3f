//! Days in which everything happens that telemetry has a name for.

use std::time::Duration;

use diskseal_emulator::{
    Emulator, Member, Options,
    collector::{Answers, Collector, MetricPoint, Span},
    disk_body,
    estate::virtual_machine_id,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
    local_azure::LocalAzure,
    options::{Asynchronous, OperationStyle},
    snapshot_body, virtual_machine_body,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::super::{commands::program, disk, end_all, event, settings, setup, snapshot, start};
use crate::world::{SUBSCRIPTION, jane};

/// Claims of a caller, as Event Grid passes them on: personal data.
pub(super) const CLAIMS: [(&str, &str); 7] = [
    ("name", "Zoe Zimmermann"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "zoe@example.org"),
    ("http://schemas.microsoft.com/identity/claims/objectidentifier", "0eadbeef-1111-4222-8333-444455556666"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "s0bj3ct0fz0e"),
    ("ipaddr", "203.0.113.77"),
    ("puid", "10032001ZZZZ"),
    ("Jane, who makes the others", "Jane Doe"),
];

/// Names with an unlimited number of values.
pub(super) const NAMES: [&str; 10] = [
    "switch-",
    "rg-app",
    "rg-exempt",
    "retried",
    "locked-up",
    "over-taken",
    "missed-",
    "func-seal",
    "INC-1",
    "twice",
];

/// Everything that the collectors received.
#[derive(Default)]
pub(super) struct Emitted {
    pub(super) spans: Vec<Span>,
    pub(super) points: Vec<MetricPoint>,
}

impl Emitted {
    fn take(&mut self, collector: &Collector) {
        self.spans.extend(collector.spans());
        self.points.extend(collector.metrics());
    }
}

/// Runs all days.
pub(super) async fn all() -> Emitted {
    let mut emitted = Emitted::default();
    let (busy, audit, deaf, grouped, slow, guarded, quiet, evidence, commands) = tokio::join!(
        busy_day(),
        audited_day(),
        deaf_day(),
        grouped_day(),
        slow_day(),
        guarded_day(),
        quiet_day(),
        evidence_day(),
        commands()
    );
    for part in [busy, audit, deaf, grouped, slow, guarded, quiet, evidence, commands] {
        emitted.spans.extend(part.spans);
        emitted.points.extend(part.points);
    }
    emitted
}

/// Azure with short waits, and ARM's own headers.
fn azure() -> Options {
    Options {
        latency: Duration::from_millis(2),
        operations: OperationStyle::Asynchronous(Asynchronous {
            duration: Duration::from_millis(20),
            in_progress_polls: 0,
            retry_after_accepted: None,
            retry_after_polling: None,
            ..Asynchronous::default()
        }),
        ..Options::default()
    }
}

/// A disk in another resource group.
fn elsewhere(group: &str, name: &str) -> String {
    disk(name).replace("rg-app", group)
}

/// Puts a disk as a user, and waits until Event Grid has delivered all events.
async fn created(azure: &LocalAzure, id: &str) {
    azure.emulator.put(id, &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
}

/// Delivers an event without Event Grid, which would retry it.
async fn told(azure: &LocalAzure, event: Value) {
    azure.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap();
}

async fn busy_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    let scope = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app");
    let settings = [
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-exempt"),
        ("DISKSEAL_SWITCH", scope.as_str()),
        ("DISKSEAL_REVOKE", "on"),
    ];
    let azure = start(setup, &settings).await;
    events(&azure).await;
    grants(&azure).await;
    machines(&azure).await;
    trouble(&azure).await;
    sweeps(&azure).await;
    end(azure).await
}

/// One write whose operation takes longer than the reads that prove most writes.
async fn slow_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    if let OperationStyle::Asynchronous(style) = &mut setup.azure.operations {
        style.duration = Duration::from_millis(2_500);
    }
    let azure = start(setup, &[]).await;
    created(&azure, &disk("slow")).await;
    end(azure).await
}

/// Stops the handlers, which flush the rest.
async fn end(azure: LocalAzure) -> Emitted {
    end_all(&azure).await;
    let mut emitted = Emitted::default();
    emitted.take(&azure.collector);
    emitted
}

async fn events(azure: &LocalAzure) {
    // The first write reads what backups protect, and then the switch, in vain; concurrent writes wait for the answers.
    azure.emulator.inject(Fault::delay(Duration::from_millis(300)).on(Kind::Query));
    let refused = Fault::refuse(Refusal::authorization_failed()).on(Kind::TagsRead);
    azure.emulator.inject(refused.delayed(Duration::from_millis(300)));
    for name in ["switch-1", "switch-2"] {
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.emulator.put(&snapshot("s"), &jane(), &snapshot_body("westeurope", &disk("switch-1"))).unwrap();
    created(azure, &elsewhere("rg-exempt", "exempt")).await;
    // It is already sealed: no operation, one look.
    told(azure, event(&disk("switch-1"))).await;
    told(azure, json!({"id": "1", "eventType": "Microsoft.Storage.BlobCreated", "subject": "/x"})).await;
    told(azure, json!({"hello": 1})).await;
    let cloud_event = json!({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": disk("switch-1"), "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let batch = json!({"Data": {"event": [cloud_event, event(&disk("switch-2"))]}, "Metadata": {}});
    azure.host.invoke_raw("seal_on_write", batch.to_string()).await.unwrap();
    told(azure, cloud_event).await;
    let mut personal = event(&disk("switch-1"));
    personal["id"] = json!("claims");
    personal["data"]["claims"] =
        CLAIMS.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    personal["data"]["httpRequest"] = json!({"clientIpAddress": "203.0.113.77", "method": "PUT"});
    told(azure, personal).await;
    for function in ["seal_on_write", "seal_queued", "sweep"] {
        azure.host.invoke_raw(function, "no envelope").await.unwrap();
    }
    azure.emulator.put(&disk("new"), &jane(), &disk_body("westeurope")).unwrap();
    azure.emulator.inject(Fault::not_yet_visible(1).resource("new"));
    azure.event_grid.idle().await;
    azure.emulator.insert(&disk("twice"), &disk_body("westeurope")).unwrap();
    azure.emulator.inject(Fault::delay(Duration::from_millis(300)).on(Kind::Get).resource("twice"));
    tokio::join!(told(azure, event(&disk("twice"))), told(azure, event(&disk("twice"))));
}

/// Disks with SAS URLs from before the seal, one of which Azure does not revoke.
async fn grants(azure: &LocalAzure) {
    azure.emulator.inject(Fault::refuse(Refusal::conflict()).on(Kind::Access).resource("granted-2").always());
    for name in ["granted-1", "granted-2"] {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
        azure.emulator.access(&disk(name), &jane(), true).unwrap();
        told(azure, event(&disk(name))).await;
    }
}

async fn machines(azure: &LocalAzure) {
    let [id, missing] = ["vm-1", "vm-2"].map(|name| virtual_machine_id(SUBSCRIPTION, "rg-app", name));
    azure.emulator.put_machine(&id, &jane(), &virtual_machine_body("westeurope", 1)).unwrap();
    azure.event_grid.idle().await;
    // Events of its disks do not decide whether the machine may be read; a deleted machine raises no event.
    azure.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Machine));
    told(azure, event(&id)).await;
    let mut new = event(&missing);
    new["eventTime"] = json!(OffsetDateTime::now_utc().format(&Rfc3339).unwrap());
    told(azure, new).await;
}

async fn trouble(azure: &LocalAzure) {
    let refuse = |refusal, name: &str| Fault::refuse(refusal).on(Kind::Patch).resource(name);
    azure.emulator.inject(refuse(Refusal::server_error(500), "retried"));
    azure.emulator.inject(Fault::reset().on(Kind::Patch).resource("reset"));
    azure.emulator.inject(refuse(Refusal::conflict(), "over-taken"));
    azure.emulator.inject(refuse(Refusal::scope_locked(), "locked-up"));
    for name in ["retried", "reset", "over-taken", "locked-up"] {
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    azure
        .collector
        .wait_for(|span| span.name == "seal_queued" && span.attributes.contains_key("messaging.message.id"))
        .await;
    for (name, refusal) in [("arm", Refusal::throttled_arm(1)), ("compute", Refusal::throttled_compute(1))] {
        // While one write holds the subscription back, the other waits for admission.
        azure.emulator.inject(refuse(refusal, name));
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
        azure
            .collector
            .wait_for(|span| span.attributes.get("http.response.status_code") == Some(&json!(429)))
            .await;
        created(azure, &disk(&format!("{name}-next"))).await;
    }
    // ARM allows no requests for longer than an event can wait, so the disk waits on the queue.
    let far = disk("far").replace("11111111-", "22222222-");
    azure.emulator.insert(&far, &disk_body("westeurope")).unwrap();
    // So does its message, in the process of the queue.
    azure.emulator.inject(Fault::refuse(Refusal::throttled_arm(26)).on(Kind::Get).resource("far").times(2));
    told(azure, event(&far)).await;
}

async fn sweeps(azure: &LocalAzure) {
    azure.emulator.insert(&disk("missed-1"), &disk_body("westeurope")).unwrap();
    azure.emulator.insert(&disk("missed-2"), &disk_body("westeurope")).unwrap();
    azure.host.fire_timer("sweep").await.unwrap();
    azure.host.queues_drained().await;
    azure.emulator.inject(Fault::refuse(Refusal::throttled_arm(3_600)).on(Kind::Query).always());
    azure.host.fire_timer("sweep").await.unwrap();
}

/// A collector that refuses for a while makes losses countable. Only parts of the traces arrive.
async fn deaf_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    let azure = start(setup, &[("OTEL_METRIC_EXPORT_INTERVAL", "50")]).await;
    azure.collector.answer(Answers::Status(500));
    azure.emulator.insert(&disk("untold"), &disk_body("westeurope")).unwrap();
    told(&azure, event(&disk("untold"))).await;
    for path in ["/v1/traces", "/v1/metrics"] {
        azure.collector.wait_for_export(|export| export.path == path && export.status == 500).await;
    }
    azure.collector.answer(Answers::Normal);
    azure.collector.wait_for_metric(|point| point.name == "diskseal.telemetry.dropped").await;
    Emitted { points: end(azure).await.points, spans: vec![] }
}

async fn audited_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    let azure = start(setup, &[("DISKSEAL_MODE", "audit"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")]).await;
    created(&azure, &disk("audited")).await;
    end(azure).await
}

/// No trace of an event that changes nothing is exported.
async fn quiet_day() -> Emitted {
    let azure = start(setup(), &[("DISKSEAL_TRACES_UNCHANGED_RATIO", "0")]).await;
    told(&azure, json!({"hello": 1})).await;
    end(azure).await
}

/// Concurrent looks wait for the one that reads the members of the management group.
async fn grouped_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    let settings = [("DISKSEAL_MANAGEMENT_GROUP", "mg"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")];
    let azure = start(setup, &settings).await;
    azure.emulator.set_management_group("mg", &[Member::Subscription(SUBSCRIPTION.to_owned())]);
    azure.emulator.inject(Fault::delay(Duration::from_millis(300)).on(Kind::Descendants));
    for name in ["member-1", "member-2"] {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    tokio::join!(told(&azure, event(&disk("member-1"))), told(&azure, event(&disk("member-2"))));
    // The fourth write in a row has to wait.
    for _ in 0..3 {
        azure.emulator.set_property(&disk("member-1"), "dataAccessAuthMode", Value::Null);
        told(&azure, event(&disk("member-1"))).await;
    }
    end(azure).await
}

/// A container refuses at first, and then takes the evidence of the day.
async fn evidence_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    setup.azure.audiences.push("https://storage.azure.com".to_owned());
    let azure = LocalAzure::start(setup, |serving| {
        let url = format!("{}/evidence", serving.arm_https);
        settings(serving, &[("DISKSEAL_EVIDENCE", &url), ("OTEL_METRIC_EXPORT_INTERVAL", "50")])
    });
    let azure = azure.await.unwrap();
    azure.emulator.put_container("/evidence", 5_000);
    azure.emulator.insert(&disk("kept"), &disk_body("westeurope")).unwrap();
    azure.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::BlobRead).times(1));
    for _ in 0..2 {
        azure.host.fire_timer("sweep").await.unwrap();
    }
    assert_eq!(azure.emulator.blobs("/evidence").len(), 1);
    end(azure).await
}

/// Nobody may read what backups protect.
async fn guarded_day() -> Emitted {
    let mut setup = setup();
    setup.azure = azure();
    let azure = start(setup, &[("OTEL_METRIC_EXPORT_INTERVAL", "50")]).await;
    azure.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Query).always());
    azure.emulator.insert(&disk("old"), &disk_body("westeurope")).unwrap();
    azure.emulator.set_property(&disk("old"), "timeCreated", json!("2020-01-01T00:00:00Z"));
    told(&azure, event(&disk("old"))).await;
    azure.host.fire_timer("sweep").await.unwrap();
    end(azure).await
}

/// The commands, each with its own flush at the end.
async fn commands() -> Emitted {
    let emulator = Emulator::new(azure());
    let (serving, collector) = (emulator.serve().await.unwrap(), Collector::start().await.unwrap());
    for name in ["a", "b"] {
        emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    let (a, exempt) = (disk("a"), ["--exempt-tag", "diskseal-exempt"]);
    let unseal = ["unseal", "--yes", "--until", "2999-01-01", "--reason", "INC-1", &a, exempt[0], exempt[1]];
    let reseal = ["reseal", "--all-subscriptions", "--app", "none", &a, exempt[0], exempt[1]];
    for arguments in [&["seal", &a][..], &["sweep"], &["sweep", "--exact"], &unseal, &reseal] {
        let mut program = program(&serving, arguments);
        let output = program.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    // A plan of what is new, applied and taken back twice. At the second time a lock prevents it.
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    emulator.insert(&disk("c"), &disk_body("westeurope")).unwrap();
    for how in ["--plan", "--apply", "--revert", "--apply"] {
        let yes: &[&str] = if how == "--plan" { &[] } else { &["--yes"] };
        let mut program = program(&serving, &[&["sweep", how, plan], yes].concat());
        let output = program.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).output().await.unwrap();
        assert!(output.status.success(), "{how}: {output:?}");
    }
    let revert = ["sweep", "--revert", plan, "--yes"];
    // A lock prevents the write of the exemption, and its removal.
    emulator.insert(&disk("locked-up"), &disk_body("westeurope")).unwrap();
    emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::TagsWrite).always());
    let locked = disk("locked-up");
    let unseal = unseal.map(|argument| if argument == a { locked.as_str() } else { argument });
    let reseal = reseal.map(|argument| if argument == a { locked.as_str() } else { argument });
    for arguments in [&unseal[..], &reseal, &revert] {
        let mut program = program(&serving, arguments);
        let output = program.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    let mut emitted = Emitted::default();
    emitted.take(&collector);
    emitted
}
