//! One resource of an invocation: sealed within it, or handed to the queue; and its one line in the log.

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

/// What an event, or one disk of its machine, led to.
pub(super) enum Handled {
    /// It needs nothing more; its line.
    Done(String),
    /// It goes to the queue; its line.
    Pending(Pending, String),
    /// It goes to the queue with many others, and the line of their machine says so.
    Queued(Pending),
    /// The invocation fails for this reason; its line.
    Failed(&'static str, String),
}

/// Seals one resource within the invocation, or hands it to the queue. `origin` is the trace that the event names.
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

/// Seals one resource, and logs the line that it returns.
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

/// The queue's message about a resource that is to be looked at.
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
