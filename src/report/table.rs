//! The report as text, for terminals.

mod cells;
mod coverage;
mod exceptions;
mod exemptions;
mod exports;
mod inventory;
mod place;
mod remarks;
mod times;

use std::io::{self, Write};

use super::{Report, restore_points::NOTE as RESTORE_POINTS};
use crate::text::Screen;
use place::Places;

/// How much of the report a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What fits a terminal.
    Brief,
    /// Everything, with the whole IDs.
    Wide,
}

/// Writes the report as text, line by line.
///
/// # Errors
/// The rows cannot be read, or `to` cannot be written.
pub fn table(report: &Report, screen: Screen, detail: Detail, to: &mut impl Write) -> io::Result<()> {
    let places = Places::new(report, screen, detail);
    write!(to, "{}", screen.prose(&report.verdict(), 0))?;
    for gap in &report.gaps {
        write!(to, "{}", screen.prose(&format!("Not checked: {}: {}", gap.what, gap.why), 4))?;
    }
    coverage::write(report, screen, detail, to)?;
    exceptions::write(report, screen, &places, to)?;
    remarks::write(report, screen, &places, to)?;
    if report.lists_exemptions {
        exemptions::write(report, screen, &places, to)?;
    }
    times::write(report, screen, &places, to)?;
    coverage::write_controls(report, screen, to)?;
    if report.run.is_of_all {
        inventory::write(report, screen, &places, to)?;
    }
    exports::write(report, screen, &places, to)?;
    if let Some(restore_points) = &report.restore_points {
        let text = format!("Restore points: {}. {RESTORE_POINTS}", restore_points.phrase());
        write!(to, "\n{}", screen.prose(&text, 0))?;
        for line in restore_points.callers() {
            write!(to, "{}", screen.prose(&format!("  {line}"), 4))?;
        }
    }
    if let Some(queue) = &report.poison_queue {
        let text = format!("Poison queue: {}", queue.phrase(report.run.taken_at));
        write!(to, "\n{}", screen.prose(&text, 4))?;
    }
    let identity = report.run.identity.as_deref().unwrap_or("an identity whose token has no object ID");
    let (taken_at, source) = (report.run.taken_at_text(), report.run.source.phrase());
    write!(to, "\n{}", screen.prose(&format!("Taken at {taken_at} as {identity}, from {source}."), 0))
}
