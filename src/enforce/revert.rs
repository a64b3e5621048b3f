//! The way back from a plan: the mode, the seal's tags, and the network settings where the seal sets them, as they were
//! before.
//!
//! Like an unseal, it is built so that a stop between any two requests leaves no false claim: the seal's tags go before
//! the mode does, and what stood in their place comes last. The same call goes on from there.

use std::{fmt, time::Duration};

use super::{
    Context, Error, Trigger,
    act::Writer,
    by_hand::{self, Stop, prove},
    in_flight::Progress,
};
use crate::{
    azure::Terms,
    policy::{Before, Drift, Policy, Step, TagRule},
    resource::{Resource, properties::Properties},
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

/// Gives a resource the mode, the network settings and the tags of the seal that it had before, and touches no other tag. `tags` are the rules
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
    let policy = Policy { tags: tags.to_vec(), ..ctx.policy.clone() };
    let look = async |progress: &Progress<'_>| look_once(ctx, id, before, &policy, terms, progress).await;
    by_hand::run(ctx, by_hand::span!("revert", id), terms, Reverted::NotFound, Reverted::label, look).await
}

async fn look_once(
    ctx: &Context,
    id: &ResourceId,
    before: &Before,
    policy: &Policy,
    terms: Terms,
    progress: &Progress<'_>,
) -> Result<Reverted, Error> {
    let resource = by_hand::read(ctx, id, terms).await?;
    if let Some(drift) = before.drift(policy, &resource, Step::Revert) {
        return Ok(Reverted::Drifted(drift));
    }
    let (remove, restore) = before.undo(&resource);
    let properties = before.properties(&resource);
    if properties.is_empty() && remove.is_empty() && restore.is_empty() {
        return Ok(Reverted::AsBefore);
    }
    match by_hand::stop(ctx, &resource, terms).await? {
        Some(Stop::Audit) => return Ok(Reverted::WouldRevert),
        Some(Stop::SwitchedOff) => return Ok(Reverted::SwitchedOff),
        None => {}
    }
    let needed = [!remove.is_empty(), !properties.is_empty(), !restore.is_empty()];
    let count = needed.into_iter().map(u32::from).sum();
    let reserved = ctx.arm.reserve(id, count, terms).await?;
    let writer = Writer { arm: &ctx.arm, id, reserved: Some(&reserved), terms };
    let is_removed = |now: &Resource| remove.iter().all(|(name, _)| now.tags.get(name).is_none());
    if !remove.is_empty() {
        writer.delete_tags(&remove).await?;
    }
    if !properties.is_empty() {
        let now = writer.set(&properties, || progress.accepted()).await?;
        if !is_removed(&now) {
            prove(ctx, id, terms, is_removed).await?;
        }
    } else if !remove.is_empty() {
        prove(ctx, id, terms, is_removed).await?;
    }
    if !restore.is_empty()
        && !writer
            .send_tags(&restore, &Properties::default())
            .await?
            .is_some_and(|now| now.contains_all(&restore))
    {
        prove(ctx, id, terms, |now| now.tags.contains_all(&restore)).await?;
    }
    Ok(Reverted::Reverted)
}
