//! Log lines: one short line a message, on stdout for information, on stderr for warnings and errors.
//!
//! The Functions host adds the time. It treats each line on stderr as an error unless it contains "warn", and
//! parses neither levels nor JSON. Fields that begin with `diskseal.` repeat parts of the message for filters on
//! exported records; they are not printed.

use std::{fmt, io};

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
        Audience::Person => (BoxMakeWriter::new(io::stderr), None),
    };
    let layer = tracing_subscriber::fmt::layer()
        .event_format(Line)
        .with_ansi(false)
        // A closed stdout must not stop the process.
        .log_internal_errors(false)
        .with_writer(writer);
    (layer, console)
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
        if !field.name().starts_with("diskseal.") {
            self.0.record_debug(field, value);
        }
    }
}
