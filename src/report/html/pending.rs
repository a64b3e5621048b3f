//! The pending resources, and why they are pending.

use maud::{Markup, html as markup};

use super::{
    exceptions::{ROWS_MAX, left_out},
    words::{head, name, reason},
};
use crate::report::Report;

pub(super) fn section(report: &Report) -> Markup {
    let pending = report.pending();
    markup! {
        @if !pending.is_empty() {
            section aria-labelledby="pending" {
                h2 #pending { "Pending" }
                p { "Not sealed, and in a state in which Azure refuses the change or may refuse it. Every sweep tries again. Locks, policies and missing roles are not listed here, because they show only when the change is tried: see queue messages and traces." }
                table.list.pending role="table" {
                    caption.hidden { "Resources that are pending, with their state" }
                    (head(&["Resource", "State", "Why"]))
                    tbody role="rowgroup" {
                        @for one in pending.iter().take(ROWS_MAX) {
                            tr role="row" {
                                th scope="row" role="rowheader" { (name(one.id)) }
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
