//! A whole sweep in one process.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use futures::{StreamExt, stream};

use super::{
    Error, Protected, Survey, admit,
    listing::{Listing, Source},
};
use crate::{
    enforce::{self, Context, Deadline, Look, Outcome, enforce},
    policy::decide::Change,
    resource_id::ResourceId,
};

/// How long a listing may take, its quota's waits included.
const LISTING_TIME: Duration = Duration::from_hours(1);
/// How often everything is listed at most. What was sealed meanwhile makes the pages move, so that a
/// listing can pass over what the next one finds.
const LISTINGS_MAX: usize = 5;

/// What a sweep tells while it goes on.
#[derive(Debug)]
pub enum Told {
    /// So many resources are known to be listed in all.
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
    let (hasher, mut seen) = (RandomState::new(), HashSet::new());
    let mut survey = Survey::default();
    let protected = Protected::read(ctx, listing_time()).await?;
    let mut listing = Listing::begin(ctx, source, None, listing_time()).await?;
    while let Some(page) = listing.next(ctx, listing_time()).await? {
        survey.unreadable += page.unreadable;
        for resource in page.resources.iter().filter(|resource| seen.insert(hasher.hash_one(&resource.id))) {
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
    mut tell: impl FnMut(Told),
) -> Result<Survey, Error> {
    let protected = Protected::read(ctx, listing_time()).await?;
    admit(ctx, &protected, source, listing_time()).await?;
    // Hashes of what was tried: a sweep of a large estate keeps no IDs.
    let (hasher, mut tried) = (RandomState::new(), HashSet::new());
    let mut survey = Survey::default();
    for _ in 0..LISTINGS_MAX {
        let mut listing = Listing::begin(ctx, source, None, listing_time()).await?;
        tell(Told::Listed(listing.remaining()));
        let mut is_anything_new = false;
        while let Some(page) = listing.next(ctx, listing_time()).await? {
            survey.unreadable += page.unreadable;
            let fresh = page.resources.iter().filter(|resource| tried.insert(hasher.hash_one(&resource.id)));
            let to_seal: Vec<_> = fresh
                .filter(|resource| survey.add(ctx, &protected, resource).is_some())
                .map(|resource| resource.id.clone())
                .collect();
            is_anything_new |= !to_seal.is_empty();
            let work = stream::iter(to_seal).map(|resource| async {
                let look = Look { resource, event_time: None };
                let result = enforce(ctx, &look, Deadline::after(deadline).behind_events()).await;
                Told::Ended(look.resource, result)
            });
            let mut work = work.buffer_unordered(concurrency);
            while let Some(told) = work.next().await {
                tell(told);
            }
        }
        if !is_anything_new {
            break;
        }
    }
    Ok(survey)
}

fn listing_time() -> Deadline {
    Deadline::after(LISTING_TIME).behind_events()
}
