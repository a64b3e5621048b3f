//! The parts of a scope, and what an error means for the other parts.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use super::pages::{Part, QueryPages};
use crate::{
    arm::{Error, Failure, Query, SystemFailure, api},
    azure::Terms,
    scope::Scope,
};

/// The time that a page needs, including waits for its quota.
const PAGE_TIME: Duration = Duration::from_secs(20);
/// Maximum number of subscriptions that one query names ("Troubleshoot errors using Azure Resource Graph", too many
/// subscriptions).
pub(super) const SUBSCRIPTIONS_MAX: usize = 1_000;

/// Hashes of what was listed, so that the IDs of a large scope are not stored.
#[derive(Debug, Default)]
pub struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Adds something; returns whether it is new.
    pub fn insert(&mut self, one: &impl Hash) -> bool {
        self.hashes.insert(self.hasher.hash_one(one))
    }
}

/// The queries over a scope: one, or several that name its subscriptions.
pub(super) fn queries(text: &str, scope: &Scope) -> VecDeque<Part> {
    let query = |scope| Part::Query(QueryPages::new(Query::new(text.to_owned(), scope)));
    match scope {
        Scope::Subscriptions(ids) if !ids.is_empty() => {
            ids.chunks(SUBSCRIPTIONS_MAX).map(|ids| query(Scope::Subscriptions(ids.to_vec()))).collect()
        }
        scope => VecDeque::from([query(scope.clone())]),
    }
}

pub(super) fn rotate(parts: &mut VecDeque<Part>, seed: u64) {
    if !parts.is_empty() {
        parts.rotate_left(usize::try_from(seed).unwrap_or_default() % parts.len());
    }
}

/// Whether Resource Graph refuses a page for its size.
pub(super) fn is_too_large(error: &Error) -> bool {
    let codes = [&error.code, &error.innermost_code];
    codes.into_iter().flatten().any(|code| code.eq_ignore_ascii_case("ResponsePayloadTooLarge"))
}

/// Whether another list may be read although this one was not answered.
pub(super) fn is_of_one(error: &Error) -> bool {
    use SystemFailure::{ServerError, Throttled, Timeout};
    matches!(error.failure, Failure::System(ServerError | Throttled | Timeout))
        && error.what != api::SUBSCRIPTIONS.what
}

/// Whether another page can be read in time.
pub fn has_time(terms: Terms) -> bool {
    terms.allow(PAGE_TIME)
}
