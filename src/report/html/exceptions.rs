//! What is unsealed, the exemptions that end soon, the warnings, and what is exempt.

use std::io;

use maud::{Markup, html as markup};
use time::Date;

use super::{
    groups,
    list::{first, left_out, list},
    words::{name, place},
};
use crate::report::{
    Check, Remark, Report, Row, Status,
    control::Control,
    grouped,
    warning::{EXPIRING, in_days},
};

/// Every resource that is neither sealed nor exempt.
pub(super) fn unsealed(report: &Report) -> io::Result<Markup> {
    let is_open = |row: &io::Result<Row>| {
        !row.as_ref().is_ok_and(|row| matches!(row.status, Status::Sealed | Status::Exempt))
    };
    let (rows, count) = first(report.exceptions().filter(is_open))?;
    let caption = "Every resource that is neither sealed nor exempt, by the reason";
    Ok(markup! {
        section aria-labelledby="unsealed-title" {
            h2 #unsealed-title tabindex="-1" { "Not sealed" }
            @if rows.is_empty() {
                p { "None: everything that could be read is sealed or exempt." }
            } @else {
                p { "The next sweep tries each again. Locks, policies and missing roles show only when a change is tried: see " code { "diskseal pending" } " and the traces." }
                (fails(report))
                (groups::list("unsealed", "resources that are not sealed", caption, &rows, count, report))
            }
        }
    })
}

/// The controls that a disk without the mode fails.
fn fails(report: &Report) -> Markup {
    let check = Check::DataAccessAuthMode;
    let failing = report.by_check.get(&check).map_or(0, |by_kind| by_kind.disk.fail);
    let controls: Vec<_> = check.controls().map(Control::name).collect();
    markup! {
        @if failing > 0 {
            p { "Disks that lack the mode (" (grouped(failing)) ") fail " (controls.join(" and ")) "." }
        }
    }
}

/// Every exempt resource.
pub(super) fn exempt(report: &Report) -> io::Result<Markup> {
    let is_exempt = |row: &io::Result<Row>| !row.as_ref().is_ok_and(|row| row.status != Status::Exempt);
    let (rows, count) = first(report.exceptions().filter(is_exempt))?;
    let caption = "Every resource that is exempt, by what exempts it";
    Ok(markup! {
        @if !rows.is_empty() {
            section aria-labelledby="exempt-title" {
                h2 #exempt-title { "Exempt" }
                (groups::list("exempt", "exempt resources", caption, &rows, count, report))
            }
        }
    })
}

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
                            (place(&warning.id, report))
                        }
                    }
                }
                (left_out(count))
            }
        }
    })
}
