//! The exceptions as CSV (RFC 4180), for spreadsheets.

use super::{Entry, Report, Run, pending, warning};

type Cell = fn(&Entry, &Run) -> String;

/// The columns: the name of each, and its cell for an entry.
const COLUMNS: [(&str, Cell); 14] = [
    ("status", |entry, _| entry.status().label().to_owned()),
    ("reason", |entry, _| entry.reason().to_owned()),
    ("detail", |entry, _| inert(&entry.detail())),
    ("until", |entry, _| entry.until().map(|date| date.to_string()).unwrap_or_default()),
    ("days_left", |entry, run| entry.until().map(|date| run.days_left(date).to_string()).unwrap_or_default()),
    ("owner", |entry, _| inert(entry.owner.as_deref().unwrap_or_default())),
    ("kind", |entry, _| entry.kind().to_owned()),
    ("name", |entry, _| inert(entry.id.name())),
    ("resource_group", |entry, _| inert(entry.id.resource_group())),
    ("subscription_id", |entry, _| entry.id.subscription_id().to_owned()),
    ("location", |entry, _| entry.location().to_owned()),
    ("id", |entry, _| entry.id.to_string()),
    ("warnings", |entry, run| {
        inert(&warning::of(entry, run).map(|one| one.text).collect::<Vec<_>>().join("; "))
    }),
    ("pending", |entry, _| pending::of(entry).map(|one| one.text).unwrap_or_default()),
];

/// A header, and one row for each of [`Report::exceptions`]. There is no summary, and no list of what could not be
/// read.
///
/// # Errors
/// Never, when writing to memory.
pub fn csv(report: &Report) -> Result<String, std::io::Error> {
    let mut writer = ::csv::Writer::from_writer(vec![]);
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for entry in report.exceptions() {
        writer.write_record(COLUMNS.map(|(_, cell)| cell(entry, &report.run)))?;
    }
    let bytes = writer.into_inner().map_err(::csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

/// Puts an apostrophe before a text that a spreadsheet would evaluate as a formula (OWASP, "CSV Injection").
fn inert(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    format!("{mark}{text}")
}
