//! The search over a list. It is hidden unless the page's script runs, because it does nothing without it.

use std::collections::BTreeSet;

use maud::{Markup, html as markup};

use super::words::reason;
use crate::report::{Row, grouped};

/// A list that can be searched and sorted.
pub(super) struct Listing<'a> {
    /// The ID of its table, and what its filter is named by in the page's address.
    pub key: &'a str,
    /// What its rows are, in the plural.
    pub noun: &'a str,
    /// The headings of its columns.
    pub columns: &'a [&'a str],
}

/// What rows can be chosen by: value and text of each.
pub(super) struct Choices<'a> {
    status: Vec<(&'a str, &'a str)>,
    kind: BTreeSet<(&'a str, &'a str)>,
    reason: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Choices<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let statuses: BTreeSet<_> = rows.iter().map(|row| row.status).collect();
        Self {
            status: statuses.into_iter().map(|status| (status.label(), status.title())).collect(),
            kind: rows.iter().map(|row| (row.kind.as_ref(), row.kind.as_ref())).collect(),
            reason: rows.iter().map(|row| (row.reason.as_ref(), reason(&row.reason))).collect(),
        }
    }
}

impl Listing<'_> {
    /// The search.
    pub(super) fn controls(&self, choices: &Choices<'_>) -> Markup {
        markup! {
            search.controls data-list=(self.key) aria-label={ "Search in " (self.noun) } hidden {
                label { "Find" input type="search" autocomplete="off" spellcheck="false" placeholder="Name, group, owner, reason"; }
                (choice("status", "Status", choices.status.iter().copied()))
                (choice("kind", "Kind", choices.kind.iter().copied()))
                (choice("reason", "Reason", choices.reason.iter().copied()))
                label.sort {
                    "Sort by"
                    select.order {
                        option value="" { "Status" }
                        @for (index, column) in self.columns.iter().enumerate() { option value=(index) { (column) } }
                    }
                }
                button type="button" { "Show all" }
            }
        }
    }

    /// How many rows are shown.
    pub(super) fn shown(&self, count: usize) -> Markup {
        markup! { p.shown role="status" data-noun=(self.noun) { (grouped(count)) " " (self.noun) } }
    }
}

/// One choice. One with a single value would choose nothing.
fn choice<'a>(
    member: &str,
    title: &str,
    options: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) -> Markup {
    markup! {
        @if options.len() > 1 {
            label {
                (title)
                select data-filter=(member) {
                    option value="" { "Any" }
                    @for (value, text) in options { option value=(value) { (text) } }
                }
            }
        }
    }
}
