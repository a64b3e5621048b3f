//! The OTLP exporters, and the bounded queues in front of them.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, InstrumentationScope, logs::LogRecord, trace::TraceContextExt};
use opentelemetry_otlp::{LogExporter as OtlpLogExporter, MetricExporter, SpanExporter as OtlpSpanExporter};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord},
    metrics::{
        Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
        exporter::PushMetricExporter,
    },
    trace::{BatchSpanProcessor, Span as SdkSpan, SpanData, SpanExporter, SpanProcessor},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    lane::Lane,
    size::{bounded_record, bounded_span, record_bytes, span_bytes},
};

/// An exporter that logs the first of several failures and counts what is lost.
#[derive(Debug)]
pub(super) struct Exporter<E> {
    pub(super) otlp: E,
    pub(super) lane: Arc<Lane>,
}

impl SpanExporter for Exporter<OtlpSpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        self.lane.leave(items, batch.iter().map(span_bytes).sum());
        self.lane.exported(self.otlp.export(batch).await, items as u64)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }
}

impl LogExporter for Exporter<OtlpLogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let items = batch.iter().count();
        self.lane.leave(items, batch.iter().map(|(record, _)| record_bytes(record)).sum());
        self.lane.exported(self.otlp.export(batch).await, items as u64)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }
}

impl PushMetricExporter for Exporter<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        // A failed export of cumulative sums loses nothing: the next one includes it.
        let items = match self.otlp.temporality() {
            Temporality::Cumulative => 0,
            _ => metrics.scope_metrics().flat_map(ScopeMetrics::metrics).map(|one| points(one.data())).sum(),
        };
        self.lane.exported(self.otlp.export(metrics).await, items)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.otlp.temporality()
    }
}

/// How many data points a metric has.
fn points(data: &AggregatedMetrics) -> u64 {
    fn of<T>(data: &MetricData<T>) -> usize {
        match data {
            MetricData::Gauge(gauge) => gauge.data_points().count(),
            MetricData::Sum(sum) => sum.data_points().count(),
            MetricData::Histogram(histogram) => histogram.data_points().count(),
            MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
        }
    }
    match data {
        AggregatedMetrics::F64(data) => of(data) as u64,
        AggregatedMetrics::U64(data) => of(data) as u64,
        AggregatedMetrics::I64(data) => of(data) as u64,
    }
}

/// A batch processor that gets no more than its queue holds.
#[derive(Debug)]
pub(super) struct Bounded<P> {
    pub(super) processor: Arc<P>,
    pub(super) lane: Arc<Lane>,
}

impl SpanProcessor for Bounded<BatchSpanProcessor> {
    fn on_start(&self, span: &mut SdkSpan, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if span.span_context.is_sampled() && self.lane.enter(bounded_span(&mut span)) {
            self.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    /// Does nothing: [`Telemetry::stop`](super::Telemetry::stop) stops all processors at once. The provider would
    /// stop them in turn, so a dead destination would use up the time of the next.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl LogProcessor for Bounded<BatchLogProcessor> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if record.trace_context().is_none() {
            let context = Span::current().context();
            let span = context.span().span_context().clone();
            if span.is_valid() {
                record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
            }
        }
        if self.lane.enter(bounded_record(record)) {
            // The bridge uses file and line as the event's name, which is of no use to readers.
            record.set_event_name("");
            self.processor.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    /// As with spans.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
