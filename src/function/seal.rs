//! From an event or a queue's message to `enforce`, and from its result to the answer.

use axum::http::StatusCode;
use futures::{StreamExt, stream};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{Instrument, Span, error, info, warn};

use super::{
    invocation::{Invocation, Trigger},
    machine,
    pending::{Pending, Received},
    reply::Reply,
};
use crate::{
    enforce::{Context, Deadline, Error, Look, Outcome, Scope, enforce},
    event::{self, Ignored, ResourceWritten, Subject},
    resource_id::ResourceId,
    telemetry::TraceContext,
};

/// How many events of one batch are worked on at once.
const BATCH_CONCURRENCY: usize = 64;

/// What became of one event, or of one disk of its machine.
pub(super) enum Handled {
    Done(String),
    /// Handed to the queue, with a line for the log if its machine has not told of it.
    Pending(Pending, Option<String>),
    Failed(String),
}

/// `seal-on-write`: one event or a batch.
pub(super) async fn events(ctx: &Context, invocation: &Invocation, events: &[Value]) -> Reply {
    let wanted = |written: ResourceWritten| match &written.subject {
        Subject::Machine(_) if !ctx.takes_machine_events() => Err(Ignored::MachineEventsOff),
        _ => Ok(written),
    };
    let parsed: Vec<_> = events.iter().map(|event| event::parse(event).and_then(wanted)).collect();
    let told = match parsed.as_slice() {
        [Ok(written)] => trace_of(written),
        _ => TraceContext::default(),
    };
    let span = invocation.span("seal-on-write", Trigger::EventGrid, &told);
    if let [Ok(written)] = parsed.as_slice() {
        describe(&span, written, ctx.now());
    } else {
        span.record("messaging.batch.message_count", i64::try_from(events.len()).ok());
    }
    let handled: Vec<_> = stream::iter(parsed)
        .map(|event| handle(ctx, invocation, event))
        .buffer_unordered(BATCH_CONCURRENCY)
        .collect()
        .instrument(span.clone())
        .await;
    answer(&span, handled.into_iter().flatten())
}

/// `seal-queued`: a resource that could not be sealed earlier, or that a sweep has found. What a sweep has found
/// and ARM refuses is left to the next sweep; for all else the queue tries again, and after the last try its
/// poison queue keeps it.
pub(super) async fn message(ctx: &Context, invocation: &Invocation, received: Received) -> Reply {
    if !received.is_due() {
        // A queue keeps only what has failed. The status tells this from a try that did.
        let line = format!("waiting {}: {}, and not due yet", received.pending.id, received.pending.reason);
        info!(invocation_id = invocation.id, "{line}");
        return Reply::failed(StatusCode::SERVICE_UNAVAILABLE, line);
    }
    let is_of_a_sweep = received.is_of_a_sweep();
    let message = received.pending;
    let told = message.trace_context();
    let span = invocation.span("seal-queued", Trigger::Queue, &told);
    span.record("messaging.destination.name", "diskseal-pending");
    let Pending { id: resource, first_seen, of_machine, .. } = message;
    let look = Look { resource, event_time: Some(first_seen), of_machine };
    // What waits in the queue has waited already; what is created now goes first.
    let deadline = invocation.deadline.behind_events();
    let result = seal(ctx, invocation, &look, deadline).instrument(span.clone()).await;
    let line = line(&look.resource, &result);
    match result {
        Ok(_) => Reply::done(line),
        Err(error) if is_of_a_sweep && error.scope() == Scope::Resource => Reply::done(line),
        Err(error) => {
            fail(&span, error.reason());
            Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, line)
        }
    }
}

async fn handle(
    ctx: &Context,
    invocation: &Invocation,
    event: Result<ResourceWritten, Ignored>,
) -> Vec<Handled> {
    let written = match event {
        Ok(written) => written,
        Err(ignored) => {
            info!(invocation_id = invocation.id, reason = ignored.reason(), "ignored: {ignored}");
            return vec![Handled::Done(format!("ignored: {ignored}"))];
        }
    };
    match is_echo(ctx, invocation, &written).await {
        Ok(false) => {}
        Ok(true) => {
            info!(
                invocation_id = invocation.id,
                reason = "echo",
                "ignored: our own write of {}",
                written.subject
            );
            return vec![Handled::Done("ignored: our own write".to_owned())];
        }
        Err(error) => {
            error!(invocation_id = invocation.id, "failed {}: {error}", written.subject);
            return vec![Handled::Failed(error.to_string())];
        }
    }
    let told = trace_of(&written);
    match written.subject {
        Subject::Resource(resource) => {
            let look = Look { resource, event_time: written.time, of_machine: false };
            vec![seal_now(ctx, invocation, look, &told).await]
        }
        Subject::Machine(machine) => machine::handle(ctx, invocation, &machine, written.time, &told).await,
    }
}

/// Seals one resource within the invocation, or else hands it on.
pub(super) async fn seal_now(
    ctx: &Context,
    invocation: &Invocation,
    look: Look,
    told: &TraceContext,
) -> Handled {
    let result = seal(ctx, invocation, &look, invocation.deadline).await;
    let line = line(&look.resource, &result);
    match result {
        Ok(_) => Handled::Done(line),
        Err(error) if error.scope() == Scope::Resource => {
            Handled::Pending(pending(ctx, invocation, look, error.reason(), told), Some(line))
        }
        Err(_) => Handled::Failed(line),
    }
}

/// The queue's message about a resource that is to be looked at.
pub(super) fn pending(
    ctx: &Context,
    invocation: &Invocation,
    look: Look,
    reason: &str,
    told: &TraceContext,
) -> Pending {
    let TraceContext { traceparent, tracestate } = invocation.trace_context(told);
    Pending {
        id: look.resource,
        reason: reason.to_owned(),
        first_seen: look.event_time.unwrap_or_else(|| ctx.now()),
        traceparent,
        tracestate,
        of_machine: look.of_machine,
    }
}

/// Whether the event tells of our own write. Our PATCH raises one, and a look at it would find what we
/// have just written.
async fn is_echo(ctx: &Context, invocation: &Invocation, written: &ResourceWritten) -> Result<bool, Error> {
    let Some(caller) = &written.caller else {
        return Ok(false);
    };
    let own = ctx.object_id(invocation.deadline).await?;
    Ok(own.is_some_and(|own| caller.is(&own)))
}

async fn seal(
    ctx: &Context,
    invocation: &Invocation,
    look: &Look,
    deadline: Deadline,
) -> Result<Outcome, Error> {
    let started = Instant::now();
    let result = enforce(ctx, look, deadline).await;
    let took_ms = started.elapsed().as_millis();
    let line = line(&look.resource, &result);
    match &result {
        Ok(Outcome::LeftToSweep | Outcome::SwitchedOff) => {
            warn!(invocation_id = invocation.id, took_ms, "{line}");
        }
        Ok(_) => info!(invocation_id = invocation.id, took_ms, "{line}"),
        Err(error) if error.scope() == Scope::Resource => {
            warn!(invocation_id = invocation.id, took_ms, "{line}");
        }
        Err(_) => error!(invocation_id = invocation.id, took_ms, "{line}"),
    }
    result
}

/// One line for the operator.
fn line(resource: &ResourceId, result: &Result<Outcome, Error>) -> String {
    match result {
        Ok(Outcome::Exempt(exemption)) => format!("exempt {resource}: {exemption}"),
        Ok(Outcome::LeftToSweep) => {
            format!("left_to_sweep {resource}: it was written too often in ten minutes")
        }
        Ok(Outcome::SwitchedOff) => {
            format!("switched_off {resource}: the tag diskseal=off stops every write")
        }
        Ok(outcome) => format!("{} {resource}", outcome.label()),
        Err(error) => format!("{} {resource}: {error}", error.scope().label()),
    }
}

fn answer(span: &Span, handled: impl Iterator<Item = Handled>) -> Reply {
    let (mut pending, mut logs) = (vec![], vec![]);
    let mut failures = vec![];
    for handled in handled {
        match handled {
            Handled::Done(line) => logs.push(line),
            Handled::Pending(message, line) => {
                pending.push(message);
                logs.extend(line);
            }
            Handled::Failed(line) => failures.push(line),
        }
    }
    if failures.is_empty() {
        return Reply::Succeeded { pending, logs };
    }
    // The host throws the outputs of a failure away; the whole batch comes again.
    fail(span, "system");
    Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, failures.join("; "))
}

fn fail(span: &Span, reason: &str) {
    span.record("error.type", reason);
    span.record("otel.status_code", "ERROR");
}

fn trace_of(written: &ResourceWritten) -> TraceContext {
    let event::Attributes { traceparent, tracestate, .. } = &written.attributes;
    TraceContext { traceparent: traceparent.clone(), tracestate: tracestate.clone() }
}

/// "Semantic conventions for CloudEvents" and for messaging.
fn describe(span: &Span, written: &ResourceWritten, now: OffsetDateTime) {
    let event::Attributes { source, event_type, spec_version, .. } = &written.attributes;
    span.record("messaging.message.id", written.event_id.as_deref());
    span.record("messaging.destination.name", source.as_deref());
    span.record("cloudevents.event_id", written.event_id.as_deref());
    span.record("cloudevents.event_source", source.as_deref());
    span.record("cloudevents.event_spec_version", spec_version.as_deref());
    span.record("cloudevents.event_type", event_type.as_deref());
    span.record("cloudevents.event_subject", tracing::field::display(&written.subject));
    if let Some(time) = written.time {
        span.record("diskseal.event_age_seconds", (now - time).as_seconds_f64());
    }
}
