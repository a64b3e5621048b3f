//! How much is sealed, by what and why not, and what published controls find.

use std::io::{self, Write};

use super::{
    Detail,
    cells::{absent, boxed, style},
};
use crate::{
    report::{
        Counts, Report,
        control::{CONTROLS, Check, NOTE},
        grouped, meaning,
    },
    text::{Column, Row, Screen},
};

const COUNTS: [Column; 6] = [
    Column::number("SEALED"),
    Column::number("SEALED %"),
    Column::number("EXEMPT"),
    Column::number("PENDING"),
    Column::number("UNSEALED"),
    Column::number("TOTAL"),
];
const REASONS: [Column; 4] =
    [Column::whole("STATUS"), Column::whole("REASON"), Column::number("COUNT"), Column::prose("MEANING")];
const CONTROL: [Column; 6] = [
    Column::name("CONTROL", 48),
    Column::whole("CHECK").ranked(1),
    Column::number("PASS"),
    Column::number("FAIL"),
    Column::number("EXEMPT"),
    Column::number("UNKNOWN"),
];

pub(super) fn write(report: &Report, screen: Screen, detail: Detail, to: &mut impl Write) -> io::Result<()> {
    for (by, counts) in report.breakdowns() {
        let is_by_subscription = by == "Subscription";
        let has_id = is_by_subscription && detail == Detail::Wide;
        let title = match by {
            "Subscription" => "SUBSCRIPTION",
            "Kind" => "KIND",
            "Location" => "LOCATION",
            _ => "RING",
        };
        let mut columns = vec![Column::name(title, 12)];
        columns.extend(COUNTS);
        columns.extend(has_id.then_some(Column::id("SUBSCRIPTION ID")));
        let total = (is_by_subscription && counts.len() > 1).then_some(("all", &report.totals));
        let rows = || {
            let rows = counts.iter().map(|(name, counts)| (name.as_str(), counts)).chain(total);
            boxed(rows.map(move |(name, counts)| {
                let title =
                    if is_by_subscription { report.subscription_title(name) } else { name.to_owned() };
                Row::new(cells(title, counts).chain(has_id.then(|| name.to_owned())))
            }))
        };
        screen.table(to, &columns, rows)?;
    }
    let reasons = || {
        boxed(report.by_reason.iter().map(|((status, reason), count)| {
            let meaning = meaning(reason).to_owned();
            let cells = [status.label().to_owned(), (*reason).to_owned(), grouped(*count), meaning];
            Row::new(cells).styled("STATUS", style(*status))
        }))
    };
    screen.table(to, &REASONS, reasons)
}

fn cells(name: String, counts: &Counts) -> impl Iterator<Item = String> {
    let percent = counts.sealed_permille();
    let percent = percent.map_or_else(absent, |mille| format!("{}.{}", mille / 10, mille % 10));
    let numbers = [counts.exempt, counts.pending, counts.unsealed, counts.total()].map(grouped);
    [name, grouped(counts.sealed), percent].into_iter().chain(numbers)
}

/// The controls with the verdicts of disks, and what no control judges.
pub(super) fn write_controls(report: &Report, screen: Screen, to: &mut impl Write) -> io::Result<()> {
    let of = |check: Check| report.by_check.get(&check).copied().unwrap_or_default();
    let rows = || {
        let controls = CONTROLS.iter().map(move |one| (one.name(), one.check, of(one.check).disk));
        let snapshots = Check::ALL
            .into_iter()
            .map(move |check| ("no control (snapshots)".to_owned(), check, of(check).snapshot));
        boxed(controls.chain(snapshots).map(|(name, check, verdicts)| {
            Row::new([name, check.label().to_owned()].into_iter().chain(verdicts.counts().map(grouped)))
        }))
    };
    screen.table(to, &CONTROL, rows)?;
    write!(to, "{}", screen.prose(NOTE, 0))
}
