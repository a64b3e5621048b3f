//! The exemptions that end soon, the warnings, the pending resources, and every resource that is not sealed.

use std::collections::BTreeSet;

use maud::{Markup, html as markup};
use time::Date;

use super::words::{name, reason, swatch};
use crate::report::{
    Entry, Remark, Report, Status, grouped,
    warning::{EXPIRING, in_days},
};

/// The maximum of rows in a table, which a browser can still sort and print. The other formats have all rows.
const ROWS_MAX: usize = 5_000;

/// The columns of the exceptions.
const COLUMNS: [&str; 7] = ["Status", "Resource", "Kind", "Location", "Reason", "Until", "Owner"];

pub(super) fn expiries(report: &Report) -> Markup {
    let days = report.run.expiring_within;
    let soon = |entry| Some((Entry::until(entry)?, report.run.ends_soon(entry.until()?)?, entry));
    let mut ending: Vec<_> = report.exceptions().into_iter().filter_map(soon).collect();
    ending.sort_by_key(|(until, ..)| *until);
    let row = |(until, days, entry): &(Date, i64, &Entry)| {
        markup! {
            tr role="row" {
                td.date role="cell" data-label="Last day" { time datetime=(until) { (until) } }
                td role="cell" data-label="Ends" { (in_days(*days)) }
                th scope="row" role="rowheader" { (name(&entry.id)) }
                td.words-of-others role="cell" data-label="Owner" { (entry.owner.as_deref().unwrap_or("–")) }
                td.words-of-others role="cell" data-label="Reason" { (entry.detail()) }
            }
        }
    };
    let columns = ["Last day", "Ends", "Resource", "Owner", "Reason"];
    let caption = "Exemptions by their last day, the next first";
    markup! {
        @if !ending.is_empty() {
            section aria-labelledby="expiries" {
                h2 #expiries { "Exemptions that end within " (days) " days" }
                (list("expiries", None, caption, &columns, &ending, row))
            }
        }
    }
}

pub(super) fn notices(report: &Report) -> Markup {
    let warnings: Vec<_> =
        report.warnings().into_iter().filter(|warning| warning.reason != EXPIRING).collect();
    markup! {
        @if !warnings.is_empty() {
            section aria-labelledby="warnings" {
                h2 #warnings { "Warnings" }
                ul.warnings {
                    @for warning in warnings.iter().take(ROWS_MAX) {
                        li {
                            span.resource { (warning.id.name()) }
                            ": " (warning.text)
                            span.place { (warning.id.resource_group()) " · " code { (warning.id.subscription_id()) } }
                        }
                    }
                }
                (left_out(warnings.len()))
            }
        }
    }
}

pub(super) fn pending(report: &Report) -> Markup {
    let pending = report.pending();
    let row = |one: &Remark<'_>| {
        markup! {
            tr role="row" {
                th scope="row" role="rowheader" { (name(one.id)) }
                td role="cell" data-label="State" { (reason(one.reason)) }
                td.words-of-others role="cell" data-label="Why" { (one.text) }
            }
        }
    };
    let caption = "Resources that are pending, with their state";
    markup! {
        @if !pending.is_empty() {
            section aria-labelledby="pending" {
                h2 #pending { "Pending" }
                p { "Not sealed, and in a state in which Azure refuses the change or may refuse it. Every sweep tries again. Locks, policies and missing roles are not listed here, because they show only when the change is tried: see queue messages and traces." }
                (list("pending", None, caption, &["Resource", "State", "Why"], &pending, row))
            }
        }
    }
}

pub(super) fn section(report: &Report) -> Markup {
    let exceptions: Vec<_> =
        report.exceptions().into_iter().filter(|entry| entry.status() != Status::Sealed).collect();
    let caption = "Every resource that is not sealed, with the reason";
    markup! {
        section aria-labelledby="exceptions" {
            h2 #exceptions tabindex="-1" { "Exceptions" }
            @if exceptions.is_empty() {
                p { "None: everything that could be read is sealed." }
            } @else {
                (controls(&exceptions))
                p #shown role="status" { (grouped(exceptions.len())) " exceptions" }
                (list("exceptions", Some("list"), caption, &COLUMNS, &exceptions, |entry| row(entry, report)))
            }
        }
    }
}

/// Filters and sorting. Hidden unless the script runs, because they do nothing without it.
fn controls(exceptions: &[&Entry]) -> Markup {
    let statuses: BTreeSet<_> = exceptions.iter().map(|entry| entry.status()).collect();
    let statuses = statuses.into_iter().map(|status| (status.label(), status.title()));
    let kinds: BTreeSet<_> = exceptions.iter().map(|entry| (entry.kind(), entry.kind())).collect();
    let reasons: BTreeSet<_> =
        exceptions.iter().map(|entry| (entry.reason(), reason(entry.reason()))).collect();
    markup! {
        div.controls #controls role="search" hidden {
            label { "Find" input #find type="search" autocomplete="off" spellcheck="false" placeholder="Name, group, owner, reason"; }
            (choice("status", "Status", statuses))
            (choice("kind", "Kind", kinds))
            (choice("reason", "Reason", reasons))
            label.sort {
                "Sort by"
                select #sort { @for (index, column) in COLUMNS.iter().enumerate() { option value=(index) { (column) } } }
            }
            button #clear type="button" { "Show all" }
        }
    }
}

fn choice(
    member: &str,
    title: &str,
    options: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> Markup {
    markup! {
        label {
            (title)
            select data-filter=(member) {
                option value="" { "Any" }
                @for (value, text) in options { option value=(value) { (text) } }
            }
        }
    }
}

fn row(entry: &Entry, report: &Report) -> Markup {
    let status = entry.status();
    markup! {
        tr role="row" data-status=(status.label()) data-kind=(entry.kind()) data-reason=(entry.reason()) {
            td role="cell" data-label="Status" data-sort=(format!("{}", status as u8)) { span.status { (swatch(status)) (status.title()) } }
            th scope="row" role="rowheader" data-sort=(entry.id.name()) title=(entry.id) { (name(&entry.id)) }
            td role="cell" data-label="Kind" { (entry.kind()) }
            td role="cell" data-label="Location" { (entry.location()) }
            td.words-of-others role="cell" data-label="Reason" { strong { (reason(entry.reason())) } span.detail { (entry.detail()) } }
            td.date role="cell" data-label="Until" data-sort=(entry.until().map(|until| until.to_string()).unwrap_or_default()) {
                @if let Some(until) = entry.until() {
                    time datetime=(until) { (until) }
                    @if let Some(days) = report.run.ends_soon(until) { span.soon { "ends " (in_days(days)) } }
                } @else { span.none { "–" } }
            }
            td.words-of-others role="cell" data-label="Owner" data-sort=(entry.owner.as_deref().unwrap_or_default()) {
                @match &entry.owner { Some(owner) => { (owner) } None => { span.none { "–" } } }
            }
        }
    }
}

/// A table of the first rows, and how many there are if that is not all.
fn list<T>(
    class: &str,
    id: Option<&str>,
    caption: &str,
    columns: &[&str],
    rows: &[T],
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
        (left_out(rows.len()))
    }
}

fn left_out(rows: usize) -> Markup {
    markup! {
        @if rows > ROWS_MAX {
            p.left-out {
                "These are the first " (grouped(ROWS_MAX)) " of " (grouped(rows)) ". "
                code { "diskseal report --output csv" } " lists all."
            }
        }
    }
}
