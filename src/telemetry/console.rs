//! The standard streams of the custom handler, written by threads of their own.
//!
//! The Functions host reads both streams through pipes, which hold 64 KiB. A host that reads late, or not at all,
//! must not stop an invocation that logs. So a line waits in a bounded queue; what does not fit is lost, counted at
//! once (`diskseal.telemetry.dropped`), and logged as soon as the stream flows again.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

use super::metrics;

/// How many lines a queue holds. Together with the limit of a line, at most 16 MiB a stream.
const LINES_MAX: usize = 4_096;
/// Time limit for what is queued at the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Both streams, while their queues are written.
#[derive(Debug)]
pub(super) struct Console {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    _flush: Flush,
}

impl Console {
    pub(super) fn open() -> Self {
        let (stdout, stdout_guard) = Stream::to("standard output", io::stdout());
        let (stderr, stderr_guard) = Stream::to("standard error", io::stderr());
        Self { stdout, stderr, _flush: Flush(vec![stdout_guard, stderr_guard]) }
    }
}

/// Writes lines into the queue of a stream, and never waits.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    lines: NonBlocking,
    /// How many lost lines are counted in the metric.
    counted: Arc<AtomicUsize>,
}

impl Stream {
    fn to(name: &'static str, out: impl Write + Send + 'static) -> (Self, WorkerGuard) {
        let lost = Arc::new(OnceLock::new());
        let sink = Sink { name, out, lost: Arc::clone(&lost), reported: 0 };
        let queue = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX);
        let (lines, guard) = queue.thread_name("log").finish(sink);
        // Nothing else sets it.
        let _ = lost.set(lines.error_counter());
        (Self { lines, counted: Arc::default() }, guard)
    }
}

impl Write for Stream {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.lines.write(line)?;
        let lost = self.lines.error_counter().dropped_lines();
        let counted = self.counted.fetch_max(lost, Ordering::Relaxed);
        if lost > counted {
            metrics::dropped("console", "not_read", (lost - counted) as u64);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stream {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The stream, behind the queue.
struct Sink<W> {
    name: &'static str,
    out: W,
    lost: Arc<OnceLock<ErrorCounter>>,
    /// How many lost lines are logged.
    reported: usize,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.out.write(line)
    }

    /// Called when the queue is empty, so that a slow reader gets one line about all losses instead of many.
    fn flush(&mut self) -> io::Result<()> {
        let lost = self.lost.get().map_or(0, ErrorCounter::dropped_lines);
        let new = lost.saturating_sub(self.reported);
        if new > 0 {
            self.reported = lost;
            writeln!(
                self.out,
                "warning: {new} log lines were lost, because {} was not read in time",
                self.name
            )?;
        }
        self.out.flush()
    }
}

/// Writes what is queued when it is dropped.
struct Flush(Vec<WorkerGuard>);

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flush")
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        // On a stream that nobody reads, a guard prints that it could not wait longer, and that print never ends. So
        // each guard has a thread, which the end of the process ends.
        let (done, ended) = mpsc::channel();
        for guard in self.0.drain(..) {
            let done = done.clone();
            thread::spawn(move || {
                drop(guard);
                // The receiver may have stopped waiting.
                let _ = done.send(());
            });
        }
        drop(done);
        let until = Instant::now() + FLUSH_TIMEOUT;
        while ended.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::{Condvar, Mutex};

    use super::*;

    /// A pipe that takes nothing until it is opened.
    #[derive(Default)]
    struct Pipe {
        state: Mutex<(bool, Vec<u8>)>,
        changed: Condvar,
    }

    struct End(Arc<Pipe>);

    impl Write for End {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let mut state = self.0.state.lock();
            self.0.changed.wait_while(&mut state, |(is_open, _)| !*is_open);
            state.1.extend_from_slice(line);
            self.0.changed.notify_all();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_that_is_not_read_holds_nobody_up_and_its_losses_are_counted_when_it_flows() {
        let pipe = Arc::new(Pipe::default());
        let (mut stream, guard) = Stream::to("standard output", End(Arc::clone(&pipe)));
        // One line may be in the worker's hand besides those in the queue.
        let all = LINES_MAX + 101;
        for number in 0..all {
            stream.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let lost = stream.lines.error_counter().dropped_lines();
        assert!((100..=101).contains(&lost), "{lost}");
        assert_eq!(stream.counted.load(Ordering::Relaxed), lost);
        let mut state = pipe.state.lock();
        assert!(state.1.is_empty());
        state.0 = true;
        pipe.changed.notify_all();
        pipe.changed.wait_while(&mut state, |(_, text)| !text.ends_with(b"in time\n"));
        let text = String::from_utf8(state.1.clone()).unwrap();
        drop(state);
        assert_eq!(text.lines().count(), all - lost + 1);
        let expected =
            format!("warning: {lost} log lines were lost, because standard output was not read in time");
        assert_eq!(text.lines().last(), Some(expected.as_str()));
        drop(guard);
    }
}
