//! Which signals are exported and where to, trace contexts, and the resource's attributes.

use opentelemetry_semantic_conventions::attribute::CLOUD_ACCOUNT_ID;

use super::{destination::Destination, signal::Signal, *};

fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn a_signal_is_exported_if_an_endpoint_is_set_and_nothing_disables_it() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces");
    let metrics = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:4318/v1/metrics");
    let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.0.0.1:4318/v1/logs");
    for (pairs, exported) in [
        (vec![], [false, false, false]),
        (vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "")], [false, false, false]),
        (vec![endpoint], [true, true, true]),
        (vec![traces], [true, false, false]),
        (vec![metrics], [false, true, false]),
        (vec![logs], [false, false, true]),
        (vec![endpoint, ("OTEL_SDK_DISABLED", "TRUE")], [false, false, false]),
        (vec![endpoint, ("OTEL_SDK_DISABLED", "false")], [true, true, true]),
        (vec![endpoint, ("OTEL_TRACES_EXPORTER", "none")], [false, true, true]),
        (vec![endpoint, ("OTEL_METRICS_EXPORTER", "none")], [true, false, true]),
        (vec![endpoint, ("OTEL_LOGS_EXPORTER", "none")], [true, true, false]),
        (vec![endpoint, ("OTEL_LOGS_EXPORTER", "console, otlp")], [true, true, true]),
        (vec![endpoint, ("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_TRACES_EXPORTER", "otlp")], [true; 3]),
    ] {
        assert_eq!(Signal::ALL.map(|signal| signal.is_exported(&lookup(&pairs))), exported, "{pairs:?}");
    }
}

#[test]
fn azure_monitor_is_a_destination_beside_the_standards() {
    use opentelemetry_sdk::metrics::Temporality::{Cumulative, Delta};
    let url =
        url::Url::parse("https://dce.example/datacollectionRules/dcr-1/streams/s/otlp/v1/metrics").unwrap();
    let monitor = AzureMonitor { metrics: Some(url.clone()), ..AzureMonitor::default() };
    let there = Destination::AzureMonitor(url);
    let to = |pairs: &[(&str, &str)], signal| Destination::of(signal, &lookup(pairs), &monitor);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let alone = std::slice::from_ref(&there);
    assert_eq!(to(&[], Signal::Metrics), alone);
    assert_eq!(to(&[endpoint], Signal::Metrics), [Destination::Standard, there.clone()]);
    assert_eq!(to(&[endpoint], Signal::Logs), [Destination::Standard]);
    assert_eq!(to(&[("OTEL_METRICS_EXPORTER", "none")], Signal::Metrics), alone);
    assert_eq!(to(&[endpoint, ("OTEL_SDK_DISABLED", "true")], Signal::Metrics), []);

    let explicit = [("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative")];
    assert_eq!(there.temporality(&lookup(&[])), Delta);
    assert_eq!(there.temporality(&lookup(&explicit)), Cumulative);
    assert_eq!(Destination::Standard.temporality(&lookup(&[])), Cumulative);
}

#[test]
fn metrics_are_cumulative_and_exported_every_ten_seconds_by_default() {
    use opentelemetry_sdk::metrics::Temporality::{Cumulative, Delta, LowMemory};
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    for (preference, expected) in [
        ("", Cumulative),
        ("cumulative", Cumulative),
        ("Delta", Delta),
        ("lowmemory", LowMemory),
        ("x", Cumulative),
    ] {
        let found = Destination::Standard.temporality(&lookup(&[(name, preference)]));
        assert_eq!(found, expected, "{preference}");
    }
    for (interval, expected) in
        [("", 10_000), ("60000", 60_000), ("50", 50), ("0", 10_000), ("-1", 10_000), ("1m", 10_000)]
    {
        let found = signal::metric_interval(&lookup(&[("OTEL_METRIC_EXPORT_INTERVAL", interval)]));
        assert_eq!(found, Duration::from_millis(expected), "{interval}");
    }
}

#[test]
fn every_wait_is_documented() {
    let page = include_str!("../../docs/telemetry.md");
    let documented: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `wait for ")).collect();
    assert_eq!(documented.len(), Wait::words().len());
    for word in Wait::words() {
        let name = format!("wait for {}", word.replace('_', " "));
        assert!(page.contains(&format!("\n| `{name}` |")), "{name}");
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn only_a_valid_traceparent_is_continued() {
    let trace = |traceparent: &str| TraceContext { traceparent: Some(traceparent.into()), tracestate: None };
    assert!(trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_valid());
    assert!(trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").is_valid());
    for invalid in [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "hello",
    ] {
        assert!(!trace(invalid).is_valid(), "{invalid}");
    }
    assert!(!TraceContext::default().is_valid());
    let received = |traceparent: &str| TraceContext::received(Some(traceparent), None).traceparent.is_some();
    for (traceparent, expected) in [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", true),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false),
        ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false),
        ("00-1-2-01", false),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false),
        ("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", false),
        ("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
    ] {
        assert_eq!(received(traceparent), expected, "{traceparent}");
    }
}

#[test]
fn the_resource_has_the_platforms_attributes() {
    let pairs = [
        ("WEBSITE_SITE_NAME", "func-seal"),
        ("WEBSITE_OWNER_NAME", "11111111-2222-4333-8444-555555555555+rg-seal-WestEuropewebspace-Linux"),
        ("WEBSITE_RESOURCE_GROUP", "rg-seal"),
    ];
    let resource = attributes::resource(&lookup(&pairs));
    let value = |key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
    assert_eq!(value("service.name").as_deref(), Some("func-seal"));
    assert_eq!(value(CLOUD_ACCOUNT_ID).as_deref(), Some("11111111-2222-4333-8444-555555555555"));
    assert_eq!(resource.schema_url(), Some(SCHEMA_URL));
    let alone = attributes::resource(&lookup(&[]));
    assert_eq!(alone.get(&"service.name".into()).map(|value| value.to_string()).as_deref(), Some("diskseal"));
    assert_eq!(alone.get(&"cloud.provider".into()), None);

    let app = FunctionApp::from_lookup(&lookup(&pairs)).unwrap();
    assert_eq!(app.faas_name("sweep"), "func-seal/sweep");
    let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal/providers/Microsoft.Web\
              /sites/func-seal/functions/sweep";
    assert_eq!(app.function_id("sweep").as_deref(), Some(id));
    assert_eq!(FunctionApp::from_lookup(&lookup(&[])), None);
}

#[test]
fn a_trace_is_continued_with_its_state() {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let trace = TraceContext::received(Some(traceparent), Some("vendor=value"));
    let context = trace.extract();
    let span = context.span().span_context().clone();
    assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.trace_state().header(), "vendor=value");
    // The state of no trace is none.
    assert!(!TraceContext::received(None, Some("vendor=value")).is_valid());
}
