//! From an event or a queue's message to `enforce`, and from its result to the answer.

use axum::http::StatusCode;
use futures::{StreamExt, stream};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{Span, error, info, warn};

use super::{
    App,
    invocation::{Invocation, Trigger, fail, send_span},
    machine,
    pending::{Pending, Received},
    reply::Reply,
};
use crate::{
    enforce::{self, Concern, Context, Deadline, Error, Look, Outcome, enforce},
    event::{self, ResourceWritten, Subject},
    resource_id::{ResourceId, ResourceType},
    telemetry::{TraceContext, metrics},
};

/// How many events of one batch are worked on at once.
const BATCH_CONCURRENCY: usize = 64;

words! {
    /// Why an event is not handled, and its invocation succeeds all the same.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Ignored, reason of reasons {
        /// A write of a machine, where these are not wanted.
        #[error("a write of a machine, and DISKSEAL_MACHINE_EVENTS is off")]
        MachineEventsOff => "machine_events_off",
        /// A look would find what we have just written.
        #[error("our own write of {0}")]
        Echo(Subject) => "echo",
    } + {
        /// It is no write of a disk, snapshot or machine.
        #[error(transparent)]
        Event(#[from] event::Ignored),
    }
}

/// What became of one event, or of one disk of its machine.
pub(super) enum Handled {
    Done(String),
    /// Handed to the queue, with a line for the log if its machine has not told of it.
    Pending(Pending, Option<String>),
    Failed(&'static str, String),
}

/// `seal-on-write`: one event or a batch, within the invocation's span.
pub(super) async fn events(
    app: &App,
    invocation: &Invocation,
    parsed: Vec<Result<ResourceWritten, event::Ignored>>,
) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    if let [Ok(written)] = parsed.as_slice() {
        describe(&Span::current(), written, ctx.now());
    }
    let handled: Vec<_> = stream::iter(parsed)
        .map(|event| handle(&ctx, invocation, event))
        .buffer_unordered(BATCH_CONCURRENCY)
        .collect()
        .await;
    answer(&Span::current(), handled.into_iter().flatten())
}

/// The events, with the invocation's span in its place: a batch has no one trace to continue.
pub(super) fn parse(
    invocation: &Invocation,
    span: &Span,
    events: &[Value],
) -> Vec<Result<ResourceWritten, event::Ignored>> {
    let parsed: Vec<_> = events.iter().map(event::parse).collect();
    if let [Ok(written)] = parsed.as_slice() {
        invocation.join(span, Trigger::EventGrid, &trace_of(written));
    } else {
        invocation.join(span, Trigger::EventGrid, &TraceContext::default());
        for written in parsed.iter().flatten() {
            trace_of(written).link(span);
        }
    }
    if events.len() > 1 {
        span.record("messaging.batch.message_count", i64::try_from(events.len()).ok());
    }
    parsed
}

/// `seal-queued`, within the invocation's span: a resource that could not be sealed earlier, or that a sweep has
/// found. What a sweep has found and ARM refuses is left to the next sweep; for all else the queue tries again,
/// and after the last try its poison queue keeps it.
pub(super) async fn message(app: &App, invocation: &Invocation, received: Received) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    let is_of_a_sweep = received.is_of_a_sweep();
    let reason = received.pending.known_reason();
    let Pending { id: resource, first_seen, of_machine, .. } = received.pending;
    metrics::queue_age(reason, (ctx.now() - first_seen).as_seconds_f64());
    let trigger = if is_of_a_sweep { enforce::Trigger::Sweep } else { enforce::Trigger::Queue };
    let look = Look { resource, trigger, event_time: Some(first_seen), of_machine };
    // What waits in the queue has waited already; what is created now goes first.
    let result = seal(&ctx, invocation, &look, invocation.deadline.behind_events()).await;
    let line = line(&look.resource, &result);
    match result {
        Ok(_) => Reply::done(line),
        Err(error) if is_of_a_sweep && error.concern() == Concern::Resource => Reply::done(line),
        Err(error) => {
            fail(&Span::current(), error.reason());
            Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, line)
        }
    }
}

async fn handle(
    ctx: &Context,
    invocation: &Invocation,
    event: Result<ResourceWritten, event::Ignored>,
) -> Vec<Handled> {
    let written = match event {
        Ok(written) => written,
        Err(ignored) => {
            metrics::event_received(if ignored.is_unreadable() { "unreadable" } else { "other" });
            return vec![ignore(invocation, None, &ignored.into())];
        }
    };
    let kind = written.subject.resource_type();
    if kind.is_none() && !ctx.takes_machine_events() {
        metrics::event_received("other");
        return vec![ignore(invocation, None, &Ignored::MachineEventsOff)];
    }
    let is_echo = is_echo(ctx, invocation, &written).await;
    metrics::event_received(match (&is_echo, kind) {
        (Ok(true), _) => "echo",
        (_, Some(kind)) => kind.label(),
        (_, None) => "machine",
    });
    match is_echo {
        Ok(false) => {}
        Ok(true) => return vec![ignore(invocation, kind, &Ignored::Echo(written.subject))],
        Err(error) => {
            error!(invocation_id = invocation.id, "failed {}: {error}", written.subject);
            enforce::count_failure(kind, enforce::Trigger::Event, &error);
            return vec![Handled::Failed(error.reason(), error.to_string())];
        }
    }
    let told = trace_of(&written);
    match written.subject {
        Subject::Resource(resource) => {
            let trigger = enforce::Trigger::Event;
            let look = Look { resource, trigger, event_time: written.time, of_machine: false };
            vec![seal_now(ctx, invocation, look, &told).await]
        }
        Subject::Machine(machine) => machine::handle(ctx, invocation, &machine, written.time, &told).await,
    }
}

fn ignore(invocation: &Invocation, kind: Option<ResourceType>, why: &Ignored) -> Handled {
    let (reason, trigger) = (why.reason(), enforce::Trigger::Event.label());
    metrics::outcome("ignored", Some(reason), kind.map(ResourceType::label), trigger);
    let line = format!("ignored: {why}");
    info!(invocation_id = invocation.id, reason, "{line}");
    Handled::Done(line)
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
        Err(error) if error.concern() == Concern::Resource => {
            let context = send_span(1).in_scope(|| invocation.trace_context(told));
            Handled::Pending(pending(ctx, look, error.reason(), context), Some(line))
        }
        Err(error) => Handled::Failed(error.reason(), line),
    }
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
        Err(error) if error.concern() == Concern::Resource => {
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
        Err(error) => format!("{} {resource}: {error}", error.concern().label()),
    }
}

fn answer(span: &Span, handled: impl Iterator<Item = Handled>) -> Reply {
    let (mut pending, mut logs) = (vec![], vec![]);
    let (mut failures, mut reason) = (vec![], "");
    for handled in handled {
        match handled {
            Handled::Done(line) => logs.push(line),
            Handled::Pending(message, line) => {
                pending.push(message);
                logs.extend(line);
            }
            Handled::Failed(why, line) => {
                reason = why;
                failures.push(line);
            }
        }
    }
    if failures.is_empty() {
        return Reply::Succeeded { pending, logs };
    }
    // The host throws the outputs of a failure away; the whole batch comes again.
    fail(span, reason);
    Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, failures.join("; "))
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
