//! The report: how much of the scope is sealed, what is not and why, and which exemptions end soon.
//!
//! It counts every resource, and keeps only those that are not sealed or have a warning, to save memory.

mod csv;
mod entry;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod html;
mod json;
mod pending;
mod poison;
mod table;
mod warning;

use std::collections::BTreeMap;

use indicatif::HumanCount;
use serde::Serialize;
use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{policy::days_left, resource_id::ResourceId, scope::Scope};
pub use csv::csv;
pub use entry::{Entry, InUse, Status};
pub use html::html;
pub use json::{FORMAT, json};
pub use poison::PoisonQueue;
pub use table::{Ink, table};

/// The location of a resource for which Azure returns none.
const NO_LOCATION: &str = "unknown";

words! {
    /// The source of the listing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Source, label of labels {
        /// Resource Graph, whose table lags behind the resources ("Keep your data fresh").
        Graph => "resource_graph",
        /// The lists of each subscription, which are exact.
        Lists => "lists",
    }
}

impl Source {
    /// A phrase for people.
    const fn phrase(self) -> &'static str {
        match self {
            Self::Graph => "Azure Resource Graph, which may lag a few minutes behind the resources",
            Self::Lists => "the lists of each subscription, which are exact",
        }
    }
}

/// When, by which identity and from which source the report was taken.
#[derive(Clone, Debug)]
pub struct Run {
    /// The time that expiries are compared with.
    pub taken_at: OffsetDateTime,
    /// The object ID of the identity, if its token has one.
    pub identity: Option<String>,
    /// The subscriptions in scope.
    pub scope: Scope,
    /// The source of the listing.
    pub source: Source,
    /// An exemption that ends within this many days is a warning.
    pub expiring_within: u16,
}

impl Run {
    fn taken_at_text(&self) -> String {
        let time = self.taken_at.to_offset(UtcOffset::UTC);
        time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
    }

    /// Whole days from the day of the run to `until`.
    fn days_left(&self, until: Date) -> i64 {
        days_left(until, self.taken_at)
    }

    /// The same, if that is soon enough for a warning.
    fn ends_soon(&self, until: Date) -> Option<i64> {
        Some(self.days_left(until)).filter(|days| *days <= i64::from(self.expiring_within))
    }
}

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
    fn sealed_percent(&self) -> String {
        self.sealed_permille()
            .map_or_else(|| "–".to_owned(), |mille| format!("{}.{} %", mille / 10, mille % 10))
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

/// A part of the scope that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What is missing from the report.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A warning about one resource, or why it is pending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark<'a> {
    /// A word from a closed set.
    pub reason: &'static str,
    /// A sentence for people.
    pub text: String,
    /// The resource.
    pub id: &'a ResourceId,
}

/// What was found in scope.
#[derive(Clone, Debug)]
pub struct Report {
    run: Run,
    totals: Counts,
    by_subscription: BTreeMap<String, Counts>,
    by_kind: BTreeMap<String, Counts>,
    by_location: BTreeMap<String, Counts>,
    by_reason: BTreeMap<(Status, &'static str), usize>,
    entries: Vec<Entry>,
    gaps: Vec<Gap>,
    poison_queue: Option<PoisonQueue>,
}

impl Report {
    /// An empty report.
    pub fn new(run: Run) -> Self {
        Self {
            run,
            totals: Counts::default(),
            by_subscription: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            by_location: BTreeMap::new(),
            by_reason: BTreeMap::new(),
            entries: vec![],
            gaps: vec![],
            poison_queue: None,
        }
    }

    /// Sets the source of the listing, which is known at its end.
    pub fn set_source(&mut self, source: Source) {
        self.run.source = source;
    }

    /// When the report was taken.
    pub fn taken_at(&self) -> OffsetDateTime {
        self.run.taken_at
    }

    /// Lists a subscription, even if there is nothing in it.
    pub fn add_subscription(&mut self, id: &str) {
        self.by_subscription.entry(id.to_ascii_lowercase()).or_default();
    }

    /// Counts a resource. Keeps it unless it is sealed and has no warning.
    pub fn add(&mut self, entry: Entry) {
        let (status, id) = (entry.status(), &entry.id);
        self.totals.add(status);
        self.by_subscription.entry(id.subscription_id().to_ascii_lowercase()).or_default().add(status);
        self.by_kind.entry(entry.kind().to_owned()).or_default().add(status);
        self.by_location.entry(entry.location().to_owned()).or_default().add(status);
        *self.by_reason.entry((status, entry.reason())).or_default() += 1;
        if status != Status::Sealed || !entry.notices.is_empty() || entry.vault.is_some() {
            self.entries.push(entry);
        }
    }

    /// Adds a part of the scope that could not be read.
    pub fn add_gap(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.gaps.push(Gap { what: what.into(), why: why.into() });
    }

    /// Adds what the poison queue holds. Without it the report does not mention the queue.
    pub fn set_poison_queue(&mut self, queue: PoisonQueue) {
        self.poison_queue = Some(queue);
    }

    /// The counts over all resources.
    pub fn totals(&self) -> Counts {
        self.totals
    }

    /// The parts of the scope that could not be read.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Whether everything in scope was read, and all of it is sealed or exempt.
    pub fn is_clean(&self) -> bool {
        self.gaps.is_empty() && self.totals.open() == 0
    }

    /// Every resource that is not sealed or has a warning: the worst first, then by subscription, resource group
    /// and name.
    pub fn exceptions(&self) -> Vec<&Entry> {
        let mut exceptions: Vec<_> = self.entries.iter().collect();
        exceptions.sort_by_cached_key(|entry| (entry.status(), entry.id.to_string().to_ascii_lowercase()));
        exceptions
    }

    /// The warnings, in the order of [`Self::exceptions`].
    pub fn warnings(&self) -> Vec<Remark<'_>> {
        self.exceptions().into_iter().flat_map(|entry| warning::of(entry, &self.run)).collect()
    }

    /// The pending resources, in the order of [`Self::exceptions`].
    pub fn pending(&self) -> Vec<Remark<'_>> {
        self.exceptions().into_iter().filter_map(pending::of).collect()
    }

    /// The report in one sentence.
    pub fn verdict(&self) -> String {
        let (total, open) = (self.totals.total(), self.totals.open());
        let (all, some) = (grouped(total), grouped(open));
        let known = match (total, open) {
            (0, _) => "Nothing was found in scope".to_owned(),
            (1, 0) => "The only disk or snapshot is sealed or exempt".to_owned(),
            (_, 0) => format!("All {all} disks and snapshots are sealed or exempt"),
            (_, 1) => format!("1 of {all} disks and snapshots is neither sealed nor exempt"),
            _ => format!("{some} of {all} disks and snapshots are neither sealed nor exempt"),
        };
        match (self.gaps.len(), open) {
            (0, _) => format!("{known}."),
            (_, 0) => format!("{known}, but part of the scope could not be read."),
            _ => format!("{known}, and part of the scope could not be read."),
        }
    }

    /// The breakdowns by subscription, kind and location.
    fn breakdowns(&self) -> [(&'static str, &BTreeMap<String, Counts>); 3] {
        [("Subscription", &self.by_subscription), ("Kind", &self.by_kind), ("Location", &self.by_location)]
    }
}

/// A number with commas between thousands.
fn grouped(number: usize) -> String {
    HumanCount(number as u64).to_string()
}

#[cfg(test)]
mod tests;
