//! The way back from a plan: the mode and the seal's tags as they were before.
//!
//! Like an unseal, it is built so that a stop between any two requests leaves no false claim: the seal's tags go before
//! the mode does, and what stood in their place comes last. The same call goes on from there.

use std::{fmt, time::Duration};

use tracing::{Instrument, field::Empty, info_span};

use super::{Context, Error, Trigger, act::Writer, in_flight::Progress, settle, unseal::prove};
use crate::{
    azure::Terms,
    policy::{Before, Drift, Mode, Policy, Step, TagRule, decide::PendingReason},
    resource::{Member, Resource},
    resource_id::ResourceId,
};

words! {
    /// What a revert of a resource led to.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Reverted, label of labels {
        /// It has its mode and tags of before.
        Reverted => "reverted",
        /// It had them.
        AsBefore => "already_reverted",
        /// Audit mode never writes, and nothing outside of the rings is written.
        WouldRevert => "would_revert",
        /// It is neither what it was nor what a seal has made of it.
        Drifted(Drift) => "drifted",
        /// It does not exist.
        NotFound => "not_found",
        /// The operator's switch is off.
        SwitchedOff => "switched_off",
    }
}

impl Reverted {
    /// Why nothing was written, in a sentence.
    pub(super) fn why(&self) -> Option<&dyn fmt::Display> {
        match self {
            Self::Drifted(drift) => Some(drift),
            _ => None,
        }
    }
}

/// Gives a resource the mode and the tags of the seal that it had before, and touches no other tag. `tags` are the rules
/// by which it was sealed. Ends within `time`.
///
/// # Errors
/// It may be in the middle of the way back; the same call goes on from there.
pub async fn revert(
    ctx: &Context,
    id: &ResourceId,
    before: &Before,
    tags: &[TagRule],
    time: Duration,
) -> Result<Reverted, Error> {
    let terms = Trigger::Command.terms(time);
    let span = info_span!(
        "unseal",
        diskseal.resource_id = %id,
        diskseal.outcome = Empty,
        diskseal.reason = Empty,
        error.type = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    let policy = Policy { tags: tags.to_vec(), ..ctx.policy.clone() };
    let progress = ctx.in_flight.arrive();
    progress.looking();
    let look = || look_once(ctx, id, before, &policy, terms, &progress);
    let work = settle(terms, Reverted::NotFound, look);
    let result = tokio::time::timeout_at(terms.until(), work.instrument(span.clone()))
        .await
        .unwrap_or_else(|_| Err(progress.out_of_time()));
    match &result {
        Ok(outcome) => {
            span.record("diskseal.outcome", outcome.label());
        }
        Err(error) => super::record_error(&span, error),
    }
    result
}

async fn look_once(
    ctx: &Context,
    id: &ResourceId,
    before: &Before,
    policy: &Policy,
    terms: Terms,
    progress: &Progress<'_>,
) -> Result<Reverted, Error> {
    let resource = ctx.arm.get(id, terms).await?;
    if resource.cannot_read(Member::Properties) || resource.cannot_read(Member::Tags) {
        return Err(Error::Pending(PendingReason::Malformed));
    }
    if let Some(drift) = before.drift(policy, &resource, Step::Revert) {
        return Ok(Reverted::Drifted(drift));
    }
    let (remove, restore) = before.undo(&resource);
    let mode = &before.data_access_auth_mode;
    let changes_mode = resource.data_access_auth_mode != *mode;
    if !changes_mode && remove.is_empty() && restore.is_empty() {
        return Ok(Reverted::AsBefore);
    }
    if resource.is_provisioning() {
        return Err(Error::Pending(PendingReason::Provisioning));
    }
    if resource.is_uploading() {
        return Err(Error::Pending(PendingReason::ActiveUpload));
    }
    if ctx.policy.ring_of(&resource) == Mode::Audit {
        return Ok(Reverted::WouldRevert);
    }
    if !ctx.is_switched_on(terms).await {
        return Ok(Reverted::SwitchedOff);
    }
    let needed = [!remove.is_empty(), changes_mode, !restore.is_empty()];
    let count = needed.into_iter().map(u32::from).sum();
    let reserved = ctx.arm.reserve(id, count, terms).await?;
    let writer = Writer { arm: &ctx.arm, id, reserved: Some(&reserved), terms };
    let is_removed = |now: &Resource| remove.iter().all(|(name, _)| now.tags.get(name).is_none());
    if !remove.is_empty() {
        writer.delete_tags(&remove).await?;
    }
    if changes_mode {
        let now = writer.set_mode(mode, || progress.accepted()).await?;
        if !is_removed(&now) {
            prove(ctx, id, terms, is_removed).await?;
        }
    } else if !remove.is_empty() {
        prove(ctx, id, terms, is_removed).await?;
    }
    if !restore.is_empty() && !writer.send_tags(&restore).await?.is_some_and(|now| now.contains_all(&restore))
    {
        prove(ctx, id, terms, |now| now.tags.contains_all(&restore)).await?;
    }
    Ok(Reverted::Reverted)
}
