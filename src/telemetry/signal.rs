//! Which signals are exported, and how, by the standard variables.
//!
//! Source: "OpenTelemetry Environment Variable Specification" and the OTLP exporter's.

use std::time::Duration;

use opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT;
use opentelemetry_sdk::metrics::Temporality;
use tracing::warn;

pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How long metrics are gathered before they leave, where `OTEL_METRIC_EXPORT_INTERVAL` does not say. The
/// standard's minute is for processes that live: the host stops us with SIGKILL, and an instance that sealed a
/// disk may be gone a minute later.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);

/// How many spans, or log records, wait at most where the standard variables do not say: the standard's own.
const QUEUE_SIZE: usize = 2_048;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub(super) const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The word for messages, and for `diskseal.signal`.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// Whether the standard variables have it exported: an endpoint is named, and nothing forbids it.
    pub(super) fn is_exported(self, lookup: Lookup<'_>) -> bool {
        let exporter = value(lookup, &format!("OTEL_{}_EXPORTER", self.name()));
        let is_otlp = |names: String| names.split(',').any(|name| name.trim().eq_ignore_ascii_case("otlp"));
        self.endpoint(lookup).is_some() && !is_disabled(lookup) && exporter.is_none_or(is_otlp)
    }

    /// The endpoint that the standard variables name; for all signals it is a base, for one it is whole.
    pub(super) fn endpoint(self, lookup: Lookup<'_>) -> Option<String> {
        value(lookup, &format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", self.name()))
            .or_else(|| value(lookup, "OTEL_EXPORTER_OTLP_ENDPOINT"))
    }

    /// How long one attempt may take: `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds.
    pub(super) fn timeout(self, lookup: Lookup<'_>) -> Duration {
        let milliseconds = value(lookup, &format!("OTEL_EXPORTER_OTLP_{}_TIMEOUT", self.name()))
            .or_else(|| value(lookup, "OTEL_EXPORTER_OTLP_TIMEOUT"))
            .and_then(|text| text.trim().parse().ok());
        milliseconds.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
    }

    /// How many items may wait for their export: `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE`.
    /// Metrics are sums and do not wait.
    pub(super) fn queue_size(self, lookup: Lookup<'_>) -> usize {
        let name = match self {
            Self::Logs => "OTEL_BLRP_MAX_QUEUE_SIZE",
            Self::Traces | Self::Metrics => "OTEL_BSP_MAX_QUEUE_SIZE",
        };
        let size = value(lookup, name).and_then(|text| text.trim().parse().ok());
        size.filter(|size| *size > 0).unwrap_or(QUEUE_SIZE)
    }

    /// As it stands in the variables' names.
    fn name(self) -> String {
        self.label().to_uppercase()
    }
}

/// An empty value counts as none, as the specification has it.
fn value(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).filter(|value| !value.trim().is_empty())
}

/// Whether nothing at all is exported: `OTEL_SDK_DISABLED`.
pub(super) fn is_disabled(lookup: Lookup<'_>) -> bool {
    value(lookup, "OTEL_SDK_DISABLED").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// Says which protocols are asked for that are not spoken.
pub(super) fn warn_of_protocols(lookup: Lookup<'_>) {
    let own = Signal::ALL.map(|signal| format!("OTEL_EXPORTER_OTLP_{}_PROTOCOL", signal.name()));
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

const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// Whether the standard variable leaves open how sums are told.
pub(super) fn says_no_temporality(lookup: Lookup<'_>) -> bool {
    value(lookup, TEMPORALITY).is_none()
}

/// Whether sums start anew with each export: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
pub(super) fn temporality(lookup: Lookup<'_>) -> Temporality {
    let name = TEMPORALITY;
    let Some(preference) = value(lookup, name) else {
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
