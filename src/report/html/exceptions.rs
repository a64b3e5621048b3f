//! The exemptions that end soon, the warnings, the pending resources, and every resource that is not sealed.

use std::{collections::BTreeSet, io};

use maud::{Markup, html as markup};
use time::Date;

use super::{
    list::{first, left_out, list},
    words::{name, place, reason, swatch},
};
use crate::report::{
    Remark, Report, Row, Status, Word, grouped,
    warning::{EXPIRING, in_days},
};

/// The columns of the exceptions.
const COLUMNS: [&str; 8] = ["Status", "Resource", "Kind", "Location", "Reason", "Until", "Owner", "Ring"];

pub(super) fn expiries(report: &Report) -> io::Result<Markup> {
    let days = report.run.expiring_within;
    let mut ending: Vec<(Date, i64, Row)> = vec![];
    for row in report.exceptions() {
        let row = row?;
        if let Some(until) = row.last_day()
            && let Some(days) = report.run.ends_soon(until)
        {
            ending.push((until, days, row));
        }
    }
    ending.sort_by_key(|(until, ..)| *until);
    let row = |(until, days, row): &(Date, i64, Row)| {
        markup! {
            tr role="row" {
                td.date role="cell" data-label="Last day" { time datetime=(until) { (until) } }
                td role="cell" data-label="Ends" { (in_days(*days)) }
                th scope="row" role="rowheader" { (name(row)) }
                td.words-of-others role="cell" data-label="Owner" { (row.owner.as_deref().unwrap_or("–")) }
                td.words-of-others role="cell" data-label="Reason" { (row.detail) }
            }
        }
    };
    let columns = ["Last day", "Ends", "Resource", "Owner", "Reason"];
    let caption = "Exemptions by their last day, the next first";
    Ok(markup! {
        @if !ending.is_empty() {
            section aria-labelledby="expiries" {
                h2 #expiries { "Exemptions that end within " (days) " days" }
                (list("expiries", None, caption, &columns, &ending, ending.len(), row))
            }
        }
    })
}

pub(super) fn notices(report: &Report) -> io::Result<Markup> {
    let is_other = |one: &io::Result<Remark>| !one.as_ref().is_ok_and(|one| one.reason == EXPIRING);
    let (warnings, count) = first(report.warnings().filter(is_other))?;
    Ok(markup! {
        @if !warnings.is_empty() {
            section aria-labelledby="warnings" {
                h2 #warnings { "Warnings" }
                ul.warnings {
                    @for warning in &warnings {
                        li {
                            span.resource { (warning.name()) }
                            ": " (warning.text)
                            (place(&warning.id))
                        }
                    }
                }
                (left_out(count))
            }
        }
    })
}

pub(super) fn pending(report: &Report) -> io::Result<Markup> {
    let (pending, count) = first(report.pending())?;
    let row = |one: &Remark| {
        markup! {
            tr role="row" {
                th scope="row" role="rowheader" { span.resource { (one.name()) } (place(&one.id)) }
                td role="cell" data-label="State" { (reason(&one.reason)) }
                td.words-of-others role="cell" data-label="Why" { (one.text) }
            }
        }
    };
    let caption = "Resources that are pending, with their state";
    Ok(markup! {
        @if !pending.is_empty() {
            section aria-labelledby="pending" {
                h2 #pending { "Pending" }
                p { "Not sealed, and in a state in which Azure refuses the change or may refuse it. Every sweep tries again. Locks, policies and missing roles are not listed here, because they show only when the change is tried: see queue messages and traces." }
                (list("pending", None, caption, &["Resource", "State", "Why"], &pending, count, row))
            }
        }
    })
}

pub(super) fn section(report: &Report) -> io::Result<Markup> {
    let is_open = |row: &io::Result<Row>| !row.as_ref().is_ok_and(|row| row.status == Status::Sealed);
    let (exceptions, count) = first(report.exceptions().filter(is_open))?;
    let caption = "Every resource that is not sealed, with the reason";
    Ok(markup! {
        section aria-labelledby="exceptions" {
            h2 #exceptions tabindex="-1" { "Exceptions" }
            @if exceptions.is_empty() {
                p { "None: everything that could be read is sealed." }
            } @else {
                (controls(&exceptions))
                p #shown role="status" { (grouped(count)) " exceptions" }
                (list("exceptions", Some("list"), caption, &COLUMNS, &exceptions, count, |one| row(one, report)))
            }
        }
    })
}

/// Filters and sorting. Hidden unless the script runs, because they do nothing without it.
fn controls(exceptions: &[Row]) -> Markup {
    let statuses: BTreeSet<_> = exceptions.iter().map(|row| row.status).collect();
    let statuses = statuses.into_iter().map(|status| (status.label(), status.title()));
    let words = |word: fn(&Row) -> &Word| -> BTreeSet<&str> {
        exceptions.iter().map(|row| word(row).as_ref()).collect()
    };
    let kinds = words(|row| &row.kind).into_iter().map(|kind| (kind, kind));
    let reasons = words(|row| &row.reason).into_iter().map(|word| (word, reason(word)));
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

fn choice<'a>(member: &str, title: &str, options: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
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

fn row(row: &Row, report: &Report) -> Markup {
    let (status, until) = (row.status, row.last_day());
    markup! {
        tr role="row" data-status=(status.label()) data-kind=(row.kind) data-reason=(row.reason) {
            td role="cell" data-label="Status" data-sort=(format!("{}", status as u8)) { span.status { (swatch(status)) (status.title()) } }
            th scope="row" role="rowheader" data-sort=(row.name) title=(row.id) { (name(row)) }
            td role="cell" data-label="Kind" { (row.kind) }
            td role="cell" data-label="Location" { (row.location()) }
            td.words-of-others role="cell" data-label="Reason" { strong { (reason(&row.reason)) } span.detail { (row.detail) } }
            td.date role="cell" data-label="Until" data-sort=(row.until.as_deref().unwrap_or_default()) {
                @if let Some(until) = until {
                    time datetime=(until) { (until) }
                    @if let Some(days) = report.run.ends_soon(until) { span.soon { "ends " (in_days(days)) } }
                } @else { span.none { "–" } }
            }
            td.words-of-others role="cell" data-label="Owner" data-sort=(row.owner.as_deref().unwrap_or_default()) {
                @match &row.owner { Some(owner) => { (owner) } None => { span.none { "–" } } }
            }
            td role="cell" data-label="Ring" { (row.ring) }
        }
    }
}
