//! A whole sweep in one process.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use futures::{SinkExt, StreamExt, channel::mpsc, stream};

use super::{
    Error, Protected, Survey, admit, check_switch,
    coverage::{self, Total},
    listing::{Listed, Listing, Source},
    warn_of,
};
use crate::{
    arm,
    azure::Terms,
    enforce::{self, Context, Look, Outcome, Trigger, enforce},
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
    ctx.check_estate(listing_time()).await?;
    let protected = Protected::read(ctx, listing_time()).await?;
    let mut listing = Listing::begin(ctx, source, None, listing_time()).await?;
    while let Some(page) = listing.next(ctx, listing_time()).await? {
        survey.unreadable += page.unreadable.len();
        page.unreadable.iter().for_each(warn_of);
        for resource in page.resources.iter().filter(|resource| seen.insert(&resource.id)) {
            if let Some(change) = survey.add(ctx, &protected, resource) {
                tell(resource.id.clone(), change);
            }
        }
    }
    Ok(survey)
}

/// Seals all that is in scope, `concurrency` at a time, each within `time`.
///
/// # Errors
/// ARM could not be asked, or the plan is larger than a limit allows; then nothing was written.
pub async fn seal_all(
    ctx: &Context,
    source: Source,
    concurrency: usize,
    time: Duration,
    tell: impl FnMut(Told),
) -> Result<Survey, Error> {
    let result = list_and_seal(ctx, source, concurrency, time, tell).await;
    metrics::sweep_run(result.as_ref().err().map(Error::reason));
    result
}

async fn list_and_seal(
    ctx: &Context,
    source: Source,
    concurrency: usize,
    time: Duration,
    mut tell: impl FnMut(Told),
) -> Result<Survey, Error> {
    check_switch(ctx, listing_time()).await?;
    ctx.check_estate(listing_time()).await?;
    let protected = Protected::read(ctx, listing_time()).await?;
    admit(ctx, &protected, source, listing_time()).await?;
    let mut survey = Survey::default();
    let mut seen = Seen::default();
    let mut total = None;
    // What is sealed meanwhile makes the pages move, so that a listing passes over what the next one finds. It
    // ends because each round must bring something new, and the last one finds nothing in flight.
    loop {
        let known = survey.unsealed;
        let fresh = Fresh {
            ctx,
            source,
            protected: &protected,
            survey: &mut survey,
            seen: &mut seen,
            total: &mut total,
        };
        // A page or two are there before they are needed, so that no place in flight waits for a listing.
        let (sender, steps) = mpsc::channel(0);
        let work = steps.map(stream::iter).flatten().map(|step| async {
            let resource = match step {
                Step::Listed(count) => return Told::Listed(count),
                Step::Seal(resource) => resource,
            };
            let look = Look::new(resource, Trigger::Sweep, time);
            let result = enforce(ctx, &look).await;
            Told::Ended(look.resource, result)
        });
        let work = work.buffer_unordered(concurrency).map(&mut tell).collect::<()>();
        // Where a listing breaks off, what is in flight is brought to its end first.
        let (end, ()) = futures::join!(fresh.list(sender), work);
        end?;
        if survey.unsealed == known {
            coverage::tell(survey, total.unwrap_or(Total::Unknown));
            return Ok(survey);
        }
    }
}

/// What a listing gives to do.
enum Step {
    /// So many resources are listed from here on.
    Listed(usize),
    /// This one is to be sealed.
    Seal(ResourceId),
}

/// Hashes of what was listed: a sweep of a large estate keeps no IDs.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Whether it was not there before.
    fn insert(&mut self, id: &impl Hash) -> bool {
        self.hashes.insert(self.hasher.hash_one(id))
    }
}

/// Listings, page by page, of what is to be sealed and was on none before.
struct Fresh<'a> {
    ctx: &'a Context,
    source: Source,
    protected: &'a Protected,
    survey: &'a mut Survey,
    seen: &'a mut Seen,
    total: &'a mut Option<Total>,
}

impl Fresh<'_> {
    /// Lists until a listing brings nothing new, while what earlier ones have brought is worked on.
    async fn list(mut self, mut steps: mpsc::Sender<Vec<Step>>) -> Result<(), arm::Error> {
        loop {
            let known = self.survey.unsealed;
            self.survey.unreadable = 0;
            let mut listing = Listing::begin(self.ctx, self.source, None, listing_time()).await?;
            if self.total.is_none() {
                *self.total = Some(coverage::total(self.ctx, &listing, listing_time()).await);
            }
            let mut next = vec![Step::Listed(listing.remaining())];
            while let Some(page) = listing.next(self.ctx, listing_time()).await? {
                next.extend(self.unsealed(&page));
                // Who works on it outlives the listing.
                let _ = steps.send(std::mem::take(&mut next)).await;
            }
            if self.survey.unsealed == known {
                return Ok(());
            }
        }
    }

    fn unsealed(&mut self, page: &Listed) -> Vec<Step> {
        self.survey.unreadable += page.unreadable.len();
        page.unreadable.iter().filter(|one| self.seen.insert(&one.what)).for_each(warn_of);
        let mut unsealed = vec![];
        for resource in page.resources.iter().filter(|resource| self.seen.insert(&resource.id)) {
            if self.survey.add(self.ctx, self.protected, resource).is_some() {
                unsealed.push(Step::Seal(resource.id.clone()));
            }
        }
        unsealed
    }
}

fn listing_time() -> Terms {
    Terms::behind_events(LISTING_TIME)
}
