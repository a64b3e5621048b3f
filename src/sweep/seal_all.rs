//! A whole sweep in one process.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use futures::{StreamExt, stream};

use super::{
    Error, Protected, Survey, admit, check_switch,
    coverage::{self, Total},
    listing::{Listing, Source},
};
use crate::{
    arm,
    enforce::{self, Context, Deadline, Look, Outcome, Trigger, enforce},
    policy::decide::Change,
    resource_id::ResourceId,
    telemetry::metrics,
};

/// How long a listing may take, its quota's waits included.
const LISTING_TIME: Duration = Duration::from_hours(1);

/// What a sweep tells while it goes on.
#[derive(Debug)]
pub enum Told {
    /// So many resources are listed from here on, where the listing says.
    Listed(usize),
    /// This is what became of one.
    Ended(ResourceId, Result<Outcome, enforce::Error>),
}

/// Lists what would be sealed, and by which change. Never writes.
///
/// # Errors
/// ARM could not be asked.
pub async fn plan(
    ctx: &Context,
    source: Source,
    mut tell: impl FnMut(ResourceId, Change),
) -> Result<Survey, Error> {
    let mut seen = Seen::default();
    let mut survey = Survey::default();
    let protected = Protected::read(ctx, listing_time()).await?;
    let mut listing = Listing::begin(ctx, source, None, listing_time()).await?;
    while let Some(page) = listing.next(ctx, listing_time()).await? {
        survey.unreadable += page.unreadable;
        for resource in page.resources.iter().filter(|resource| seen.insert(&resource.id)) {
            if let Some(change) = survey.add(ctx, &protected, resource) {
                tell(resource.id.clone(), change);
            }
        }
    }
    Ok(survey)
}

/// Seals all that is in scope, so many at once, each within its own deadline.
///
/// # Errors
/// ARM could not be asked, or the plan is larger than a limit allows; then nothing was written.
pub async fn seal_all(
    ctx: &Context,
    source: Source,
    concurrency: usize,
    deadline: Duration,
    tell: impl FnMut(Told),
) -> Result<Survey, Error> {
    let result = list_and_seal(ctx, source, concurrency, deadline, tell).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn list_and_seal(
    ctx: &Context,
    source: Source,
    concurrency: usize,
    deadline: Duration,
    mut tell: impl FnMut(Told),
) -> Result<Survey, Error> {
    check_switch(ctx, listing_time()).await?;
    let protected = Protected::read(ctx, listing_time()).await?;
    admit(ctx, &protected, source, listing_time()).await?;
    let mut survey = Survey::default();
    let mut seen = Seen::default();
    let mut total = None;
    // What is sealed meanwhile makes the pages move, so that a listing passes over what the next one finds. It
    // ends because each must bring something new.
    loop {
        let listing = Listing::begin(ctx, source, None, listing_time()).await?;
        if total.is_none() {
            total = Some(coverage::total(ctx, &listing, listing_time()).await);
        }
        tell(Told::Listed(listing.remaining()));
        let (known, mut end) = (survey.unsealed, Ok(()));
        survey.unreadable = 0;
        let fresh = Fresh {
            ctx,
            protected: &protected,
            listing,
            survey: &mut survey,
            seen: &mut seen,
            end: &mut end,
        };
        // The next page comes while the last of this one are worked on.
        let to_seal = stream::unfold(fresh, Fresh::page).map(stream::iter).flatten();
        let work = to_seal.map(|resource| async {
            let look = Look { resource, trigger: Trigger::Command, event_time: None };
            let result = enforce(ctx, &look, Deadline::after(deadline).behind_events()).await;
            Told::Ended(look.resource, result)
        });
        let ended = work.buffer_unordered(concurrency);
        ended.map(&mut tell).collect::<()>().await;
        end?;
        if survey.unsealed == known {
            coverage::tell(survey, total.unwrap_or(Total::Unknown));
            return Ok(survey);
        }
    }
}

/// Hashes of what was listed: a sweep of a large estate keeps no IDs.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Whether it was not there before.
    fn insert(&mut self, id: &ResourceId) -> bool {
        self.hashes.insert(self.hasher.hash_one(id))
    }
}

/// A listing, page by page, of what is to be sealed and was on none before.
struct Fresh<'a> {
    ctx: &'a Context,
    protected: &'a Protected,
    listing: Listing,
    survey: &'a mut Survey,
    seen: &'a mut Seen,
    /// Why the listing broke off. What is in flight is brought to its end first.
    end: &'a mut Result<(), arm::Error>,
}

impl Fresh<'_> {
    async fn page(mut self) -> Option<(Vec<ResourceId>, Self)> {
        let page = match self.listing.next(self.ctx, listing_time()).await {
            Ok(page) => page?,
            Err(error) => {
                *self.end = Err(error);
                return None;
            }
        };
        self.survey.unreadable += page.unreadable;
        let mut to_seal = vec![];
        for resource in page.resources.iter().filter(|resource| self.seen.insert(&resource.id)) {
            if self.survey.add(self.ctx, self.protected, resource).is_some() {
                to_seal.push(resource.id.clone());
            }
        }
        Some((to_seal, self))
    }
}

fn listing_time() -> Deadline {
    Deadline::after(LISTING_TIME).behind_events()
}
