//! Everything that a command prints. The one place that writes to standard output and standard error, so that no
//! failed write is lost and no text from outside steers the terminal.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    process::ExitCode,
};

use indicatif::ProgressBar;
use parking_lot::Mutex;

use super::answer::Exit;
use crate::text::{Screen, escaped, escaped_lines};

/// The first write to standard output that failed. What follows it is not written, because it would be a part
/// without its beginning.
static FAULT: Mutex<Option<io::Error>> = Mutex::new(None);

/// Standard output as tables have to know it: as wide as the terminal, or as `COLUMNS` says ("Environment Variables" of
/// POSIX), or without a limit where it is a pipe or a file. Colours are used on a terminal, unless `NO_COLOR` is set
/// (<https://no-color.org>) or the terminal knows none.
pub(super) fn screen() -> Screen {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_terminal = io::stdout().is_terminal();
    let of_terminal = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
    let width = of_terminal().or_else(|| variable("COLUMNS")?.trim().parse().ok()).filter(|width| *width > 0);
    Screen { width, is_coloured: is_terminal && !is_dumb() && variable("NO_COLOR").is_none() }
}

/// The progress bar that is drawn. What is printed meanwhile stands above it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Sets the progress bar above which everything is printed.
pub(super) fn stand_above(bar: Option<ProgressBar>) {
    *BAR.lock() = bar;
}

/// Writes while no progress bar is on the terminal.
pub(super) fn above_bar<T>(write: impl FnOnce() -> T) -> T {
    // A copy, so that nobody waits for the lock while the terminal is slow.
    let bar = BAR.lock().clone();
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Prints the last message of a process that ends at once, in place of the progress bar. Waits for no lock of another
/// thread, which may be stuck.
pub(super) fn last_words(message: &str) {
    let is_drawn = can_redraw() && BAR.try_lock().is_none_or(|bar| bar.is_some());
    let erase = if is_drawn { "\r\x1b[K" } else { "" };
    let _ = writeln!(io::stderr(), "{erase}diskseal: {message}");
}

/// Whether standard error is a terminal that can redraw a line.
pub(super) fn can_redraw() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

/// Whether the terminal only prints, and understands no control sequence.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// Prints one line on standard output. Text from outside is escaped.
pub(super) fn say(line: &str) {
    print(format!("{}\n", escaped(line)).as_bytes());
}

/// Prints a document or coloured lines on standard output as they are; the caller escapes what comes from outside.
pub(super) fn print(text: &[u8]) {
    let mut fault = FAULT.lock();
    if fault.is_none() {
        // Without the flush, a failure at the end of the process would go unnoticed.
        let write = || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text).and_then(|()| stdout.flush())
        };
        *fault = above_bar(write).err();
    }
}

/// Prints a message on standard error, each line of it escaped.
pub(super) fn note(message: &str) {
    // Nobody could read a message about a standard error that cannot be written.
    let _ = above_bar(|| writeln!(io::stderr(), "diskseal: {}", escaped_lines(message)));
}

/// Prints a fault on standard error, and returns the exit code.
pub(super) fn complain(fault: &str, exit: Exit) -> ExitCode {
    note(fault);
    exit.into()
}

/// The exit code of the process, after a command that ended with `code`. Output that could not be written is a
/// failure, except into a closed pipe, as with `head`: its reader has what it wanted.
pub(super) fn end(code: ExitCode) -> ExitCode {
    match FAULT.lock().take() {
        Some(fault) if fault.kind() != ErrorKind::BrokenPipe => {
            let exit = complain(&format!("standard output: {fault}"), Exit::Usage);
            let is_worse =
                [Exit::Unreachable, Exit::Interrupted].into_iter().any(|worse| code == worse.into());
            if is_worse { code } else { exit }
        }
        _ => code,
    }
}
