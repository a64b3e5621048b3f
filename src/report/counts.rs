//! How many resources are in each state.

use indicatif::HumanCount;
use serde::Serialize;

use super::Status;

/// How many resources are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sealed.
    pub sealed: usize,
    /// Left as they are, for a recorded reason.
    pub exempt: usize,
    /// Not sealed, and cannot be sealed now.
    pub pending: usize,
    /// Not sealed.
    pub unsealed: usize,
}

impl Counts {
    /// The sum.
    pub const fn total(&self) -> usize {
        self.sealed + self.exempt + self.pending + self.unsealed
    }

    /// How many are neither sealed nor exempt.
    pub const fn open(&self) -> usize {
        self.pending + self.unsealed
    }

    /// How many are in this state.
    pub const fn of(&self, status: Status) -> usize {
        match status {
            Status::Sealed => self.sealed,
            Status::Exempt => self.exempt,
            Status::Pending => self.pending,
            Status::Unsealed => self.unsealed,
        }
    }

    /// The share of sealed resources in per mille, rounded down, so that 1000 means all. None if there are none.
    pub fn sealed_permille(&self) -> Option<usize> {
        (self.sealed * 1_000).checked_div(self.total())
    }

    /// The same as a percentage with one decimal.
    pub(super) fn sealed_percent(&self) -> String {
        percent(self.sealed_permille())
    }

    /// The share of resources that are sealed or exempt, as [`Self::sealed_permille`].
    pub fn sealed_or_exempt_permille(&self) -> Option<usize> {
        ((self.sealed + self.exempt) * 1_000).checked_div(self.total())
    }

    /// The same as a percentage with one decimal.
    pub(super) fn sealed_or_exempt_percent(&self) -> String {
        percent(self.sealed_or_exempt_permille())
    }

    /// Counts one more resource.
    pub fn add(&mut self, status: Status) {
        *match status {
            Status::Sealed => &mut self.sealed,
            Status::Exempt => &mut self.exempt,
            Status::Pending => &mut self.pending,
            Status::Unsealed => &mut self.unsealed,
        } += 1;
    }
}

fn percent(permille: Option<usize>) -> String {
    permille.map_or_else(|| "–".to_owned(), |mille| format!("{}.{} %", mille / 10, mille % 10))
}

/// A number with commas between thousands.
pub(super) fn grouped(number: usize) -> String {
    HumanCount(number as u64).to_string()
}
