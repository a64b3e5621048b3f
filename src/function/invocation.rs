//! One invocation: its ID, its function, its trace, its terms.

use std::time::Duration;

use axum::http::HeaderMap;
use tracing::{Span, field::Empty, info_span};

use super::functions::{Function, QUEUE};
use crate::{
    azure::Terms,
    enforce::Arrival,
    telemetry::{TraceContext, function_app, spent},
    text::cut,
};

/// Our own value: the semantic conventions define no `messaging.system` for it yet.
const STORAGE_QUEUE: &str = "azure_storage_queue";

/// The longest ID of an invocation; the host's are GUIDs.
const ID_LEN_MAX: usize = 64;

/// An invocation, as the host's headers describe it.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    function: Function,
    pub(super) terms: Terms,
    pub(super) is_cold: bool,
    pub(super) arrival: Arrival,
    trace: TraceContext,
}

impl Invocation {
    /// Reads the headers. `per_event` is the time limit of an event's invocation.
    pub(super) fn new(function: Function, headers: &HeaderMap, per_event: Duration, is_cold: bool) -> Self {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let id = header("x-azure-functions-invocationid").unwrap_or("none");
        Self {
            id: cut(id, ID_LEN_MAX).to_owned(),
            function,
            terms: function.terms(per_event),
            is_cold,
            arrival: Arrival::now(),
            trace: TraceContext::received(header("traceparent"), header("tracestate")),
        }
    }

    /// When it arrived, and what it has spent since then.
    pub(super) fn arrival(&self) -> Arrival {
        Arrival { spent: spent(), ..self.arrival }
    }

    /// Starts the invocation's span. The span is outside any trace until it [joins](Self::join) one.
    pub(super) fn span(&self) -> Span {
        let function = self.function.name();
        // Values of the semantic conventions for FaaS and messaging.
        let (kind, faas_trigger, system, destination) = match self.function {
            Function::SealOnWrite => ("consumer", "pubsub", Some("eventgrid"), None),
            Function::SealQueued => ("consumer", "pubsub", Some(STORAGE_QUEUE), Some(QUEUE)),
            Function::Sweep => ("server", "timer", None, None),
        };
        let is_message = system.is_some();
        let span = info_span!(
            "invocation",
            otel.name = function,
            otel.kind = kind,
            otel.status_code = Empty,
            error.type = Empty,
            cloud.resource_id = Empty,
            faas.name = Empty,
            faas.invocation_id = self.id,
            faas.trigger = faas_trigger,
            faas.coldstart = self.is_cold,
            messaging.system = system,
            messaging.operation.name = is_message.then_some("process"),
            messaging.operation.type = is_message.then_some("process"),
            messaging.destination.name = destination,
            messaging.message.id = Empty,
            messaging.batch.message_count = Empty,
            cloudevents.event_id = Empty,
            cloudevents.event_source = Empty,
            cloudevents.event_spec_version = Empty,
            cloudevents.event_type = Empty,
            cloudevents.event_subject = Empty,
            diskseal.event_age_seconds = Empty,
            diskseal.correlation_id = Empty,
            diskseal.reason = Empty,
            diskseal.unchanged = Empty,
        );
        if let Some(app) = function_app().filter(|_| !span.is_disabled()) {
            span.record("faas.name", app.faas_name(function));
            span.record("cloud.resource_id", app.function_id(function));
        }
        span
    }

    /// Sets the span's parent. The span continues the host's trace, else the trace in which the message was created,
    /// else it starts a trace. A queue message continues the trace in which the resource was first seen, so that
    /// one trace covers the resource. Traces other than the parent's are linked ("Semantic conventions for
    /// messaging spans", consumer spans).
    pub(super) fn join(&self, span: &Span, origin: &TraceContext) {
        if span.is_disabled() {
            return;
        }
        let has_origin = origin.is_valid();
        let is_child_of_origin =
            has_origin && (self.function == Function::SealQueued || !self.trace.is_valid());
        if is_child_of_origin {
            origin.parent(span);
            self.trace.link(span);
        } else {
            self.trace.parent(span);
        }
        origin.link(span);
    }

    /// The trace context of an outgoing message: the current one or, if no traces are exported, the incoming one.
    pub(super) fn trace_context(&self, origin: &TraceContext) -> TraceContext {
        TraceContext::current()
            .unwrap_or_else(|| if self.trace.is_valid() { self.trace.clone() } else { origin.clone() })
    }
}

words! {
    /// Why an invocation fails before its function runs.
    #[derive(Clone, Copy, Debug)]
    pub enum Refused, reason of reasons {
        /// The process has not started within the invocation's deadline.
        StillStarting => "still_starting",
        /// The body is not an invocation.
        Body => "refused",
    }
}

/// The span that creates this number of queue messages, and their creation context. The host sends them after the
/// answer.
pub(super) fn send_span(messages: usize) -> Span {
    info_span!(
        "send",
        otel.name = "send diskseal-pending",
        otel.kind = "producer",
        messaging.system = STORAGE_QUEUE,
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.destination.name = QUEUE,
        messaging.batch.message_count = i64::try_from(messages).ok().filter(|count| *count > 1),
    )
}

/// Marks the span of a failed invocation.
pub(super) fn fail(span: &Span, reason: &str) {
    span.record("error.type", reason);
    span.record("otel.status_code", "ERROR");
}

/// Marks the span of an invocation that found nothing to do. Of traces of such invocations, a share is exported; what has
/// no mark always is.
pub(super) fn mark_unchanged(span: &Span) {
    span.record("diskseal.unchanged", true);
}
