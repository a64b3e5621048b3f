//! The emulator's records as JSON.

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    collector::{LogRecord, MetricData, MetricPoint, Span, SpanKind, Status, Temporality},
    event_grid::{Delivery, EventGridStats},
    host::{ConsoleLine, Exit, Failure, Invocation, Level, Stream, Verdict},
    journal::Exchange,
    queue::{Encoding, QueueMessage},
};

fn date(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

pub(super) fn exchange(exchange: &Exchange) -> Value {
    let headers: Map<String, Value> = exchange
        .response_headers
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "kind": exchange.kind,
        "method": exchange.method,
        "origin": exchange.origin,
        "path": exchange.path,
        "query": exchange.query,
        "callerObjectId": exchange.object_id,
        "userAgent": exchange.user_agent,
        "clientRequestId": exchange.client_request_id,
        "traceparent": exchange.traceparent,
        "requestBody": exchange.request_body,
        "status": exchange.status,
        "responseHeaders": headers,
        "responseBody": exchange.response_body,
        "received": date(exchange.received),
        "answered": date(exchange.answered),
        "fault": exchange.fault,
    })
}

pub(super) fn invocation(invocation: &Invocation) -> Value {
    let (verdict, failure) = match &invocation.verdict {
        Verdict::Succeeded => ("succeeded", None),
        Verdict::Failed(failure) => ("failed", Some(why(failure))),
        Verdict::Hung => ("hung", None),
        Verdict::TimedOut => ("timedOut", None),
    };
    json!({
        "function": invocation.function,
        "id": invocation.id,
        "traceparent": invocation.traceparent,
        "verdict": verdict,
        "failure": failure,
        "status": invocation.reply.as_ref().map(|reply| reply.status),
        "reply": invocation.reply.as_ref().map(|reply| text_or_json(&String::from_utf8_lossy(&reply.body))),
        "outputs": invocation.outputs,
        "returnValue": invocation.return_value,
        "logs": invocation.logs,
    })
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::Connection(fault) => format!("the connection broke: {fault}"),
        Failure::Status(status) => format!("the handler answered {status}"),
        Failure::MediaType(None) => "the reply has no media type".to_owned(),
        Failure::MediaType(Some(name)) => format!("the reply is {name:?}, not JSON"),
        Failure::InvalidJson(fault) => format!("the reply is not usable JSON: {fault}"),
        Failure::Output(binding, fault) => format!("the output {binding:?} cannot be bound: {fault}"),
        Failure::Trigger(fault) => fault.clone(),
        Failure::HostDown(reason) => format!("the host is down: {reason}"),
    }
}

pub(super) fn console_line(line: &ConsoleLine) -> Value {
    json!({
        "pid": line.pid,
        "stream": match line.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        },
        "level": match line.level {
            Level::Information => "information",
            Level::Warning => "warning",
            Level::Error => "error",
        },
        "text": line.text,
    })
}

pub(super) fn exit(exit: &Exit) -> Value {
    json!({"pid": exit.pid, "code": exit.code, "signal": exit.signal, "countedAsError": exit.counted})
}

pub(super) fn span(span: &Span) -> Value {
    let (status, description) = match &span.status {
        Status::Unset => ("unset", None),
        Status::Ok => ("ok", None),
        Status::Error(description) => ("error", Some(description)),
    };
    let events: Value = span
        .events
        .iter()
        .map(|event| {
            json!({
                "name": event.name,
                "timeUnixNano": event.time_unix_nano,
                "attributes": event.attributes,
            })
        })
        .collect();
    let links: Value = span
        .links
        .iter()
        .map(|link| json!({"traceId": link.trace_id, "spanId": link.span_id, "attributes": link.attributes}))
        .collect();
    json!({
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id,
        "traceState": span.trace_state,
        "name": span.name,
        "kind": match span.kind {
            SpanKind::Unspecified => "unspecified",
            SpanKind::Internal => "internal",
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
        },
        "startUnixNano": span.start_unix_nano,
        "endUnixNano": span.end_unix_nano,
        "status": status,
        "statusDescription": description,
        "attributes": span.attributes,
        "events": events,
        "links": links,
        "resource": span.resource,
        "scope": {"name": span.scope_name, "version": span.scope_version},
    })
}

pub(super) fn log(record: &LogRecord) -> Value {
    json!({
        "timeUnixNano": record.time_unix_nano,
        "observedUnixNano": record.observed_unix_nano,
        "severityNumber": record.severity_number,
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "body": record.body,
        "attributes": record.attributes,
        "traceId": record.trace_id,
        "spanId": record.span_id,
        "resource": record.resource,
        "scope": {"name": record.scope_name},
    })
}

pub(super) fn metric_point(point: &MetricPoint) -> Value {
    let temporality = |temporality: Temporality| match temporality {
        Temporality::Unspecified => "unspecified",
        Temporality::Delta => "delta",
        Temporality::Cumulative => "cumulative",
    };
    let data = match &point.data {
        MetricData::Gauge(value) => json!({"kind": "gauge", "value": value}),
        MetricData::Sum { value, is_monotonic, temporality: since } => json!({
            "kind": "sum", "value": value, "isMonotonic": is_monotonic, "temporality": temporality(*since),
        }),
        MetricData::Histogram { count, sum, bounds, counts, temporality: since } => json!({
            "kind": "histogram", "count": count, "sum": sum, "bounds": bounds, "counts": counts,
            "temporality": temporality(*since),
        }),
    };
    json!({
        "name": point.name,
        "description": point.description,
        "unit": point.unit,
        "data": data,
        "attributes": point.attributes,
        "startUnixNano": point.start_unix_nano,
        "timeUnixNano": point.time_unix_nano,
        "resource": point.resource,
        "scope": {"name": point.scope_name, "version": point.scope_version},
    })
}

pub(super) fn delivery(delivery: &Delivery) -> Value {
    json!({
        "eventId": delivery.event_id,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "at": date(delivery.at),
    })
}

pub(super) fn stats(stats: EventGridStats) -> Value {
    json!({
        "published": stats.published,
        "filtered": stats.filtered,
        "lost": stats.lost,
        "delivered": stats.delivered,
        "deadLettered": stats.dead_lettered,
        "dropped": stats.dropped,
    })
}

/// The content is shown decoded, whichever encoding the app uses.
pub(super) fn message(message: &QueueMessage) -> Value {
    let content = Encoding::Base64.decode(&message.text).unwrap_or_else(|| message.text.clone());
    json!({
        "id": message.id,
        "text": message.text,
        "content": text_or_json(&content),
        "dequeueCount": message.dequeue_count,
        "inserted": date(message.insertion_time),
        "expires": date(message.expiration_time),
        "nextVisible": date(message.next_visible_time),
    })
}

fn text_or_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
