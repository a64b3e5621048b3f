//! What the changes have in common that a person asks for: an unseal, a reseal, and the way back from a plan.

use std::time::Duration;

use tracing::{Instrument, Span};

use super::{
    Context, Error,
    act::{Writer, is_time_to_resend},
    in_flight::Progress,
    settle,
};
use crate::{
    azure::Terms,
    policy::{Mode, decide::PendingReason},
    resource::{Member, Resource, tags::Tags},
    resource_id::ResourceId,
    telemetry::{Wait, wait},
};

/// The waits before the reads that prove tags.
const PROOF_WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2)];

/// The span of one resource that a person changes.
macro_rules! span {
    ($name:literal, $id:expr) => {
        tracing::info_span!(
            $name,
            diskseal.resource_id = %$id,
            diskseal.outcome = tracing::field::Empty,
            diskseal.reason = tracing::field::Empty,
            error.type = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
            otel.status_description = tracing::field::Empty,
        )
    };
}
pub(super) use span;

/// Why nothing may be written.
pub(super) enum Stop {
    /// The resource is in the ring `audit`.
    Audit,
    /// The operator's switch is off.
    SwitchedOff,
}

/// Looks until no other writer gets in between, within the time of `terms`, and records the outcome on `span`. A resource
/// that does not exist gives `missing`.
pub(super) async fn run<T>(
    ctx: &Context,
    span: Span,
    terms: Terms,
    missing: T,
    label: impl Fn(&T) -> &'static str,
    look_once: impl AsyncFn(&Progress<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let progress = ctx.in_flight.arrive();
    progress.looking();
    let work = settle(terms, missing, || look_once(&progress));
    let result = tokio::time::timeout_at(terms.until(), work.instrument(span.clone()))
        .await
        .unwrap_or_else(|_| Err(progress.out_of_time()));
    match &result {
        Ok(outcome) => {
            span.record("diskseal.outcome", label(outcome));
        }
        Err(error) => super::record_error(&span, error),
    }
    result
}

/// Reads a resource whose properties and tags must be known.
pub(super) async fn read(ctx: &Context, id: &ResourceId, terms: Terms) -> Result<Resource, Error> {
    let resource = ctx.arm.get(id, terms).await?;
    if resource.cannot_read(Member::Properties) || resource.cannot_read(Member::Tags) {
        return Err(Error::Pending(PendingReason::Malformed));
    }
    Ok(resource)
}

/// Whether the resource must be left as it is.
///
/// # Errors
/// It cannot be changed now.
pub(super) async fn stop(ctx: &Context, resource: &Resource, terms: Terms) -> Result<Option<Stop>, Error> {
    if resource.is_provisioning() {
        return Err(Error::Pending(PendingReason::Provisioning));
    }
    if resource.is_uploading() {
        return Err(Error::Pending(PendingReason::ActiveUpload));
    }
    if ctx.policy.ring_of(resource) == Mode::Audit {
        return Ok(Some(Stop::Audit));
    }
    Ok((!ctx.is_switched_on(terms).await).then_some(Stop::SwitchedOff))
}

impl Writer<'_> {
    /// Removes tags until ARM has applied it.
    pub(super) async fn delete_tags(&self, tags: &Tags) -> Result<(), Error> {
        let Self { arm, id, reserved, terms } = *self;
        let mut tries = 1;
        loop {
            match arm.delete_tags(id, tags, reserved, terms).await {
                Err(error) if error.is_without_answer() => {
                    let kept = arm.get(id, terms).await?.tags;
                    if tags.iter().all(|(name, value)| kept.get(name) != Some(value)) {
                        return Ok(());
                    }
                    if !is_time_to_resend(tries, terms).await {
                        return Err(error.into());
                    }
                    tries += 1;
                }
                result => return Ok(result.map(drop)?),
            }
        }
    }
}

/// Reads until it is to be seen.
pub(super) async fn prove(
    ctx: &Context,
    id: &ResourceId,
    terms: Terms,
    is_there: impl Fn(&Resource) -> bool,
) -> Result<(), Error> {
    for pause in PROOF_WAITS {
        if !terms.allow(pause) {
            return Err(Error::Unfinished);
        }
        // As with the seal, only a read proves it.
        wait(Wait::Proof, tokio::time::sleep(pause)).await;
        if is_there(&ctx.arm.get(id, terms).await?) {
            return Ok(());
        }
    }
    Err(Error::Unproven)
}
