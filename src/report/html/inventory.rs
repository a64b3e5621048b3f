//! What no event has sealed, the published controls, restore points, and every resource.

use std::io;

use maud::{Markup, html as markup};

use super::{
    filter::{Choices, Listing},
    list::{first, list},
    words::{name, place, swatch},
};
use crate::report::{
    NotByEvent, Report, Row,
    control::{Check, NOTE, Verdict},
    delay::for_people,
    exports::{NOTE as EXPORTS, OfCaller, OfPair},
    grouped, restore_points,
    stamp::seconds,
};

pub(super) fn delays(report: &Report) -> Markup {
    let delays = &report.delays;
    let missed = delays.not_by_event();
    let row = |one: &&NotByEvent| {
        markup! {
            tr role="row" {
                th scope="row" role="rowheader" { span.resource { (one.id.rsplit('/').next().unwrap_or_default()) } (place(&one.id, report)) }
                td role="cell" data-label="Named by" { (one.sealed_by) }
                td.date role="cell" data-label="Created" { (one.time_created) }
                td.date role="cell" data-label="Sealed" { (one.sealed_at.as_deref().unwrap_or("–")) }
                td role="cell" data-label="After" { (one.seconds.map_or_else(|| "–".to_owned(), for_people)) }
            }
        }
    };
    let columns = ["Resource", "Named by", "Created", "Sealed", "After"];
    markup! {
        section aria-labelledby="delays" {
            h2 #delays { "Time to seal" }
            p { "Created since " (seconds(report.run.since)) " and unsealed at first: " (delays.phrase()) "." }
            dl.counts {
                @for (by, count) in [("After an event", delays.event), ("By a sweep", delays.sweep), ("By a person", delays.command), ("Not known by what", delays.unknown), ("Sealed before the first look", delays.before), ("Not sealed", delays.unsealed)] {
                    div { dt { (by) } dd { (grouped(count)) } }
                }
            }
            @if !missed.is_empty() {
                (list("missed", None, "Resources that no event has sealed, the slowest first", &columns, &missed, missed.len(), row))
            }
        }
    }
}

pub(super) fn controls(report: &Report) -> Markup {
    let rows = Check::ALL.into_iter().flat_map(|check| {
        let by_kind = report.by_check.get(&check).copied().unwrap_or_default();
        [("Disks", check, by_kind.disk, by_framework(check)), ("Snapshots", check, by_kind.snapshot, vec![])]
    });
    markup! {
        section aria-labelledby="controls-map" {
            h2 #controls-map { "Controls" }
            p { (NOTE) }
            table.breakdown.checks role="table" {
                caption { "By check" }
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { "Check" }
                        th.of scope="col" role="columnheader" { "Controls" }
                        @for verdict in Verdict::ALL { th.number scope="col" role="columnheader" { (title(verdict)) } }
                    }
                }
                tbody role="rowgroup" {
                    @for (kind, check, verdicts, frameworks) in rows {
                        tr role="row" {
                            th scope="row" role="rowheader" { (check.title()) span.place { (kind) } }
                            td.of role="cell" data-label="Controls" {
                                @if frameworks.is_empty() { span.none { "No published control" } }
                                @for (framework, numbers) in &frameworks { span.detail { (framework) ": " (numbers.join(", ")) } }
                            }
                            @for (verdict, count) in Verdict::ALL.into_iter().zip(verdicts.counts()) {
                                td.number.none[count == 0] role="cell" data-label=(title(verdict)) { (grouped(count)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The numbers of a check's controls in each benchmark or standard.
fn by_framework(check: Check) -> Vec<(String, Vec<&'static str>)> {
    let mut frameworks: Vec<(String, Vec<&'static str>)> = vec![];
    for control in check.controls() {
        let framework = format!("{} {}", control.framework, control.version);
        match frameworks.iter_mut().find(|(name, _)| *name == framework) {
            Some((_, numbers)) => numbers.push(control.number),
            None => frameworks.push((framework, vec![control.number])),
        }
    }
    frameworks
}

const fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Fail => "Fail",
        Verdict::Exempt => "Exempt",
        Verdict::Unknown => "Unknown",
    }
}

pub(super) fn restore_points(report: &Report) -> Markup {
    markup! {
        @if let Some(points) = &report.restore_points {
            section aria-labelledby="restore-points" {
                h2 #restore-points { "Restore points" }
                p { "Number: " (points.phrase()) "." }
                p { (restore_points::NOTE) }
                @let callers = points.callers();
                @if !callers.is_empty() {
                    ul.warnings { @for line in &callers { li { (line) } } }
                }
            }
        }
    }
}

/// Who took SAS URLs, and whom enforcement would break.
pub(super) fn exports(report: &Report) -> Markup {
    let Some(exports) = &report.exports else { return markup! {} };
    let (callers, resources) = (exports.callers(), exports.resources());
    let caller = |one: &OfCaller| {
        markup! {
            tr role="row" {
                th scope="row" role="rowheader" { (one.text) }
                td role="cell" data-label="Kind" { (one.caller) }
                td.number role="cell" data-label="Exports" { (grouped(one.exports)) }
                td.number role="cell" data-label="Resources" { (grouped(one.resources)) }
                td.number role="cell" data-label="Would break" { (grouped(one.would_break)) }
                td.date role="cell" data-label="Last" { (one.last) }
            }
        }
    };
    let resource = |one: &OfPair| {
        markup! {
            tr role="row" {
                th scope="row" role="rowheader" { span.resource { (one.id.rsplit('/').next().unwrap_or_default()) } (place(&one.id, report)) }
                td role="cell" data-label="By" { (one.text) }
                td.number role="cell" data-label="Exports" { (grouped(one.exports)) }
                td.date role="cell" data-label="Last" { (one.last) }
                td role="cell" data-label="Effect" { (one.effect) }
            }
        }
    };
    let of_callers = ["By", "Kind", "Exports", "Resources", "Would break", "Last"];
    markup! {
        section aria-labelledby="exports" {
            h2 #exports { "Exports" }
            p { (exports.phrase()) ". " (EXPORTS) }
            @if !callers.is_empty() {
                (list("exports", None, "Callers that took SAS URLs", &of_callers, &callers, callers.len(), caller))
                (list("exported", None, "What each caller took of each resource", &["Resource", "By", "Exports", "Last", "Effect"], &resources, resources.len(), resource))
            }
        }
    }
}

/// Every resource, if the report is of all of them.
pub(super) fn all(report: &Report) -> io::Result<Markup> {
    if !report.run.is_of_all {
        return Ok(markup! {});
    }
    let (rows, count) = first(report.resources())?;
    let columns = [
        "Resource",
        "State",
        "Ring",
        "Auth mode",
        "Network access policy",
        "Public network access",
        "Sealed at",
        "By",
        "Checks",
    ];
    let listing = Listing { key: "all", noun: "resources", columns: &columns };
    Ok(markup! {
        section aria-labelledby="all-title" {
            h2 #all-title { "All resources" }
            (listing.controls(&Choices::of(&rows)))
            (listing.shown(count))
            (list("all", Some("all"), "Every resource, unsealed ones first", &columns, &rows, count, row))
        }
    })
}

fn row(row: &Row) -> Markup {
    let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    markup! {
        tr role="row" data-status=(row.status.label()) data-kind=(row.kind) data-reason=(row.reason) {
            th scope="row" role="rowheader" data-sort=(row.name) { (name(row)) }
            td role="cell" data-label="State" { span.status { (swatch(row.status)) (row.status.title()) } }
            td role="cell" data-label="Ring" { (row.ring) }
            td role="cell" data-label="Auth mode" { (optional(&row.data_access_auth_mode)) }
            td role="cell" data-label="Network access policy" { (optional(&row.network_access_policy)) }
            td role="cell" data-label="Public network access" { (optional(&row.public_network_access)) }
            td.date role="cell" data-label="Sealed at" { (optional(&row.sealed_at)) }
            td role="cell" data-label="By" { (row.sealed_by.as_deref().unwrap_or("–")) }
            td role="cell" data-label="Checks" {
                @for check in Check::ALL { span.detail { (check.label()) ": " (row.checks.of(check).label()) } }
            }
        }
    }
}
