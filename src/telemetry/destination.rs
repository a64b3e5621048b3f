//! Where a signal goes: to what the standard variables name, to Azure Monitor, or to both.
//!
//! Each destination has its own queue and its own thread, so that one which is dead costs the other nothing.

use std::sync::Arc;

use opentelemetry_sdk::metrics::Temporality;
use url::Url;

use super::{
    lane::Lane,
    signal::{self, Lookup, Signal},
};

/// Azure Monitor's OTLP ingestion, by signal: the whole URLs of its data collection rule. The settings are
/// Diskseal's own, because the Functions host would export to the standard's as well, without a token.
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
    /// The endpoints that are set, each with the name of its signal.
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

/// One place to which a signal is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// What the standard variables say; the exporter reads them itself.
    Standard,
    /// Azure Monitor's endpoint of the signal.
    AzureMonitor(Url),
}

impl Destination {
    /// Where a signal goes; nowhere, unless an endpoint is named: the standard's default would be a collector
    /// that a function app does not have.
    pub(super) fn of(signal: Signal, lookup: Lookup<'_>, monitor: &AzureMonitor) -> Vec<Self> {
        let standard = signal.is_exported(lookup).then_some(Self::Standard);
        let monitor = monitor.endpoint(signal).filter(|_| !signal::is_disabled(lookup));
        standard.into_iter().chain(monitor.cloned().map(Self::AzureMonitor)).collect()
    }

    /// The way there.
    pub(super) fn lane(&self, signal: Signal, lookup: Lookup<'_>) -> Arc<Lane> {
        let to = match self {
            Self::Standard => shown(&signal.endpoint(lookup).unwrap_or_default()),
            Self::AzureMonitor(url) => shown(url.as_str()),
        };
        Arc::new(Lane::new(signal, to, signal.queue_size(lookup)))
    }

    /// Whether sums start anew with each export. Azure Monitor takes no others, unless the setting is explicit.
    pub(super) fn temporality(&self, lookup: Lookup<'_>) -> Temporality {
        match self {
            Self::AzureMonitor(_) if signal::says_no_temporality(lookup) => Temporality::Delta,
            _ => signal::temporality(lookup),
        }
    }
}

/// A URL as it may stand in a log line: some backends have their key in the query.
fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => format!("{}://{}{}", url.scheme(), host_and_port(&url), url.path().trim_end_matches('/')),
        Err(_) => "an endpoint that is not a URL".to_owned(),
    }
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
