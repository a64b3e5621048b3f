//! A whole sweep in one process.

use std::time::Duration;

use futures::{SinkExt, StreamExt, channel::mpsc, stream};

use super::{
    Added, Error, add, admit, check_switch,
    coverage::{self, Total},
};
use crate::{
    arm,
    azure::Terms,
    enforce::{self, Context, Look, Outcome, Trigger, enforce},
    estate::{Listed, Listing, Protected, Seen, Survey, Todo, warn_of_unreadable},
    policy::{
        NamedBy,
        decide::{Change, Decision},
    },
    report::Source,
    resource::Resource,
    resource_id::ResourceId,
    telemetry::metrics,
};

/// Time limit of a listing, including waits for its quota.
const LISTING_TIME: Duration = Duration::from_hours(1);

/// Progress of a sweep.
#[derive(Debug)]
pub enum Advance {
    /// This many resources are expected in all, as far as it is known.
    Expected(usize),
    /// The listing alone decided about a resource, and leaves it as it is.
    Left(ResourceId, Decision),
    /// A look at one resource ended.
    Ended(ResourceId, Result<Outcome, enforce::Error>),
}

/// A resource of a listing that is not sealed.
#[derive(Debug)]
pub enum Found<'a> {
    /// It would be sealed by this change, or is in audit while others are sealed.
    ToSeal {
        /// The resource.
        resource: &'a Resource,
        /// What is missing.
        change: Change,
        /// Whether no ring that is sealed contains it.
        is_in_audit: bool,
    },
    /// It is listed in a form that cannot be read, so that only a look can decide.
    ToLookAt(&'a Resource),
    /// It is left as it is.
    Left(&'a Resource, Decision),
}

/// Lists the resources that would be sealed, with the change of each; an empty one if only a look can decide. Never
/// writes.
///
/// # Errors
/// A request to ARM failed.
pub async fn plan(
    ctx: &Context,
    source: Source,
    mut on_change: impl FnMut(&Resource, Change),
) -> Result<Survey, Error> {
    let on_found = |found: Found<'_>| match found {
        Found::ToSeal { resource, change, .. } => on_change(resource, change),
        Found::ToLookAt(resource) => on_change(resource, Change::default()),
        Found::Left(..) => {}
    };
    list_open(ctx, source, on_found).await
}

/// Lists what is not sealed, and counts what is. Never writes.
///
/// # Errors
/// A request to ARM failed.
pub async fn list_open(
    ctx: &Context,
    source: Source,
    mut on_found: impl FnMut(Found<'_>),
) -> Result<Survey, Error> {
    let mut survey = Survey::default();
    survey.add_exemptions(&ctx.policy.exemptions, ctx.now());
    ctx.check_scope(listing_time()).await?;
    let protected = ctx.protected(listing_time()).await;
    let mut listing = Listing::of_unsealed(&ctx.policy, source).narrowed(&ctx.options.selection);
    while let Some(page) = listing.next(&ctx.arm, listing_time()).await? {
        survey.unreadable += page.unreadable.len();
        page.unreadable.iter().for_each(warn_of_unreadable);
        ctx.read_rights(&page.resources, listing_time()).await;
        for resource in &page.resources {
            let Added { todo, left, is_in_audit } = add(ctx, &protected, resource, &mut survey);
            match todo {
                Some(Todo::Seal(change)) => on_found(Found::ToSeal { resource, change, is_in_audit }),
                Some(Todo::Look) => on_found(Found::ToLookAt(resource)),
                None => left.into_iter().for_each(|left| on_found(Found::Left(resource, left))),
            }
        }
    }
    survey.close(&listing);
    survey.warn_of_vaults(ctx.policy.backup_guard);
    // A count of the whole scope says nothing of a part of it.
    if ctx.options.selection.is_all()
        && let Total::Counted(all) = coverage::counted(ctx, &listing, listing_time()).await
    {
        survey.in_scope = Some(all);
    }
    Ok(survey)
}

/// Seals everything in scope, `concurrency` at a time, each within `time`.
///
/// # Errors
/// A request to ARM failed, or the plan exceeds a limit; in the latter case nothing was written.
pub async fn seal_all(
    ctx: &Context,
    source: Source,
    concurrency: usize,
    time: Duration,
    on_advance: impl FnMut(Advance),
) -> Result<Survey, Error> {
    let result = list_and_seal(ctx, source, concurrency, time, on_advance).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn list_and_seal(
    ctx: &Context,
    source: Source,
    concurrency: usize,
    time: Duration,
    mut on_advance: impl FnMut(Advance),
) -> Result<Survey, Error> {
    check_switch(ctx, listing_time()).await?;
    ctx.check_scope(listing_time()).await?;
    let protected = ctx.protected(listing_time()).await;
    admit(ctx, &protected, source, listing_time()).await?;
    let mut survey = Survey::default();
    survey.add_exemptions(&ctx.policy.exemptions, ctx.now());
    let mut seen = Seen::default();
    let mut total = None;
    let mut handed_over = 0;
    // Sealing during a listing shifts its pages, so that the listing skips rows, which the next listing finds. The
    // loop ends because each round must find something new, and no look is in progress when the last one begins.
    loop {
        let known = survey.counts.unsealed;
        let fresh = Fresh {
            ctx,
            source,
            protected: &protected,
            survey: &mut survey,
            seen: &mut seen,
            total: &mut total,
            handed_over: &mut handed_over,
        };
        // One or two pages are read ahead, so that no look waits for a listing.
        let (sender, steps) = mpsc::channel(0);
        let work = steps.map(stream::iter).flatten().map(|step| async {
            let resource = match step {
                Step::Expect(all) => return Advance::Expected(all),
                Step::Left(resource, decision) => return Advance::Left(resource, decision),
                Step::Seal(resource) => resource,
            };
            // A person has begun the sweep, and may have no handler whose events could be missed.
            let look = Look::new(resource, Trigger::Sweep, time).first_named_by(NamedBy::Command);
            let result = enforce(ctx, &look).await;
            Advance::Ended(look.resource, result)
        });
        let work = work.buffer_unordered(concurrency).map(&mut on_advance).collect::<()>();
        // If a listing fails, the looks in progress are finished first.
        let (end, ()) = futures::join!(fresh.list(sender), work);
        end?;
        if survey.counts.unsealed == known {
            survey.warn_of_vaults(ctx.policy.backup_guard);
            // The rest of the scope was not counted.
            if ctx.options.selection.is_all() {
                let total = total.unwrap_or(Total::Unknown);
                coverage::export(&survey, total);
                if let Total::Counted(all) = total {
                    survey.in_scope = Some(all);
                }
            }
            return Ok(survey);
        }
    }
}

/// A request from a listing to the loop that seals.
enum Step {
    /// Expect this many resources in all.
    Expect(usize),
    /// Leave this resource as it is.
    Left(ResourceId, Decision),
    /// Seal this resource.
    Seal(ResourceId),
}

/// Repeated listings of resources to seal, without those that an earlier listing had.
struct Fresh<'a> {
    ctx: &'a Context,
    source: Source,
    protected: &'a Protected,
    survey: &'a mut Survey,
    seen: &'a mut Seen,
    total: &'a mut Option<Total>,
    /// How many resources were handed over to the loop so far.
    handed_over: &'a mut usize,
}

impl Fresh<'_> {
    /// Lists until a listing finds nothing new, while resources of earlier listings are being sealed.
    async fn list(mut self, mut steps: mpsc::Sender<Vec<Step>>) -> Result<(), arm::Error> {
        loop {
            let known = self.survey.counts.unsealed;
            self.survey.unreadable = 0;
            let is_first = self.total.is_none();
            let (arm, policy) = (&self.ctx.arm, &self.ctx.policy);
            let mut listing = Listing::of_unsealed(policy, self.source).narrowed(&self.ctx.options.selection);
            while let Some(page) = listing.next(arm, listing_time()).await? {
                self.ctx.read_rights(&page.resources, listing_time()).await;
                let steps_of_page = self.steps(&page);
                *self.handed_over += steps_of_page.len();
                // Later listings repeat what is left as it is.
                let to_come = if is_first { listing.remaining() } else { 0 };
                let expected = Step::Expect(*self.handed_over + to_come);
                // The receiver outlives the listing.
                let _ = steps.send(std::iter::once(expected).chain(steps_of_page).collect()).await;
            }
            self.survey.close(&listing);
            if self.total.is_none() {
                *self.total = Some(coverage::counted(self.ctx, &listing, listing_time()).await);
            }
            if self.survey.counts.unsealed == known {
                return Ok(());
            }
        }
    }

    fn steps(&mut self, page: &Listed) -> Vec<Step> {
        self.survey.unreadable += page.unreadable.len();
        page.unreadable.iter().filter(|one| self.seen.insert(&one.what)).for_each(warn_of_unreadable);
        let mut steps = vec![];
        for resource in page.resources.iter().filter(|resource| self.seen.insert(&resource.id)) {
            let Added { todo, left, .. } = add(self.ctx, self.protected, resource, self.survey);
            match todo {
                Some(_) => steps.push(Step::Seal(resource.id.clone())),
                None => steps.extend(left.map(|left| Step::Left(resource.id.clone(), left))),
            }
        }
        steps
    }
}

pub(super) fn listing_time() -> Terms {
    Terms::behind_events(LISTING_TIME)
}
