//! The destinations of telemetry: logs, Azure Monitor, and collectors that are slow, invalid, down or up
//! again.

use std::{collections::BTreeSet, time::Duration};

use diskseal_emulator::{
    collector::{Answers, Collector, Export, MetricData, MetricPoint, Temporality},
    disk_body,
    fault::{Fault, Kind, Refusal},
    host::{FunctionGroup, Stream, Trigger},
    local_azure::LocalAzure,
    serve::Serving,
};
use serde_json::{Value, json};

use super::{disk, event, is_sealed, settings, setup, start, start_one};
use crate::world::jane;

/// Seals one disk from its event.
async fn seal(azure: &LocalAzure, name: &str) {
    azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(azure, &disk(name)), "{:?}", azure.host.console());
}

/// The settings for Azure Monitor, and `more`.
fn monitored<'a>(serving: &'a Serving, more: &'a [(&'a str, &'a str)]) -> Vec<(&'static str, String)> {
    let ingestion = |signal| serving.azure_monitor.ingestion(signal);
    let mut all = vec![
        ("DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT", ingestion("traces")),
        ("DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT", ingestion("metrics")),
        ("DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT", ingestion("logs")),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50".to_owned()),
    ];
    for (name, value) in more {
        all.push((Box::leak((*name).to_owned().into_boxed_str()), (*value).to_owned()));
    }
    all
}

async fn start_monitored(setup: diskseal_emulator::local_azure::Setup, more: &[(&str, &str)]) -> LocalAzure {
    LocalAzure::start(setup, |serving| {
        let all = monitored(serving, more);
        let all: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings(serving, &all)
    })
    .await
    .unwrap()
}

/// The warnings of the handler, up to their first comma.
fn warnings(azure: &LocalAzure) -> Vec<String> {
    let lines = azure.host.console();
    let mut told: Vec<_> = lines
        .iter()
        .filter(|line| line.stream == Stream::Stderr)
        .filter_map(|line| line.text.split(',').next().map(str::to_owned))
        .collect();
    told.sort();
    told
}

/// The value of `diskseal.telemetry.dropped` for one signal and reason, from the latest point.
pub(super) fn dropped(points: &[MetricPoint], signal: &str, reason: &str) -> f64 {
    let is_it = |point: &&MetricPoint| {
        point.name == "diskseal.telemetry.dropped"
            && point.attributes["diskseal.signal"] == signal
            && point.attributes["error.type"] == reason
    };
    points.iter().rev().find(is_it).map_or(0.0, |point| match &point.data {
        MetricData::Sum { value, .. } => *value,
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn a_log_record_carries_the_trace_and_span_in_which_it_was_written() {
    let azure = start(setup(), &[]).await;
    seal(&azure, "d").await;
    let record = azure
        .collector
        .wait_for_log(|record| record.body.as_str().is_some_and(|text| text.starts_with("sealed ")))
        .await;
    let span = azure.collector.wait_for(|span| span.span_id == record.span_id).await;
    assert_eq!((span.name.as_str(), &span.trace_id), ("seal_on_write", &record.trace_id));
    assert_eq!((record.severity_number, record.severity_text.as_str()), (9, "INFO"));
    assert_eq!(record.attributes["invocation_id"], span.attributes["faas.invocation_id"]);
    assert_eq!(record.resource, span.resource);
    assert_eq!(record.event_name, "", "a line of the source is no event");
    assert!(record.observed_unix_nano > 0);
    azure.host.wait_for_invocation(|i| i.logs.iter().any(|line| record.body == **line)).await;
    // Personal data of the event, and tokens.
    let all = format!("{:?}", azure.collector.logs());
    assert!(!all.contains("Jane") && !all.contains("Bearer") && !all.contains("eyJ"), "{all}");
}

#[tokio::test]
async fn log_records_can_be_filtered_by_outcome_reason_and_resource_and_the_line_does_not_repeat_them() {
    let azure = start(setup(), &[]).await;
    let locked = Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").times(3);
    azure.emulator.inject(locked);
    seal(&azure, "d").await;
    azure.emulator.insert(&disk("locked"), &disk_body("westeurope")).unwrap();
    azure.host.invoke("seal_on_write", Trigger::Event(event(&disk("locked")))).await.unwrap();
    let other = json!({"eventType": "Something.Else", "subject": disk("d")});
    azure.host.invoke("seal_on_write", Trigger::Event(other)).await.unwrap();
    for (outcome, reason, resource) in [
        ("sealed", None, Some(disk("d"))),
        ("pending", Some("locked"), Some(disk("locked"))),
        // The tries at the first and second receipt fail as well, and the third is none.
        ("not_due", Some("locked"), Some(disk("locked"))),
        ("ignored", Some("event_type"), None),
    ] {
        let record = azure
            .collector
            .wait_for_log(|record| {
                let is =
                    |name, value: Option<&str>| record.attributes.get(name).and_then(Value::as_str) == value;
                is("diskseal.outcome", Some(outcome)) && is("diskseal.reason", reason)
            })
            .await;
        let named = record.attributes.get("diskseal.resource_id").and_then(Value::as_str);
        assert_eq!(named, resource.as_deref(), "{record:?}");
        let text = record.body.as_str().unwrap();
        if outcome == "not_due" {
            // The host discards the `Logs` of a failure, so the line is printed.
            let line = azure.host.wait_for_line(|line| line.text.contains(text)).await;
            let fields = line.text.split_once(text).unwrap().1;
            assert!(fields.starts_with(" invocation_id=\"") && !fields.contains("diskseal."), "{line:?}");
        } else {
            azure.host.wait_for_invocation(|i| i.logs.iter().any(|line| line == text)).await;
        }
    }
}

#[tokio::test]
async fn a_log_record_carries_the_trace_although_no_span_is_exported_and_rust_log_sets_the_level() {
    let azure = start(setup(), &[("OTEL_TRACES_EXPORTER", "none"), ("RUST_LOG", "trace")]).await;
    seal(&azure, "d").await;
    let record = azure.collector.wait_for_log(|record| record.body.to_string().contains("sealed ")).await;
    let called = azure.host.wait_for_invocation(|i| i.logs[0].starts_with("sealed")).await;
    assert_eq!(called.traceparent.unwrap().split('-').nth(1), Some(record.trace_id.as_str()));
    assert_eq!(azure.collector.spans(), []);

    let quiet = start(setup(), &[("RUST_LOG", "warn")]).await;
    seal(&quiet, "d").await;
    let pid = quiet.host.pid("seal_on_write").unwrap();
    quiet.host.terminate("seal_on_write");
    quiet.host.wait_exit(pid).await;
    assert_eq!(quiet.collector.logs(), []);
}

#[tokio::test]
async fn azure_monitor_gets_every_signal_with_a_token_of_its_own_beside_the_standards_destination() {
    let azure = start_monitored(setup(), &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")]).await;
    seal(&azure, "d").await;
    let monitor = &azure.serving.azure_monitor;
    let here = azure.collector.wait_for(|span| span.name == "seal_on_write").await;
    let there = monitor.wait_for(|span| span.span_id == here.span_id).await;
    assert_eq!(here, there);
    monitor.wait_for_log(|record| record.trace_id == here.trace_id).await;

    let temporality = |points: &[MetricPoint]| {
        let duration = points.iter().find(|point| point.name == "http.client.request.duration")?;
        match &duration.data {
            MetricData::Histogram { temporality, .. } => Some(*temporality),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(monitor.wait_until_metrics(temporality).await, Temporality::Delta);
    assert_eq!(azure.collector.wait_until_metrics(temporality).await, Temporality::Cumulative);

    // Neither receives the telemetry for the other.
    let names = |exports: Vec<Export>| -> BTreeSet<_> {
        exports.into_iter().flat_map(|export| export.headers).map(|(name, _)| name).collect()
    };
    let (standard, azures) = (names(azure.collector.exports()), names(monitor.exports()));
    assert!(standard.contains("api-key") && !standard.contains("authorization"), "{standard:?}");
    assert!(!azures.contains("api-key") && azures.contains("authorization"), "{azures:?}");
    assert!(monitor.exports().iter().all(|export| export.status == 200), "{:?}", monitor.exports());
    assert_eq!(warnings(&azure), Vec::<String>::new());
}

#[tokio::test]
async fn exports_are_compressed_if_configured() {
    let azure = start_one(setup(), &[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]).await;
    seal(&azure, "d").await;
    azure.collector.wait_for(|span| span.name == "seal_on_write").await;
    let is_compressed = |export: &Export| {
        export.headers.contains(&("content-encoding".to_owned(), "gzip".to_owned())) && export.status == 200
    };
    assert!(azure.collector.exports().iter().all(is_compressed), "{:?}", azure.collector.exports());
}

#[tokio::test]
async fn an_invalid_endpoint_is_reported_and_nothing_else_is_affected() {
    let azure = start_one(setup(), &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "not a url")]).await;
    seal(&azure, "d").await;
    azure.collector.wait_for(|span| span.name == "seal_on_write").await;
    assert_eq!(warnings(&azure), ["warning: logs are not exported"]);
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_and_no_batch_is_lost() {
    let mut setup = setup();
    setup.azure.token_lifetime = Duration::from_secs(2);
    let azure = start_monitored(setup, &[]).await;
    let monitor = &azure.serving.azure_monitor;
    let mut tokens = BTreeSet::new();
    for name in ["a", "b", "c"] {
        seal(&azure, name).await;
        let sealed = azure.collector.wait_for(|span| is_invocation_of(span, name)).await;
        monitor.wait_for(|span| span.span_id == sealed.span_id).await;
        let exports = monitor.exports();
        // A token can end on its way; the batch is then sent again with the next one.
        let statuses: BTreeSet<u16> = exports.iter().map(|export| export.status).collect();
        assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
        tokens
            .extend(exports.into_iter().flat_map(|e| e.headers).filter(|(name, _)| name == "authorization"));
        // Until the handler's token is no longer valid.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert!(tokens.len() >= 3, "{tokens:?}");
    assert_eq!(warnings(&azure), Vec::<String>::new());
}

fn is_invocation_of(span: &diskseal_emulator::collector::Span, name: &str) -> bool {
    span.attributes.get("cloudevents.event_subject").is_some_and(|subject| *subject == json!(disk(name)))
}

#[tokio::test]
async fn a_token_that_azure_monitor_refuses_is_replaced_by_another_at_once() {
    let azure = start_monitored(setup(), &[]).await;
    let monitor = &azure.serving.azure_monitor;
    seal(&azure, "a").await;
    monitor.wait_for(|span| span.name == "seal_on_write").await;
    // As after a revoked session: a token that was valid is no longer.
    monitor.revoke_tokens();
    seal(&azure, "b").await;
    let sealed = azure.collector.wait_for(|span| is_invocation_of(span, "b")).await;
    monitor.wait_for(|span| span.span_id == sealed.span_id).await;
    assert!(monitor.exports().iter().any(|export| export.status == 401));
    assert_eq!(warnings(&azure), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_of_azure_monitor_is_logged_once_with_the_missing_role() {
    let mut setup = setup();
    setup.host.group = Some(FunctionGroup::Http);
    let azure = start_monitored(setup, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).await;
    azure.serving.azure_monitor.answer(Answers::Status(403));
    for name in ["a", "b", "c"] {
        seal(&azure, name).await;
    }
    let pid = azure.host.pid("seal_on_write").unwrap();
    azure.host.terminate("seal_on_write");
    assert_eq!(azure.host.wait_exit(pid).await.code, Some(200));
    let lines = azure.host.console();
    let told: Vec<_> = lines.iter().filter(|line| line.stream == Stream::Stderr).collect();
    assert_eq!(told.len(), 3, "one for each signal: {told:?}");
    for line in told {
        assert!(
            line.text
                .contains("Monitoring Metrics Publisher on the data collection rule dcr-0123456789abcdef"),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn a_recovered_collector_is_logged_with_the_loss_which_is_counted() {
    let azure =
        start_one(setup(), &[("OTEL_METRIC_EXPORT_INTERVAL", "50"), ("OTEL_LOGS_EXPORTER", "none")]).await;
    azure.collector.answer(Answers::Status(400));
    seal(&azure, "a").await;
    azure.host.wait_for_line(|line| line.text.starts_with("warning: traces are not exported")).await;
    azure.host.wait_for_line(|line| line.text.starts_with("warning: metrics are not exported")).await;
    seal(&azure, "b").await;
    azure.collector.answer(Answers::Normal);
    seal(&azure, "c").await;
    let line = azure.host.wait_for_line(|line| line.text.starts_with("traces are exported again")).await;
    let lost: f64 = line.text.rsplit(": ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(lost > 0.0, "{line:?}");
    azure
        .collector
        .wait_until_metrics(|points| (dropped(points, "traces", "export_failed") >= lost).then_some(()))
        .await;
    azure.host.wait_for_line(|line| line.text.starts_with("metrics are exported again")).await;
    assert_eq!(
        warnings(&azure),
        ["warning: metrics are not exported", "warning: traces are not exported"],
        "each once"
    );
}

#[tokio::test]
async fn items_that_a_collector_rejects_are_counted_and_logged() {
    let azure = start(setup(), &[("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")]).await;
    azure.collector.answer(Answers::Partial(2));
    seal(&azure, "a").await;
    let line =
        azure.host.wait_for_line(|line| line.text.starts_with("warning: traces are not all taken")).await;
    assert!(line.text.ends_with("2 refused: too old"), "{line:?}");
}

#[tokio::test]
async fn overflow_of_the_export_queue_is_dropped_and_counted() {
    let slow = Collector::start().await.unwrap();
    slow.answer(Answers::Slow(Duration::from_mins(1)));
    let traces = format!("{}/v1/traces", slow.endpoint());
    let azure = start(
        setup(),
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.as_str()),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
        ],
    )
    .await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        seal(&azure, name).await;
    }
    azure
        .collector
        .wait_until_metrics(|points| (dropped(points, "traces", "queue_full") > 0.0).then_some(()))
        .await;
    let pid = azure.host.pid("seal_on_write").unwrap();
    azure.host.terminate("seal_on_write");
    assert_eq!(azure.host.wait_exit(pid).await.code, Some(200));
}

#[tokio::test]
async fn a_collector_that_answers_without_end_is_not_listened_to_for_long() {
    // A handler that still listened would receive this and log it.
    let more = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")];
    let azure = start_one(setup(), &more).await;
    azure.collector.answer(Answers::Endless);
    for name in ["a", "b"] {
        seal(&azure, name).await;
        azure.collector.wait_for_export(|export| export.path == "/v1/traces").await;
    }
    let pid = azure.host.pid("seal_on_write").unwrap();
    azure.host.terminate("seal_on_write");
    assert_eq!(azure.host.wait_exit(pid).await.code, Some(200));
    assert_eq!(warnings(&azure), Vec::<String>::new());
}
