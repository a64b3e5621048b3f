//! The tables of the app's workspace: what the collectors have received, and what the host has recorded.
//!
//! Columns as in `infra/monitoring/schema.json`. Sources: the reference of the tables `OTelSpans`, `AppRequests` and
//! `AppTraces`. `TimeGenerated` is the start of a span and of a request.

use std::sync::Weak;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    clock::timestamp,
    collector::{Collector, Span, Status},
    host::FunctionApp,
};

type Row = Map<String, Value>;

/// The rows of a table, or none if there is no such table, which holds until its first row for those of OTLP.
pub(super) fn rows(
    table: &str,
    collector: &Weak<Collector>,
    host: &Weak<FunctionApp>,
    now: OffsetDateTime,
) -> Option<Vec<Row>> {
    let host = host.upgrade();
    let invocations = || host.iter().flat_map(|host| host.invocations());
    match table {
        "OTelSpans" => {
            let spans = collector.upgrade().map(|collector| collector.spans()).unwrap_or_default();
            let rows: Vec<Row> = spans.iter().filter_map(|one| object(span(one))).collect();
            (!rows.is_empty()).then_some(rows)
        }
        "AppRequests" => Some(
            invocations()
                .filter_map(|one| {
                    let trace = one.traceparent.as_deref()?.split('-').nth(1)?.to_owned();
                    let started = timestamp(one.started);
                    object(json!({"TimeGenerated": started, "OperationId": trace, "Name": one.function}))
                })
                .collect(),
        ),
        "AppTraces" => {
            let printed = host.iter().flat_map(|host| host.console()).map(|line| line.text);
            let lines = invocations().flat_map(|one| one.logs).chain(printed);
            let row = |line: String| object(json!({"TimeGenerated": timestamp(now), "Message": line}));
            Some(lines.filter_map(row).collect())
        }
        _ => None,
    }
}

fn object(row: Value) -> Option<Row> {
    match row {
        Value::Object(row) => Some(row),
        _ => None,
    }
}

fn span(span: &Span) -> Value {
    let started = OffsetDateTime::from_unix_timestamp_nanos(span.start_unix_nano.into());
    #[expect(clippy::cast_precision_loss, reason = "Azure's column is a real number too")]
    let duration = span.end_unix_nano.saturating_sub(span.start_unix_nano) as f64 / 1_000_000.0;
    json!({
        "TimeGenerated": timestamp(started.unwrap_or(OffsetDateTime::UNIX_EPOCH)), "Name": span.name,
        "DurationMs": duration, "Success": !matches!(span.status, Status::Error(_)),
        "Attributes": span.attributes, "TraceId": span.trace_id, "SpanId": span.span_id,
        "ParentSpanId": span.parent_span_id.as_deref().unwrap_or_default(),
    })
}
