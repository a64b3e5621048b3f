//! Outcomes that a person must know, for the output binding `outcomes`.
//!
//! The host drops the outputs of a failed invocation. So an outcome of a failure exists only where the invocation
//! succeeds in its place, as that of a message's last receipt does.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    invocation::Invocation,
    pending::{Pending, Received},
};
use crate::{
    cloud_event::{Matter, Notice},
    enforce::{Context, Error, Left, Line, Look, Outcome, Outcomes, SEAL_REMOVED, Trigger},
    policy::Guarded,
    resource_id::ResourceId,
    sweep::{self, Notable},
    telemetry::{TraceContext, function_app},
};

/// How long an outcome waits for the name of the resource's owner.
const OWNER_TIME: Duration = Duration::from_secs(5);

/// Whether outcomes are sent.
pub(super) fn are_on(ctx: &Context) -> bool {
    ctx.options.outcomes == Outcomes::On
}

/// What a look at a resource led to, if a person must know it. A failure is retried, so it is none yet.
pub(super) async fn of_look(
    ctx: &Context,
    invocation: &Invocation,
    look: &Look,
    result: &Result<Outcome, Error>,
) -> Option<String> {
    if !are_on(ctx) {
        return None;
    }
    let first_seen = look.written_at(ctx.now());
    let (matter, occasion) = match result {
        Ok(outcome) if outcome.reason() == Some(SEAL_REMOVED) => {
            (Matter::SealRemoved, look.correlation_id.clone().or_else(|| first_seen.map(text)))
        }
        Ok(Outcome::Protected(guarded) | Outcome::NetworkAlone(guarded)) => {
            (Matter::Protected, Some(by(guarded)))
        }
        Ok(Outcome::LeftToSweep(Left::Wait(_))) => (Matter::LeftToSweep, first_seen.map(text)),
        _ => return None,
    };
    let line = Line::of_look(&look.resource, result);
    let notice = Notice {
        owner: owner(ctx, look.trigger, &look.resource).await,
        first_seen,
        correlation_id: look.correlation_id.clone(),
        ..Notice::new(
            matter,
            Some(look.resource.clone()),
            occasion.unwrap_or_default(),
            line.reason.unwrap_or(Pending::OTHER),
            line.why.unwrap_or_default(),
        )
    };
    event(ctx, invocation, &notice)
}

/// The outcome of a message that is given up, because the look at its last receipt has failed.
pub(super) async fn of_given_up(
    ctx: &Context,
    invocation: &Invocation,
    received: &Received,
    error: &Error,
) -> Option<String> {
    if !are_on(ctx) {
        return None;
    }
    let Pending { resource, first_seen, correlation_id, .. } = &received.pending;
    // An operator may put the message back, which is another occasion with another message.
    let occasion = received.id.clone().unwrap_or_else(|| text(*first_seen));
    let notice = Notice {
        owner: owner(ctx, Trigger::Queue, resource).await,
        first_seen: Some(*first_seen),
        correlation_id: correlation_id.clone(),
        ..Notice::new(Matter::GivenUp, Some(resource.clone()), occasion, error.reason(), error.to_string())
    };
    event(ctx, invocation, &notice)
}

/// The outcome of a sweep that a limit has stopped. It has the same ID all day.
pub(super) fn of_refused_sweep(
    ctx: &Context,
    invocation: &Invocation,
    error: &sweep::Error,
) -> Option<String> {
    if !are_on(ctx) || !matches!(error, sweep::Error::Exceeded(_)) {
        return None;
    }
    let occasion = format!("{}/{}", ctx.now().date(), error.reason());
    event(
        ctx,
        invocation,
        &Notice::new(Matter::SweepRefused, None, occasion, error.reason(), error.to_string()),
    )
}

/// What a sweep has seen and does not change.
pub(super) fn of_sweep(ctx: &Context, invocation: &Invocation, notable: &[Notable]) -> Vec<String> {
    let outcome = |notable: &Notable| {
        let resource = Some(notable.resource.clone());
        let notice = if let Some(until) = notable.ends {
            let message = format!("its exemption ends on {until}, and the day after it is sealed");
            let notice =
                Notice::new(Matter::ExemptionEnds, resource, until.to_string(), "exemption_ends", message);
            Notice { until: Some(until), ..notice }
        } else {
            let guarded = notable.guarded.as_ref()?;
            Notice::new(Matter::Protected, resource, by(guarded), guarded.reason(), guarded.to_string())
        };
        event(ctx, invocation, &Notice { owner: notable.owner.clone(), ..notice })
    };
    notable.iter().filter(|_| are_on(ctx)).filter_map(outcome).collect()
}

/// What distinguishes two protections of a resource.
fn by(guarded: &Guarded) -> String {
    match guarded {
        Guarded::Vault(vault) | Guarded::NetworkOnly(vault) => vault.clone(),
        Guarded::Unknown => guarded.reason().to_owned(),
    }
}

fn event(ctx: &Context, invocation: &Invocation, notice: &Notice) -> Option<String> {
    let source = function_app().and_then(|app| app.resource_id.as_deref());
    let trace = invocation.trace_context(&TraceContext::default());
    notice.to_json(source, ctx.now(), trace.traceparent.as_deref()).ok()
}

fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

/// The owner as the resource names one now. An outcome without it is better than none.
async fn owner(ctx: &Context, trigger: Trigger, resource: &ResourceId) -> Option<String> {
    let read = ctx.arm.get(resource, trigger.terms(OWNER_TIME)).await;
    read.ok().and_then(|resource| ctx.policy.owner_of(&resource).map(str::to_owned))
}
