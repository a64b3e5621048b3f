//! The report as text, for terminals.

use std::io::{self, Write};

use super::{
    Counts, ExemptionRow, Remark, Report, Row, Status, Word,
    control::{CONTROLS, Check, NOTE},
    delay::for_people,
    exports::NOTE as EXPORTS,
    grouped,
    restore_points::NOTE as RESTORE_POINTS,
    stamp::seconds,
};
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

type Lines<'a> = Box<dyn Iterator<Item = io::Result<Line>> + 'a>;

/// Writes the report as text, line by line.
///
/// # Errors
/// The rows cannot be read, or `to` cannot be written.
pub fn table(report: &Report, ink: Ink, to: &mut impl Write) -> io::Result<()> {
    writeln!(to, "{}", report.verdict())?;
    for gap in &report.gaps {
        writeln!(to, "Not checked: {}: {}", escaped(&gap.what), escaped(&gap.why))?;
    }
    for (by, counts) in report.breakdowns() {
        let header = [by, "Sealed", "Sealed %", "Exempt", "Pending", "Unsealed", "Total"];
        let total = (by == "Subscription" && counts.len() > 1).then_some(("all", &report.totals));
        let lines = || -> Lines<'_> {
            let rows = counts.iter().map(|(name, counts)| (name.as_str(), counts)).chain(total);
            Box::new(rows.map(|(name, counts)| Ok(coverage(report.subscription_name(name), name, counts))))
        };
        push(to, &header, lines, 1, ink)?;
    }
    let reasons = || -> Lines<'_> {
        Box::new(report.by_reason.iter().map(|((status, reason), count)| {
            Ok(line(*status, vec![status.label().to_owned(), (*reason).to_owned(), grouped(*count)]))
        }))
    };
    push(to, &["Status", "Reason", "Count"], reasons, 2, ink)?;
    let header = ["Exception", "Reason", "Until", "Location", "Resource", "Owner", "Ring", "Why"];
    push(to, &header, || Box::new(report.exceptions().map(|row| row.map(exception))), header.len(), ink)?;
    let pending = || -> Lines<'_> { Box::new(report.pending().map(|one| one.map(remark))) };
    push(to, &["Pending", "Resource", "Why"], pending, 3, ink)?;
    let warnings = || -> Lines<'_> { Box::new(report.warnings().map(|one| one.map(remark))) };
    push(to, &["Warning", "Resource", "What"], warnings, 3, ink)?;
    if report.lists_exemptions {
        let header = ["Exemption", "State", "Until", "Covers", "Resources", "Owner", "Findings", "Reason"];
        let lines = || -> Lines<'_> { Box::new(report.exemptions().map(|one| one.map(exemption))) };
        push(to, &header, lines, header.len(), ink)?;
    }
    delays(report, ink, to)?;
    controls(report, ink, to)?;
    if report.run.is_of_all {
        let header = [
            "Resource",
            "State",
            "Ring",
            "Mode",
            "Network policy",
            "Public network",
            "Sealed at",
            "By",
            "Subscription",
            "ID",
        ];
        push(to, &header, || Box::new(report.resources().map(|row| row.map(resource))), header.len(), ink)?;
    }
    exports(report, ink, to)?;
    if let Some(restore_points) = &report.restore_points {
        writeln!(to, "\nRestore points: {}. {RESTORE_POINTS}", escaped(&restore_points.phrase()))?;
        for line in restore_points.callers() {
            writeln!(to, "  {}", escaped(&line))?;
        }
    }
    if let Some(queue) = &report.poison_queue {
        writeln!(to, "\nPoison queue: {}", escaped(&queue.phrase(report.run.taken_at)))?;
    }
    let identity = report.run.identity.as_deref().unwrap_or("an identity whose token has no object ID");
    let (taken_at, source) = (report.run.taken_at_text(), report.run.source.phrase());
    writeln!(to, "\nTaken at {taken_at} as {}, from {source}.", escaped(identity))
}

fn line(status: Status, cells: Vec<String>) -> Line {
    Line { status: Some(status), cells }
}

fn coverage(subscription: Option<&str>, name: &str, counts: &Counts) -> Line {
    let name = subscription.map_or_else(|| name.to_owned(), |title| format!("{name} ({title})"));
    let numbers = [counts.exempt, counts.pending, counts.unsealed, counts.total()].map(grouped);
    let cells = [name, grouped(counts.sealed), counts.sealed_percent()].into_iter().chain(numbers);
    Line { status: None, cells: cells.collect() }
}

fn remark(one: Remark) -> Line {
    line(Status::Pending, vec![one.reason.into_owned(), one.id, one.text])
}

fn exception(row: Row) -> Line {
    line(
        row.status,
        vec![
            row.status.label().to_owned(),
            row.reason.to_string(),
            row.until.clone().unwrap_or_default(),
            row.location().to_owned(),
            row.id,
            short(&escaped(row.owner.as_deref().unwrap_or_default())),
            row.ring.to_string(),
            row.detail,
        ],
    )
}

fn exemption(one: ExemptionRow) -> Line {
    let kind = one.number.map_or_else(|| one.kind.to_owned(), |number| format!("{} {number}", one.kind));
    let findings: Vec<_> = one.findings.into_iter().map(|finding| finding.reason).collect();
    line(
        if findings.is_empty() { Status::Exempt } else { Status::Pending },
        vec![
            kind,
            one.state.into_owned(),
            one.until.unwrap_or_else(|| "no end".to_owned()),
            one.covers,
            grouped(one.resources),
            short(&escaped(one.owner.as_deref().unwrap_or_default())),
            findings.join(", "),
            one.reason.unwrap_or_default(),
        ],
    )
}

fn resource(row: Row) -> Line {
    let absent = || "–".to_owned();
    let subscription = row.subscription_name.unwrap_or(row.subscription_id);
    line(
        row.status,
        vec![
            row.name,
            row.status.label().to_owned(),
            row.ring.into_owned(),
            row.data_access_auth_mode.unwrap_or_else(absent),
            row.network_access_policy.unwrap_or_else(absent),
            row.public_network_access.unwrap_or_else(absent),
            row.sealed_at.unwrap_or_else(absent),
            row.sealed_by.map_or_else(absent, Word::into_owned),
            short(&escaped(&subscription)),
            row.id,
        ],
    )
}

/// How long new resources were unsealed, and those that no event has sealed.
fn delays(report: &Report, ink: Ink, to: &mut impl Write) -> io::Result<()> {
    let delays = &report.delays;
    writeln!(
        to,
        "\nCreated since {} and unsealed at first: {}.",
        seconds(report.run.since),
        delays.phrase()
    )?;
    let lines = || -> Lines<'_> {
        let counts = [
            ("event", delays.event),
            ("sweep", delays.sweep),
            ("command", delays.command),
            ("unknown", delays.unknown),
        ];
        Box::new(
            counts
                .into_iter()
                .map(|(by, count)| Ok(Line { status: None, cells: vec![by.to_owned(), grouped(count)] })),
        )
    };
    push(to, &["Named by", "Sealed"], lines, 1, ink)?;
    let missed = || -> Lines<'_> {
        Box::new(delays.not_by_event().into_iter().map(|one| {
            let delay = one.seconds.map_or_else(|| "–".to_owned(), for_people);
            let sealed_at = one.sealed_at.clone().unwrap_or_else(|| "–".to_owned());
            let cells =
                vec![one.sealed_by.to_owned(), one.time_created.clone(), sealed_at, delay, one.id.clone()];
            Ok(line(Status::Pending, cells))
        }))
    };
    push(to, &["No event", "Created", "Sealed at", "After", "Resource"], missed, 5, ink)
}

/// Who took SAS URLs, and of which resources.
fn exports(report: &Report, ink: Ink, to: &mut impl Write) -> io::Result<()> {
    let Some(exports) = &report.exports else { return Ok(()) };
    writeln!(to, "\n{}. {EXPORTS}", exports.phrase())?;
    let callers = || -> Lines<'_> {
        Box::new(exports.callers().into_iter().map(|one| {
            let numbers = [one.exports, one.resources, one.would_break].map(grouped);
            let cells = [one.text, one.caller.to_owned(), one.last].into_iter().chain(numbers);
            Ok(Line { status: None, cells: cells.collect() })
        }))
    };
    push(to, &["Exports by", "Kind", "Last", "Exports", "Resources", "Would break"], callers, 3, ink)?;
    let resources = || -> Lines<'_> {
        Box::new(exports.resources().into_iter().map(|one| {
            let cells = vec![one.effect.to_owned(), one.id, one.text, one.last, grouped(one.exports)];
            Ok(Line { status: None, cells })
        }))
    };
    push(to, &["Effect", "Exported", "By", "Last", "Exports"], resources, 4, ink)
}

/// The controls with the verdicts of disks, and what no control judges.
fn controls(report: &Report, ink: Ink, to: &mut impl Write) -> io::Result<()> {
    let of = |check: Check| report.by_check.get(&check).copied().unwrap_or_default();
    let lines = || -> Lines<'_> {
        let controls = CONTROLS.iter().map(move |one| (one.name(), one.check, of(one.check).disk));
        let snapshots = Check::ALL
            .into_iter()
            .map(move |check| ("no control (snapshots)".to_owned(), check, of(check).snapshot));
        Box::new(controls.chain(snapshots).map(|(name, check, verdicts)| {
            let counts = verdicts.counts().map(grouped);
            let cells = [name, check.label().to_owned()].into_iter().chain(counts).collect();
            Ok(Line { status: None, cells })
        }))
    };
    push(to, &["Control", "Check", "Pass", "Fail", "Exempt", "Unknown"], lines, 2, ink)?;
    writeln!(to, "{NOTE}")
}

/// Writes columns, the first `left` of them aligned to the left, the others to the right. Their cells are escaped,
/// because anybody can write a tag. Writes nothing if there are no lines. The lines are made twice, the first time for
/// the widths, so that none of them is kept.
fn push<'a>(
    to: &mut impl Write,
    header: &[&str],
    lines: impl Fn() -> Lines<'a>,
    left: usize,
    ink: Ink,
) -> io::Result<()> {
    let names = header.iter().map(|name| name.to_uppercase()).collect();
    let mut widths: Vec<_> = header.iter().map(|name| name.chars().count()).collect();
    let mut is_empty = true;
    for line in lines() {
        is_empty = false;
        for (width, cell) in widths.iter_mut().zip(line?.cells) {
            *width = escaped(&cell).chars().count().max(*width);
        }
    }
    if is_empty {
        return Ok(());
    }
    writeln!(to)?;
    for line in std::iter::once(Ok(Line { status: None, cells: names })).chain(lines()) {
        let Line { status, cells } = line?;
        let mut text = String::new();
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let cell = escaped(cell);
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            let cell = match status {
                Some(status) if column == 0 => ink.paint(status, &cell),
                _ => cell.into_owned(),
            };
            text += &if column < left { cell + &gap } else { gap + &cell };
            text += "  ";
        }
        writeln!(to, "{}", text.trim_end())?;
    }
    Ok(())
}

/// A value that is cut so that it does not widen its column too much. The other formats have all of it.
fn short(text: &str) -> String {
    match text.char_indices().nth(OWNER_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}
