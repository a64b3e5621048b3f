//! Which signals are exported, and how, by the standard variables.
//!
//! Sources: "OpenTelemetry Environment Variable Specification", "OpenTelemetry Protocol Exporter".

use std::time::Duration;

use opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT;
use opentelemetry_sdk::{metrics::Temporality, trace::Sampler};

pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The interval of metric exports, unless `OTEL_METRIC_EXPORT_INTERVAL` is set. The standard's minute is too long:
/// the host may stop an instance with SIGKILL less than a minute after it sealed a disk.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);

/// The standard's own maximum of queued spans or log records.
const QUEUE_SIZE: usize = 2_048;
/// The standard's own maximum of spans or log records in a batch.
const BATCH_SIZE: usize = 512;
/// How long spans and log records are batched. Short, because the host stops the process with SIGKILL, and what is
/// queued is lost then.
const SCHEDULE_DELAY: Duration = Duration::from_secs(1);

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
        let is_otlp = |names: String| names.split(',').any(|name| is_word(name, "otlp"));
        self.endpoint(lookup).is_some() && !is_disabled(lookup) && exporter.is_none_or(is_otlp)
    }

    /// The endpoint that the standard variables set: a base URL for all signals, or a full URL for this one.
    pub(super) fn endpoint(self, lookup: Lookup<'_>) -> Option<String> {
        self.otlp(lookup, "ENDPOINT")
    }

    /// How long one attempt may take: `OTEL_EXPORTER_OTLP_TIMEOUT`, in milliseconds.
    pub(super) fn timeout(self, lookup: Lookup<'_>) -> Duration {
        let set = self.otlp(lookup, "TIMEOUT").and_then(|text| whole(&text)).filter(|set| *set > 0);
        set.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
    }

    /// How many items may be queued: `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE`. Metrics are not queued.
    pub(super) fn queue_size(self, lookup: Lookup<'_>) -> usize {
        self.size(lookup, "MAX_QUEUE_SIZE").unwrap_or(QUEUE_SIZE)
    }

    /// How many items are sent at once: `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`.
    pub(super) fn batch_size(self, lookup: Lookup<'_>) -> usize {
        self.size(lookup, "MAX_EXPORT_BATCH_SIZE").unwrap_or(BATCH_SIZE)
    }

    fn size(self, lookup: Lookup<'_>, what: &str) -> Option<usize> {
        let size = value(lookup, &self.batch(what)).and_then(|text| whole(&text));
        size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0)
    }

    /// How long items are batched: `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY`, in milliseconds.
    pub(super) fn schedule_delay(self, lookup: Lookup<'_>) -> Duration {
        let set = value(lookup, &self.batch("SCHEDULE_DELAY")).and_then(|text| whole(&text));
        // Without any delay, the SDK's thread would never rest.
        set.map_or(SCHEDULE_DELAY, |set| Duration::from_millis(set.max(1)))
    }

    /// Whether the exporter compresses: `OTEL_EXPORTER_OTLP_COMPRESSION`.
    pub(super) fn is_compressed(self, lookup: Lookup<'_>) -> bool {
        self.otlp(lookup, "COMPRESSION").is_some_and(|text| is_word(&text, "gzip"))
    }

    /// A variable of its batches.
    fn batch(self, what: &str) -> String {
        let processor = match self {
            Self::Logs => "BLRP",
            Self::Traces | Self::Metrics => "BSP",
        };
        format!("OTEL_{processor}_{what}")
    }

    /// The exporter's variable for this signal, or else that for all.
    fn otlp(self, lookup: Lookup<'_>, what: &str) -> Option<String> {
        value(lookup, &format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name()))
            .or_else(|| value(lookup, &format!("OTEL_EXPORTER_OTLP_{what}")))
    }

    /// Its part of the variables' names.
    pub(super) fn name(self) -> String {
        self.label().to_uppercase()
    }
}

/// The value of a variable. An empty one counts as none, by the specification.
pub(super) fn value(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).filter(|value| !value.trim().is_empty())
}

/// Whether all exports are disabled: `OTEL_SDK_DISABLED`.
pub(super) fn is_disabled(lookup: Lookup<'_>) -> bool {
    value(lookup, "OTEL_SDK_DISABLED").is_some_and(|text| is_word(&text, "true"))
}

/// The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` set, if they set one. The SDK would read them, but
/// not in any case.
///
/// Without one, every span is recorded, and [`Share`](super::share::Share) chooses at the end of the invocation. The
/// standard's own default would leave the choice to the parent; the Functions host and App Service send a parent that
/// is not sampled wherever they record nothing themselves, so all traces would be lost.
pub(super) fn spans_sampler(lookup: Lookup<'_>) -> Option<Sampler> {
    let argument = value(lookup, "OTEL_TRACES_SAMPLER_ARG");
    value(lookup, "OTEL_TRACES_SAMPLER").and_then(|name| sampler(&name, argument.as_deref()))
}

/// The sampler with this name. An argument that is no ratio counts as 1.
pub(super) fn sampler(name: &str, argument: Option<&str>) -> Option<Sampler> {
    let name = name.trim().to_ascii_lowercase();
    let (root, has_parent) = match name.strip_prefix("parentbased_") {
        Some(root) => (root, true),
        None => (name.as_str(), false),
    };
    let root = match root {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(argument.and_then(ratio).unwrap_or(1.0)),
        _ => return None,
    };
    Some(if has_parent { Sampler::ParentBased(Box::new(root)) } else { root })
}

/// A share of all traces, from 0 to 1.
pub(super) fn ratio(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}

/// A whole number: of milliseconds, or of items.
pub(super) fn whole(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Whether a text is this word. Names of an enumeration are read in any case.
pub(super) fn is_word(text: &str, word: &str) -> bool {
    text.trim().eq_ignore_ascii_case(word)
}

pub(super) const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// The temporality of sums, if the standard variable sets it.
pub(super) fn temporality(lookup: Lookup<'_>) -> Option<Temporality> {
    let preference = value(lookup, TEMPORALITY)?;
    Some(preference.trim().to_ascii_lowercase().parse().unwrap_or_default())
}

/// The interval of metric exports: `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds.
pub(super) fn metric_interval(lookup: Lookup<'_>) -> Duration {
    let set = value(lookup, "OTEL_METRIC_EXPORT_INTERVAL").and_then(|text| whole(&text));
    set.filter(|interval| *interval > 0).map_or(METRIC_INTERVAL, Duration::from_millis)
}
