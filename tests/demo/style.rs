//! The few colours, all of the terminal's own palette.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is under way, or took another try.
pub(crate) const BUSY: Style = AnsiColor::Yellow.on_default();
/// What is only there to look up.
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
