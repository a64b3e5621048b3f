//! The progress bar of a command: drawn on standard error, and only where that is a terminal that can redraw a line.

use std::{fmt, time::Duration};

use indicatif::{
    HumanDuration, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle,
};

use super::output;

/// How many items have to be done before a rate says anything.
const RATED_FROM: u64 = 10;

/// A progress bar. Whatever a command prints meanwhile stands above it; it is gone when this value is.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar with this template, in which `{pace}` is the rate and the time that is left.
    pub(super) fn new(form: &str) -> Self {
        let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0)
            .with_style(style.with_key("pace", pace))
            .with_finish(ProgressFinish::AndClear);
        if !output::can_redraw() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        output::stand_above(Some(bar.clone()));
        Self(bar)
    }

    /// Expects this many items.
    pub(super) fn expect(&self, all: u64) {
        self.0.set_length(all);
    }

    /// This many items are done.
    pub(super) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// One item more is done.
    pub(super) fn advance(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        output::stand_above(None);
        self.0.finish_and_clear();
    }
}

fn pace(state: &ProgressState, to: &mut dyn fmt::Write) {
    let left = state.len().is_some_and(|all| all > state.pos()).then(|| state.eta());
    // A bar cannot report that it could not be drawn.
    let _ = to.write_str(&pace_of(state.pos(), state.per_sec(), left));
}

/// `, 8.3/s, 4s left`; nothing while too few items are done for a rate.
fn pace_of(done: u64, per_second: f64, left: Option<Duration>) -> String {
    if done < RATED_FROM {
        return String::new();
    }
    let left = left.map(|left| format!(", {:#} left", HumanDuration(left))).unwrap_or_default();
    format!(", {per_second:.1}/s{left}")
}

#[test]
fn a_rate_has_one_decimal_and_none_is_shown_before_ten_items() {
    let left = |seconds| Some(Duration::from_secs(seconds));
    for (done, per_second, left, expected) in [
        (0, 0.0, None, ""),
        (9, 12.0, left(60), ""),
        (10, 0.4837, left(840), ", 0.5/s, 14m left"),
        (11, 8.25, left(4), ", 8.2/s, 4s left"),
        (40, 14.6, None, ", 14.6/s"),
    ] {
        assert_eq!(pace_of(done, per_second, left), expected);
    }
}
