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

/// Where a listing begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    /// A random number, which decides about the place.
    pub(super) seed: u64,
    /// A query with more rows begins there.
    pub(super) rows_max: usize,
}

/// How many hashes are kept unsorted at least.
const RECENT_MIN: usize = 1 << 14;

/// Hashes of what was listed, so that the IDs of a large scope are not stored. Most are in a sorted list, because a set
/// takes two to four times as much memory: a million resources take 8 MiB.
#[derive(Debug, Default)]
pub struct Seen {
    hasher: RandomState,
    sorted: Vec<u64>,
    recent: HashSet<u64>,
}

impl Seen {
    /// Adds something; returns whether it is new.
    pub fn insert(&mut self, one: &impl Hash) -> bool {
        let hash = self.hasher.hash_one(one);
        if self.sorted.binary_search(&hash).is_ok() || !self.recent.insert(hash) {
            return false;
        }
        // A share of what is sorted, so that each hash is sorted again a fixed number of times.
        if self.recent.len() >= RECENT_MIN.max(self.sorted.len() / 8) {
            self.sorted.extend(self.recent.drain());
            self.sorted.sort_unstable();
        }
        true
    }
}

/// The queries over a scope: one, or several that name its subscriptions.
pub(super) fn queries(text: &str, scope: &Scope) -> VecDeque<Part> {
    let query = |scope| Part::Query(QueryPages::new(Query::new(text.to_owned(), scope)));
    scopes(scope).into_iter().map(query).collect()
}

/// The scopes of the queries over a scope.
pub(super) fn scopes(scope: &Scope) -> Vec<Scope> {
    match scope {
        Scope::Subscriptions(ids) if !ids.is_empty() => {
            ids.chunks(SUBSCRIPTIONS_MAX).map(|ids| Scope::Subscriptions(ids.to_vec())).collect()
        }
        scope => vec![scope.clone()],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_new_once_however_many_there_are() {
        let mut seen = Seen::default();
        let count = RECENT_MIN * 3 + 1;
        assert!((0..count).all(|number| seen.insert(&number)));
        assert!(!(0..count).any(|number| seen.insert(&number)));
        assert_eq!((seen.sorted.len(), seen.recent.len()), (RECENT_MIN * 3, 1));
        assert!(seen.insert(&count));
    }
}
