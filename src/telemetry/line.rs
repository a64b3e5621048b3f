//! Log lines: one short line a message, on stdout for information, on stderr for warnings and errors.
//!
//! The Functions host adds the time. It treats each line on stderr as an error unless it contains "warn", and
//! parses neither levels nor JSON. Fields that begin with `diskseal.` repeat parts of the message for filters on
//! exported records; they are not printed. A message about one resource, in the field `resource_id`, begins with it.

use std::{
    fmt,
    io::{self, Write},
    sync::OnceLock,
};

use super::{Audience, console::Console};
use crate::text;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    field::VisitOutput,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultVisitor, Writer},
        writer::{BoxMakeWriter, MakeWriterExt},
    },
    registry::LookupSpan,
};

/// The layer that prints, and what writes the lines of the custom handler in the background.
pub(super) fn layer<S>(audience: Audience) -> (impl Layer<S> + Send + Sync, Option<Console>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (writer, console) = match audience {
        Audience::Host => {
            let console = Console::open();
            let (stdout, stderr) = (console.stdout.clone(), console.stderr.clone());
            (BoxMakeWriter::new(stderr.with_max_level(Level::WARN).or_else(stdout)), Some(console))
        }
        Audience::Person => (BoxMakeWriter::new(Terminal::default), None),
    };
    let layer = tracing_subscriber::fmt::layer()
        .event_format(Line)
        .with_ansi(false)
        // A closed stdout must not stop the process.
        .log_internal_errors(false)
        .with_writer(writer);
    (layer, console)
}

/// Calls the given function at a moment when a line can be written.
pub(super) type Around = fn(&mut dyn FnMut() -> io::Result<()>) -> io::Result<()>;
static AROUND: OnceLock<Around> = OnceLock::new();

/// Has the lines for a person written by `around`, so that they do not tear what is drawn on the terminal.
pub fn write_lines(around: Around) {
    // The first one stays.
    let _ = AROUND.set(around);
}

/// Standard error, a line at a time.
#[derive(Default)]
struct Terminal(Vec<u8>);

impl Write for Terminal {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut write = || io::stderr().write_all(&self.0);
        let written = match AROUND.get() {
            Some(around) => around(&mut write),
            None => write(),
        };
        self.0.clear();
        written
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nobody could read a line about a standard error that cannot be written.
        let _ = self.flush();
    }
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::from(match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        });
        let mut subject = Subject(None);
        event.record(&mut subject);
        if let Some(subject) = subject.0 {
            line.push_str(&subject);
            line.push_str(": ");
        }
        let mut shown = Shown(DefaultVisitor::new(Writer::new(&mut line), true));
        event.record(&mut shown);
        shown.0.finish()?;
        writeln!(writer, "{}", text::line(&line))
    }
}

/// Writes the message, and the fields that do not repeat it.
struct Shown<'a>(DefaultVisitor<'a>);

impl Visit for Shown<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !field.name().starts_with("diskseal.") && field.name() != SUBJECT {
            self.0.record_debug(field, value);
        }
    }
}

/// The field with the resource that a message is about.
const SUBJECT: &str = "resource_id";

struct Subject(Option<String>);

impl Visit for Subject {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == SUBJECT {
            self.0 = Some(format!("{value:?}"));
        }
    }
}
