//! Converts OTLP's messages to flat records.

pub(super) mod metrics;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    trace::v1 as otlp,
};
use serde_json::Value;

use super::{
    log::LogRecord,
    span::{Attributes, Span, SpanEvent, SpanKind, SpanLink, Status},
};

/// Every span of an export, in its order.
pub(super) fn spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in request.resource_spans {
        let resource = attributes(resource_spans.resource.unwrap_or_default().attributes);
        for scope_spans in resource_spans.scope_spans {
            let scope = scope_spans.scope.unwrap_or_default();
            spans.extend(scope_spans.spans.into_iter().map(|sent| Span {
                resource: resource.clone(),
                resource_schema_url: resource_spans.schema_url.clone(),
                scope_name: scope.name.clone(),
                scope_version: scope.version.clone(),
                scope_schema_url: scope_spans.schema_url.clone(),
                ..span(sent)
            }));
        }
    }
    spans
}

/// Every log record of an export, in its order.
pub(super) fn logs(request: ExportLogsServiceRequest) -> Vec<LogRecord> {
    let mut records = Vec::new();
    for resource_logs in request.resource_logs {
        let resource = attributes(resource_logs.resource.unwrap_or_default().attributes);
        for scope_logs in resource_logs.scope_logs {
            let scope = scope_logs.scope.unwrap_or_default();
            records.extend(scope_logs.log_records.into_iter().map(|sent| LogRecord {
                time_unix_nano: sent.time_unix_nano,
                observed_unix_nano: sent.observed_time_unix_nano,
                severity_number: sent.severity_number,
                severity_text: sent.severity_text,
                event_name: sent.event_name,
                body: value(sent.body),
                attributes: attributes(sent.attributes),
                trace_id: hex(&sent.trace_id),
                span_id: hex(&sent.span_id),
                resource: resource.clone(),
                scope_name: scope.name.clone(),
            }));
        }
    }
    records
}

fn span(sent: otlp::Span) -> Span {
    let kind = sent.kind();
    Span {
        trace_id: hex(&sent.trace_id),
        span_id: hex(&sent.span_id),
        parent_span_id: (!sent.parent_span_id.is_empty()).then(|| hex(&sent.parent_span_id)),
        trace_state: sent.trace_state,
        name: sent.name,
        kind: match kind {
            otlp::span::SpanKind::Unspecified => SpanKind::Unspecified,
            otlp::span::SpanKind::Internal => SpanKind::Internal,
            otlp::span::SpanKind::Server => SpanKind::Server,
            otlp::span::SpanKind::Client => SpanKind::Client,
            otlp::span::SpanKind::Producer => SpanKind::Producer,
            otlp::span::SpanKind::Consumer => SpanKind::Consumer,
        },
        start_unix_nano: sent.start_time_unix_nano,
        end_unix_nano: sent.end_time_unix_nano,
        attributes: attributes(sent.attributes),
        events: sent.events.into_iter().map(event).collect(),
        links: sent.links.into_iter().map(link).collect(),
        status: sent.status.map(status).unwrap_or_default(),
        ..Span::default()
    }
}

fn event(sent: otlp::span::Event) -> SpanEvent {
    SpanEvent {
        name: sent.name,
        time_unix_nano: sent.time_unix_nano,
        attributes: attributes(sent.attributes),
    }
}

fn link(sent: otlp::span::Link) -> SpanLink {
    SpanLink {
        trace_id: hex(&sent.trace_id),
        span_id: hex(&sent.span_id),
        attributes: attributes(sent.attributes),
    }
}

fn status(sent: otlp::Status) -> Status {
    match sent.code() {
        otlp::status::StatusCode::Unset => Status::Unset,
        otlp::status::StatusCode::Ok => Status::Ok,
        otlp::status::StatusCode::Error => Status::Error(sent.message),
    }
}

pub(super) fn attributes(sent: Vec<KeyValue>) -> Attributes {
    sent.into_iter().map(|pair| (pair.key, value(pair.value))).collect()
}

fn value(sent: Option<AnyValue>) -> Value {
    match sent.and_then(|sent| sent.value) {
        Some(Any::StringValue(text)) => Value::String(text),
        Some(Any::BoolValue(flag)) => Value::Bool(flag),
        Some(Any::IntValue(number)) => number.into(),
        Some(Any::DoubleValue(number)) => number.into(),
        Some(Any::ArrayValue(array)) => {
            array.values.into_iter().map(|element| value(Some(element))).collect()
        }
        Some(Any::KvlistValue(list)) => Value::Object(attributes(list.values).into_iter().collect()),
        Some(Any::BytesValue(bytes)) => Value::String(STANDARD.encode(bytes)),
        _ => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
