//! The report as text, for terminals.

use std::fmt::Write;

use super::{Entry, Report, Status, grouped};
use crate::text::escaped;

/// The maximum of characters of an owner.
const OWNER_CHARS_MAX: usize = 32;

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Without colours.
    Plain,
    /// With terminal colours (ECMA-48, "SGR").
    Coloured,
}

impl Ink {
    fn paint(self, status: Status, text: &str) -> String {
        let colour = match status {
            Status::Unsealed => 31,
            Status::Pending => 33,
            Status::Exempt => 36,
            Status::Sealed => 32,
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        }
    }
}

/// One line of cells. The status colours the first cell.
struct Line {
    status: Option<Status>,
    cells: Vec<String>,
}

/// The report as text.
pub fn table(report: &Report, ink: Ink) -> String {
    let mut text = format!("{}\n", report.verdict());
    for gap in &report.gaps {
        let _ = writeln!(text, "Not checked: {}: {}", escaped(&gap.what), escaped(&gap.why));
    }
    for (by, counts) in report.breakdowns() {
        let header = [by, "Sealed", "Sealed %", "Exempt", "Pending", "Unsealed", "Total"];
        let total = (by == "Subscription" && counts.len() > 1).then_some(("all", &report.totals));
        let rows = counts.iter().map(|(name, counts)| (name.as_str(), counts)).chain(total);
        let lines = rows.map(|(name, counts)| Line {
            status: None,
            cells: vec![
                name.to_owned(),
                grouped(counts.sealed),
                counts.sealed_percent(),
                grouped(counts.exempt),
                grouped(counts.pending),
                grouped(counts.unsealed),
                grouped(counts.total()),
            ],
        });
        push(&mut text, &header, lines.collect(), 1, ink);
    }
    let reasons = report.by_reason.iter().map(|((status, reason), count)| Line {
        status: Some(*status),
        cells: vec![status.label().to_owned(), (*reason).to_owned(), grouped(*count)],
    });
    push(&mut text, &["Status", "Reason", "Count"], reasons.collect(), 2, ink);
    let exceptions = report.exceptions().into_iter().map(exception).collect();
    let header = ["Exception", "Reason", "Until", "Location", "Resource", "Owner", "Why"];
    push(&mut text, &header, exceptions, header.len(), ink);
    for (what, why, remarks) in [("Pending", "Why", report.pending()), ("Warning", "What", report.warnings())]
    {
        let lines = remarks.into_iter().map(|one| Line {
            status: Some(Status::Pending),
            cells: vec![one.reason.to_owned(), one.id.to_string(), one.text],
        });
        push(&mut text, &[what, "Resource", why], lines.collect(), 3, ink);
    }
    if let Some(queue) = &report.poison_queue {
        let _ = writeln!(text, "\nPoison queue: {}", escaped(&queue.phrase(report.run.taken_at)));
    }
    let identity = report.run.identity.as_deref().unwrap_or("an identity whose token has no object ID");
    let _ = writeln!(
        text,
        "\nTaken at {} as {}, from {}.",
        report.run.taken_at_text(),
        escaped(identity),
        report.run.source.phrase()
    );
    text
}

fn exception(entry: &Entry) -> Line {
    Line {
        status: Some(entry.status()),
        cells: vec![
            entry.status().label().to_owned(),
            entry.reason().to_owned(),
            entry.until().map(|date| date.to_string()).unwrap_or_default(),
            entry.location().to_owned(),
            entry.id.to_string(),
            short(&escaped(entry.owner.as_deref().unwrap_or_default())),
            entry.detail(),
        ],
    }
}

/// Appends columns, the first `left` of them aligned to the left, the others to the right. Their cells are escaped,
/// because anybody can write a tag. Appends nothing if there are no lines.
fn push(text: &mut String, header: &[&str], lines: Vec<Line>, left: usize, ink: Ink) {
    if lines.is_empty() {
        return;
    }
    let names = Line { status: None, cells: header.iter().map(|name| name.to_uppercase()).collect() };
    let mut lines: Vec<_> = std::iter::once(names).chain(lines).collect();
    for cell in lines.iter_mut().flat_map(|line| &mut line.cells) {
        *cell = escaped(cell).into_owned();
    }
    let width = |column: usize| lines.iter().map(|line| line.cells[column].chars().count()).max();
    let widths: Vec<_> = (0..header.len()).filter_map(width).collect();
    text.push('\n');
    for Line { status, cells } in &lines {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            let cell = match status {
                Some(status) if column == 0 => ink.paint(*status, cell),
                _ => cell.clone(),
            };
            line += &if column < left { cell + &gap } else { gap + &cell };
            line += "  ";
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// A value that is cut so that it does not widen its column too much. The other formats have all of it.
fn short(text: &str) -> String {
    match text.char_indices().nth(OWNER_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}
