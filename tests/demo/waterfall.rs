//! Draws the trace of one seal as a waterfall, from the spans that an OTLP collector received.

use std::{ops::RangeInclusive, time::Duration};

use anstream::println;
use diskseal_emulator::{
    collector::{Collector, Span, SpanKind, Status},
    local_azure::LocalAzure,
};

use crate::{
    Fault, TIME_LIMIT, live,
    scene::{Mode, Scene},
    style::{BUSY, DIM, GOOD, Painted, STRONG},
};

const NAME_WIDTH: usize = 33;
/// Duration and outcome.
const REST_WIDTH: usize = 26;
const BAR_WIDTHS: RangeInclusive<usize> = 10..=42;

/// The time range of the trace, in nanoseconds since 1970, and the width of the bars in cells.
struct Scale {
    start: u64,
    end: u64,
    width: usize,
}

/// Draws the trace of a resource's seal, or of the look in audit mode, once all of it has arrived.
pub(crate) async fn show(azure: &LocalAzure, scene: &Scene, mode: Mode) -> Result<(), Fault> {
    println!("  {} of {}, {}", Painted(STRONG, "The trace"), scene.name, scene.scenario(mode));
    let outcome = match mode {
        Mode::Enforce => "sealed",
        Mode::Audit => "would_seal",
    };
    let columns = usize::from(live::columns()).saturating_sub(NAME_WIDTH + REST_WIDTH);
    let width = columns.clamp(*BAR_WIDTHS.start(), *BAR_WIDTHS.end());
    for line in draw(&azure.collector, &scene.id(), outcome, width).await? {
        println!("  {line}");
    }
    println!();
    Ok(())
}

/// The lines of the waterfall, with bars of `width` cells, from the spans that the collector decoded.
async fn draw(collector: &Collector, id: &str, end: &str, width: usize) -> Result<Vec<String>, Fault> {
    let arrived = collector.wait_until(|spans| trace(spans, id, end));
    let spans = tokio::time::timeout(TIME_LIMIT, arrived).await.map_err(|_| "the trace did not arrive")?;
    let root = &spans[0].1;
    let source = format!("{}, from {}", root.trace_id, collector.endpoint());
    let mut lines = vec![Painted(DIM, source).to_string(), String::new()];
    let scale = Scale { start: root.start_unix_nano, end: root.end_unix_nano, width };
    lines.extend(spans.iter().map(|(depth, span)| line(*depth, span, &scale)));
    Ok(lines)
}

/// The spans of the trace in which a resource had this outcome, each with its depth, parents first. None while the root
/// span, which ends last, is missing.
fn trace(spans: &[Span], id: &str, end: &str) -> Option<Vec<(usize, Span)>> {
    let seal = spans.iter().find(|span| {
        span.attributes.get("diskseal.resource_id").is_some_and(|about| *about == id)
            && span.attributes.get("diskseal.outcome").is_some_and(|outcome| *outcome == end)
    })?;
    let spans: Vec<_> = spans.iter().filter(|span| span.trace_id == seal.trace_id).collect();
    let is_child =
        |span: &&&Span| spans.iter().any(|other| Some(&other.span_id) == span.parent_span_id.as_ref());
    let root = spans.iter().find(|span| !is_child(span) && span.kind == SpanKind::Consumer)?;
    let mut tree = Vec::new();
    collect(&spans, root, 0, &mut tree);
    Some(tree)
}

fn collect(spans: &[&Span], span: &Span, depth: usize, tree: &mut Vec<(usize, Span)>) {
    tree.push((depth, span.clone()));
    let mut children: Vec<_> =
        spans.iter().filter(|other| other.parent_span_id.as_ref() == Some(&span.span_id)).collect();
    children.sort_by_key(|child| child.start_unix_nano);
    for child in children {
        collect(spans, child, depth + 1, tree);
    }
}

fn line(depth: usize, span: &Span, scale: &Scale) -> String {
    let name = format!("{}{}", "  ".repeat(depth), short(&span.name));
    let took = Duration::from_nanos(span.end_unix_nano.saturating_sub(span.start_unix_nano));
    let (style, tone) = if matches!(span.status, Status::Error(_)) { (BUSY, BUSY) } else { (GOOD, DIM) };
    let outcome = outcome(span);
    let result = if outcome.is_empty() { String::new() } else { format!("  {}", Painted(tone, outcome)) };
    format!("{name:<NAME_WIDTH$} {} {:>8}{result}", Painted(style, bar(span, scale)), human(took))
}

/// The span's share of the time range, at least one cell.
fn bar(span: &Span, &Scale { start, end, width }: &Scale) -> String {
    let whole = u128::from(end.saturating_sub(start).max(1));
    let cell = |at: u64| {
        let passed = u128::from(at.saturating_sub(start)).min(whole);
        usize::try_from(passed * width as u128 / whole).unwrap_or(width)
    };
    let from = cell(span.start_unix_nano).min(width - 1);
    let length = cell(span.end_unix_nano).saturating_sub(from).max(1);
    format!("{}{}{}", " ".repeat(from), "━".repeat(length), " ".repeat(width - from - length))
}

/// The result of a span: the status of a request or the outcome of a look, and the number of the resend.
fn outcome(span: &Span) -> String {
    let text =
        |name: &str| span.attributes.get(name).map(|value| value.to_string().trim_matches('"').to_owned());
    let result = text("http.response.status_code").or_else(|| text("diskseal.outcome")).unwrap_or_default();
    match text("http.request.resend_count") {
        Some(count) => format!("{result}  resend {count}"),
        None => result,
    }
}

/// The method of a request and the end of its path. Other names stay as they are.
fn short(name: &str) -> String {
    match name.split_once(" /") {
        None => name.to_owned(),
        Some((method, path)) => {
            let mut parts: Vec<_> = path.rsplit('/').take(2).collect();
            parts.reverse();
            format!("{method} …/{}", parts.join("/"))
        }
    }
}

fn human(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.2} s", took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    //! Spans of another OTLP client are drawn like the handler's, since both arrive the same way.

    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value as Any},
        trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind as Kind, status::StatusCode},
    };
    use prost::Message as _;

    use super::{Collector, draw};

    const SECOND: u64 = 1_000_000_000;

    fn span(id: u8, parent: u8, name: &str, from: u64, to: u64, attributes: &[(&str, Any)]) -> Span {
        let attribute = |(key, value): &(&str, Any)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(value.clone()) }),
            ..KeyValue::default()
        };
        Span {
            trace_id: vec![0xab; 16],
            span_id: vec![id; 8],
            parent_span_id: vec![parent; 8],
            name: name.to_owned(),
            start_time_unix_nano: SECOND + from,
            end_time_unix_nano: SECOND + to,
            attributes: attributes.iter().map(attribute).collect(),
            ..Span::default()
        }
    }

    #[tokio::test]
    async fn any_client_of_otlp_is_drawn() {
        let collector = Collector::start().await.unwrap();
        let text = |text: &str| Any::StringValue(text.to_owned());
        let enforce = [("diskseal.resource_id", text("/d")), ("diskseal.outcome", text("sealed"))];
        let refused = [("http.response.status_code", Any::IntValue(429))];
        let spans = vec![
            Span {
                status: Some(Status { code: StatusCode::Error.into(), ..Status::default() }),
                ..span(3, 2, "PATCH /a/disks/{name}", SECOND, 2 * SECOND, &refused)
            },
            span(2, 1, "look", 0, 4 * SECOND, &enforce),
            Span { kind: Kind::Consumer.into(), ..span(1, 9, "told", 0, 4 * SECOND, &[]) },
        ];
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let _ = rustls::crypto::ring::default_provider().install_default();
        let export = reqwest::Client::new()
            .post(format!("{}/v1/traces", collector.endpoint()))
            .header("content-type", "application/x-protobuf")
            .body(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        assert_eq!(export.send().await.unwrap().status(), 200);

        let lines = draw(&collector, "/d", "sealed", 40).await.unwrap();
        let lines: Vec<_> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(lines[0], format!("{}, from {}", "ab".repeat(16), collector.endpoint()));
        let bars: Vec<_> = lines[2..].iter().map(|line| line.matches('━').count()).collect();
        assert_eq!(bars, [40, 40, 10], "{lines:#?}");
        for (line, (name, rest)) in lines[2..].iter().zip([
            ("told ", "4.00 s"),
            ("  look ", "4.00 s  sealed"),
            ("    PATCH …/disks/{name} ", "1.00 s  429"),
        ]) {
            assert!(line.starts_with(name) && line.ends_with(rest), "{line}");
        }
    }
}
