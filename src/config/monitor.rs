//! Settings of telemetry that the standard does not have: Azure Monitor's OTLP ingestion, by signal, and which traces are
//! exported.

use url::Url;

use super::{
    azure::{confidential, without_secrets},
    setting::{Fallback, Setting, Use, Value, set},
};

pub(super) const ALL: &[Setting] =
    &[TRACES_ENDPOINT, METRICS_ENDPOINT, LOGS_ENDPOINT, TRACES_UNCHANGED_RATIO];

const TRACES_ENDPOINT: Setting = Setting {
    name: "DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT",
    flag: "azure-monitor-traces-endpoint",
    value: Value::Text("URL"),
    help: "URL of Azure Monitor's OTLP ingestion for traces.\n\
           The whole URL, with data collection rule and stream. Traces are sent with the identity's token.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| set(&mut config.azure_monitor.traces, ingestion("traces", text)),
    show: |config| config.azure_monitor.traces.as_ref().map(Url::to_string),
};

const METRICS_ENDPOINT: Setting = Setting {
    name: "DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT",
    flag: "azure-monitor-metrics-endpoint",
    help: "URL of Azure Monitor's OTLP ingestion for metrics.\n\
           The whole URL, with data collection rule and stream. Metrics are sent with the identity's token.",
    read: |config, text| set(&mut config.azure_monitor.metrics, ingestion("metrics", text)),
    show: |config| config.azure_monitor.metrics.as_ref().map(Url::to_string),
    ..TRACES_ENDPOINT
};

const LOGS_ENDPOINT: Setting = Setting {
    name: "DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT",
    flag: "azure-monitor-logs-endpoint",
    help: "URL of Azure Monitor's OTLP ingestion for logs.\n\
           The whole URL, with data collection rule and stream. Logs are sent with the identity's token.",
    read: |config, text| set(&mut config.azure_monitor.logs, ingestion("logs", text)),
    show: |config| config.azure_monitor.logs.as_ref().map(Url::to_string),
    ..TRACES_ENDPOINT
};

const TRACES_UNCHANGED_RATIO: Setting = Setting {
    name: "DISKSEAL_TRACES_UNCHANGED_RATIO",
    flag: "traces-unchanged-ratio",
    value: Value::Text("NUMBER"),
    help: "Share of traces to export of event invocations that changed nothing.\n\
           A number from 0 to 1. Traces that sealed, waited or failed are all exported, and so are those of the queue and of \
           sweeps. The trace ID decides, when the invocation ends; metrics count every look. OTEL_TRACES_SAMPLER, if it is \
           set, takes precedence.",
    default: Fallback::Text("1"),
    used: Use::Serve,
    read: |config, text| {
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        set(
            &mut config.traces_unchanged_ratio,
            ratio.ok_or_else(|| format!("{text:?} is not a number from 0 to 1")),
        )
    },
    show: |config| Some(config.traces_unchanged_ratio.to_string()),
};

#[test]
fn a_share_of_traces_is_a_number_from_0_to_1() {
    use super::tests::{fault, shown};
    for (text, read) in [("0", "0"), ("0.05", "0.05"), ("1e-3", "0.001"), ("1.0", "1")] {
        assert_eq!(shown(&TRACES_UNCHANGED_RATIO, text).as_deref(), Some(read));
    }
    for text in ["-0.1", "1.1", "5%", "NaN", "inf", "half"] {
        assert!(fault(TRACES_UNCHANGED_RATIO.name, text).contains("from 0 to 1"));
    }
}

fn ingestion(signal: &str, text: &str) -> Result<Option<Url>, String> {
    let end = format!("/otlp/v1/{signal}");
    let url = confidential(text)?;
    let whole = format!("https://{{host}}/datacollectionRules/{{immutable ID}}/streams/{{stream}}{end}");
    let fault = || format!("{} must be the whole URL for {signal}: {whole}", without_secrets(text));
    url.path().ends_with(&end).then_some(Some(url)).ok_or_else(fault)
}

#[test]
fn endpoints_of_azure_monitor_are_whole_urls_of_their_signals_and_confidential() {
    use super::tests::{fault, shown};
    let rule = "https://dce.westeurope-1.ingest.monitor.azure.com/datacollectionRules/dcr-1/streams";
    for (row, signal, other) in [
        (TRACES_ENDPOINT, "traces", "metrics"),
        (METRICS_ENDPOINT, "metrics", "logs"),
        (LOGS_ENDPOINT, "logs", "traces"),
    ] {
        let url = format!("{rule}/Custom-Otel/otlp/v1/{signal}");
        assert_eq!(shown(&row, &url), Some(url));
        fault(row.name, &format!("{rule}/Custom-Otel/otlp/v1/{other}"));
        for start in ["http://dce.example", "https://user:secret@dce.example", "dce.example"] {
            fault(row.name, &format!("{start}/otlp/v1/{signal}"));
        }
    }
    fault(TRACES_ENDPOINT.name, rule);
}
