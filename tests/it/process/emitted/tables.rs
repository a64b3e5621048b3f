//! The tables of docs/telemetry.md.

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/telemetry.md");

/// The rows of the first table below a heading, by cell.
pub(super) fn rows(heading: &str) -> Vec<Vec<String>> {
    let lines = PAGE.lines().skip_while(|line| *line != heading).skip(1);
    let table = lines.take_while(|line| !line.starts_with('#')).skip_while(|line| !line.starts_with('|'));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    let rows: Vec<Vec<_>> = rows
        .map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "no table under {heading:?}");
    rows
}

/// The words in backticks.
pub(super) fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The closed set of values of a cell: its own values after "one of", and those of the tables that it refers
/// to. None if the cell is a description.
pub(super) fn word_list(cell: &str) -> Option<BTreeSet<String>> {
    let points_at_reasons = cell.contains("(#reasons)");
    let points_at_codes = cell.contains("(#codes)");
    if !cell.contains("one of") && !points_at_reasons && !points_at_codes {
        return None;
    }
    let mut words: BTreeSet<_> = quoted(cell).into_iter().collect();
    if points_at_reasons {
        words.extend(rows("## Reasons").iter().flat_map(|row| quoted(&row[0])));
    }
    if points_at_codes {
        let codes = PAGE.split("## Codes").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        words.extend(quoted(codes));
    }
    Some(words)
}
