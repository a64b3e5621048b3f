//! The report: how much of the scope is sealed, what is not and why, and which exemptions end soon.
//!
//! It counts every resource, and keeps only those that are not sealed or have a warning, unless it is of all resources.

mod control;
mod counts;
mod csv;
mod delay;
mod entry;
mod exemption;
mod exemption_tag;
mod exports;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod html;
mod json;
mod meaning;
mod note;
mod ocsf;
mod pending;
mod poison;
mod restore_points;
mod row;
mod rows;
mod run;
mod stamp;
mod table;
mod warning;

use std::{collections::BTreeMap, io};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    policy::{Defect, Exemptions, Selection},
    resource_id::ResourceType,
};
use control::ByKind;
pub use control::Check;
pub use counts::Counts;
use counts::grouped;
pub use csv::csv;
pub use delay::{Delays, NotByEvent, Percentiles, SINCE_DAYS};
pub use entry::{Entry, Facts, InUse, Status, reason};
pub use exemption::ExemptionRow;
use exemption::Tally;
pub use exemption_tag::ExemptionTagRow;
pub use exports::{By, Caller, Effect, Export, Exports, Grant, OfResource};
pub use html::html;
pub use json::{FORMAT, json, json_line};
pub use meaning::meaning;
pub use note::{Note, Word};
pub use ocsf::ocsf;
pub use poison::PoisonQueue;
pub use restore_points::{Callers, RestorePoints};
pub use row::Row;
use rows::Rows;
pub use rows::Store;
pub use run::{Finding, Run, Source};
pub use table::{Detail, table};

/// The location of a resource for which Azure returns none.
const NO_LOCATION: &str = "unknown";

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
pub struct Remark {
    /// A word from a closed set.
    pub reason: Word,
    /// A sentence for people.
    pub text: String,
    /// The resource ID.
    pub id: String,
}

impl Remark {
    fn new(note: Note, row: &Row) -> Self {
        Self { reason: note.reason, text: note.text, id: row.id.clone() }
    }

    /// The last part of the ID.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or_default()
    }
}

/// What was found in scope.
#[derive(Debug)]
pub struct Report {
    run: Run,
    totals: Counts,
    by_subscription: BTreeMap<String, Counts>,
    by_kind: BTreeMap<String, Counts>,
    by_location: BTreeMap<String, Counts>,
    by_ring: BTreeMap<String, Counts>,
    by_reason: BTreeMap<(Status, &'static str), usize>,
    by_check: BTreeMap<Check, ByKind>,
    subscription_names: BTreeMap<String, String>,
    delays: Delays,
    live_sas: usize,
    expiring: usize,
    exemptions: Tally,
    lists_exemptions: bool,
    rows: Rows,
    gaps: Vec<Gap>,
    poison_queue: Option<PoisonQueue>,
    restore_points: Option<RestorePoints>,
    exports: Option<Exports>,
    selection: Selection,
}

impl Report {
    /// An empty report, whose rows are kept in memory.
    pub fn new(run: Run) -> Self {
        Self {
            run,
            totals: Counts::default(),
            by_subscription: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            by_location: BTreeMap::new(),
            by_ring: BTreeMap::new(),
            by_reason: BTreeMap::new(),
            by_check: Check::ALL.map(|check| (check, ByKind::default())).into(),
            subscription_names: BTreeMap::new(),
            delays: Delays::default(),
            live_sas: 0,
            expiring: 0,
            exemptions: Tally::default(),
            lists_exemptions: false,
            rows: Rows::default(),
            gaps: vec![],
            poison_queue: None,
            restore_points: None,
            exports: None,
            selection: Selection::default(),
        }
    }

    /// The same with its rows in an empty file.
    #[must_use]
    pub fn stored_in(self, store: impl Store + 'static) -> Self {
        Self { rows: Rows::new(Box::new(store)), ..self }
    }

    /// The same with a list of all exemptions.
    #[must_use]
    pub fn with_exemptions(self) -> Self {
        Self { lists_exemptions: true, ..self }
    }

    /// Adds the exemptions of the settings. Those by tag follow from the resources.
    pub fn add_exemptions(&mut self, exemptions: &Exemptions) {
        self.exemptions = Tally::new(exemptions, &self.run);
    }

    /// The same of a part of the scope. It says so in every form but CSV.
    #[must_use]
    pub fn narrowed(self, selection: Selection) -> Self {
        Self { selection, ..self }
    }

    /// The part of the scope that the report is of.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Sets the source of the listing, which is known at its end.
    pub fn set_source(&mut self, source: Source) {
        self.run.source = source;
    }

    /// The source of the listing.
    pub fn source(&self) -> Source {
        self.run.source
    }

    /// When the report was taken.
    pub fn taken_at(&self) -> OffsetDateTime {
        self.run.taken_at
    }

    /// Lists a subscription, even if there is nothing in it.
    pub fn add_subscription(&mut self, id: &str) {
        self.by_subscription.entry(id.to_ascii_lowercase()).or_default();
    }

    /// Names a subscription.
    pub fn name_subscription(&mut self, id: &str, name: &str) {
        self.subscription_names.insert(id.to_ascii_lowercase(), name.to_owned());
    }

    /// The name of a subscription, if it is known.
    fn subscription_name(&self, id: &str) -> Option<&str> {
        self.subscription_names.get(&id.to_ascii_lowercase()).map(String::as_str)
    }

    /// A subscription for people: its name, with the start of its ID if another one has the same name; else its ID.
    pub fn subscription_title(&self, id: &str) -> String {
        let Some(name) = self.subscription_name(id) else { return id.to_owned() };
        if self.subscription_names.values().filter(|other| *other == name).count() > 1 {
            let start = id.split('-').next().unwrap_or_default();
            return format!("{name} ({start})");
        }
        name.to_owned()
    }

    /// Counts a resource. Keeps it unless it is sealed and has no warning, or if the report is of all resources.
    pub fn add(&mut self, entry: &Entry) {
        let (status, id) = (entry.status(), &entry.id);
        self.totals.add(status);
        self.by_subscription.entry(id.subscription_id().to_ascii_lowercase()).or_default().add(status);
        self.by_kind.entry(entry.kind().to_owned()).or_default().add(status);
        self.by_location.entry(entry.location().to_owned()).or_default().add(status);
        self.by_ring.entry(entry.ring.label().to_owned()).or_default().add(status);
        *self.by_reason.entry((status, entry.reason())).or_default() += 1;
        for check in Check::ALL {
            let by_kind = self.by_check.entry(check).or_default();
            match id.resource_type() {
                ResourceType::Disk => &mut by_kind.disk,
                ResourceType::Snapshot => &mut by_kind.snapshot,
            }
            .add(entry.verdict(check));
        }
        self.delays.add(entry, self.run.since, self.run.taken_at);
        self.exemptions.add(entry);
        self.live_sas += usize::from(entry.has_live_sas());
        self.expiring += usize::from(entry.until().is_some_and(|until| self.run.ends_soon(until).is_some()));
        let exports = self.exports.as_mut().and_then(|exports| exports.mark(entry));
        let row = Row::new(entry, &self.run, self.subscription_name(id.subscription_id()), exports);
        if self.run.is_of_all || row.is_exception() {
            self.rows.push(&row);
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

    /// Adds the restore points. Without them the report does not mention any.
    pub fn set_restore_points(&mut self, restore_points: RestorePoints) {
        self.restore_points = Some(restore_points);
    }

    /// Adds the SAS URLs that were taken, before any resource is added. Without them the report does not mention any.
    pub fn set_exports(&mut self, exports: Exports) {
        self.exports = Some(exports);
    }

    /// The counts over all resources.
    pub fn totals(&self) -> Counts {
        self.totals
    }

    /// The parts of the scope that could not be read.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// How long new resources were unsealed, and what no event has sealed.
    pub fn delays(&self) -> &Delays {
        &self.delays
    }

    /// Whether everything in scope was read, all of it is sealed or exempt, and no sealed one has a valid SAS URL.
    pub fn is_clean(&self) -> bool {
        self.gaps.is_empty() && self.totals.open() == 0 && self.live_sas == 0
    }

    /// Whether there is something of this kind.
    pub fn has(&self, finding: Finding) -> bool {
        match finding {
            Finding::Unsealed => self.totals.unsealed > 0,
            Finding::Pending => self.totals.pending > 0,
            Finding::LiveSas => self.live_sas > 0,
            Finding::Expiring => self.expiring > 0 || self.exemptions.ends_soon(),
            Finding::ExemptTooLong => self.exemptions.has(Defect::TOO_LONG),
            Finding::ExemptWithoutEnd => self.exemptions.has(Defect::WITHOUT_END),
            Finding::ExemptWithoutTicket => self.exemptions.has(Defect::WITHOUT_TICKET),
            Finding::EventMissed => self.delays.missed() > 0,
            Finding::Network => {
                let of = |by_kind: &ByKind| by_kind.disk.fail + by_kind.snapshot.fail;
                self.by_check.get(&Check::NetworkAccess).is_some_and(|by_kind| of(by_kind) > 0)
            }
            Finding::Gap => !self.gaps.is_empty(),
        }
    }

    /// Every resource that is not sealed or has a warning: the worst first, then by subscription, resource group
    /// and name.
    ///
    /// # Errors
    /// The file of the rows cannot be written or read.
    pub fn exceptions(&self) -> impl Iterator<Item = io::Result<Row>> + '_ {
        self.rows.iter(true)
    }

    /// Every resource, in the same order, if the report is of all of them; else the exceptions.
    ///
    /// # Errors
    /// The file of the rows cannot be written or read.
    pub fn resources(&self) -> impl Iterator<Item = io::Result<Row>> + '_ {
        self.rows.iter(false)
    }

    /// Every exemption: those of the settings in their order, then those by tag in the order of [`Self::exceptions`].
    ///
    /// # Errors
    /// The file of the rows cannot be written or read.
    pub fn exemptions(&self) -> impl Iterator<Item = io::Result<ExemptionRow>> + '_ {
        let of_tags = self.exceptions().filter_map(|row| match row {
            Ok(row) => exemption::of_tag(row, &self.run).map(Ok),
            Err(fault) => Some(Err(fault)),
        });
        self.exemptions.rules().cloned().map(Ok).chain(of_tags)
    }

    /// The warnings, in the order of [`Self::exceptions`].
    pub fn warnings(&self) -> impl Iterator<Item = io::Result<Remark>> + '_ {
        remarks(self.exceptions(), |row| std::mem::take(&mut row.warnings))
    }

    /// The pending resources, in the order of [`Self::exceptions`].
    pub fn pending(&self) -> impl Iterator<Item = io::Result<Remark>> + '_ {
        remarks(self.exceptions(), |row| row.pending.take().into_iter().collect())
    }

    /// The report in one sentence.
    pub fn verdict(&self) -> String {
        let (total, open) = (self.totals.total(), self.totals.open());
        let (all, some) = (grouped(total), grouped(open));
        let part =
            if self.selection.is_all() { String::new() } else { format!("Narrowed by {}: ", self.selection) };
        let known = match (total, open) {
            (0, _) => "Nothing was found in scope".to_owned(),
            (1, 0) => "The only disk or snapshot is sealed or exempt".to_owned(),
            (_, 0) => format!("All {all} disks and snapshots are sealed or exempt"),
            (_, 1) => format!("1 of {all} disks and snapshots is neither sealed nor exempt"),
            _ => format!("{some} of {all} disks and snapshots are neither sealed nor exempt"),
        };
        let known = match self.live_sas {
            0 => known,
            1 => format!("{known}, and 1 sealed one has a valid SAS URL"),
            some => format!("{known}, and {} sealed ones have a valid SAS URL", grouped(some)),
        };
        match (self.gaps.len(), open) {
            (0, _) => format!("{part}{known}."),
            (_, 0) => format!("{part}{known}, but part of the scope could not be read."),
            _ => format!("{part}{known}, and part of the scope could not be read."),
        }
    }

    /// The breakdowns by subscription, kind, location and ring.
    fn breakdowns(&self) -> [(&'static str, &BTreeMap<String, Counts>); 4] {
        [
            ("Subscription", &self.by_subscription),
            ("Kind", &self.by_kind),
            ("Location", &self.by_location),
            ("Ring", &self.by_ring),
        ]
    }
}

/// The remarks of each row.
fn remarks(
    rows: impl Iterator<Item = io::Result<Row>>,
    take: impl Fn(&mut Row) -> Vec<Note>,
) -> impl Iterator<Item = io::Result<Remark>> {
    rows.flat_map(move |row| match row {
        Ok(mut row) => {
            let notes = take(&mut row);
            notes.into_iter().map(|note| Ok(Remark::new(note, &row))).collect()
        }
        Err(fault) => vec![Err(fault)],
    })
}

#[cfg(test)]
mod tests;
