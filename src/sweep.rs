//! The sweep: what events have missed.
//!
//! It lists, decides on the listing by the same rules as everything else, and hands on what is not sealed:
//! to the queue, where as many instances work on it as the platform starts ([`collect`]), or to `enforce`
//! in this process ([`seal_all`]). The listing may be old: whoever works on it looks at the resource again.

mod coverage;
mod listing;
mod protected;
mod seal_all;

use std::{collections::HashSet, fmt};

use crate::{
    arm::{self, Unreadable},
    azure::Terms,
    enforce::{self, Context},
    policy::{
        BackupGuard, Exceeded, Exemption, Mode,
        decide::{Change, Decision, Occasion, decide},
    },
    resource::Resource,
    resource_id::ResourceId,
    telemetry::metrics,
};
pub use listing::Source;
use listing::{Listing, has_time};
pub use protected::Protected;
use time::{Date, OffsetDateTime, UtcOffset};
use tracing::warn;

pub use seal_all::{Told, plan, seal_all};

/// How many resources one run hands on to the queue at most. The host writes the messages one by one before
/// its `functionTimeout`, and what is left is listed by the next run.
const RESOURCES_MAX: usize = 2_000;

/// A sweep warns of exemptions that end within so many days.
const EXPIRING_WITHIN_DAYS: i64 = 30;

words! {
    /// Why a sweep was not begun, or did not come to its end.
    #[derive(Debug, thiserror::Error)]
    pub enum Error, reason of reasons {
        /// The plan is larger than a limit allows.
        #[error(transparent)]
        Exceeded(#[from] Exceeded) => "exceeded",
        /// The operator's switch is off.
        #[error("the switch is off (the tag diskseal=off): nothing was written")]
        SwitchedOff => "switched_off",
    } + {
        /// ARM could not be asked.
        #[error(transparent)]
        Arm(#[from] arm::Error),
        /// Nobody knows which subscriptions are in scope.
        #[error(transparent)]
        Estate(#[from] enforce::Error),
    }
}

/// What a listing said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many are not sealed and are to be looked at.
    pub unsealed: usize,
    /// How many were listed and are sealed.
    pub compliant: usize,
    /// How many are left as they are, for a recorded reason.
    pub exempt: usize,
    /// How many are not sealed, and not to be written just now.
    pub not_yet: usize,
    /// How many are disks of virtual machines that are backed up or replicated, and are left as they are.
    pub protected: usize,
    /// How many elements of the listing could not be read.
    pub unreadable: usize,
    /// How many exemptions end soon.
    pub expiring: usize,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unsealed, compliant, exempt, not_yet, protected, unreadable, expiring: _ } = self;
        write!(
            f,
            "{unsealed} unsealed, {not_yet} not yet, {compliant} sealed, {exempt} exempt, {protected} protected, \
             {unreadable} unreadable"
        )
    }
}

impl Survey {
    /// Counts a resource, and warns of what a person should know; gives the change if it is to be sealed.
    fn add(&mut self, ctx: &Context, protected: &Protected, resource: &Resource) -> Option<Change> {
        match decision(ctx, resource) {
            Decision::Exempt(Exemption::Tag { until, .. }) if ends_soon(until, ctx.now()) => {
                self.expiring += 1;
                warn!("the exemption of {} ends with {until}", resource.id);
            }
            Decision::Seal(_) => {
                if let Some(vault) = protected.of(resource) {
                    warn!("the machine of {} is protected by {vault}", resource.id);
                }
            }
            Decision::Compliant | Decision::Exempt(_) | Decision::NotYet(_) => {}
        }
        self.count(ctx, protected, resource)
    }

    fn count(&mut self, ctx: &Context, protected: &Protected, resource: &Resource) -> Option<Change> {
        match decision(ctx, resource) {
            Decision::Compliant => self.compliant += 1,
            Decision::Exempt(_) => self.exempt += 1,
            Decision::NotYet(_) => self.not_yet += 1,
            Decision::Seal(_)
                if ctx.policy.backup_guard == BackupGuard::Skip && protected.of(resource).is_some() =>
            {
                self.protected += 1;
            }
            Decision::Seal(change) => {
                self.unsealed += 1;
                return Some(change);
            }
        }
        None
    }
}

/// A person must see to what the listing shows and nobody can read.
fn warn_of(Unreadable { what, why }: &Unreadable) {
    warn!("unreadable in the listing: {what}: {why}");
}

fn decision(ctx: &Context, resource: &Resource) -> Decision {
    decide(&ctx.policy, resource, &Occasion { now: ctx.now(), event_time: None, trace_id: None })
}

fn ends_soon(until: Date, now: OffsetDateTime) -> bool {
    (until - now.to_offset(UtcOffset::UTC).date()).whole_days() <= EXPIRING_WITHIN_DAYS
}

/// What one run hands on to the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// What the listing said.
    pub survey: Survey,
    /// What is to be sealed; in audit mode, nothing.
    pub to_seal: Vec<ResourceId>,
    /// How many are left to the next run, because this one has come to its limit or its time is over. Each
    /// run of an estate that is too large for one begins somewhere else.
    pub left: usize,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} left to the next run", self.survey, self.left)
    }
}

/// Lists what is in scope and not sealed, as much as one run can hand on.
///
/// # Errors
/// ARM could not be asked, or the plan is larger than a limit allows. Resource Graph that refuses is no
/// error: the exact lists are asked instead.
pub async fn collect(ctx: &Context, terms: Terms) -> Result<Collected, Error> {
    let result = list(ctx, terms).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn list(ctx: &Context, terms: Terms) -> Result<Collected, Error> {
    check_switch(ctx, terms).await?;
    ctx.check_estate(terms).await?;
    let protected = Protected::read(ctx, terms).await?;
    admit(ctx, &protected, Source::Graph, terms).await?;
    let mut listing = Listing::begin(ctx, Source::Graph, Some(RESOURCES_MAX), terms).await?;
    let mut collected = Collected::default();
    let mut seen = HashSet::new();
    'pages: while let Some(page) = listing.next(ctx, terms).await? {
        collected.survey.unreadable += page.unreadable.len();
        page.unreadable.iter().for_each(warn_of);
        for (index, resource) in page.resources.iter().enumerate() {
            if collected.to_seal.len() == RESOURCES_MAX {
                collected.left = page.resources.len() - index;
                break 'pages;
            }
            // Pages overlap when the table changes between them.
            if seen.insert(resource.id.clone()) && collected.survey.add(ctx, &protected, resource).is_some() {
                collected.to_seal.push(resource.id.clone());
            }
        }
        if !has_time(terms) {
            break;
        }
    }
    collected.left += listing.remaining();
    let unsealed = collected.survey.unsealed + collected.left;
    let total = coverage::total(ctx, &listing, terms).await;
    coverage::tell(Survey { unsealed, ..collected.survey }, total);
    if ctx.policy.mode == Mode::Audit {
        collected.to_seal.clear();
    }
    Ok(collected)
}

/// While the operator's switch is off, a sweep is not begun; in audit mode it would write nothing anyway.
async fn check_switch(ctx: &Context, terms: Terms) -> Result<(), Error> {
    if ctx.policy.mode == Mode::Enforce && !ctx.is_switched_on(terms).await {
        return Err(Error::SwitchedOff);
    }
    Ok(())
}

/// Counts the plan before anything is written, where there are limits to hold it against.
async fn admit(ctx: &Context, protected: &Protected, source: Source, terms: Terms) -> Result<(), Error> {
    let limits = ctx.policy.limits;
    if ctx.policy.mode == Mode::Audit || !limits.are_set() {
        return Ok(());
    }
    let mut listing = Listing::begin(ctx, source, None, terms).await?;
    let mut survey = Survey::default();
    let mut listed = 0;
    while let Some(page) = listing.next(ctx, terms).await? {
        listed += page.resources.len();
        for resource in &page.resources {
            survey.count(ctx, protected, resource);
        }
    }
    let all = listing.in_scope(ctx, terms).await?.unwrap_or(listed);
    Ok(limits.admit(survey.unsealed, all)?)
}
