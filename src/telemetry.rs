//! Where traces and logs go: OTLP by the standard `OTEL_*` variables, and a short line a time for the
//! Functions host.
//!
//! Exporting never delays or fails an invocation: spans go through a bounded queue to a thread of its
//! own, and what does not fit is dropped.

mod exporter;
mod line;
mod resource;

use std::time::Duration;

use opentelemetry::{
    Context, InstrumentationScope,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_sdk::{
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
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Starts logging, and exporting where `lookup` knows an OTLP endpoint. Without one, nothing is
    /// exported: the standard's default endpoint would be a collector that a function app does not have.
    pub fn start(lookup: &dyn Fn(&str) -> Option<String>, audience: Audience) -> Self {
        let provider = is_exporting(lookup).then(|| provider(lookup));
        let traces = provider.as_ref().map(|provider| {
            let scope = InstrumentationScope::builder("diskseal")
                .with_version(env!("CARGO_PKG_VERSION"))
                .with_schema_url(SCHEMA_URL)
                .build();
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer_with_scope(scope))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(filter_fn(is_ours).and(LevelFilter::INFO))
        });
        // Lines carry their own invocation ID, so that spans cost nothing where nobody exports them.
        let lines = line::layer(audience).with_filter(log_filter(lookup, audience).and(filter_fn(is_event)));
        // A second start keeps the first one's subscriber, as in tests.
        let _ = tracing_subscriber::registry().with(traces).with(lines).try_init();
        warn_of_protocol(lookup);
        Self(provider)
    }

    /// Sends what is still waiting, for as long as `timeout` at most.
    pub fn stop(self, timeout: Duration) {
        if let Some(provider) = self.0 {
            // The exporter has told its own trouble already.
            let _ = provider.shutdown_with_timeout(timeout);
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("diskseal")
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// "OpenTelemetry Environment Variable Specification".
fn is_exporting(lookup: &dyn Fn(&str) -> Option<String>) -> bool {
    let value = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
    let has_endpoint = value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .or_else(|| value("OTEL_EXPORTER_OTLP_ENDPOINT"))
        .is_some();
    let is_disabled = value("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let exports_traces = value("OTEL_TRACES_EXPORTER").is_none_or(|text| text.eq_ignore_ascii_case("otlp"));
    has_endpoint && !is_disabled && exports_traces
}

fn warn_of_protocol(lookup: &dyn Fn(&str) -> Option<String>) {
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        if let Some(protocol) =
            lookup(name).filter(|protocol| !["", "http/protobuf"].contains(&protocol.as_str()))
        {
            warn!("{name}={protocol:?} is not spoken: traces are exported over http/protobuf");
        }
    }
}

fn provider(lookup: &dyn Fn(&str) -> Option<String>) -> SdkTracerProvider {
    let mut batch = BatchConfigBuilder::default();
    if lookup("OTEL_BSP_SCHEDULE_DELAY").is_none() {
        batch = batch.with_scheduled_delay(SCHEDULE_DELAY);
    }
    let processor =
        BatchSpanProcessor::builder(exporter::Exporter::default()).with_batch_config(batch.build()).build();
    SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_resource(resource::resource(lookup))
        .build()
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
        if context.is_valid() {
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
