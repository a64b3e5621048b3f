//! The standard variables of OpenTelemetry, as a collector and a log see them.

use diskseal_emulator::{
    disk_body,
    host::{ConsoleLine, Stream},
    local_azure::LocalAzure,
};

use super::{disk, is_sealed, setup, start};
use crate::world::jane;

/// Seals a disk, stops the handler, and returns its warnings.
async fn day(azure: &LocalAzure) -> Vec<String> {
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(azure, &disk("d")));
    let pid = azure.host.pid("seal_on_write").unwrap();
    azure.host.terminate("seal_on_write");
    azure.host.wait_exit(pid).await;
    let is_warning = |line: &&ConsoleLine| line.stream == Stream::Stderr && line.pid == pid;
    azure.host.console().iter().filter(is_warning).map(|line| line.text.clone()).collect()
}

#[tokio::test]
async fn values_are_read_in_any_case() {
    for (settings, exported) in [
        (&[("OTEL_TRACES_SAMPLER", "ALWAYS_OFF")][..], false),
        (&[("OTEL_TRACES_SAMPLER", "TraceIdRatio"), ("OTEL_TRACES_SAMPLER_ARG", "0")], false),
        (&[("OTEL_TRACES_EXPORTER", "NONE")], false),
        (&[("OTEL_SDK_DISABLED", "True")], false),
        (&[("OTEL_TRACES_SAMPLER", "Always_On"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/protobuf")], true),
        (&[("OTEL_TRACES_EXPORTER", "OTLP"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP")], true),
    ] {
        let azure = start(setup(), settings).await;
        assert_eq!(day(&azure).await, Vec::<String>::new(), "{settings:?}");
        let found = azure.collector.spans().iter().any(|span| span.name == "enforce");
        assert_eq!(found, exported, "{settings:?}");
    }
}

#[tokio::test]
async fn what_is_ignored_is_named_once_and_everything_else_is_exported() {
    let settings = [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-site=caf%C3%A9,x-key=secret%20key"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "all"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
        ("OTEL_PROPAGATORS", "b3"),
        // A second destination of metrics: its temporality is the same variable's.
        (
            "DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT",
            "https://dce.invalid/datacollectionRules/dcr/streams/s/otlp/v1/metrics",
        ),
    ];
    let azure = start(setup(), &settings).await;
    let warnings = day(&azure).await;
    for (name, _) in &settings[..8] {
        let about = warnings
            .iter()
            .filter(|warning| warning.contains(&format!("{name} ")) || warning.contains(&format!("{name}=")));
        assert_eq!(about.count(), 1, "{name}: {warnings:?}");
    }
    assert!(warnings.iter().all(|warning| !warning.contains("secret")), "{warnings:?}");
    assert!(azure.collector.spans().iter().any(|span| span.name == "enforce"));
    let key = ("x-key".to_owned(), "secret key".to_owned());
    let sent = azure.collector.exports();
    assert!(sent.iter().all(|export| export.headers.contains(&key)));
}

#[tokio::test]
async fn attributes_of_the_resource_are_decoded() {
    let given = "deployment.environment.name=prod%20eu,team=a%2Cb,site=caf%C3%A9";
    let azure = start(setup(), &[("OTEL_RESOURCE_ATTRIBUTES", given)]).await;
    assert_eq!(day(&azure).await, Vec::<String>::new());
    let spans = azure.collector.spans();
    let resource = &spans.first().unwrap().resource;
    for (key, value) in [("deployment.environment.name", "prod eu"), ("team", "a,b"), ("site", "café")] {
        assert_eq!(resource.get(key).and_then(|found| found.as_str()), Some(value), "{key}");
    }
}

#[tokio::test]
async fn a_parent_that_is_not_sampled_is_logged_once_with_what_to_set() {
    for (sampler, exported, warned) in [
        ("", true, 0),
        ("parentbased_always_on", false, 1),
        ("parentbased_traceidratio", false, 1),
        ("always_on", true, 0),
        ("always_off", false, 0),
    ] {
        let mut setup = setup();
        setup.host.trace_flags = 0;
        let settings = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", "1")];
        let azure = start(setup, &settings).await;
        for n in 0..5 {
            azure.emulator.put(&disk(&format!("e{n}")), &jane(), &disk_body("westeurope")).unwrap();
        }
        let warnings = day(&azure).await;
        let about = warnings.iter().filter(|warning| warning.contains("OTEL_TRACES_SAMPLER=always_on"));
        assert_eq!(about.count(), warned, "{sampler}: {warnings:?}");
        let found = azure.collector.spans().iter().any(|span| span.name == "enforce");
        assert_eq!(found, exported, "{sampler}");
    }
}

#[tokio::test]
async fn nothing_is_warned_of_where_nothing_is_exported() {
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_TRACES_SAMPLER", "x"),
    ];
    let mut setup = setup();
    setup.host.trace_flags = 0;
    let azure = start(setup, &settings).await;
    assert_eq!(day(&azure).await, Vec::<String>::new());
}
