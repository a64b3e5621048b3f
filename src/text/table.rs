//! Tables for a terminal: columns that fit its width, however wide the characters are.
//!
//! The rows come from an iterator that is made twice, the first time for the widths, so that none of them is kept. A
//! crate for tables keeps all of them, and wraps cells into each other where there is no room.

use std::io::{self, Write};

use anstyle::Style;

use super::{
    escaped,
    layout::{Column, Layout, without_breaks},
    width::of,
};

/// The rows of a table.
pub type Rows<'a> = Box<dyn Iterator<Item = io::Result<Row>> + 'a>;

/// A row: its cells, the style of one of them, and the heading below which it stands.
#[derive(Clone, Debug, Default)]
pub struct Row {
    cells: Vec<String>,
    style: Option<(&'static str, Style)>,
    heading: Option<String>,
}

impl Row {
    /// A row of these cells. They are escaped, because anybody can write a tag.
    pub fn new(cells: impl IntoIterator<Item = String>) -> Self {
        let cells = cells.into_iter().map(|cell| escaped(&cell).into_owned()).collect();
        Self { cells, style: None, heading: None }
    }

    /// The same with a style for the cell of the column with this title.
    #[must_use]
    pub fn styled(self, title: &'static str, style: Style) -> Self {
        Self { style: Some((title, style)), ..self }
    }

    /// The same below a line of its own, which is printed once for all rows that follow each other below it.
    #[must_use]
    pub fn below(self, heading: &str) -> Self {
        Self { heading: Some(escaped(heading).into_owned()), ..self }
    }
}

/// A terminal, a file or a pipe, as far as a table has to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// The number of columns; none if there is no limit.
    pub width: Option<usize>,
    /// Whether colours may be used.
    pub is_coloured: bool,
}

impl Screen {
    /// Writes a table below an empty line. Writes nothing if there are no rows.
    ///
    /// # Errors
    /// The rows cannot be read, or `to` cannot be written.
    pub fn table<'a>(
        self,
        to: &mut impl Write,
        columns: &[Column],
        rows: impl Fn() -> Rows<'a>,
    ) -> io::Result<()> {
        let mut widths = vec![0; columns.len()];
        let mut is_empty = true;
        for row in rows() {
            is_empty = false;
            for (width, cell) in widths.iter_mut().zip(&row?.cells) {
                *width = of(cell).max(*width);
            }
        }
        if is_empty {
            return Ok(());
        }
        let layout = Layout::new(columns, &widths, self.width);
        write!(to, "\n{}", self.head(&layout))?;
        let mut heading = None;
        for row in rows() {
            let row = row?;
            if row.heading != heading {
                heading.clone_from(&row.heading);
                let style = if self.is_coloured { Style::new().bold() } else { Style::new() };
                heading.iter().try_for_each(|text| writeln!(to, "{style}{text}{style:#}"))?;
            }
            write!(to, "{}", self.row(&layout, &row))?;
        }
        Ok(())
    }

    /// The line of titles.
    pub fn head(self, layout: &Layout<'_>) -> String {
        layout.lines(&layout.titles(), |_, cell| cell)
    }

    /// A row, which ends with a line break. It has several lines if its last cells are wrapped or below it.
    pub fn row(self, layout: &Layout<'_>, row: &Row) -> String {
        layout.lines(&row.cells, |title, cell| match row.style {
            Some((styled, style)) if self.is_coloured && styled == title && !cell.is_empty() => {
                format!("{style}{cell}{style:#}")
            }
            _ => cell,
        })
    }

    /// Sentences, wrapped with this many spaces before each line but the first, and a line break at the end.
    pub fn prose(self, text: &str, indent: usize) -> String {
        self.wrapped(text, 0, indent)
    }

    /// The same where the first line begins after so many columns, and the others are below it.
    pub fn beside(self, text: &str, columns: usize) -> String {
        self.wrapped(text, columns, columns)
    }

    /// The same of a list with commas, which may be wrapped after each.
    pub fn list(self, text: &str, columns: usize) -> String {
        let parts: Vec<_> = text.split_inclusive(',').collect();
        let is_long = |width: usize| columns + of(text) > width;
        match self.width {
            Some(width) if parts.len() > 1 && is_long(width) => {
                // What has no room beside is below.
                let longest = parts.iter().map(|part| of(part)).max().unwrap_or_default();
                let has_room = columns + longest <= width;
                let (columns, mut lines) =
                    if has_room { (columns, String::new()) } else { (4, format!("\n{:4}", "")) };
                let mut at = columns;
                for part in parts {
                    let part = escaped(part);
                    if at > columns && at + of(&part) > width {
                        lines.push('\n');
                        lines += &" ".repeat(columns);
                        at = columns;
                    }
                    lines += &part;
                    at += of(&part);
                }
                lines + "\n"
            }
            _ => self.beside(text, columns),
        }
    }

    fn wrapped(self, text: &str, used: usize, indent: usize) -> String {
        let text = escaped(text);
        let Some(width) = self.width else { return format!("{text}\n") };
        // What is before the first line takes its room, and is the caller's.
        let (before, indent) = (" ".repeat(used), " ".repeat(indent));
        let options = textwrap::Options::new(width.max(indent.len() + 20))
            .initial_indent(&before)
            .subsequent_indent(&indent);
        let filled = textwrap::fill(&text, without_breaks(options));
        format!("{}\n", filled.get(used..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
