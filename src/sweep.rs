//! The sweep: seals what events have missed.
//!
//! It lists everything in scope, decides by the handler's rules, and hands over what is unsealed: to the queue,
//! which several instances of the app process ([`collect`]), or to `enforce` in this process ([`seal_all`]). The
//! listing may be outdated, so each resource is read again before it is written.

mod coverage;
mod seal_all;

use std::{collections::HashSet, fmt};

pub use seal_all::{Advance, plan, seal_all};

use crate::{
    arm,
    azure::Terms,
    enforce::{self, Context, Trigger},
    estate::{Judged, Listing, Protected, Survey, has_time, warn_of_unreadable},
    policy::{Exceeded, Guarded, Mode, decide::Change},
    report::Source,
    resource::Resource,
    resource_id::ResourceId,
    telemetry::metrics,
};

/// Maximum number of resources that one run hands over to the queue. The host writes the messages one by one before
/// its `functionTimeout`, and the next run lists what is left.
const RESOURCES_MAX: usize = 2_000;

words! {
    /// Why a sweep was not started, or not finished.
    #[derive(Debug, thiserror::Error)]
    pub enum Error, reason of reasons {
        /// The plan is larger than a limit allows.
        #[error(transparent)]
        Exceeded(#[from] Exceeded) => "exceeded",
        /// The operator's switch is off.
        #[error("the switch is off (the tag diskseal=off): nothing was written")]
        SwitchedOff => "switched_off",
    } + {
        /// A request to ARM failed.
        #[error(transparent)]
        Arm(#[from] arm::Error),
        /// The subscriptions in scope cannot be listed.
        #[error(transparent)]
        Scope(#[from] enforce::Error),
    }
}

/// The resources that one run hands over to the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// What the listing shows.
    pub survey: Survey,
    /// The resources to seal; none in audit mode.
    pub to_seal: Vec<ResourceId>,
    /// The number of resources left to the next run, because this run reached its limit or its deadline. If there
    /// are too many for one run, each run starts at another place.
    pub left: usize,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} left to the next run", self.survey, self.left)
    }
}

/// Lists the unsealed resources in scope, up to the number that one run can hand over.
///
/// # Errors
/// A request to ARM failed, or the plan exceeds a limit. A refusal by Resource Graph is not an error: the exact
/// lists are read instead.
pub async fn collect(ctx: &Context, terms: Terms) -> Result<Collected, Error> {
    let result = list(ctx, terms).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn list(ctx: &Context, terms: Terms) -> Result<Collected, Error> {
    check_switch(ctx, terms).await?;
    ctx.check_scope(terms).await?;
    let (arm, policy) = (&ctx.arm, &ctx.policy);
    let protected = ctx.protected(terms).await;
    admit(ctx, &protected, Source::Graph, terms).await?;
    let mut listing = Listing::of_unsealed(arm, policy, Source::Graph, terms).await?;
    listing.rotate(arm, RESOURCES_MAX, ctx.now(), terms).await?;
    let mut collected = Collected::default();
    let mut seen = HashSet::new();
    'pages: while let Some(page) = listing.next(arm, terms).await? {
        collected.survey.unreadable += page.unreadable.len();
        page.unreadable.iter().for_each(warn_of_unreadable);
        ctx.read_rights(&page.resources, terms).await;
        for (index, resource) in page.resources.iter().enumerate() {
            if collected.to_seal.len() == RESOURCES_MAX {
                collected.left = page.resources.len() - index;
                break 'pages;
            }
            // Pages overlap when the table changes between them.
            if seen.insert(resource.id.clone())
                && add(ctx, &protected, resource, &mut collected.survey).is_some()
            {
                collected.to_seal.push(resource.id.clone());
            }
        }
        if !has_time(terms) {
            break;
        }
    }
    collected.left += listing.remaining();
    let mut survey = collected.survey;
    survey.counts.unsealed += collected.left;
    coverage::export(survey, coverage::total(ctx, &listing, terms).await);
    if policy.mode == Mode::Audit {
        collected.to_seal.clear();
    }
    Ok(collected)
}

/// Counts a resource, logs its notices, and returns the change if it is to be sealed.
fn add(ctx: &Context, protected: &Protected, resource: &Resource, survey: &mut Survey) -> Option<Change> {
    let judged = Judged::new(&ctx.policy, protected, resource, ctx.now());
    judged.warn();
    if let Some(guarded @ Guarded::Unknown) = judged.guarded() {
        // It is not handed over, so no look counts it.
        let kind = resource.id.resource_type().label();
        metrics::outcome("protected", Some(guarded.reason()), Some(kind), Trigger::Sweep.label());
    }
    survey.add(judged)
}

/// Fails while the operator's switch is off, except in audit mode, which writes nothing.
async fn check_switch(ctx: &Context, terms: Terms) -> Result<(), Error> {
    if ctx.policy.mode == Mode::Enforce && !ctx.is_switched_on(terms).await {
        return Err(Error::SwitchedOff);
    }
    Ok(())
}

/// If there are limits, counts the plan before anything is written.
async fn admit(ctx: &Context, protected: &Protected, source: Source, terms: Terms) -> Result<(), Error> {
    let limits = ctx.options.limits;
    if ctx.policy.mode == Mode::Audit || !limits.are_set() {
        return Ok(());
    }
    let mut listing = Listing::of_unsealed(&ctx.arm, &ctx.policy, source, terms).await?;
    let mut survey = Survey::default();
    let mut listed = 0;
    while let Some(page) = listing.next(&ctx.arm, terms).await? {
        listed += page.resources.len();
        ctx.read_rights(&page.resources, terms).await;
        for resource in &page.resources {
            survey.add(Judged::new(&ctx.policy, protected, resource, ctx.now()));
        }
    }
    let all = listing.in_scope(&ctx.arm, terms).await?.unwrap_or(listed);
    Ok(limits.admit(survey.counts.unsealed, all)?)
}
