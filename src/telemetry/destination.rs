//! The destinations of a signal: the endpoint of the standard variables, Azure Monitor, or both.
//!
//! Each destination has its own queue and thread, so that a dead one does not affect the other.

use std::sync::Arc;

use opentelemetry_sdk::metrics::Temporality;
use url::{Position, Url};

use super::{
    lane::Lane,
    signal::{self, Lookup, Signal},
};

/// Azure Monitor's OTLP ingestion: the full URL of each signal in its data collection rule. Diskseal has its own
/// settings for them, because the Functions host exports to the standard's endpoints as well, without a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureMonitor {
    /// `…/streams/Microsoft-OTLP-Traces/otlp/v1/traces`
    pub traces: Option<Url>,
    /// `…/streams/{stream}/otlp/v1/metrics`
    pub metrics: Option<Url>,
    /// `…/streams/Microsoft-OTLP-Logs/otlp/v1/logs`
    pub logs: Option<Url>,
}

impl AzureMonitor {
    /// The endpoints that are set, with the names of their signals.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        Signal::ALL.into_iter().filter_map(|signal| Some((signal.label(), self.endpoint(signal)?)))
    }

    fn endpoint(&self, signal: Signal) -> Option<&Url> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }
}

/// A destination of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The endpoint of the standard variables, which the exporter reads itself.
    Standard,
    /// Azure Monitor's endpoint of the signal.
    AzureMonitor(Url),
}

impl Destination {
    /// The destinations of a signal. There are none unless an endpoint is set; see
    /// [`Telemetry::start`](super::Telemetry::start).
    pub(super) fn of(signal: Signal, lookup: Lookup<'_>, monitor: &AzureMonitor) -> Vec<Self> {
        let standard = signal.is_exported(lookup).then_some(Self::Standard);
        let monitor = monitor.endpoint(signal).filter(|_| !signal::is_disabled(lookup));
        standard.into_iter().chain(monitor.cloned().map(Self::AzureMonitor)).collect()
    }

    /// A lane to this destination.
    pub(super) fn lane(&self, signal: Signal, lookup: Lookup<'_>) -> Arc<Lane> {
        let to = match self {
            Self::Standard => shown(&signal.endpoint(lookup).unwrap_or_default()),
            Self::AzureMonitor(url) => shown(url.as_str()),
        };
        Arc::new(Lane::new(signal, to, signal.queue_size(lookup)))
    }

    /// The temporality of sums: delta for Azure Monitor, which accepts no other, unless the setting is explicit.
    pub(super) fn temporality(&self, lookup: Lookup<'_>) -> Temporality {
        signal::temporality(lookup).unwrap_or(match self {
            Self::Standard => Temporality::default(),
            Self::AzureMonitor(_) => Temporality::Delta,
        })
    }
}

/// A URL for a log line, without credentials and query: some backends expect their key there.
fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "an endpoint that is not a URL".to_owned() };
    // Fails for URLs without a host, which have no credentials either.
    let _ = (url.set_username(""), url.set_password(None));
    url[..Position::AfterPath].trim_end_matches('/').to_owned()
}
