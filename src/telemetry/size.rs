//! The size of what waits for an export. Texts from outside end up in attributes, and a queue that bounds only the
//! number of its items holds as much memory as somebody writes into them.

use opentelemetry::{
    Array, KeyValue, Value,
    logs::{AnyValue, LogRecord},
    trace::Status,
};
use opentelemetry_sdk::{logs::SdkLogRecord, trace::SpanData};

use crate::text::{cut, line};

/// The longest text in an attribute, in bytes; the longest resource ID and its URL are shorter. The standard's
/// `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` has no default, and the SDK does not read it.
const TEXT_BYTES_MAX: usize = 2_048;
/// What an item has besides its texts, roughly.
const ITEM_BYTES: usize = 512;

/// Cuts what is too long in a span, and returns the span's size in bytes.
pub(super) fn bounded_span(span: &mut SpanData) -> usize {
    for attribute in &mut span.attributes {
        if let Value::String(text) = &attribute.value
            && text.as_str().len() > TEXT_BYTES_MAX
        {
            attribute.value = Value::from(short(text.as_str()));
        }
    }
    if let Status::Error { description } = &span.status
        && description.len() > TEXT_BYTES_MAX
    {
        span.status = Status::error(short(description));
    }
    span_bytes(span)
}

/// The size of a span in bytes, roughly.
pub(super) fn span_bytes(span: &SpanData) -> usize {
    let attributes = |all: &[KeyValue]| all.iter().map(|one| value_bytes(&one.value)).sum::<usize>();
    let links = span.links.iter().map(|link| link.span_context.trace_state().header().len());
    let events = span.events.iter().map(|event| event.name.len() + attributes(&event.attributes));
    let status = match &span.status {
        Status::Error { description } => description.len(),
        Status::Unset | Status::Ok => 0,
    };
    let own_state = span.span_context.trace_state().header().len();
    ITEM_BYTES
        + attributes(&span.attributes)
        + links.sum::<usize>()
        + events.sum::<usize>()
        + status
        + own_state
}

/// Cuts the message of a log record if it is too long, and returns the record's size in bytes.
pub(super) fn bounded_record(record: &mut SdkLogRecord) -> usize {
    let long = match record.body() {
        Some(AnyValue::String(text)) => {
            let short = line(text.as_str());
            (short != text.as_str()).then(|| short.into_owned())
        }
        _ => None,
    };
    if let Some(text) = long {
        record.set_body(text.into());
    }
    record_bytes(record)
}

/// The size of a log record in bytes, roughly.
pub(super) fn record_bytes(record: &SdkLogRecord) -> usize {
    let attributes = record.attributes_iter().map(|(_, value)| any_bytes(value));
    ITEM_BYTES + record.body().map_or(0, any_bytes) + attributes.sum::<usize>()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| text.as_str().len()).sum(),
        _ => size_of::<Value>(),
    }
}

fn any_bytes(value: &AnyValue) -> usize {
    match value {
        AnyValue::String(text) => text.as_str().len(),
        AnyValue::Bytes(bytes) => bytes.len(),
        AnyValue::ListAny(values) => values.iter().map(any_bytes).sum(),
        AnyValue::Map(values) => values.values().map(any_bytes).sum(),
        _ => size_of::<AnyValue>(),
    }
}

fn short(text: &str) -> String {
    format!("{}…", cut(text, TEXT_BYTES_MAX))
}
