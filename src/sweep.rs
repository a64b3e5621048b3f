//! The sweep: what events have missed.
//!
//! It lists, decides on the listing by the same rules as everything else, and hands on what is not sealed.
//! The listing may be old: whoever works on it looks at the resource again.

mod listing;

use std::{collections::HashSet, fmt};

use crate::{
    arm,
    enforce::{Context, Deadline},
    policy::{
        Mode, Policy,
        decide::{Decision, Occasion, decide},
    },
    resource::Resource,
    resource_id::ResourceId,
};
use listing::{Listing, has_time};

/// How many resources one run hands on at most. The host writes the messages one by one before its
/// `functionTimeout`, and what is left is listed by the next run.
const RESOURCES_MAX: usize = 2_000;

/// What a sweep has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// What is not sealed and is to be looked at.
    pub unsealed: Vec<ResourceId>,
    /// How many were listed and are sealed, or were when they were looked at again.
    pub compliant: usize,
    /// How many are left as they are, for a recorded reason.
    pub exempt: usize,
    /// How many are not sealed, and not to be written just now.
    pub not_yet: usize,
    /// How many elements of the listing could not be read.
    pub unreadable: usize,
    /// How many are left to the next run, because this one has come to its limit or its time is over. Each
    /// run of an estate that is too large for one begins somewhere else.
    pub left: usize,
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unsealed, compliant, exempt, not_yet, unreadable, left } = self;
        let unsealed = unsealed.len();
        write!(
            f,
            "{unsealed} unsealed, {not_yet} not yet, {compliant} sealed, {exempt} exempt, {unreadable} unreadable, \
             {left} left to the next run"
        )
    }
}

/// Lists what is in scope and not sealed.
///
/// # Errors
/// ARM could not be asked. Resource Graph that refuses is no error: the exact lists are asked instead.
pub async fn sweep(ctx: &Context, deadline: Deadline) -> Result<Sweep, arm::Error> {
    let mut listing = Listing::begin(ctx, RESOURCES_MAX, deadline).await?;
    let mut sweep = Sweep::default();
    let mut seen = HashSet::new();
    while let Some(page) = listing.next(ctx, deadline).await? {
        sweep.unreadable += page.unreadable;
        for (index, resource) in page.resources.iter().enumerate() {
            if sweep.unsealed.len() == RESOURCES_MAX {
                sweep.left = page.resources.len() - index + listing.remaining();
                return Ok(sweep);
            }
            // Pages overlap when the table changes between them.
            if seen.insert(resource.id.clone()) {
                sweep.add(ctx, resource);
            }
        }
        if !has_time(deadline) {
            break;
        }
    }
    sweep.left = listing.remaining();
    Ok(sweep)
}

impl Sweep {
    fn add(&mut self, ctx: &Context, resource: &Resource) {
        let occasion = Occasion { now: ctx.now(), event_time: None, trace_id: None };
        match decide(&ctx.policy, resource, &occasion) {
            Decision::Compliant => self.compliant += 1,
            Decision::Exempt(_) => self.exempt += 1,
            Decision::Seal(_) => self.unsealed.push(resource.id.clone()),
            Decision::NotYet(_) => self.not_yet += 1,
        }
    }
}

/// What is to be handed on: in audit mode, nothing.
pub fn to_seal<'a>(policy: &Policy, sweep: &'a Sweep) -> &'a [ResourceId] {
    match policy.mode {
        Mode::Enforce => &sweep.unsealed,
        Mode::Audit => &[],
    }
}
