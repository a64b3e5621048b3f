//! The styles of the output, in colours of the terminal's palette.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

/// Success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Failure.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// In progress, or retried.
pub(crate) const BUSY: Style = AnsiColor::Yellow.on_default();
/// Secondary information.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Headings.
pub(crate) const STRONG: Style = Style::new().bold();

/// A text in a style.
pub(crate) struct Painted<T>(pub(crate) Style, pub(crate) T);

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(style, text) = self;
        write!(out, "{style}{text}{style:#}")
    }
}

/// A tick or a cross.
pub(crate) fn mark(is_good: bool) -> Painted<&'static str> {
    if is_good { Painted(GOOD, "✓") } else { Painted(BAD, "✗") }
}
