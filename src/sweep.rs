//! The sweep: seals what events have missed.
//!
//! It lists everything in scope, decides by the handler's rules, and hands over what is unsealed: to the queue,
//! which several instances of the app process ([`collect`]), or to `enforce` in this process ([`seal_all`]). The
//! listing may be outdated, so each resource is read again before it is written.

mod apply;
mod coverage;
mod plan;
mod seal_all;

use std::{
    collections::HashMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use time::OffsetDateTime;
use tracing::warn;

pub use apply::{apply, revert_all};
pub use plan::{FORMAT, Lacking, Plan, PlanFault, PlanWriter, Planned, Settings};
pub use seal_all::{Advance, Found, list_open, plan, seal_all};

pub use crate::estate::Notable;

use crate::{
    arm,
    azure::Terms,
    enforce::{self, Context, Trigger, writes_of_a_seal},
    estate::{Judged, Listing, Protected, Survey, Todo, has_time, warn_of_unreadable},
    policy::{Exceeded, Guarded, Mode, decide::Decision},
    report::{Gap, Source},
    resource::Resource,
    resource_id::ResourceId,
    telemetry::metrics,
};

/// Maximum number of resources that one run hands over to the queue. The host writes the messages one by one before
/// its `functionTimeout`, and the next run lists what is left.
const RESOURCES_MAX: usize = 2_000;
/// How many characters a line of the log has of why a part of the scope could not be read.
const WHY_MAX: usize = 400;
/// Maximum number of notable resources of one run, for the same reason.
const NOTABLE_MAX: usize = 500;

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
    /// The resources to seal; none that is in audit.
    pub to_seal: Vec<ResourceId>,
    /// The number of unsealed resources left to the next run, because this run reached its limit. If there are too many
    /// for one run, each run starts at another place.
    pub left: usize,
    /// What is left as it is, and a person should know.
    pub notable: Vec<Notable>,
    /// The number of those that are not among them, because there are too many.
    pub more_notable: usize,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} left to the next run", self.survey, self.left)
    }
}

/// Lists the unsealed resources in scope, up to the number that one run can hand over.
///
/// # Errors
/// Azure cannot be asked, refuses the whole scope, or the plan exceeds a limit. If Resource Graph refuses, the exact lists are read instead. What
/// was read before an error is handed over, and the rest is a gap.
pub async fn collect(ctx: &Context, terms: Terms) -> Result<Collected, Error> {
    collect_for(ctx, None, terms).await
}

/// The same, and of each subscription no more than can be sealed within `interval`, the time until the next run. So
/// the instances that seal them keep to the pace that is set on the average, however many they are, and messages of
/// one run do not pile up on those of the run before.
///
/// # Errors
/// Those of [`collect`].
pub async fn collect_for(
    ctx: &Context,
    interval: Option<Duration>,
    terms: Terms,
) -> Result<Collected, Error> {
    let result = list(ctx, interval, terms).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn list(ctx: &Context, interval: Option<Duration>, terms: Terms) -> Result<Collected, Error> {
    let most = interval.map_or(RESOURCES_MAX, |interval| most_within(ctx, interval));
    check_switch(ctx, terms).await?;
    ctx.check_scope(terms).await?;
    let (arm, policy) = (&ctx.arm, &ctx.policy);
    let protected = ctx.protected(terms).await;
    admit(ctx, &protected, Source::Graph, terms).await?;
    let mut listing =
        Listing::of_unsealed(policy, Source::Graph).beginning_at(seed(ctx.now()), RESOURCES_MAX);
    let mut collected = Collected::default();
    let mut of_subscriptions = HashMap::<String, usize>::new();
    loop {
        let page = match listing.next(arm, terms).await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(error) if !listing.has_read() => return Err(error.into()),
            Err(error) => {
                // What was read is handed over all the same.
                listing.stop_at(&error);
                break;
            }
        };
        collected.survey.unreadable += page.unreadable.len();
        page.unreadable.iter().for_each(warn_of_unreadable);
        ctx.read_rights(&page.resources, terms).await;
        for resource in &page.resources {
            let judged = Judged::new(&ctx.policy, &protected, resource, ctx.now());
            if let Some(notable) = judged.notable() {
                if collected.notable.len() < NOTABLE_MAX {
                    collected.notable.push(notable);
                } else {
                    collected.more_notable += 1;
                }
            }
            let todo = count(judged, &mut collected.survey);
            // What is in audit is counted, and no look could do more.
            if todo.is_none() || policy.ring_of(resource) == Mode::Audit {
                continue;
            }
            // Every row is read, so that what is never handed over hides nothing.
            let subscription = resource.id.subscription_id().to_ascii_lowercase();
            let of_subscription = of_subscriptions.entry(subscription).or_default();
            if collected.to_seal.len() < RESOURCES_MAX && *of_subscription < most {
                *of_subscription += 1;
                collected.to_seal.push(resource.id.clone());
            } else {
                collected.left += 1;
            }
        }
        if !has_time(terms) {
            listing.stop("the time of this run was over");
            break;
        }
    }
    if let Some(refusal) = listing.refusal() {
        // A sweep that knows nothing of its scope is no success.
        return Err(refusal.clone().into());
    }
    let survey = &mut collected.survey;
    survey.add_exemptions(&policy.exemptions, ctx.now());
    survey.close(&listing);
    survey.warn_of_vaults(policy.backup_guard);
    warn_of_gaps(survey);
    coverage::export(survey, coverage::total(ctx, &listing, terms).await);
    Ok(collected)
}

/// How many resources of one subscription can be sealed within this time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number within the maximum"
)]
fn most_within(ctx: &Context, interval: Duration) -> usize {
    let seals =
        interval.as_secs_f64() * ctx.arm.writes_per_second() / f64::from(writes_of_a_seal(&ctx.policy));
    (seals as usize).clamp(1, RESOURCES_MAX)
}

/// A number that differs from run to run whatever the schedule is, and is the same for the same time.
fn seed(now: OffsetDateTime) -> u64 {
    let mut hasher = DefaultHasher::new();
    now.unix_timestamp().hash(&mut hasher);
    hasher.finish()
}

fn warn_of_gaps(survey: &Survey) {
    for Gap { what, why } in &survey.gaps {
        // A command shows all of it.
        let (short, end) = match why.char_indices().nth(WHY_MAX) {
            Some((end, _)) => (&why[..end], "…"),
            None => (why.as_str(), ""),
        };
        warn!("not read: {what}: {short}{end}");
    }
}

/// What a listing decides about a resource.
struct Added {
    /// What is to be done about it.
    todo: Option<Todo>,
    /// Why it is left as it is.
    left: Option<Decision>,
    /// Whether it stays in audit while others are sealed.
    is_in_audit: bool,
}

/// Counts a resource, logs its notices, and returns what is to be done about it.
fn add(ctx: &Context, protected: &Protected, resource: &Resource, survey: &mut Survey) -> Added {
    let judged = Judged::new(&ctx.policy, protected, resource, ctx.now());
    let (left, is_in_audit) = (judged.left().cloned(), judged.is_in_audit());
    Added { todo: count(judged, survey), left, is_in_audit }
}

fn count(judged: Judged<'_>, survey: &mut Survey) -> Option<Todo> {
    judged.warn();
    if let Some(guarded @ Guarded::Unknown) = judged.guarded() {
        // It is not handed over, so no look counts it.
        let kind = judged.kind().label();
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
    let mut listing = Listing::of_unsealed(&ctx.policy, source).narrowed(&ctx.options.selection);
    let mut survey = Survey::default();
    let mut listed = 0;
    while let Some(page) = listing.next(&ctx.arm, terms).await? {
        listed += page.resources.len();
        ctx.read_rights(&page.resources, terms).await;
        for resource in &page.resources {
            survey.add(Judged::new(&ctx.policy, protected, resource, ctx.now()));
        }
    }
    let all = match listing.in_scope(&ctx.arm, terms).await {
        Ok(all) => all.unwrap_or(listed),
        Err(error) if error.is_refusal() => listed,
        Err(error) => return Err(error.into()),
    };
    Ok(limits.admit(survey.counts.unsealed - survey.in_audit, all)?)
}
