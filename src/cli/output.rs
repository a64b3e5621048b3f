//! Everything that a command prints. The one place that writes to standard output and standard error, so that no
//! failed write is lost and no text from outside steers the terminal.

use std::{
    io::{self, ErrorKind, IsTerminal, Write},
    process::ExitCode,
};

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
    let is_dumb = variable("TERM").is_some_and(|terminal| terminal == "dumb");
    Screen { width, is_coloured: is_terminal && !is_dumb && variable("NO_COLOR").is_none() }
}

/// Prints one line on standard output. Text from outside is escaped.
pub(super) fn say(line: &str) {
    print(format!("{}\n", escaped(line)).as_bytes());
}

/// Prints a document or coloured lines on standard output as they are; the caller escapes what comes from outside.
pub(super) fn print(text: &[u8]) {
    let mut fault = FAULT.lock();
    if fault.is_none() {
        let mut stdout = io::stdout().lock();
        // Without the flush, a failure at the end of the process would go unnoticed.
        *fault = stdout.write_all(text).and_then(|()| stdout.flush()).err();
    }
}

/// Prints a message on standard error, each line of it escaped.
pub(super) fn note(message: &str) {
    // Nobody could read a message about a standard error that cannot be written.
    let _ = writeln!(io::stderr(), "diskseal: {}", escaped_lines(message));
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
            if code == ExitCode::from(Exit::Unreachable) { code } else { exit }
        }
        _ => code,
    }
}
