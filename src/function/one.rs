//! Seals one resource within an invocation or hands it to the queue, and logs one line about it.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{Level, error, info, warn};

use super::{
    invocation::{Invocation, send_span},
    pending::Pending,
};
use crate::{
    enforce::{Concern, Context, Error, Line, Look, Outcome, enforce},
    telemetry::TraceContext,
};

/// The result of an event, or of one disk of its machine.
pub(super) enum Handled {
    /// Finished; the line.
    Done(String),
    /// Handed to the queue; the message and the line.
    Pending(Pending, String),
    /// Handed to the queue with the other disks of its machine; the machine's line covers them.
    Queued(Pending),
    /// The invocation fails; the reason and the line.
    Failed(&'static str, String),
}

/// Seals one resource within the invocation, or hands it to the queue. `origin` is the trace context of the event.
pub(super) async fn seal_now(
    ctx: &Context,
    invocation: &Invocation,
    look: Look,
    origin: &TraceContext,
) -> Handled {
    let (result, line) = seal(ctx, invocation, &look).await;
    match result {
        Ok(_) => Handled::Done(line),
        Err(error) if error.concern() == Concern::Resource => {
            let context = send_span(1).in_scope(|| invocation.trace_context(origin));
            Handled::Pending(pending(ctx, look, error.reason(), context), line)
        }
        Err(error) => Handled::Failed(error.reason(), line),
    }
}

/// Seals one resource; logs and returns the line about it.
pub(super) async fn seal(
    ctx: &Context,
    invocation: &Invocation,
    look: &Look,
) -> (Result<Outcome, Error>, String) {
    let started = Instant::now();
    let result = enforce(ctx, look).await;
    let line = Line::of_look(&look.resource, &result).caused_by(look);
    let line = log(invocation, &line, Some(started.elapsed()));
    (result, line)
}

/// The queue message for a resource.
pub(super) fn pending(ctx: &Context, look: Look, reason: &str, context: TraceContext) -> Pending {
    let TraceContext { traceparent, tracestate } = context;
    Pending {
        id: look.resource,
        reason: reason.to_owned(),
        first_seen: look.event_time.unwrap_or_else(|| ctx.now()),
        traceparent,
        tracestate,
        correlation_id: look.correlation_id,
    }
}

/// Logs a line with its parts as fields, and returns it for the host.
pub(super) fn log(invocation: &Invocation, line: &Line, took: Option<Duration>) -> String {
    let took_ms = took.map(|took| took.as_millis());
    macro_rules! log {
        ($at_level:ident) => {
            $at_level!(
                invocation_id = invocation.id,
                took_ms,
                diskseal.outcome = line.outcome,
                diskseal.reason = line.reason,
                diskseal.resource_id = line.resource,
                diskseal.correlation_id = line.correlation_id,
                "{line}"
            )
        };
    }
    match line.level {
        Level::ERROR => log!(error),
        Level::WARN => log!(warn),
        _ => log!(info),
    }
    line.to_string()
}
