//! The SDK's providers of spans, metrics and log records, with an exporter for each destination.

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{BatchConfigBuilder as LogBatch, BatchLogProcessor, LogExporter as _, SdkLoggerProvider},
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{
        BatchConfigBuilder as SpanBatch, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanExporter as _,
        SpanProcessor, TracerProviderBuilder,
    },
};

use super::{
    destination::{AzureMonitor, Destination},
    exporter::{Bounded, Exporter},
    share::Share,
    signal::{self, Lookup, Signal},
    transport::{Link, Transport},
};

type Stop = Box<dyn FnOnce(Duration) -> OTelSdkResult + Send>;

/// The providers of the signals that are exported, and how to stop them.
pub(super) struct Providers {
    pub(super) traces: Option<SdkTracerProvider>,
    pub(super) metrics: Option<SdkMeterProvider>,
    pub(super) logs: Option<SdkLoggerProvider>,
    /// Each flushes one destination of spans or log records, or all destinations of metrics in turn.
    pub(super) stops: Vec<Stop>,
    /// Whether a span of a trace that the parent does not sample is not exported.
    pub(super) follows_parents: bool,
    /// Whether spans are held until their invocation ends.
    pub(super) holds_spans: bool,
    /// Why a signal cannot be exported at all.
    pub(super) faults: Vec<String>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers").field("stops", &self.stops.len()).finish_non_exhaustive()
    }
}

impl Providers {
    /// `unchanged_ratio` is the share of traces that changed nothing and are exported, unless the standard variables set
    /// a sampler.
    pub(super) fn new(
        lookup: Lookup<'_>,
        monitor: &AzureMonitor,
        unchanged_ratio: f64,
        resource: &Resource,
        link: &Link,
    ) -> Self {
        let mut this = Self {
            traces: None,
            metrics: None,
            logs: None,
            stops: vec![],
            follows_parents: false,
            holds_spans: false,
            faults: vec![],
        };
        let ways = |signal: Signal| {
            let (link, timeout) = (link.clone(), signal.timeout(lookup));
            Destination::of(signal, lookup, monitor).into_iter().map(move |destination| {
                let lane = destination.lane(signal, lookup);
                (Transport { link: link.clone(), destination, timeout, lane: Arc::clone(&lane) }, lane)
            })
        };

        let mut logs = None;
        for (transport, lane) in ways(Signal::Logs) {
            let builder = configured(LogExporter::builder().with_http(), transport, Signal::Logs, lookup);
            let Some(mut otlp) = this.made(Signal::Logs, builder.build()) else { continue };
            otlp.set_resource(resource);
            let batch = LogBatch::default()
                .with_max_queue_size(lane.capacity())
                .with_max_export_batch_size(Signal::Logs.batch_size(lookup))
                .with_scheduled_delay(Signal::Logs.schedule_delay(lookup))
                .build();
            let exporter = Exporter { otlp, lane: Arc::clone(&lane) };
            let processor = Arc::new(BatchLogProcessor::builder(exporter).with_batch_config(batch).build());
            this.stops.push(Box::new({
                use opentelemetry_sdk::logs::LogProcessor;
                let processor = Arc::clone(&processor);
                move |timeout| processor.shutdown_with_timeout(timeout)
            }));
            let builder = logs.unwrap_or_else(SdkLoggerProvider::builder);
            logs = Some(builder.with_log_processor(Bounded { processor, lane }));
        }
        this.logs = logs.map(|builder| builder.with_resource(resource.clone()).build());

        let mut spans = vec![];
        for (transport, lane) in ways(Signal::Traces) {
            let builder = configured(SpanExporter::builder().with_http(), transport, Signal::Traces, lookup);
            let Some(mut otlp) = this.made(Signal::Traces, builder.build()) else { continue };
            otlp.set_resource(resource);
            let batch = SpanBatch::default()
                .with_max_queue_size(lane.capacity())
                .with_max_export_batch_size(Signal::Traces.batch_size(lookup))
                .with_scheduled_delay(Signal::Traces.schedule_delay(lookup))
                .build();
            let exporter = Exporter { otlp, lane: Arc::clone(&lane) };
            let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batch);
            let processor = Arc::new(processor.build());
            this.stops.push(Box::new({
                let processor = Arc::clone(&processor);
                move |timeout| processor.shutdown_with_timeout(timeout)
            }));
            spans.push(Bounded { processor, lane });
        }
        this.traces = this.tracer_provider(spans, lookup, unchanged_ratio, resource);

        let mut metrics = None;
        for (transport, lane) in ways(Signal::Metrics) {
            let temporality = transport.destination.temporality(lookup);
            let builder = MetricExporter::builder().with_temporality(temporality).with_http();
            let builder = configured(builder, transport, Signal::Metrics, lookup);
            let Some(otlp) = this.made(Signal::Metrics, builder.build()) else { continue };
            let reader = PeriodicReader::builder(Exporter { otlp, lane });
            let reader = reader.with_interval(signal::metric_interval(lookup)).build();
            metrics = Some(metrics.unwrap_or_else(SdkMeterProvider::builder).with_reader(reader));
        }
        this.metrics = metrics.map(|builder| builder.with_resource(resource.clone()).build());
        if let Some(provider) = this.metrics.clone() {
            this.stops.push(Box::new(move |timeout| provider.shutdown_with_timeout(timeout)));
        }
        this
    }

    /// The provider of spans, which go to `processors`: all of those that the sampler of the standard variables samples, or
    /// without one those of [`Share`].
    fn tracer_provider(
        &mut self,
        processors: Vec<Bounded<BatchSpanProcessor>>,
        lookup: Lookup<'_>,
        unchanged_ratio: f64,
        resource: &Resource,
    ) -> Option<SdkTracerProvider> {
        let sampler = signal::spans_sampler(lookup);
        let is_exported = !processors.is_empty();
        if !is_exported && self.logs.is_none() {
            return None;
        }
        // Log records need the trace that the host or the event began, even if no span is exported.
        self.follows_parents = matches!(sampler, Some(Sampler::ParentBased(_))) && is_exported;
        let is_shared = unchanged_ratio < 1.0 && is_exported;
        self.holds_spans = is_shared && sampler.is_none();
        if is_shared && sampler.is_some() {
            let fault =
                "OTEL_TRACES_SAMPLER chooses the traces, so DISKSEAL_TRACES_UNCHANGED_RATIO is ignored";
            self.faults.push(fault.to_owned());
        }
        let builder = SdkTracerProvider::builder().with_resource(resource.clone());
        let builder = builder.with_sampler(sampler.unwrap_or(Sampler::AlwaysOn));
        let builder = if self.holds_spans {
            builder.with_span_processor(Share::new(unchanged_ratio, processors))
        } else {
            processors.into_iter().fold(builder, TracerProviderBuilder::with_span_processor)
        };
        Some(builder.build())
    }

    /// Whether anything is exported.
    pub(super) fn is_any(&self) -> bool {
        self.traces.is_some() || self.metrics.is_some() || self.logs.is_some()
    }

    /// The exporter, or a fault if the standard variables are invalid, which must not keep us from sealing.
    fn made<E>(&mut self, signal: Signal, made: Result<E, ExporterBuildError>) -> Option<E> {
        let fault =
            |fault| format!("{} are not exported, and nothing else is affected: {fault}", signal.label());
        made.map_err(|error| self.faults.push(fault(error))).ok()
    }
}

/// Completes the builder of an exporter with its transport and destination.
fn configured<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    transport: Transport,
    signal: Signal,
    lookup: Lookup<'_>,
) -> B {
    let builder =
        if signal.is_compressed(lookup) { builder.with_compression(Compression::Gzip) } else { builder };
    let builder = match &transport.destination {
        Destination::Standard => builder,
        Destination::AzureMonitor(url) => builder.with_endpoint(url.as_str()),
    };
    builder.with_http_client(transport).with_protocol(Protocol::HttpBinary)
}
