//! One invocation: its id, its trace, its deadline.

use std::time::Duration;

use axum::http::HeaderMap;
use tracing::{Span, field::Empty, info_span};

use crate::{enforce::Deadline, telemetry::TraceContext};

/// What the host's headers say of an invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) deadline: Deadline,
    pub(super) is_cold: bool,
    trace: TraceContext,
}

/// What triggers a function, in the words of the semantic conventions for FaaS and messaging.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trigger {
    EventGrid,
    Queue,
    Timer,
}

impl Invocation {
    pub(super) fn new(headers: &HeaderMap, deadline: Duration, is_cold: bool) -> Self {
        let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self {
            id: header("x-azure-functions-invocationid").unwrap_or_else(|| "none".to_owned()),
            deadline: Deadline::after(deadline),
            is_cold,
            trace: TraceContext { traceparent: header("traceparent"), tracestate: header("tracestate") },
        }
    }

    /// The invocation's span. It continues the host's trace, else the one that the event tells of, else
    /// it begins one. A queue's message continues the trace in which the resource was first seen; the
    /// host's is linked.
    pub(super) fn span(&self, function: &'static str, trigger: Trigger, told: &TraceContext) -> Span {
        let (kind, faas_trigger, system) = match trigger {
            Trigger::EventGrid => ("consumer", "pubsub", Some("eventgrid")),
            Trigger::Queue => ("consumer", "pubsub", Some("azure_storage_queue")),
            Trigger::Timer => ("server", "timer", None),
        };
        let is_message = system.is_some();
        let span = info_span!(
            "invocation",
            otel.name = function,
            otel.kind = kind,
            otel.status_code = Empty,
            otel.status_description = Empty,
            error.type = Empty,
            faas.invocation_id = self.id,
            faas.trigger = faas_trigger,
            faas.coldstart = self.is_cold,
            messaging.system = system,
            messaging.operation.name = is_message.then_some("process"),
            messaging.operation.type = is_message.then_some("process"),
            messaging.destination.name = Empty,
            messaging.message.id = Empty,
            messaging.batch.message_count = Empty,
            cloudevents.event_id = Empty,
            cloudevents.event_source = Empty,
            cloudevents.event_spec_version = Empty,
            cloudevents.event_type = Empty,
            cloudevents.event_subject = Empty,
            diskseal.event_age_seconds = Empty,
        );
        let (parent, other) = match trigger {
            Trigger::Queue if told.is_valid() => (told, &self.trace),
            _ if self.trace.is_valid() => (&self.trace, told),
            _ => (told, &self.trace),
        };
        parent.parent(&span);
        other.link(&span);
        span
    }

    /// The trace that a message hands on: ours, or where we export nothing, the one that came in.
    pub(super) fn trace_context(&self, told: &TraceContext) -> TraceContext {
        TraceContext::current()
            .unwrap_or_else(|| if self.trace.is_valid() { self.trace.clone() } else { told.clone() })
    }
}
