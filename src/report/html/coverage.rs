//! The coverage: bars with numbers.

use std::collections::BTreeMap;

use maud::{Markup, html as markup};

use super::words::{reason, swatch};
use crate::report::{Counts, Report, Status, grouped};

/// The minimum width of a state that has resources, so that one in a hundred thousand is visible.
const PERMILLE_MIN: usize = 8;

/// Hatchings for all bars, so that the states differ without colour.
pub(super) fn patterns() -> Markup {
    markup! {
        svg.patterns width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                pattern #hatch-exempt width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.ground width="6" height="6" {}
                    rect.line width="3" height="6" {}
                }
                pattern #hatch-pending width="5" height="5" patternUnits="userSpaceOnUse" {
                    rect.ground width="5" height="5" {}
                    circle.line cx="2.5" cy="2.5" r="1.6" {}
                }
            }
        }
    }
}

pub(super) fn bar(counts: &Counts, is_large: bool) -> Markup {
    let height = if is_large { "20" } else { "12" };
    markup! {
        svg.bar.large[is_large] width="100%" height=(height) aria-hidden="true" focusable="false" {
            rect.empty width="100%" height="100%" {}
            @for (status, start, width) in segments(counts) {
                rect class=(status.label()) x=(percent(start)) width=(percent(width)) height="100%" {}
            }
        }
    }
}

/// The states that have resources, with start and width in permille.
fn segments(counts: &Counts) -> Vec<(Status, usize, usize)> {
    let total = counts.total();
    if total == 0 {
        return vec![];
    }
    let mut widths = Status::BEST_FIRST.map(|status| match counts.of(status) {
        0 => 0,
        count => (count * 1_000 / total).max(PERMILLE_MIN),
    });
    // The widest absorbs the minimum widths of the others, and the rounding.
    let all: usize = widths.iter().sum();
    if let Some(widest) = widths.iter_mut().max() {
        *widest = (*widest + 1_000).saturating_sub(all);
    }
    let mut end = 0;
    let segments = Status::BEST_FIRST.into_iter().zip(widths).map(|(status, width)| {
        end += width;
        (status, end - width, width)
    });
    segments.filter(|(.., width)| *width > 0).collect()
}

fn percent(permille: usize) -> String {
    format!("{}.{}%", permille / 10, permille % 10)
}

pub(super) fn section(report: &Report) -> Markup {
    markup! {
        @if !report.by_subscription.is_empty() {
            section aria-labelledby="coverage" {
                h2 #coverage { "Coverage" }
                @for (by, counts) in report.breakdowns() { (breakdown(by, counts, report)) }
                (reasons(report))
            }
        }
    }
}

fn breakdown(by: &str, counts: &BTreeMap<String, Counts>, report: &Report) -> Markup {
    markup! {
        @if !counts.is_empty() {
            table.breakdown role="table" {
                caption { "By " (by.to_lowercase()) }
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { (by) }
                        th.bar-column scope="col" role="columnheader" { "Share sealed" }
                        @for status in Status::BEST_FIRST {
                            th.number scope="col" role="columnheader" { (status.title()) }
                        }
                        th.number scope="col" role="columnheader" { "Total" }
                    }
                }
                tbody role="rowgroup" {
                    @for (name, counts) in counts {
                        tr role="row" {
                            th scope="row" role="rowheader" {
                                @match report.subscription_name(name) {
                                    Some(title) => { (title) span.place { code { (name) } } }
                                    None => { (name) }
                                }
                            }
                            td.bar-column role="cell" data-label="Share sealed" {
                                div.share { (bar(counts, false)) span { (counts.sealed_percent()) } }
                            }
                            @for status in Status::BEST_FIRST {
                                td.number.none[counts.of(status) == 0] role="cell" data-label=(status.title()) { (grouped(counts.of(status))) }
                            }
                            td.number role="cell" data-label="Total" { (grouped(counts.total())) }
                        }
                    }
                }
            }
        }
    }
}

fn reasons(report: &Report) -> Markup {
    markup! {
        @if !report.by_reason.is_empty() {
            table.breakdown.reasons role="table" {
                caption { "By reason" }
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { "Reason" }
                        th scope="col" role="columnheader" { "Status" }
                        th.number scope="col" role="columnheader" { "Count" }
                    }
                }
                tbody role="rowgroup" {
                    @for ((status, word), count) in &report.by_reason {
                        tr role="row" {
                            th scope="row" role="rowheader" { (reason(word)) }
                            td role="cell" data-label="Status" { span.status { (swatch(*status)) (status.title()) } }
                            td.number role="cell" data-label="Count" { (grouped(*count)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_complete_and_shows_every_state() {
        for [sealed, exempt, pending, unsealed] in [
            [1, 0, 0, 0],
            [99_999, 0, 0, 1],
            [1, 1, 1, 0],
            [0, 0, 0, 7],
            [99_997, 1, 1, 1],
            [333, 333, 333, 1],
        ] {
            let counts = Counts { sealed, exempt, pending, unsealed };
            let segments = segments(&counts);
            let shown = segments.iter().map(|(status, ..)| *status);
            assert!(
                shown.eq(Status::BEST_FIRST.into_iter().filter(|status| counts.of(*status) > 0)),
                "{counts:?}"
            );
            assert_eq!(segments.iter().map(|(.., width)| width).sum::<usize>(), 1_000, "{counts:?}");
            assert!(segments.iter().all(|(.., width)| *width >= PERMILLE_MIN), "{segments:?}");
            assert!(segments.windows(2).all(|pair| pair[0].1 + pair[0].2 == pair[1].1), "{segments:?}");
        }
        assert_eq!(segments(&Counts::default()), []);
        assert_eq!(percent(1_000), "100.0%");
        assert_eq!(percent(8), "0.8%");
    }
}
