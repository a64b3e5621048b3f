//! The exceptions as CSV (RFC 4180), for spreadsheets.

use super::{Report, pending, warning};

const HEADER: [&str; 14] = [
    "status",
    "reason",
    "detail",
    "until",
    "days_left",
    "owner",
    "kind",
    "name",
    "resource_group",
    "subscription_id",
    "location",
    "id",
    "warnings",
    "pending",
];

/// A header, and one row for each of [`Report::exceptions`]. There is no summary, and no list of what could not be
/// read.
///
/// # Errors
/// Never, when writing to memory.
pub fn csv(report: &Report) -> Result<String, std::io::Error> {
    let mut writer = ::csv::Writer::from_writer(vec![]);
    writer.write_record(HEADER)?;
    for entry in report.exceptions() {
        let until = entry.until();
        let warnings: Vec<_> =
            warning::of(entry, &report.run).into_iter().map(|warning| warning.text).collect();
        writer.write_record([
            entry.status().label(),
            entry.reason(),
            &inert(entry.detail()),
            &until.map(|date| date.to_string()).unwrap_or_default(),
            &until.map(|date| report.run.days_left(date).to_string()).unwrap_or_default(),
            &inert(entry.owner.clone().unwrap_or_default()),
            entry.kind(),
            &inert(entry.id.name().to_owned()),
            &inert(entry.id.resource_group().to_owned()),
            entry.id.subscription_id(),
            entry.location(),
            &entry.id.to_string(),
            &inert(warnings.join("; ")),
            &pending::of(entry).map(|one| one.text).unwrap_or_default(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(::csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

/// Puts an apostrophe before a text that a spreadsheet would evaluate as a formula (OWASP, "CSV Injection").
fn inert(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text }
}
