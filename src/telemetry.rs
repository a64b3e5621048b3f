//! Where traces, metrics and logs go: OTLP by the standard `OTEL_*` variables, and a short line a time for the
//! Functions host.
//!
//! Exporting never delays or fails an invocation: spans go through a bounded queue to a thread of its
//! own, and what does not fit is dropped; metrics are sums, which a thread of its own reads.

mod exporter;
mod line;
pub mod metrics;
mod resource;
mod signal;
mod wait;

use std::{sync::mpsc, thread, time::Duration};

use opentelemetry::{
    Context, InstrumentationScope,
    metrics::MeterProvider,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use opentelemetry_semantic_conventions::SCHEMA_URL;
use tracing::{Metadata, Span, level_filters::LevelFilter, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use resource::{FunctionApp, function_app};
use signal::Signal;
pub use wait::{Wait, wait};

/// How long a span waits for company, where `OTEL_BSP_SCHEDULE_DELAY` does not say. The host stops us
/// with SIGKILL, so what waits may be lost.
const SCHEDULE_DELAY: Duration = Duration::from_secs(1);

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The Functions host: a line a resource on standard output.
    Host,
    /// A person, for whom standard output is the result: warnings on standard error alone.
    Person,
}

/// Keeps telemetry going, and flushes it at the end.
#[must_use]
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

impl Telemetry {
    /// Starts logging, and exporting where `lookup` knows an OTLP endpoint. Without one, nothing is
    /// exported: the standard's default endpoint would be a collector that a function app does not have.
    pub fn start(lookup: &dyn Fn(&str) -> Option<String>, audience: Audience) -> Self {
        resource::remember_function_app(lookup);
        let traces =
            Signal::Traces.is_exported(lookup).then(|| tracer_provider(lookup, resource::resource(lookup)));
        let layer = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer_with_scope(scope()))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(filter_fn(is_span).and(LevelFilter::INFO))
        });
        // Lines carry their own invocation ID, so that spans cost nothing where nobody exports them.
        let lines = line::layer(audience).with_filter(log_filter(lookup, audience).and(filter_fn(is_event)));
        // A second start keeps the first one's subscriber, as in tests.
        let _ = tracing_subscriber::registry().with(layer).with(lines).try_init();
        let metrics =
            Signal::Metrics.is_exported(lookup).then(|| meter_provider(lookup, resource::resource(lookup)));
        if let Some(provider) = &metrics {
            metrics::start(provider.meter_with_scope(scope()));
        }
        signal::warn_of_protocols(lookup);
        if let Some(fault) = signal::sampler_fault(lookup).filter(|_| traces.is_some()) {
            warn!("{fault}");
        }
        Self { traces, metrics }
    }

    /// Sends what is still waiting, for as long as `timeout` at most, all signals at once.
    pub fn stop(self, timeout: Duration) {
        let (done, ended) = mpsc::channel();
        let providers = usize::from(self.traces.is_some()) + usize::from(self.metrics.is_some());
        // The exporters have told their own trouble already; whoever waits no longer has gone.
        if let Some(provider) = self.traces {
            let done = done.clone();
            thread::spawn(move || done.send(provider.shutdown_with_timeout(timeout).is_ok()));
        }
        if let Some(provider) = self.metrics {
            thread::spawn(move || done.send(provider.shutdown_with_timeout(timeout).is_ok()));
        }
        let until = std::time::Instant::now() + timeout;
        for _ in 0..providers {
            let _ = ended.recv_timeout(until.saturating_duration_since(std::time::Instant::now()));
        }
    }
}

/// Who emits.
fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("diskseal")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("diskseal")
}

/// Messages of the log are the log's, and not repeated as events of spans.
fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && is_ours(metadata)
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

fn tracer_provider(lookup: &dyn Fn(&str) -> Option<String>, resource: Resource) -> SdkTracerProvider {
    let mut batch = BatchConfigBuilder::default();
    if lookup("OTEL_BSP_SCHEDULE_DELAY").is_none() {
        batch = batch.with_scheduled_delay(SCHEDULE_DELAY);
    }
    let processor =
        BatchSpanProcessor::builder(exporter::Spans::new()).with_batch_config(batch.build()).build();
    SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource).build()
}

fn meter_provider(lookup: &dyn Fn(&str) -> Option<String>, resource: Resource) -> SdkMeterProvider {
    let exporter = exporter::Metrics::new(signal::temporality(lookup));
    let reader = PeriodicReader::builder(exporter).with_interval(signal::metric_interval(lookup)).build();
    SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build()
}

fn log_filter(lookup: &dyn Fn(&str) -> Option<String>, audience: Audience) -> EnvFilter {
    let standard = match audience {
        Audience::Host => "warn,diskseal=info",
        Audience::Person => "warn",
    };
    match lookup("RUST_LOG").filter(|directives| !directives.is_empty()) {
        None => EnvFilter::new(standard),
        Some(directives) => EnvFilter::try_new(&directives).unwrap_or_else(|error| {
            warn!("RUST_LOG={directives:?} cannot be read ({error}); it is taken as {standard:?}");
            EnvFilter::new(standard)
        }),
    }
}

/// A trace that is to be continued, as W3C Trace Context writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`
    pub traceparent: Option<String>,
    /// `tracestate`
    pub tracestate: Option<String>,
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent.as_deref(),
            "tracestate" => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

impl TraceContext {
    /// Whether it names a trace, by the rules of W3C Trace Context.
    pub fn is_valid(&self) -> bool {
        self.extract().span().span_context().is_valid()
    }

    fn extract(&self) -> Context {
        TraceContextPropagator::new().extract_with_context(&Context::new(), self)
    }

    /// Makes `span` a child of this trace.
    pub fn parent(&self, span: &Span) {
        if self.is_valid() {
            // Without a subscriber that exports, there is no trace to join.
            let _ = span.set_parent(self.extract());
        }
    }

    /// Makes `span` point at this trace.
    pub fn link(&self, span: &Span) {
        let context = self.extract().span().span_context().clone();
        if context.is_valid() && !span.is_disabled() {
            span.add_link(context);
        }
    }

    /// The trace of the current span, if it has one.
    pub fn current() -> Option<Self> {
        let context = Span::current().context().span().span_context().clone();
        context.is_valid().then(|| {
            let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
            let tracestate = context.trace_state().header();
            Self {
                traceparent: Some(format!("00-{trace}-{span}-{flags:02x}")),
                tracestate: Some(tracestate).filter(|state| !state.is_empty()),
            }
        })
    }
}

/// The ID of the current trace, if there is one.
pub fn trace_id() -> Option<String> {
    let context = Span::current().context().span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

#[cfg(test)]
#[path = "telemetry/tests.rs"]
mod tests;
