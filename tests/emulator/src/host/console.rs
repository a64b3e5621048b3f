//! The handler's output on its standard streams, with the levels of the host.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    sync::SetOnce,
    time::sleep,
};

use crate::recorded::Recorded;

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The level of a line in the host's category `Host.Function.Console`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every line of standard output.
    Information,
    /// A line of standard error that contains `warn`.
    Warning,
    /// Any other line of standard error.
    Error,
}

/// How the host reads the handler's streams.
#[derive(Clone, Debug, Default)]
pub enum Reading {
    /// Each line at once, and what is left when the process has ended.
    #[default]
    AtOnce,
    /// What has been written this time after it, and nothing once the process has ended. The real host reads asynchronously and stops
    /// when it learns of the exit: of 36 recorded starts that failed at once, 10 lost the line with the reason.
    Late(Duration),
    /// Not before this is set. A host whose log blocks leaves the pipes full, which hold 64 KiB each (pipe(7)).
    After(Arc<SetOnce<()>>),
}

/// The category of a line in the host's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `Host.Function.Console`.
    Console,
    /// `Worker.HttpWorkerProcess`: lines that begin with `LanguageWorkerConsoleLog`, which is cut.
    Worker,
    /// `Host.Function.ToolingConsoleLog`: lines that begin with `azfuncjsonlog:`.
    Tooling,
}

/// A line that the handler wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLine {
    /// The process that wrote it.
    pub pid: u32,
    /// Where it wrote it.
    pub stream: Stream,
    /// The level of the host's log.
    pub level: Level,
    /// The category of the host's log.
    pub category: Category,
    /// The line without its end.
    pub text: String,
}

/// The host does not parse the line: only the stream and the letters `warn` decide.
pub(super) fn level(stream: Stream, text: &str) -> Level {
    match stream {
        Stream::Stdout => Level::Information,
        Stream::Stderr if text.to_ascii_lowercase().contains("warn") => Level::Warning,
        Stream::Stderr => Level::Error,
    }
}

/// The category, and what is logged of the line (`WorkerProcess`, `WorkerConsoleLogService`).
fn category(text: &str) -> (Category, &str) {
    if let Some(rest) = text.strip_prefix("LanguageWorkerConsoleLog") {
        return (Category::Worker, rest);
    }
    let is_tooling = text.starts_with("azfuncjsonlog:");
    (if is_tooling { Category::Tooling } else { Category::Console }, text)
}

/// Records the lines of a stream until it ends, empty ones as well.
pub(super) async fn read(
    pid: u32,
    stream: Stream,
    from: impl AsyncRead + Unpin,
    reading: Reading,
    console: Arc<Recorded<ConsoleLine>>,
) {
    if let Reading::After(start) = &reading {
        start.wait().await;
    }
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        if let Reading::Late(lag) = reading
            && from.buffer().is_empty()
        {
            // The lag of the reader is what is emulated.
            sleep(lag).await;
        }
        line.clear();
        if !matches!(from.read_until(b'\n', &mut line).await, Ok(1..)) {
            break;
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        let level = level(stream, &text);
        let (category, text) = category(&text);
        console.push(ConsoleLine { pid, stream, level, category, text: text.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_from_the_stream_and_the_word_warn() {
        assert_eq!(level(Stream::Stdout, "error"), Level::Information);
        assert_eq!(level(Stream::Stderr, "forwarned"), Level::Warning);
        assert_eq!(level(Stream::Stderr, "WARN x"), Level::Warning);
        assert_eq!(level(Stream::Stderr, "anything"), Level::Error);
    }

    #[test]
    fn some_lines_go_to_another_category() {
        assert_eq!(category("LanguageWorkerConsoleLog prefixed"), (Category::Worker, " prefixed"));
        assert_eq!(category("azfuncjsonlog:{}"), (Category::Tooling, "azfuncjsonlog:{}"));
        assert_eq!(category(" LanguageWorkerConsoleLog"), (Category::Console, " LanguageWorkerConsoleLog"));
    }
}
