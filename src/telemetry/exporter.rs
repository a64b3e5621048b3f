//! The OTLP exporters, made when they are first needed, and quiet about a collector that is not there.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter as OtlpSpanExporter};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    metrics::{
        Temporality,
        data::{ResourceMetrics, ScopeMetrics},
        exporter::PushMetricExporter,
    },
    trace::{SpanData, SpanExporter},
};
use tracing::{info, warn};

use super::{metrics, signal::Signal};

/// Exports over OTLP. Making the HTTP client reads the system's roots, which the start need not wait
/// for; a collector that cannot be reached is told once a signal, and once when it is back.
#[derive(Debug)]
struct Lazy<E> {
    signal: Signal,
    otlp: OnceLock<Result<E, String>>,
    is_failing: AtomicBool,
}

impl<E: fmt::Debug> Lazy<E> {
    const fn new(signal: Signal) -> Self {
        Self { signal, otlp: OnceLock::new(), is_failing: AtomicBool::new(false) }
    }

    fn otlp(&self, build: impl FnOnce() -> Result<E, ExporterBuildError>) -> Result<&E, OTelSdkError> {
        let made = self.otlp.get_or_init(|| {
            // Installed already, unless no request to ARM has been made yet; either is fine.
            let _ = rustls::crypto::ring::default_provider().install_default();
            build().map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|fault| OTelSdkError::InternalFailure(fault.clone()))
    }

    /// Tells the first failure and the first success after it, and counts what is lost.
    fn tell(&self, result: OTelSdkResult, items: u64) -> OTelSdkResult {
        let signal = self.signal.label();
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        if result.is_err() {
            metrics::dropped(signal, "export_failed", items);
        }
        match &result {
            Err(error) if !was_failing => {
                warn!("{signal} are not exported, and nothing else is affected: {error}");
            }
            Ok(()) if was_failing => info!("{signal} are exported again"),
            _ => {}
        }
        result
    }
}

/// Exports spans.
#[derive(Debug)]
pub(super) struct Spans {
    lazy: Lazy<OtlpSpanExporter>,
    resource: Option<Resource>,
}

impl Spans {
    pub(super) const fn new() -> Self {
        Self { lazy: Lazy::new(Signal::Traces), resource: None }
    }
}

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len() as u64;
        let otlp = self.lazy.otlp(|| {
            let mut otlp = OtlpSpanExporter::builder().with_http().build()?;
            if let Some(resource) = &self.resource {
                otlp.set_resource(resource);
            }
            Ok(otlp)
        });
        let result = match otlp {
            Ok(otlp) => otlp.export(batch).await,
            Err(error) => Err(error),
        };
        self.lazy.tell(result, items)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = Some(resource.clone());
    }
}

/// Exports metrics.
#[derive(Debug)]
pub(super) struct Metrics {
    lazy: Lazy<MetricExporter>,
    temporality: Temporality,
}

impl Metrics {
    pub(super) const fn new(temporality: Temporality) -> Self {
        Self { lazy: Lazy::new(Signal::Metrics), temporality }
    }
}

impl PushMetricExporter for Metrics {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let items = metrics.scope_metrics().flat_map(ScopeMetrics::metrics).count() as u64;
        let otlp = self
            .lazy
            .otlp(|| MetricExporter::builder().with_temporality(self.temporality).with_http().build());
        let result = match otlp {
            Ok(otlp) => otlp.export(metrics).await,
            Err(error) => Err(error),
        };
        self.lazy.tell(result, items)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        match self.lazy.otlp.get() {
            Some(Ok(otlp)) => otlp.shutdown_with_timeout(timeout),
            _ => Ok(()),
        }
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}
