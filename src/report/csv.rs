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
    ("location", |entry, _| inert(entry.location())),
    ("id", |entry, _| inert(&entry.id.to_string())),
    ("warnings", |entry, run| {
        inert(&warning::of(entry, run).map(|one| one.text).collect::<Vec<_>>().join("; "))
    }),
    ("pending", |entry, _| inert(&pending::of(entry).map(|one| one.text).unwrap_or_default())),
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

/// Puts an apostrophe before each place where a spreadsheet would begin a formula (OWASP, "CSV Injection"): the start
/// of the cell, and what follows a separator of other spreadsheets than ours. Where the list separator is `;`, the
/// quotes around a cell do not hold it together, because the line is divided elsewhere. Blanks and quotes before the
/// formula do not matter.
fn inert(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    let mut is_start = true;
    for c in text.chars() {
        if is_start && is_formula(c) {
            safe.push('\'');
        }
        is_start = is_separator(c) || (is_start && (c == '"' || c.is_whitespace()));
        safe.push(c);
    }
    safe
}

/// Whether a cell that starts with it is evaluated; also in the full width of East Asian keyboards.
fn is_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

fn is_separator(c: char) -> bool {
    matches!(c, ';' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn no_cell_is_a_formula_whatever_separates_cells() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1＋1", "'＝1＋1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠x", "'＠x"),
            ("  =1", "  '=1"),
            ("\"=1", "\"'=1"),
            ("\t=1", "'\t'=1"),
            ("x;=HYPERLINK(1)", "x;'=HYPERLINK(1)"),
            ("x; \"＝1", "x; \"'＝1"),
            ("x;;@y", "x;;'@y"),
            ("a\n=1", "a\n'=1"),
            ("until=2027-01-31; a-b + c", "until=2027-01-31; a-b + c"),
            ("a, -b", "a, -b"),
            ("", ""),
        ] {
            assert_eq!(inert(text), expected, "{text:?}");
        }
    }
}
