//! Tables of the first rows, which a browser can still sort and print.

use std::io;

use maud::{Markup, html as markup};

use crate::report::grouped;

/// The maximum of rows in a table. The other formats have all rows.
const ROWS_MAX: usize = 5_000;

/// The first rows, and the number of all.
pub(super) fn first<T>(rows: impl Iterator<Item = io::Result<T>>) -> io::Result<(Vec<T>, usize)> {
    let (mut kept, mut count) = (vec![], 0);
    for row in rows {
        let row = row?;
        count += 1;
        if count <= ROWS_MAX {
            kept.push(row);
        }
    }
    Ok((kept, count))
}

/// A table of the first rows, and how many there are if that is not all.
pub(super) fn list<T>(
    class: &str,
    id: Option<&str>,
    caption: &str,
    columns: &[&str],
    rows: &[T],
    count: usize,
    row: impl Fn(&T) -> Markup,
) -> Markup {
    markup! {
        table.list.(class) id=[id] role="table" {
            caption.hidden { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } }
            }
            tbody role="rowgroup" { @for one in rows.iter().take(ROWS_MAX) { (row(one)) } }
        }
        (left_out(count))
    }
}

pub(super) fn left_out(rows: usize) -> Markup {
    markup! {
        @if rows > ROWS_MAX {
            p.left-out {
                "These are the first " (grouped(ROWS_MAX)) " of " (grouped(rows)) ". "
                code { "diskseal report --output csv" } " lists all."
            }
        }
    }
}
