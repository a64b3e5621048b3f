//! Handles events and queue messages: finds the resources that they concern, seals them, and builds the answer.

use std::{pin::pin, time::Duration};

use axum::http::StatusCode;
use futures::{StreamExt, stream};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, Level, Span, record_all};

use super::{
    App,
    ignored::Ignored,
    invocation::{Invocation, fail, mark_unchanged, send_span},
    machine,
    one::{Handled, Logged, log, log_ignored, print, seal, seal_now},
    outcomes,
    pending::{Pending, Received},
    reply::{Outputs, Reply},
};
use crate::{
    enforce::{Concern, Context, Error, Line, Look, Trigger, believed, count_failure, quota_wait},
    event::{self, Cause, ResourceWritten, Subject},
    json::Node,
    resource_id::ResourceType,
    telemetry::{TraceContext, measured, metrics},
};

/// Maximum number of events of one batch in progress at once.
const BATCH_CONCURRENCY: usize = 64;

/// How long a queue message waits for ARM's quota before its first write. Longer ones would keep the places on this
/// instance from messages of subscriptions that have quota left.
const QUOTA_WAIT: Duration = Duration::from_secs(10);
/// How long a message is held at least before it goes to the back of the queue. Without it, the messages of a
/// subscription without quota would go round as fast as the host can deliver them.
const HELD_FOR: Duration = Duration::from_secs(1);

/// `seal_on_write`: one event or a batch.
pub(super) async fn events(app: &App, invocation: &Invocation, events: Vec<Node>) -> Reply {
    let span = invocation.span();
    let parsed = parse(invocation, &span, events);
    let handling = pin!(handle_all(app, invocation, parsed).instrument(span));
    measured(handling).await.0
}

/// Parses the events and sets the parent of the invocation's span. A batch has no single trace to continue.
fn parse(
    invocation: &Invocation,
    span: &Span,
    events: Vec<Node>,
) -> Vec<Result<ResourceWritten, event::Ignored>> {
    let parsed: Vec<_> = events.into_iter().map(event::parse).collect();
    if let [Ok(written)] = parsed.as_slice() {
        invocation.join(span, &trace_of(written));
    } else {
        invocation.join(span, &TraceContext::default());
        for written in parsed.iter().flatten() {
            trace_of(written).link(span);
        }
    }
    if parsed.len() > 1 {
        span.record("messaging.batch.message_count", i64::try_from(parsed.len()).ok());
    }
    parsed
}

async fn handle_all(
    app: &App,
    invocation: &Invocation,
    mut parsed: Vec<Result<ResourceWritten, event::Ignored>>,
) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    if let [Ok(written)] = parsed.as_slice() {
        describe(&Span::current(), written, ctx.now());
    }
    // One event is the rule, and needs no room for two.
    if parsed.len() == 1
        && let Some(event) = parsed.pop()
    {
        return answer(invocation, handle(&ctx, invocation, event).await.into_iter());
    }
    let handled: Vec<_> = stream::iter(parsed)
        .map(|event| handle(&ctx, invocation, event))
        .buffer_unordered(BATCH_CONCURRENCY)
        .collect()
        .await;
    answer(invocation, handled.into_iter().flatten())
}

/// `seal_queued`: a resource that could not be sealed earlier, or that a sweep has listed. If ARM refuses a
/// resource that a sweep has listed, the resource is left to the next sweep. If the quota of its subscription is
/// spent, the message goes to the back of the queue. Every other failure is retried by the queue. After the last try the message is poisoned, or left to the sweep if the wait is expected.
pub(super) async fn message(app: &App, invocation: &Invocation, received: Received) -> Reply {
    if !received.is_due() {
        // Only a failure keeps the message on the queue. The status differs from a failed try's, and there is no trace.
        let why = format!("{}; the next try is later", received.pending.reason);
        let line = Line::new(Level::INFO, "not_due", &received.pending.resource, Some(why));
        let line = Line { reason: Some(received.pending.known_reason()), ..line };
        let logged = log(invocation, &line, None);
        print(invocation, &logged);
        return Reply::failed(StatusCode::SERVICE_UNAVAILABLE, logged.line);
    }
    let span = invocation.span();
    invocation.join(&span, &received.pending.trace_context());
    span.record("messaging.message.id", received.id.as_deref());
    span.record("diskseal.correlation_id", received.pending.correlation_id.as_deref());
    let trying = pin!(try_again(app, invocation, received).instrument(span));
    measured(trying).await.0
}

async fn try_again(app: &App, invocation: &Invocation, received: Received) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    let is_of_a_sweep = received.is_of_a_sweep();
    let reason = received.pending.known_reason();
    let (is_repeated, is_last) = (received.dequeue_count > 1, received.is_last());
    if let Some(age) = received.pending.age(ctx.now()) {
        metrics::queue_age(reason, age.as_seconds_f64());
    }
    let named_by = received.pending.named_by();
    let Pending { resource, first_seen, correlation_id, .. } = received.pending.clone();
    let trigger = if is_of_a_sweep { Trigger::Sweep } else { Trigger::Queue };
    let time = invocation.terms.time_left();
    let look = Look::new(resource, trigger, time).after_write(Some(first_seen)).waiting(QUOTA_WAIT);
    let look = look.arrived(invocation.arrival());
    let look = look.correlated(correlation_id).first_named_by(named_by).delivered(is_repeated, is_last);
    let held_until = Instant::now() + HELD_FOR;
    let wait = quota_wait(&ctx, &look);
    if wait > QUOTA_WAIT {
        // Others would wait behind it for their places on this instance, and no request can be of use.
        let seconds = wait.as_secs();
        let why = format!("the quota of its subscription is spent for another {seconds} s");
        let line = Line::waiting(&look.resource, why).caused_by(look.correlation_id.as_deref());
        metrics::outcome(
            line.outcome,
            line.reason,
            Some(look.resource.resource_type().label()),
            trigger.label(),
        );
        return to_the_back(received.pending, log(invocation, &line, None).line, held_until).await;
    }
    let (result, logged) = seal(&ctx, invocation, &look).await;
    match result {
        Ok(_) => Reply::Succeeded {
            outputs: Outputs { outcomes: logged.outcome.into_iter().collect(), ..Outputs::default() },
            logs: vec![logged.line],
        },
        Err(error) if error.concern() == Concern::Quota => {
            to_the_back(received.pending, logged.line, held_until).await
        }
        Err(error) if is_of_a_sweep && error.concern() == Concern::Resource => Reply::done(logged.line),
        Err(error) => {
            fail(&Span::current(), error.reason());
            // The host drops the outputs of a failure, so the last receipt is none: the message goes to the poison queue
            // by an output, as the host would have moved it.
            if is_last {
                let outcome = outcomes::of_given_up(&ctx, invocation, &received, &error).await;
                let outcomes = outcome.into_iter().collect();
                let outputs = Outputs { outcomes, poison: Some(received.text), ..Outputs::default() };
                return Reply::Succeeded { outputs, logs: vec![logged.line] };
            }
            print(invocation, &logged);
            Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, logged.line)
        }
    }
}

/// Puts the message at the back of the queue as a new one. The wait for quota is no failure, so it costs none of the
/// message's receipts, and other subscriptions' messages come first.
async fn to_the_back(message: Pending, line: String, held_until: Instant) -> Reply {
    // Nothing signals that there is quota again; this is how often a message asks.
    sleep_until(held_until).await;
    send_span(1).in_scope(|| Reply::Succeeded { outputs: vec![message].into(), logs: vec![line] })
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
        return vec![ignore(invocation, None, &Ignored::MachineEventsOff(written.subject))];
    }
    let is_grant = written.cause == Cause::Grant;
    if is_grant && !ctx.takes_grants() {
        metrics::event_received("other");
        return vec![ignore(invocation, kind, &Ignored::GrantsOff(written.subject))];
    }
    let is_echo = is_echo(ctx, invocation, &written).await;
    metrics::event_received(match (&is_echo, kind) {
        (Ok(true), _) => "echo",
        _ if is_grant => "grant",
        (_, Some(kind)) => kind.label(),
        (_, None) => "machine",
    });
    match is_echo {
        Ok(false) => {}
        Ok(true) => return vec![ignore(invocation, kind, &Ignored::Echo(written.subject))],
        Err(error) => {
            count_failure(kind, Trigger::Event, &error);
            let line = Line::of_failure(Concern::System.label(), &written.subject, &error);
            let line = line.caused_by(written.correlation_id.as_deref());
            return vec![Handled::Failed(error.reason(), log(invocation, &line, None))];
        }
    }
    let origin = trace_of(&written);
    match written.subject {
        Subject::Resource(resource) => {
            let time = invocation.terms.time_left();
            let look = Look::new(resource, Trigger::Event, time).after_write(written.time);
            let look = look.arrived(invocation.arrival()).correlated(written.correlation_id);
            let grant = is_grant.then(|| Handled::Done(log(invocation, &Line::of_grant(&look), None)));
            let sealed = seal_now(ctx, invocation, look, &origin).await;
            grant.into_iter().chain([sealed]).collect()
        }
        Subject::Machine(ref machine) => machine::handle(ctx, invocation, machine, &written, &origin).await,
    }
}

fn ignore(invocation: &Invocation, kind: Option<ResourceType>, why: &Ignored) -> Handled {
    let (reason, trigger) = (why.reason(), Trigger::Event.label());
    metrics::outcome("ignored", Some(reason), kind.map(ResourceType::label), trigger);
    Handled::Done(log_ignored(invocation, why))
}

/// Whether the event is about Diskseal's own write. Each PATCH raises an event, and a look would find what was
/// just written.
async fn is_echo(ctx: &Context, invocation: &Invocation, written: &ResourceWritten) -> Result<bool, Error> {
    let Some(caller) = &written.caller else {
        return Ok(false);
    };
    let own = ctx.object_id(invocation.terms).await?;
    Ok(own.is_some_and(|own| caller.is(&own)))
}

fn answer(invocation: &Invocation, handled: impl Iterator<Item = Handled>) -> Reply {
    let (mut pending, mut logged): (_, Vec<Logged>) = (vec![], vec![]);
    let (mut failures, mut reason) = (vec![], "");
    for handled in handled {
        match handled {
            Handled::Done(line) => logged.push(line),
            Handled::Pending(message, line) => {
                pending.push(message);
                logged.push(line);
            }
            Handled::Queued(message) => pending.push(message),
            Handled::Failed(why, line) => {
                reason = why;
                failures.push(line);
            }
        }
    }
    if failures.is_empty() {
        if pending.is_empty() && !logged.is_empty() && logged.iter().all(|logged| logged.is_unchanged) {
            mark_unchanged(&Span::current());
        }
        let outcomes = logged.iter_mut().filter_map(|logged| logged.outcome.take()).collect();
        let outputs = Outputs { pending, outcomes, poison: None };
        return Reply::Succeeded { outputs, logs: logged.into_iter().map(|logged| logged.line).collect() };
    }
    // The host discards the outputs and logs of a failure, and the whole batch is delivered again.
    fail(&Span::current(), reason);
    logged.iter().chain(&failures).for_each(|logged| print(invocation, logged));
    let lines: Vec<_> = failures.into_iter().map(|logged| logged.line).collect();
    Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, lines.join("; "))
}

fn trace_of(written: &ResourceWritten) -> TraceContext {
    let event::Attributes { traceparent, tracestate, .. } = &written.attributes;
    TraceContext::received(traceparent.as_deref(), tracestate.as_deref())
}

/// Records the event on the span ("Semantic conventions for CloudEvents", and for messaging).
fn describe(span: &Span, written: &ResourceWritten, now: OffsetDateTime) {
    if span.is_disabled() {
        return;
    }
    let event::Attributes { source, event_type, spec_version, .. } = &written.attributes;
    record_all!(
        span,
        messaging.message.id = written.event_id.as_deref(),
        messaging.destination.name = source.as_deref(),
        diskseal.correlation_id = written.correlation_id.as_deref(),
        cloudevents.event_id = written.event_id.as_deref(),
        cloudevents.event_source = source.as_deref(),
        cloudevents.event_spec_version = spec_version.as_deref(),
        cloudevents.event_type = event_type.as_deref(),
        cloudevents.event_subject = written.subject.to_string(),
        diskseal.event_age_seconds = believed(written.time, now).map(|time| (now - time).as_seconds_f64()),
    );
}
