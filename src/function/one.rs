//! Seals one resource within an invocation or hands it to the queue, and logs one line about it.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{Level, error, info, warn};

use super::{
    ignored::Ignored,
    invocation::{Invocation, send_span},
    outcomes,
    pending::Pending,
};
use crate::{
    enforce::{Concern, Context, Error, Line, Look, Outcome, enforce},
    telemetry::{PRINTED, RESULT, TraceContext},
};

/// Logs at a level that is known only when the program runs.
macro_rules! at_level {
    ($level:expr, $($record:tt)*) => {
        match $level {
            Level::ERROR => error!($($record)*),
            Level::WARN => warn!($($record)*),
            _ => info!($($record)*),
        }
    };
}

/// The result of an event, or of one disk of its machine.
pub(super) enum Handled {
    /// Finished; the line.
    Done(Logged),
    /// Handed to the queue; the message and the line.
    Pending(Pending, Logged),
    /// Handed to the queue with the other disks of its machine; the machine's line covers them.
    Queued(Pending),
    /// The invocation fails; the reason and the line.
    Failed(&'static str, Logged),
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
        Err(error) if error.concern() != Concern::System => {
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
) -> (Result<Outcome, Error>, Logged) {
    let started = Instant::now();
    let result = enforce(ctx, look).await;
    let line = Line::of_look(&look.resource, &result).caused_by(look.correlation_id.as_deref());
    let line = log(invocation, &line, Some(started.elapsed()));
    let is_unchanged = result.as_ref().is_ok_and(Outcome::needs_no_change);
    let outcome = outcomes::of_look(ctx, invocation, look, &result).await;
    (result, Logged { is_unchanged, outcome, ..line })
}

/// The queue message for a resource.
pub(super) fn pending(ctx: &Context, look: Look, reason: &str, context: TraceContext) -> Pending {
    let TraceContext { traceparent, tracestate } = context;
    let now = ctx.now();
    let first_seen = look.written_at(now).unwrap_or(now);
    Pending {
        resource: look.resource,
        reason: reason.to_owned(),
        first_seen,
        traceparent,
        tracestate,
        correlation_id: look.correlation_id,
        named_by: Some(look.named_by),
    }
}

/// A line about a result, which is exported. It goes to the host once: in the `Logs` of a success, or [printed](print).
pub(super) struct Logged {
    pub(super) line: String,
    level: Level,
    took: Option<Duration>,
    /// Whether there was nothing to do.
    pub(super) is_unchanged: bool,
    /// The message for the binding `outcomes`, if a person must know the result.
    pub(super) outcome: Option<String>,
}

impl Logged {
    /// The same of a result that is known to have changed nothing, and to need no change.
    pub(super) fn unchanged(self) -> Self {
        Self { is_unchanged: true, ..self }
    }
}

/// Exports a line with its parts as fields, and returns it for the host.
pub(super) fn log(invocation: &Invocation, line: &Line, took: Option<Duration>) -> Logged {
    let took_ms = took.map(|took| took.as_millis());
    let text = line.to_string();
    at_level!(
        line.level,
        target: RESULT,
        invocation_id = invocation.id,
        took_ms,
        diskseal.outcome = line.outcome,
        diskseal.reason = line.reason,
        diskseal.resource_id = line.resource,
        diskseal.correlation_id = line.correlation_id,
        "{text}"
    );
    Logged { line: text, level: line.level, took, is_unchanged: false, outcome: None }
}

/// The same for an event that is ignored, which may have no resource.
pub(super) fn log_ignored(invocation: &Invocation, why: &Ignored) -> Logged {
    let line = format!("ignored: {why}");
    let reason = why.reason();
    info!(
        target: RESULT,
        invocation_id = invocation.id,
        diskseal.outcome = "ignored",
        diskseal.reason = reason,
        "{line}"
    );
    Logged { line, level: Level::INFO, took: None, is_unchanged: true, outcome: None }
}

/// Prints the line of a failed invocation, whose `Logs` the host discards.
pub(super) fn print(invocation: &Invocation, Logged { line, level, took, .. }: &Logged) {
    let took_ms = took.map(|took| took.as_millis());
    at_level!(*level, target: PRINTED, invocation_id = invocation.id, took_ms, "{line}");
}
