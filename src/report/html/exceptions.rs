//! The exemptions that end soon, the warnings, and every resource that is not sealed.

use std::collections::BTreeSet;

use maud::{Markup, html as markup};

use super::words::{name, reason, swatch};
use crate::report::{
    Finding, Report, Status, grouped,
    warning::{EXPIRING, in_days},
};

/// The most rows of one table. A browser sorts and prints so many; the other forms hold all.
pub(super) const ROWS_MAX: usize = 5_000;

/// Columns of the exceptions, in order, and the sort that each begins with.
const COLUMNS: [&str; 7] = ["Status", "Resource", "Kind", "Location", "Reason", "Until", "Owner"];

pub(super) fn expiries(report: &Report) -> Markup {
    let days = report.run.expiring_within;
    let mut ending: Vec<_> = report
        .exceptions()
        .into_iter()
        .filter_map(|finding| Some((finding.until()?, finding)))
        .filter(|(until, _)| report.run.days_left(*until) <= i64::from(days))
        .collect();
    ending.sort_by_key(|(until, _)| *until);
    markup! {
        @if !ending.is_empty() {
            section aria-labelledby="expiries" {
                h2 #expiries { "Exemptions that end within " (days) " days" }
                table.list.expiries role="table" {
                    caption.hidden { "Exemptions by their last day, the next first" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for column in ["Last day", "Ends", "Resource", "Owner", "Reason"] {
                                th scope="col" role="columnheader" { (column) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for (until, finding) in ending.iter().take(ROWS_MAX) {
                            tr role="row" {
                                td.date role="cell" data-label="Last day" { time datetime=(until) { (until) } }
                                td role="cell" data-label="Ends" { (in_days(report.run.days_left(*until))) }
                                th scope="row" role="rowheader" { (name(finding)) }
                                td.words-of-others role="cell" data-label="Owner" { (finding.owner.as_deref().unwrap_or("–")) }
                                td.words-of-others role="cell" data-label="Reason" { (finding.detail()) }
                            }
                        }
                    }
                }
                (left_out(ending.len()))
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

pub(super) fn section(report: &Report) -> Markup {
    let exceptions: Vec<_> =
        report.exceptions().into_iter().filter(|finding| finding.status() != Status::Sealed).collect();
    markup! {
        section aria-labelledby="exceptions" {
            h2 #exceptions tabindex="-1" { "Exceptions" }
            @if exceptions.is_empty() {
                p { "None: everything that could be read is sealed." }
            } @else {
                (controls(&exceptions))
                p #shown role="status" { (grouped(exceptions.len())) " exceptions" }
                table.list.exceptions #list role="table" {
                    caption.hidden { "Every resource that is not sealed, with the reason" }
                    thead role="rowgroup" {
                        tr role="row" { @for column in COLUMNS { th scope="col" role="columnheader" { (column) } } }
                    }
                    tbody role="rowgroup" { @for finding in exceptions.iter().take(ROWS_MAX) { (row(finding, report)) } }
                }
                (left_out(exceptions.len()))
            }
        }
    }
}

/// Shown by the script alone, because without it they would do nothing.
fn controls(exceptions: &[&Finding]) -> Markup {
    let statuses: BTreeSet<_> = exceptions.iter().map(|finding| finding.status()).collect();
    let kinds: BTreeSet<_> = exceptions.iter().map(|finding| finding.kind()).collect();
    let reasons: BTreeSet<_> = exceptions.iter().map(|finding| finding.reason()).collect();
    let statuses = statuses.into_iter().map(|status| (status.label(), status.title())).collect();
    let kinds = kinds.into_iter().map(|kind| (kind, kind)).collect();
    let reasons = reasons.into_iter().map(|word| (word, reason(word))).collect();
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

fn choice(member: &str, title: &str, options: Vec<(&str, &str)>) -> Markup {
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

fn row(finding: &Finding, report: &Report) -> Markup {
    let status = finding.status();
    markup! {
        tr role="row" data-status=(status.label()) data-kind=(finding.kind()) data-reason=(finding.reason()) {
            td role="cell" data-label="Status" data-sort=(format!("{}", status as u8)) { span.status { (swatch(status)) (status.title()) } }
            th scope="row" role="rowheader" data-sort=(finding.id.name()) title=(finding.id) { (name(finding)) }
            td role="cell" data-label="Kind" { (finding.kind()) }
            td role="cell" data-label="Location" { (finding.location()) }
            td.words-of-others role="cell" data-label="Reason" { strong { (reason(finding.reason())) } span.detail { (finding.detail()) } }
            td.date role="cell" data-label="Until" data-sort=(finding.until().map(|until| until.to_string()).unwrap_or_default()) {
                @if let Some(until) = finding.until() {
                    time datetime=(until) { (until) }
                    @if report.run.days_left(until) <= i64::from(report.run.expiring_within) {
                        span.soon { "ends " (in_days(report.run.days_left(until))) }
                    }
                } @else { span.none { "–" } }
            }
            td.words-of-others role="cell" data-label="Owner" data-sort=(finding.owner.as_deref().unwrap_or_default()) {
                @match &finding.owner { Some(owner) => { (owner) } None => { span.none { "–" } } }
            }
        }
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
