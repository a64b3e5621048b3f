//! Traces, metrics and logs: OTLP by the standard `OTEL_*` variables, and short log lines for the Functions host.
//!
//! Exporting never delays or fails an invocation. Spans and log records go through a bounded queue to a thread
//! of their own; what does not fit is dropped and counted. Another thread reads the metrics.

mod attributes;
mod console;
mod destination;
mod exporter;
mod lane;
mod line;
pub mod metrics;
mod parts;
mod providers;
mod share;
mod signal;
mod size;
mod transport;
mod variables;
mod wait;

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

pub use destination::AzureMonitor;
pub use line::write_lines;
pub use transport::{Authorize, Connection};

use opentelemetry::{
    Context, InstrumentationScope,
    metrics::MeterProvider,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
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

pub use attributes::{FunctionApp, function_app};
use console::Console;
pub use parts::{Part, Spent, measured, parts, request, spent};
use providers::Providers;
use signal::Signal;
pub use wait::{Wait, wait};

/// The target of log records about results. They are exported when the result is known. For the host, a result is in
/// the `Logs` of the answer, or printed under [`PRINTED`]: never both.
pub const RESULT: &str = "diskseal::result";
/// The target of results that are printed because the host discards the `Logs` of a failure.
pub const PRINTED: &str = "diskseal::printed";
/// Whether spans are exported only if their parent is sampled, and nothing has been logged of it yet.
static FOLLOWS_PARENTS: AtomicBool = AtomicBool::new(false);

/// The reader of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The Functions host: one line a resource, on standard output.
    Host,
    /// A person: only warnings, on standard error, because standard output is for the result.
    Person,
}

/// Keeps telemetry running, and flushes it at the end.
#[must_use]
#[derive(Debug)]
pub struct Telemetry {
    providers: Providers,
    connection: watch::Sender<Option<Connection>>,
    /// Dropped last, because the end of exports logs as well.
    console: Option<Console>,
}

impl Telemetry {
    /// Starts logging, and exporting if `lookup` has an OTLP endpoint or `monitor` one of Azure Monitor. Without
    /// an endpoint nothing is exported: the standard's default is a local collector, which a function app does
    /// not have. Nothing is sent before [`Self::connect`].
    ///
    /// `unchanged_ratio` is the share of traces that are exported although their invocation changed nothing, from 0 to
    /// 1. It has no effect where the standard variables set a sampler.
    pub fn start(
        lookup: &dyn Fn(&str) -> Option<String>,
        audience: Audience,
        monitor: &AzureMonitor,
        unchanged_ratio: f64,
    ) -> Self {
        attributes::remember_function_app(lookup);
        let (connection, link) = watch::channel(None);
        let providers =
            Providers::new(lookup, monitor, unchanged_ratio, &attributes::resource(lookup), &link);
        let traces = providers.traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer_with_scope(scope()))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                // A log record finds its span itself: to keep it at hand costs at each step of each invocation.
                .with_context_activation(false)
                // Spans only: log messages are not repeated as span events.
                .with_filter(filter_fn(|found| found.is_span() && is_ours(found)).and(LevelFilter::INFO))
        });
        // Only our own: records of the exporter's HTTP client would be exported, too, without end.
        let logs = providers.logs.as_ref().map(|provider| {
            OpenTelemetryTracingBridge::new(provider)
                .with_filter(log_filter(lookup, Audience::Host).and(filter_fn(is_exported)))
        });
        // Log lines name their invocation themselves, so spans cost nothing unless they are exported.
        let (lines, console) = line::layer(audience);
        let is_printed = move |found: &Metadata<'_>| audience == Audience::Person || found.target() != RESULT;
        let lines = lines.with_filter(log_filter(lookup, audience).and(filter_fn(is_printed)));
        // Neither wants spans, so one look at each step of a span is enough for both.
        let messages = match logs {
            Some(logs) => logs.and_then(lines).boxed(),
            None => lines.boxed(),
        };
        let messages = messages.with_filter(filter_fn(is_message));
        // A second start keeps the first one's subscriber, as in tests.
        // Only the layers that there are: beside an absent one, spans that no layer wants are made all the same.
        let layers: Vec<_> =
            [traces.map(Layer::boxed), Some(messages.boxed())].into_iter().flatten().collect();
        let _ = tracing_subscriber::registry().with(layers).try_init();
        if let Some(provider) = &providers.metrics {
            metrics::start(provider.meter_with_scope(scope()));
        }
        providers.faults.iter().for_each(|fault| warn!("{fault}"));
        warn_of_log_filter(lookup);
        // Where nothing is exported, no variable matters.
        if providers.is_any() || Signal::ALL.iter().any(|signal| signal.endpoint(lookup).is_some()) {
            for fault in variables::faults(lookup) {
                warn!("{fault}");
            }
        }
        FOLLOWS_PARENTS.store(providers.follows_parents, Ordering::Relaxed);
        Self { providers, connection, console }
    }

    /// Sends telemetry by `connection`, from the start of the process on.
    pub fn connect(&self, connection: Connection) {
        self.connection.send_replace(Some(connection));
    }

    /// Sends what is queued, all signals to all destinations at once, for at most `timeout`; then writes the log lines
    /// that are queued, for at most a second.
    pub fn stop(self, timeout: Duration) {
        // Ends the wait of exports for a connection that will not come.
        drop(self.connection);
        if self.providers.holds_spans {
            // What is held goes to the queues, which are sent below. It cannot fail.
            let _ = self.providers.traces.as_ref().map(SdkTracerProvider::force_flush);
        }
        let (done, ended) = mpsc::channel();
        for stop in self.providers.stops {
            let done = done.clone();
            // The exporters log their own failures. The receiver may have stopped waiting.
            thread::spawn(move || done.send(stop(timeout).is_ok()));
        }
        drop(done);
        let until = Instant::now() + timeout;
        while ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
        drop(self.console);
    }
}

/// The instrumentation scope of all signals.
fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("diskseal")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("diskseal")
}

fn is_message(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Whether a log record is exported. What is printed for the host alone was exported before.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    is_ours(metadata) && metadata.target() != PRINTED
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
        warn!("RUST_LOG={directives:?} is invalid ({error}) and ignored");
    }
}

/// A later version of `traceparent` may be longer than 55.
const TRACEPARENT_LEN_MAX: usize = 256;
/// Vendors exceed the standard's 512.
const TRACESTATE_LEN_MAX: usize = 8_192;

/// Whether a text has the form of a `traceparent` ("Trace Context", section 3.2.2): digits of fixed lengths, in lower
/// case, and more after them only in a later version. The propagator pads shorter IDs, and so invents a trace.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = text.splitn(5, '-');
    let mut of_length = |len: usize| parts.next().filter(|part| part.len() == len && is_hex(part));
    let (Some(version), Some(_), Some(_), Some(_)) =
        (of_length(2), of_length(32), of_length(16), of_length(2))
    else {
        return false;
    };
    text.len() <= TRACEPARENT_LEN_MAX && version != "ff" && (version != "00" || text.len() == 55)
}

/// A trace to continue, in the form of W3C Trace Context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`
    pub traceparent: Option<String>,
    /// `tracestate`
    pub tracestate: Option<String>,
}

impl TraceContext {
    /// A trace context from outside. What is too long for one is none, so that nobody fills the memory of exports or a
    /// queue message (64 KiB) with it. W3C Trace Context: `traceparent` has 55 characters in version 00, and at least 512
    /// of `tracestate` are to be kept.
    pub fn received(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let tracestate = tracestate.filter(|text| text.len() <= TRACESTATE_LEN_MAX);
        Self {
            traceparent: traceparent.filter(|text| is_traceparent(text)).map(str::to_owned),
            tracestate: tracestate.map(str::to_owned),
        }
    }

    /// Whether it is valid by W3C Trace Context.
    pub fn is_valid(&self) -> bool {
        self.extract().span().span_context().is_valid()
    }

    fn extract(&self) -> Context {
        if self.traceparent.is_none() {
            return Context::new();
        }
        TraceContextPropagator::new().extract_with_context(&Context::new(), self)
    }

    /// Makes `span` a child of this trace.
    pub fn parent(&self, span: &Span) {
        let parent = self.extract();
        let context = parent.span().span_context().clone();
        if !context.is_valid() {
            return;
        }
        // Fails if spans are not exported: there is no trace to join.
        let _ = span.set_parent(parent);
        // The Functions host and App Service send such a parent where they record nothing themselves.
        if !context.is_sampled() && FOLLOWS_PARENTS.swap(false, Ordering::Relaxed) {
            warn!(
                "an invocation's traceparent says that its trace is not sampled, so its spans are not exported, and \
                 those of others like it; without OTEL_TRACES_SAMPLER, or with OTEL_TRACES_SAMPLER=always_on, they are"
            );
        }
    }

    /// Links `span` to this trace.
    pub fn link(&self, span: &Span) {
        let context = self.extract().span().span_context().clone();
        if context.is_valid() && !span.is_disabled() {
            span.add_link(context);
        }
    }

    /// The trace of the current span, if it has one.
    pub fn current() -> Option<Self> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
        let traceparent = Some(carrier.remove("traceparent")?);
        Some(Self { traceparent, tracestate: carrier.remove("tracestate").filter(|state| !state.is_empty()) })
    }
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

/// The ID of the current trace, if there is one.
pub fn trace_id() -> Option<String> {
    let context = Span::current().context().span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

#[cfg(test)]
mod tests;
