//! What is pending, and why.

use maud::{Markup, html as markup};

use super::{
    exceptions::{ROWS_MAX, left_out},
    words::reason,
};
use crate::report::Report;

pub(super) fn section(report: &Report) -> Markup {
    let pending = report.pending();
    markup! {
        @if !pending.is_empty() {
            section aria-labelledby="pending" {
                h2 #pending { "Pending" }
                p { "Not sealed, and in a state in which Azure refuses the change, or may. Every sweep tries again. Locks, policies and missing roles show only when the change is tried: queue messages and traces name them." }
                table.list.pending role="table" {
                    caption.hidden { "Resources that are pending, with their state" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for column in ["Resource", "State", "Why"] {
                                th scope="col" role="columnheader" { (column) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for one in pending.iter().take(ROWS_MAX) {
                            tr role="row" {
                                th scope="row" role="rowheader" {
                                    span.resource { (one.id.name()) }
                                    span.place { (one.id.resource_group()) }
                                    span.place { code { (one.id.subscription_id()) } }
                                }
                                td role="cell" data-label="State" { (reason(one.reason)) }
                                td.words-of-others role="cell" data-label="Why" { (one.text) }
                            }
                        }
                    }
                }
                (left_out(pending.len()))
            }
        }
    }
}
