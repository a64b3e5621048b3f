//! What the tables of the report have in common.

use anstyle::{AnsiColor, Style};

use crate::{
    report::Status,
    text::{Row, Rows},
};

/// The style of a state.
pub(super) fn style(status: Status) -> Style {
    let colour = match status {
        Status::Unsealed => AnsiColor::Red,
        Status::Pending => AnsiColor::Yellow,
        Status::Exempt => AnsiColor::Cyan,
        Status::Sealed => AnsiColor::Green,
    };
    colour.on_default()
}

/// What is absent in a row.
pub(super) fn absent() -> String {
    "–".to_owned()
}

/// Rows that are in memory.
pub(super) fn boxed<'a>(rows: impl Iterator<Item = Row> + 'a) -> Rows<'a> {
    Box::new(rows.map(Ok))
}
