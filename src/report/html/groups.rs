//! Resources in groups that have one reason, so that no sentence is repeated in each row.

use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap};

use maud::{Markup, html as markup};

use super::{
    filter::{Choices, Listing},
    list::left_out,
    words::{in_use, name, reason, sentence, swatch},
};
use crate::report::{Report, Row, Status, grouped, warning::in_days};

/// A column of a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Resource,
    Kind,
    Location,
    Details,
    Until,
    Owner,
    Ring,
}

impl Column {
    const ALL: [Self; 7] =
        [Self::Resource, Self::Kind, Self::Location, Self::Details, Self::Until, Self::Owner, Self::Ring];

    const fn title(self) -> &'static str {
        match self {
            Self::Resource => "Resource",
            Self::Kind => "Kind",
            Self::Location => "Location",
            Self::Details => "Details",
            Self::Until => "Until",
            Self::Owner => "Owner",
            Self::Ring => "Ring",
        }
    }

    /// Whether it says something about one of the rows.
    fn is_of(self, rows: &[Row], report: &Report) -> bool {
        match self {
            Self::Resource | Self::Kind | Self::Location => true,
            Self::Details => rows.iter().any(|row| details(row).is_some()),
            Self::Until => rows.iter().any(|row| row.until.is_some()),
            Self::Owner => rows.iter().any(|row| row.owner.is_some()),
            Self::Ring => report.by_ring.len() > 1,
        }
    }

    fn cell(self, row: &Row, report: &Report) -> Markup {
        let empty = || markup! { span.none { "–" } };
        markup! {
            @match self {
                Self::Resource => th scope="row" role="rowheader" data-sort=(row.name) { (name(row)) },
                Self::Kind => td role="cell" data-label="Kind" { (row.kind) },
                Self::Location => td role="cell" data-label="Location" { (row.location()) },
                Self::Details => {
                    @let details = details(row);
                    td.words-of-others role="cell" data-label="Details" data-sort=(details.as_deref().unwrap_or_default()) {
                        @match &details { Some(text) => { (text) } None => { (empty()) } }
                    }
                }
                Self::Until => td.date role="cell" data-label="Until" data-sort=(row.until.as_deref().unwrap_or_default()) {
                    @match row.last_day() {
                        Some(until) => {
                            time datetime=(until) { (until) }
                            @if let Some(days) = report.run.ends_soon(until) { span.soon { "ends " (in_days(days)) } }
                        }
                        None => { (empty()) }
                    }
                },
                Self::Owner => td.words-of-others role="cell" data-label="Owner" data-sort=(row.owner.as_deref().unwrap_or_default()) {
                    @match &row.owner { Some(owner) => { (owner) } None => { (empty()) } }
                },
                Self::Ring => td role="cell" data-label="Ring" { (row.ring) },
            }
        }
    }
}

/// What is said of one resource alone: the text of its exemption tag, or its machine.
fn details(row: &Row) -> Option<Cow<'_, str>> {
    if row.reason == TAG {
        return Some(Cow::Borrowed(&row.detail));
    }
    let machine = row.managed_by.as_deref()?.rsplit('/').next()?;
    Some(Cow::Owned(format!("Attached to {machine}")))
}

/// The reason of an exemption tag, whose text is each resource's own.
const TAG: &str = "tag";

/// Resources with the same reason.
struct Group<'a> {
    status: Status,
    /// The sentence of all rows, unless each has its own.
    detail: Option<&'a str>,
    rows: Vec<&'a Row>,
}

impl Group<'_> {
    /// What the rows of a group have in common.
    fn key(row: &Row) -> (Status, &str, Option<&str>, Option<&str>) {
        (row.status, &row.reason, shared(row), row.pending.as_ref().map(|note| note.reason.as_ref()))
    }
}

/// The sentence that a row has in common with others.
fn shared(row: &Row) -> Option<&str> {
    (row.reason != TAG).then_some(row.detail.as_str())
}

/// The groups, the worst state first, and in it the largest.
fn groups(rows: &[Row]) -> Vec<Group<'_>> {
    let mut groups = BTreeMap::<_, Group<'_>>::new();
    for row in rows {
        let empty = || Group { status: row.status, detail: shared(row), rows: vec![] };
        groups.entry(Group::key(row)).or_insert_with(empty).rows.push(row);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| (group.status, Reverse(group.rows.len())));
    groups
}

/// A list of resources in groups, with a search and its own order. `count` is the number of all, `rows` are the first.
pub(super) fn list(
    key: &str,
    noun: &str,
    caption: &str,
    rows: &[Row],
    count: usize,
    report: &Report,
) -> Markup {
    let columns: Vec<_> = Column::ALL.into_iter().filter(|column| column.is_of(rows, report)).collect();
    let titles: Vec<_> = columns.iter().map(|column| column.title()).collect();
    let listing = Listing { key, noun, columns: &titles };
    markup! {
        (listing.controls(&Choices::of(rows)))
        (listing.shown(count))
        table.list.resources id=(key) role="table" {
            caption.hidden { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for title in &titles { th class={ "of-" (title.to_lowercase()) } scope="col" role="columnheader" { (title) } } }
            }
            @for group in groups(rows) {
                tbody role="rowgroup" {
                    (head(&group, columns.len()))
                    @for row in &group.rows {
                        tr role="row" data-status=(row.status.label()) data-kind=(row.kind) data-reason=(row.reason) {
                            @for column in &columns { (column.cell(row, report)) }
                        }
                    }
                }
            }
        }
        (left_out(count))
    }
}

fn head(group: &Group<'_>, columns: usize) -> Markup {
    let Some(first) = group.rows.first() else { return markup! {} };
    let use_now = first.pending.as_ref().filter(|note| note.text != first.detail);
    markup! {
        tr.group role="row" {
            th scope="rowgroup" role="rowheader" colspan=(columns) {
                span.status { (swatch(group.status)) strong { (group.status.title()) } }
                strong { (reason(&first.reason)) @if let Some(note) = use_now { " · " (reason(&note.reason)) } }
                span.count { (grouped(group.rows.len())) }
                @if let Some(detail) = group.detail { span.detail.words-of-others { (sentence(detail)) } }
                @if let Some(note) = use_now { span.detail { (in_use(note)) } }
            }
        }
    }
}
