//! One short line a message: stdout for information, stderr for warnings and errors.
//!
//! The Functions host adds the time, and takes each line of stderr for an error unless it holds
//! "warn"; it parses no levels and no JSON.

use std::{fmt, io};

use super::Audience;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    Layer,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer, writer::MakeWriterExt},
    registry::LookupSpan,
};

pub(super) fn layer<S>(audience: Audience) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let to_stderr = match audience {
        Audience::Host => Level::WARN,
        Audience::Person => Level::TRACE,
    };
    tracing_subscriber::fmt::layer()
        .event_format(Line)
        .with_ansi(false)
        // Whoever closed our stdout must not end our work.
        .log_internal_errors(false)
        .with_writer(io::stderr.with_max_level(to_stderr).or_else(io::stdout))
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match *event.metadata().level() {
            Level::ERROR => writer.write_str("error: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            _ => {}
        }
        ctx.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
