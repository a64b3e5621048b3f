//! Which signals are exported, and how, by the standard variables.
//!
//! Sources: "OpenTelemetry Environment Variable Specification", "OpenTelemetry Protocol Exporter".

use std::time::Duration;

use opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT;
use opentelemetry_sdk::metrics::Temporality;
use tracing::warn;

pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The interval of metric exports, unless `OTEL_METRIC_EXPORT_INTERVAL` is set. The standard's minute is too long:
/// the host may stop an instance with SIGKILL less than a minute after it sealed a disk.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);

/// The standard's own maximum of queued spans or log records.
const QUEUE_SIZE: usize = 2_048;

/// A kind of telemetry.
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

    /// Whether the standard variables set an endpoint for it, and nothing disables it.
    pub(super) fn is_exported(self, lookup: Lookup<'_>) -> bool {
        let exporter = value(lookup, &format!("OTEL_{}_EXPORTER", self.name()));
        let is_otlp = |names: String| names.split(',').any(|name| name.trim().eq_ignore_ascii_case("otlp"));
        self.endpoint(lookup).is_some() && !is_disabled(lookup) && exporter.is_none_or(is_otlp)
    }

    /// The endpoint that the standard variables set: a base URL for all signals, or a full URL for this one.
    pub(super) fn endpoint(self, lookup: Lookup<'_>) -> Option<String> {
        self.otlp(lookup, "ENDPOINT")
    }

    /// How long one attempt may take: `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds.
    pub(super) fn timeout(self, lookup: Lookup<'_>) -> Duration {
        let milliseconds = self.otlp(lookup, "TIMEOUT").and_then(|text| text.trim().parse().ok());
        milliseconds.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
    }

    /// How many items may be queued: `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE`. Metrics are not queued.
    pub(super) fn queue_size(self, lookup: Lookup<'_>) -> usize {
        let name = match self {
            Self::Logs => "OTEL_BLRP_MAX_QUEUE_SIZE",
            Self::Traces | Self::Metrics => "OTEL_BSP_MAX_QUEUE_SIZE",
        };
        let size = value(lookup, name).and_then(|text| text.trim().parse().ok());
        size.filter(|size| *size > 0).unwrap_or(QUEUE_SIZE)
    }

    /// The exporter's variable for this signal, or else that for all.
    fn otlp(self, lookup: Lookup<'_>, what: &str) -> Option<String> {
        value(lookup, &format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name()))
            .or_else(|| value(lookup, &format!("OTEL_EXPORTER_OTLP_{what}")))
    }

    /// Its part of the variables' names.
    fn name(self) -> String {
        self.label().to_uppercase()
    }
}

/// The value of a variable. An empty one counts as none, by the specification.
fn value(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).filter(|value| !value.trim().is_empty())
}

/// Whether all exports are disabled: `OTEL_SDK_DISABLED`.
pub(super) fn is_disabled(lookup: Lookup<'_>) -> bool {
    value(lookup, "OTEL_SDK_DISABLED").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// Warns of variables that ask for an unsupported protocol.
pub(super) fn warn_of_protocols(lookup: Lookup<'_>) {
    let own = Signal::ALL.map(|signal| format!("OTEL_EXPORTER_OTLP_{}_PROTOCOL", signal.name()));
    for name in own.iter().map(String::as_str).chain(["OTEL_EXPORTER_OTLP_PROTOCOL"]) {
        if let Some(protocol) =
            lookup(name).filter(|protocol| !["", "http/protobuf"].contains(&protocol.as_str()))
        {
            warn!("{name}={protocol:?} is not supported: telemetry is exported over http/protobuf");
        }
    }
}

/// What is wrong with the sampler's variables. The SDK reads them itself, and accepts wrong ones silently.
pub(super) fn sampler_fault(lookup: Lookup<'_>) -> Option<String> {
    let sampler = lookup("OTEL_TRACES_SAMPLER")?;
    match sampler.as_str() {
        "always_on" | "always_off" | "parentbased_always_on" | "parentbased_always_off" => None,
        "traceidratio" | "parentbased_traceidratio" => {
            let ratio = lookup("OTEL_TRACES_SAMPLER_ARG").unwrap_or_default();
            let is_ratio = ratio.parse::<f64>().is_ok_and(|ratio| (0.0..=1.0).contains(&ratio));
            let fault = "is not a number from 0 to 1; every trace is sampled";
            (!is_ratio).then(|| format!("OTEL_TRACES_SAMPLER_ARG={ratio:?} {fault}"))
        }
        _ => Some(format!("OTEL_TRACES_SAMPLER={sampler:?} is unknown; parentbased_always_on is used")),
    }
}

const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// The temporality of sums, if the standard variable sets it.
pub(super) fn temporality(lookup: Lookup<'_>) -> Option<Temporality> {
    let preference = value(lookup, TEMPORALITY)?;
    Some(preference.trim().parse().unwrap_or_else(|()| {
        warn!("{TEMPORALITY}={preference:?} is none of cumulative, delta and lowmemory; cumulative is used");
        Temporality::default()
    }))
}

/// The interval of metric exports: `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds.
pub(super) fn metric_interval(lookup: Lookup<'_>) -> Duration {
    let name = "OTEL_METRIC_EXPORT_INTERVAL";
    let Some(interval) = value(lookup, name) else { return METRIC_INTERVAL };
    match interval.trim().parse() {
        Ok(milliseconds) if milliseconds > 0 => Duration::from_millis(milliseconds),
        _ => {
            warn!(
                "{name}={interval:?} is not a positive number of milliseconds; metrics are exported every 10 s"
            );
            METRIC_INTERVAL
        }
    }
}
