//! The handler's output on its standard streams, with the levels of the host.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

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

/// A line that the handler wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLine {
    /// The process that wrote it.
    pub pid: u32,
    /// Where it wrote it.
    pub stream: Stream,
    /// The level of the host's log.
    pub level: Level,
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

/// Records the lines of a stream until it ends.
pub(super) async fn read(
    pid: u32,
    stream: Stream,
    from: impl AsyncRead + Unpin,
    console: Arc<Recorded<ConsoleLine>>,
) {
    let mut lines = BufReader::new(from).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        // The host drops empty lines.
        if !text.is_empty() {
            console.push(ConsoleLine { pid, stream, level: level(stream, &text), text });
        }
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
}
