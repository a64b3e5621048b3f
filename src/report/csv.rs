//! The exceptions, or all resources, as CSV (RFC 4180), for spreadsheets.

use std::io::{self, Write};

use super::{
    ExemptionRow, Report, Row,
    control::{Check, Verdict},
};

type Cell<T = Row> = fn(&T) -> String;

/// The columns: the name of each, and its cell for a row.
const COLUMNS: [(&str, Cell); 31] = [
    ("status", |row| row.status.label().to_owned()),
    ("reason", |row| row.reason.to_string()),
    ("detail", |row| inert(&row.detail)),
    ("until", |row| row.until.clone().unwrap_or_default()),
    ("days_left", |row| row.days_left.map(|days| days.to_string()).unwrap_or_default()),
    ("owner", |row| optional(row.owner.as_ref())),
    ("kind", |row| row.kind.to_string()),
    ("name", |row| inert(&row.name)),
    ("resource_group", |row| inert(&row.resource_group)),
    ("subscription_id", |row| row.subscription_id.clone()),
    ("location", |row| inert(row.location())),
    ("id", |row| inert(&row.id)),
    ("warnings", |row| {
        let texts: Vec<_> = row.warnings.iter().map(|one| one.text.as_str()).collect();
        inert(&texts.join("; "))
    }),
    ("pending", |row| inert(row.pending.as_ref().map_or("", |one| &one.text))),
    ("subscription_name", |row| optional(row.subscription_name.as_ref())),
    ("data_access_auth_mode", |row| optional(row.data_access_auth_mode.as_ref())),
    ("network_access_policy", |row| optional(row.network_access_policy.as_ref())),
    ("public_network_access", |row| optional(row.public_network_access.as_ref())),
    ("disk_state", |row| optional(row.disk_state.as_ref())),
    ("time_created", |row| row.time_created.clone().unwrap_or_default()),
    ("sealed_at", |row| row.sealed_at.clone().unwrap_or_default()),
    ("sealed_by", |row| row.sealed_by.as_deref().unwrap_or_default().to_owned()),
    ("data_access_auth_mode_check", |row| row.checks.data_access_auth_mode.label().to_owned()),
    ("network_access_check", |row| row.checks.network_access.label().to_owned()),
    ("controls_passed", |row| controls(row, |verdict| verdict == Verdict::Pass)),
    ("controls_failed", |row| controls(row, |verdict| verdict != Verdict::Pass)),
    ("portal", |row| inert(&row.portal)),
    ("ring", |row| row.ring.to_string()),
    ("exports", |row| row.exports.as_ref().map(|one| one.count.to_string()).unwrap_or_default()),
    ("exports_last", |row| row.exports.as_ref().map(|one| one.last.clone()).unwrap_or_default()),
    ("exports_by", |row| inert(&row.exports.as_ref().map(|one| one.by.join("; ")).unwrap_or_default())),
];

fn optional(text: Option<&String>) -> String {
    inert(text.map_or("", String::as_str))
}

/// The controls about the checks whose verdict is wanted. No published control is about snapshots.
fn controls(row: &Row, is_wanted: fn(Verdict) -> bool) -> String {
    let checks =
        Check::ALL.into_iter().filter(|check| row.kind == "disk" && is_wanted(row.checks.of(*check)));
    let names: Vec<_> =
        checks.flat_map(|check| check.controls().map(super::control::Control::name)).collect();
    names.join("; ")
}

/// The columns of a list of exemptions.
const EXEMPTION_COLUMNS: [(&str, Cell<ExemptionRow>); 10] = [
    ("exemption", |one| one.kind.to_owned()),
    ("number", |one| one.number.map(|number| number.to_string()).unwrap_or_default()),
    ("covers", |one| inert(&one.covers)),
    ("state", |one| one.state.to_string()),
    ("until", |one| one.until.clone().unwrap_or_default()),
    ("days_left", |one| one.days_left.map(|days| days.to_string()).unwrap_or_default()),
    ("reason", |one| optional(one.reason.as_ref())),
    ("owner", |one| optional(one.owner.as_ref())),
    ("resources", |one| one.resources.to_string()),
    ("findings", |one| {
        let texts: Vec<_> = one.findings.iter().map(|finding| finding.text.as_str()).collect();
        inert(&texts.join("; "))
    }),
];

/// A header, and one row for each of [`Report::resources`], or for each exemption where the report lists them: a file
/// holds one table. There are no totals, because every record after the header is one of the table (RFC 4180), and a
/// row of sums would be counted as a resource; JSON has them, and what could not be read.
///
/// # Errors
/// The rows cannot be read, or `to` cannot be written.
pub fn csv(report: &Report, to: &mut impl Write) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(to);
    if report.lists_exemptions {
        writer.write_record(EXEMPTION_COLUMNS.map(|(name, _)| name))?;
        for one in report.exemptions() {
            let one = one?;
            writer.write_record(EXEMPTION_COLUMNS.map(|(_, cell)| cell(&one)))?;
        }
        return writer.flush();
    }
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for row in report.resources() {
        let row = row?;
        writer.write_record(COLUMNS.map(|(_, cell)| cell(&row)))?;
    }
    writer.flush()
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
