//! The report as an HTML page to open, print and file. It is one file, makes no network requests, and shows the
//! values of tags as text only.

mod coverage;
mod exceptions;
mod exemptions;
mod filter;
mod groups;
mod inventory;
mod list;
mod words;

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use ring::digest::{SHA256, digest};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

use super::{Report, Status, grouped};
use crate::scope::Scope;
use words::swatch;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

const MINUTE: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");

/// The report as an HTML page.
///
/// # Errors
/// The rows cannot be read.
pub fn html(report: &Report) -> io::Result<String> {
    let run = &report.run;
    let title = format!("Diskseal report {}", run.taken_at_text());
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#unsealed-title" { "Skip to what is not sealed" }
                (coverage::patterns())
                header { (head(report)) }
                main {
                    (gaps(report))
                    (exceptions::unsealed(report)?)
                    (exceptions::expiries(report)?)
                    (exceptions::notices(report)?)
                    (coverage::section(report))
                    (inventory::controls(report))
                    (inventory::delays(report))
                    (exceptions::exempt(report)?)
                    (exemptions::section(report)?)
                    (inventory::exports(report))
                    (inventory::restore_points(report))
                    (inventory::all(report)?)
                    (glossary())
                }
                footer {
                    // Lines to sign on the printed page.
                    dl.sign-off { @for line in ["Reviewed by", "Date", "Signature"] { div { dt { (line) } dd {} } } }
                    p { "Written by diskseal " (env!("CARGO_PKG_VERSION")) ". This page is self-contained and makes no network requests." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// Allows the page's own script and style, by their hashes, and nothing else.
fn security_policy() -> String {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn head(report: &Report) -> Markup {
    let (run, totals) = (&report.run, &report.totals);
    markup! {
        p.mark { "Diskseal" }
        h1 { "Disk and snapshot seal report" }
        p.verdict.clean[report.is_clean()] { (report.verdict()) }
        dl.run {
            div { dt { "Taken" } dd { time datetime=(run.taken_at_text()) { (minute(run.taken_at)) } } }
            div {
                dt { "Identity" }
                dd {
                    @match &run.identity {
                        Some(id) => { code { (id) } }
                        None => { "unknown: its token has no object ID" }
                    }
                }
            }
            div {
                dt { "Scope" }
                dd {
                    @match &run.scope {
                        Scope::Visible => { "every subscription that the identity can read" }
                        Scope::Subscriptions(ids) => { (subscriptions(ids, report)) }
                        Scope::ManagementGroup(id) => { "the management group " code { (id) } }
                    }
                }
            }
            @if !report.selection.is_all() {
                div { dt { "Narrowed by" } dd { code { (report.selection) } } }
            }
            div { dt { "Source" } dd { (run.source.phrase()) } }
            @if let Some(queue) = &report.poison_queue {
                div { dt { "Poison queue" } dd { (queue.phrase(run.taken_at)) } }
            }
        }
        (coverage::bar(totals, true))
        ul.figures {
            @for status in Status::BEST_FIRST {
                li {
                    span.figure { (grouped(totals.of(status))) }
                    span.name { (swatch(status)) (status.title()) }
                }
            }
            li.share { span.figure { (totals.sealed_percent()) } span.name { "sealed of " (grouped(totals.total())) } }
            li.share { span.figure { (totals.sealed_or_exempt_percent()) } span.name { "sealed or exempt" } }
        }
    }
}

/// The given subscriptions: the names of a few, the number of many.
fn subscriptions(ids: &[String], report: &Report) -> Markup {
    const NAMED_MAX: usize = 5;
    let names: Vec<_> = ids.iter().map(|id| report.subscription_name(id).unwrap_or(id)).collect();
    markup! {
        @if names.len() > NAMED_MAX { (grouped(names.len())) " subscriptions" } @else { (names.join(", ")) }
    }
}

fn gaps(report: &Report) -> Markup {
    markup! {
        @if !report.gaps.is_empty() {
            section.gaps aria-labelledby="gaps" {
                h2 #gaps { "Not checked" }
                ul {
                    @for gap in &report.gaps {
                        li { strong { (gap.what) } ": " (gap.why) }
                    }
                }
            }
        }
    }
}

fn glossary() -> Markup {
    markup! {
        section.words aria-labelledby="words" {
            h2 #words { "Definitions" }
            dl {
                dt { (swatch(Status::Sealed)) "Sealed" }
                dd { code { "dataAccessAuthMode" } " is " code { "AzureActiveDirectory" } ", and it has the seal's tags: a SAS URL gives access to its data only to a caller with a Microsoft Entra identity and the right role." }
                dt { (swatch(Status::Exempt)) "Exempt" }
                dd { "Left as it is, by a rule in the settings or by a tag with an end date and a reason." }
                dt { (swatch(Status::Pending)) "Pending" }
                dd { "Cannot be sealed now: an earlier write is in progress, or data is being uploaded to it." }
                dt { (swatch(Status::Unsealed)) "Unsealed" }
                dd { "It lacks the mode or a tag of the seal." }
            }
            p { "Percentages are rounded down: 100.0 % means all. An exemption ends at the end of its last day in UTC." }
        }
    }
}

fn minute(time: OffsetDateTime) -> String {
    time.to_offset(UtcOffset::UTC).format(MINUTE).unwrap_or_default()
}
