//! Where traces, metrics and logs go: OTLP by the standard `OTEL_*` variables, and a short line a time for the
//! Functions host.
//!
//! Exporting never delays or fails an invocation: spans and log records go through a bounded queue to a thread
//! of its own, and what does not fit is dropped and counted; metrics are sums, which a thread of its own reads.

mod destination;
mod exporter;
mod lane;
mod line;
pub mod metrics;
mod providers;
mod resource;
mod signal;
mod transport;
mod wait;

use std::{sync::mpsc, thread, time::Duration};

pub use destination::AzureMonitor;
pub use transport::{Authorize, Connection};

use opentelemetry::{
    Context, InstrumentationScope,
    metrics::MeterProvider,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_semantic_conventions::SCHEMA_URL;
use tokio::{sync::watch, time::Instant};
use tracing::{Metadata, Span, level_filters::LevelFilter, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use providers::Providers;
pub use resource::{FunctionApp, function_app};
pub use wait::{Wait, wait};

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
    providers: Providers,
    connection: watch::Sender<Option<Connection>>,
}

impl Telemetry {
    /// Starts logging, and exporting where `lookup` knows an OTLP endpoint or `monitor` one of Azure Monitor.
    /// Without one, nothing is exported: the standard's default endpoint would be a collector that a function
    /// app does not have. Nothing leaves before [`Self::connect`].
    pub fn start(
        lookup: &dyn Fn(&str) -> Option<String>,
        audience: Audience,
        monitor: &AzureMonitor,
    ) -> Self {
        resource::remember_function_app(lookup);
        let (connection, link) = watch::channel(None);
        let providers = Providers::new(lookup, monitor, &resource::resource(lookup), &link);
        let traces = providers.traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer_with_scope(scope()))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(filter_fn(is_span).and(LevelFilter::INFO))
        });
        // Our own alone: what an exporter's HTTP client logs would be exported, and logged.
        let logs = providers.logs.as_ref().map(|provider| {
            OpenTelemetryTracingBridge::new(provider)
                .with_filter(log_filter(lookup, Audience::Host).and(filter_fn(is_ours)))
        });
        // Lines carry their own invocation ID, so that spans cost nothing where nobody exports them.
        let lines = line::layer(audience).with_filter(log_filter(lookup, audience).and(filter_fn(is_event)));
        // A second start keeps the first one's subscriber, as in tests.
        let _ = tracing_subscriber::registry().with(traces).with(logs).with(lines).try_init();
        if let Some(provider) = &providers.metrics {
            metrics::start(provider.meter_with_scope(scope()));
        }
        providers.faults.iter().for_each(|fault| warn!("{fault}"));
        warn_of_log_filter(lookup);
        signal::warn_of_protocols(lookup);
        if let Some(fault) = signal::sampler_fault(lookup).filter(|_| providers.traces.is_some()) {
            warn!("{fault}");
        }
        Self { providers, connection }
    }

    /// Lets what was emitted so far, and what is from now on, leave by `connection`.
    pub fn connect(&self, connection: Connection) {
        self.connection.send_replace(Some(connection));
    }

    /// Sends what is still waiting, for as long as `timeout` at most, all signals to all destinations at once.
    pub fn stop(self, timeout: Duration) {
        // Whoever waits for a connection now, waits in vain.
        drop(self.connection);
        let (done, ended) = mpsc::channel();
        for stop in self.providers.stops {
            let done = done.clone();
            // The exporters have told their own trouble already; whoever waits no longer has gone.
            thread::spawn(move || done.send(stop(timeout).is_ok()));
        }
        drop(done);
        let until = Instant::now() + timeout;
        while ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
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

fn log_filter(lookup: &dyn Fn(&str) -> Option<String>, audience: Audience) -> EnvFilter {
    let standard = match audience {
        Audience::Host => "warn,diskseal=info",
        Audience::Person => "warn",
    };
    let set = lookup("RUST_LOG").filter(|directives| !directives.is_empty());
    set.and_then(|directives| EnvFilter::try_new(directives).ok()).unwrap_or_else(|| EnvFilter::new(standard))
}

fn warn_of_log_filter(lookup: &dyn Fn(&str) -> Option<String>) {
    if let Some(directives) = lookup("RUST_LOG")
        && let Err(error) = EnvFilter::try_new(&directives)
    {
        warn!("RUST_LOG={directives:?} cannot be read ({error}), and is left aside");
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
mod tests;
