//! Every exemption, if the report lists them.

use std::io;

use maud::{Markup, html as markup};

use super::{
    list::{first, list},
    words::reason,
};
use crate::report::{ExemptionRow, Report, grouped};

pub(super) fn section(report: &Report) -> io::Result<Markup> {
    if !report.lists_exemptions {
        return Ok(markup! {});
    }
    let (rows, count) = first(report.exemptions())?;
    let columns = ["Covers", "By", "State", "Last day", "Resources", "Owner", "Reason", "Findings"];
    Ok(markup! {
        section aria-labelledby="exemptions" {
            h2 #exemptions { "Exemptions" }
            @if rows.is_empty() {
                p { "None." }
            } @else {
                (list("exemptions", None, "Every exemption, by a setting or by a tag", &columns, &rows, count, row))
            }
        }
    })
}

fn row(one: &ExemptionRow) -> Markup {
    markup! {
        tr role="row" {
            th.words-of-others scope="row" role="rowheader" { (one.covers) }
            td role="cell" data-label="By" { (reason(one.kind)) @if let Some(number) = one.number { " " (number) } }
            td role="cell" data-label="State" { (reason(&one.state)) }
            td.date role="cell" data-label="Last day" {
                @match &one.until { Some(until) => { time datetime=(until) { (until) } } None => { "no end" } }
            }
            td.number role="cell" data-label="Resources" { (grouped(one.resources)) }
            td.words-of-others role="cell" data-label="Owner" { (one.owner.as_deref().unwrap_or("–")) }
            td.words-of-others role="cell" data-label="Reason" { (one.reason.as_deref().unwrap_or("–")) }
            td.words-of-others role="cell" data-label="Findings" {
                @if one.findings.is_empty() { span.none { "–" } }
                @for finding in &one.findings { span.detail { (finding.text) } }
            }
        }
    }
}
