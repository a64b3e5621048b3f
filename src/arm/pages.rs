//! The way through the pages of a list, which has to end.
//!
//! A list that leads back to one of its pages, or has a next page for ever, must not keep a sweep or a report going.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use super::{
    api::Api,
    error::{Error, SystemFailure},
};

/// Maximum number of pages of one list: ten million resources at the page size of Resource Graph.
const PAGES_MAX: usize = 10_000;

/// The pages that were asked for, by the hashes of their addresses or tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    hasher: RandomState,
    asked: HashSet<u64>,
}

impl Trail {
    /// The number of pages.
    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Notes the way to the next page.
    ///
    /// # Errors
    /// The list has been there before, or has too many pages. What was read of it is not the whole.
    pub(super) fn step(&mut self, api: &Api, way: &str) -> Result<(), Error> {
        let fault = |message: &str| Error::without_answer(api.what, SystemFailure::Unreadable, message);
        if !self.asked.insert(self.hasher.hash_one(way)) {
            return Err(fault("the list leads back to a page that was read before"));
        }
        if self.asked.len() > PAGES_MAX {
            return Err(fault("the list has more pages than any list can have"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::api::DISKS;

    #[test]
    fn a_list_ends_where_it_repeats_and_after_its_last_page() {
        let mut trail = Trail::default();
        assert!(trail.step(&DISKS, "a").is_ok() && trail.step(&DISKS, "b").is_ok());
        assert!(trail.step(&DISKS, "a").unwrap_err().message.contains("leads back"));
        let mut trail = Trail::default();
        assert!((0..PAGES_MAX).all(|page| trail.step(&DISKS, &page.to_string()).is_ok()));
        assert!(trail.step(&DISKS, "one more").unwrap_err().message.contains("more pages"));
    }
}
