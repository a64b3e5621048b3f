//! Applies and reverts a plan: its resources alone, each if it is what it was.

use std::time::Duration;

use futures::{StreamExt, stream};

use super::{Advance, Error, Planned, check_switch, seal_all::listing_time};
use crate::{
    enforce::{self, Context, Look, Reverted, Trigger, enforce, revert},
    estate::count,
    policy::{Mode, NamedBy, TagRule},
    resource_id::ResourceId,
    telemetry::metrics,
};

/// Seals the resources of a plan, `concurrency` at a time, each within `time`.
///
/// # Errors
/// The switch is off, the scope cannot be read, or the plan exceeds a limit: nothing was written.
pub async fn apply(
    ctx: &Context,
    plan: Vec<Planned>,
    concurrency: usize,
    time: Duration,
    on_advance: impl FnMut(Advance),
) -> Result<(), Error> {
    let result = admit_and_seal(ctx, plan, concurrency, time, on_advance).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn admit_and_seal(
    ctx: &Context,
    plan: Vec<Planned>,
    concurrency: usize,
    time: Duration,
    on_advance: impl FnMut(Advance),
) -> Result<(), Error> {
    check_switch(ctx, listing_time()).await?;
    ctx.check_scope(listing_time()).await?;
    let to_write = plan.iter().filter(|one| one.before.ring == Mode::Enforce).count();
    let limits = ctx.options.limits;
    if ctx.policy.mode == Mode::Enforce && limits.are_set() {
        // Only a share needs the number of all.
        let all = match limits.max_percent {
            Some(_) => count(&ctx.arm, &ctx.policy.scope, listing_time()).await?,
            None => to_write,
        };
        limits.admit(to_write, all)?;
    }
    let looks = stream::iter(plan).map(|Planned { id, before, .. }| async move {
        let look = Look::new(id, Trigger::Sweep, time).first_named_by(NamedBy::Command).planned(before);
        let result = enforce(ctx, &look).await;
        Advance::Ended(look.resource, result)
    });
    looks.buffer_unordered(concurrency).map(on_advance).collect::<()>().await;
    Ok(())
}

/// Gives the resources of a plan their mode and tags of before, `concurrency` at a time, each within `time`. `tags` are
/// the rules by which they were sealed.
pub async fn revert_all(
    ctx: &Context,
    plan: Vec<Planned>,
    tags: &[TagRule],
    concurrency: usize,
    time: Duration,
    on_end: impl FnMut((ResourceId, Result<Reverted, enforce::Error>)),
) {
    let work = stream::iter(plan).map(|Planned { id, before, .. }| async move {
        let result = revert(ctx, &id, &before, tags, time).await;
        (id, result)
    });
    work.buffer_unordered(concurrency).map(on_end).collect::<()>().await;
}
