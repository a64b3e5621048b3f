//! Which signals are exported, and how, by the standard variables.
//!
//! Source: "OpenTelemetry Environment Variable Specification" and the OTLP exporter's.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use tracing::warn;

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How long metrics are gathered before they leave, where `OTEL_METRIC_EXPORT_INTERVAL` does not say. The
/// standard's minute is for processes that live: the host stops us with SIGKILL, and an instance that sealed a
/// disk may be gone a minute later.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    pub(super) const ALL: [Self; 2] = [Self::Traces, Self::Metrics];

    /// The word for messages, and for `diskseal.signal`.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    /// Whether it is exported: an endpoint is named, and nothing forbids it.
    pub(super) fn is_exported(self, lookup: Lookup<'_>) -> bool {
        let name = self.label().to_uppercase();
        let value = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let has_endpoint = value(&format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT"))
            .or_else(|| value("OTEL_EXPORTER_OTLP_ENDPOINT"))
            .is_some();
        let is_disabled = value("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let exporter = value(&format!("OTEL_{name}_EXPORTER"));
        has_endpoint && !is_disabled && exporter.is_none_or(|text| text.eq_ignore_ascii_case("otlp"))
    }
}

/// Says which protocols are asked for that are not spoken.
pub(super) fn warn_of_protocols(lookup: Lookup<'_>) {
    let own =
        Signal::ALL.map(|signal| format!("OTEL_EXPORTER_OTLP_{}_PROTOCOL", signal.label().to_uppercase()));
    for name in own.iter().map(String::as_str).chain(["OTEL_EXPORTER_OTLP_PROTOCOL"]) {
        if let Some(protocol) =
            lookup(name).filter(|protocol| !["", "http/protobuf"].contains(&protocol.as_str()))
        {
            warn!("{name}={protocol:?} is not spoken: telemetry is exported over http/protobuf");
        }
    }
}

/// What is wrong with the sampler's variables, which the SDK itself reads and does not complain of.
pub(super) fn sampler_fault(lookup: Lookup<'_>) -> Option<String> {
    let sampler = lookup("OTEL_TRACES_SAMPLER")?;
    match sampler.as_str() {
        "always_on" | "always_off" | "parentbased_always_on" | "parentbased_always_off" => None,
        "traceidratio" | "parentbased_traceidratio" => {
            let ratio = lookup("OTEL_TRACES_SAMPLER_ARG").unwrap_or_default();
            let is_ratio = ratio.parse::<f64>().is_ok_and(|ratio| (0.0..=1.0).contains(&ratio));
            (!is_ratio).then(|| {
                format!("OTEL_TRACES_SAMPLER_ARG={ratio:?} is no number from 0 to 1; every trace is sampled")
            })
        }
        _ => Some(format!(
            "OTEL_TRACES_SAMPLER={sampler:?} is not known; it is taken as parentbased_always_on"
        )),
    }
}

/// Whether sums start anew with each export: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
pub(super) fn temporality(lookup: Lookup<'_>) -> Temporality {
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let Some(preference) = lookup(name).filter(|value| !value.trim().is_empty()) else {
        return Temporality::default();
    };
    preference.trim().parse().unwrap_or_else(|()| {
        warn!("{name}={preference:?} is none of cumulative, delta and lowmemory; it is taken as cumulative");
        Temporality::default()
    })
}

/// How long metrics are gathered before they leave: `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds.
pub(super) fn metric_interval(lookup: Lookup<'_>) -> Duration {
    let name = "OTEL_METRIC_EXPORT_INTERVAL";
    let Some(interval) = lookup(name).filter(|value| !value.trim().is_empty()) else {
        return METRIC_INTERVAL;
    };
    match interval.trim().parse() {
        Ok(milliseconds) if milliseconds > 0 => Duration::from_millis(milliseconds),
        _ => {
            warn!("{name}={interval:?} is no number of milliseconds; metrics leave every 10 s");
            METRIC_INTERVAL
        }
    }
}
