//! The collector keeps what it receives, and can fail on request.

use std::{sync::Arc, time::Duration};

use diskseal_emulator::{
    Emulator, Options,
    collector::{Answers, Collector, MetricData, SpanKind, Status, Temporality},
    control::Control,
    serve::Ports,
};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value as Any},
    metrics::v1 as metrics,
    resource::v1::Resource,
    trace::v1 as otlp,
};
use prost::Message as _;
use serde_json::{Value, json};

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn request() -> Vec<u8> {
    let list = [Any::StringValue("a".to_owned()), Any::IntValue(2)];
    let list = ArrayValue { values: list.map(|value| AnyValue { value: Some(value) }).to_vec() };
    let span = otlp::Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0x01; 8],
        parent_span_id: vec![0x02; 8],
        name: "seal".to_owned(),
        kind: otlp::span::SpanKind::Server as i32,
        start_time_unix_nano: 1,
        end_time_unix_nano: 5,
        attributes: vec![attribute("list", Any::ArrayValue(list)), attribute("ok", Any::BoolValue(true))],
        events: vec![otlp::span::Event { name: "exception".to_owned(), ..Default::default() }],
        links: vec![otlp::span::Link { trace_id: vec![0xcd; 16], ..Default::default() }],
        status: Some(otlp::Status { code: otlp::status::StatusCode::Error as i32, message: "no".to_owned() }),
        ..otlp::Span::default()
    };
    let scope =
        InstrumentationScope { name: "diskseal".to_owned(), version: "1".to_owned(), ..Default::default() };
    let service = attribute("service.name", Any::StringValue("app".to_owned()));
    ExportTraceServiceRequest {
        resource_spans: vec![otlp::ResourceSpans {
            resource: Some(Resource { attributes: vec![service], ..Resource::default() }),
            scope_spans: vec![otlp::ScopeSpans {
                scope: Some(scope),
                spans: vec![span],
                schema_url: "https://schema/scope".to_owned(),
            }],
            schema_url: "https://schema/resource".to_owned(),
        }],
    }
    .encode_to_vec()
}

/// reqwest requires a TLS provider even without TLS. The second of two tests that install it fails to.
fn client() -> reqwest::Client {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn export(collector: &Collector, content_type: &str) -> Result<(u16, Vec<u8>), reqwest::Error> {
    let post = client().post(format!("{}/v1/traces", collector.endpoint()));
    let response = post.header("content-type", content_type).body(request()).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.bytes().await?.to_vec()))
}

#[tokio::test]
async fn a_span_arrives_with_its_resource_and_scope() {
    let collector = Collector::start().await.unwrap();
    assert_eq!(export(&collector, "application/x-protobuf").await.unwrap(), (200, Vec::new()));
    let span = collector.wait_for(|span| span.name == "seal").await;
    assert_eq!(span.trace_id, "ab".repeat(16));
    assert_eq!(span.parent_span_id.as_deref(), Some("0202020202020202"));
    assert_eq!((span.kind, span.start_unix_nano, span.end_unix_nano), (SpanKind::Server, 1, 5));
    assert_eq!((&span.attributes["list"], &span.attributes["ok"]), (&json!(["a", 2]), &json!(true)));
    assert_eq!(
        (span.events[0].name.as_str(), span.links[0].trace_id.as_str()),
        ("exception", &*"cd".repeat(16))
    );
    assert_eq!(span.status, Status::Error("no".to_owned()));
    assert_eq!(span.resource["service.name"], "app");
    assert_eq!((span.scope_name.as_str(), span.scope_version.as_str()), ("diskseal", "1"));
    assert_eq!(span.resource_schema_url, "https://schema/resource");
    assert_eq!(span.scope_schema_url, "https://schema/scope");
}

/// Trace viewers read spans from here, so they can only show what the handler exports.
#[tokio::test]
async fn the_control_surface_serves_exactly_the_exported_telemetry() {
    let emulator = Emulator::new(Options::immediate());
    let (serving, collector) = (emulator.serve().await.unwrap(), Arc::new(Collector::start().await.unwrap()));
    let control = Control::start(&emulator, &collector, &serving, Ports::default()).await.unwrap();
    let get = async |query: &str| -> Value {
        let answer = client().get(format!("{}/spans{query}", control.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    assert_eq!(get("").await, json!([]), "no span without an export");
    assert_eq!(export(&collector, "application/x-protobuf").await.unwrap().0, 200);
    let trace = "ab".repeat(16);
    let expected = json!([{
        "traceId": trace,
        "spanId": "0101010101010101",
        "parentSpanId": "0202020202020202",
        "traceState": "",
        "name": "seal",
        "kind": "server",
        "startUnixNano": 1,
        "endUnixNano": 5,
        "status": "error",
        "statusDescription": "no",
        "attributes": {"list": ["a", 2], "ok": true},
        "events": [{"name": "exception", "timeUnixNano": 0, "attributes": {}}],
        "links": [{"traceId": "cd".repeat(16), "spanId": "", "attributes": {}}],
        "resource": {"service.name": "app"},
        "scope": {"name": "diskseal", "version": "1"},
    }]);
    assert_eq!(get("").await, expected);
    assert_eq!(get(&format!("?trace={trace}")).await, expected);
    assert_eq!(get(&format!("?trace={}", "cd".repeat(16))).await, json!([]));
}

#[tokio::test]
async fn a_metric_arrives_point_by_point() {
    let point = |value| metrics::NumberDataPoint {
        attributes: vec![attribute("kind", Any::StringValue("a".to_owned()))],
        value: Some(metrics::number_data_point::Value::AsInt(value)),
        ..Default::default()
    };
    let sum = metrics::Sum {
        data_points: vec![point(1), point(2)],
        aggregation_temporality: metrics::AggregationTemporality::Delta as i32,
        is_monotonic: true,
    };
    let histogram = metrics::HistogramDataPoint {
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![2, 1],
        explicit_bounds: vec![2.0],
        ..Default::default()
    };
    let histogram = metrics::Histogram {
        data_points: vec![histogram],
        aggregation_temporality: metrics::AggregationTemporality::Cumulative as i32,
    };
    let metric = |name: &str, data| metrics::Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Default::default()
    };
    let metrics = vec![
        metric("sum", metrics::metric::Data::Sum(sum)),
        metric("histogram", metrics::metric::Data::Histogram(histogram)),
    ];
    let scope_metrics = vec![metrics::ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics = vec![metrics::ResourceMetrics { scope_metrics, ..Default::default() }];
    let collector = Collector::start().await.unwrap();
    let post = client()
        .post(format!("{}/v1/metrics", collector.endpoint()))
        .header("content-type", "application/x-protobuf")
        .body(ExportMetricsServiceRequest { resource_metrics }.encode_to_vec());
    assert_eq!(post.send().await.unwrap().status(), 200);
    let points = collector.metrics();
    let [one, two, histogram] = points.as_slice() else { panic!("{points:?}") };
    assert_eq!((one.name.as_str(), one.unit.as_str(), &one.attributes["kind"]), ("sum", "s", &json!("a")));
    let sum = |value| MetricData::Sum { value, is_monotonic: true, temporality: Temporality::Delta };
    assert_eq!((&one.data, &two.data), (&sum(1.0), &sum(2.0)));
    let expected = MetricData::Histogram {
        count: 3,
        sum: 4.5,
        bounds: vec![2.0],
        counts: vec![2, 1],
        temporality: Temporality::Cumulative,
    };
    assert_eq!(histogram.data, expected);
}

#[tokio::test]
async fn bad_collectors_answer_badly() {
    let collector = Collector::start().await.unwrap();
    assert_eq!(export(&collector, "application/json").await.unwrap().0, 415);
    collector.answer(Answers::Status(503));
    assert_eq!(export(&collector, "application/x-protobuf").await.unwrap().0, 503);
    collector.answer(Answers::Garbage);
    let (status, body) = export(&collector, "application/x-protobuf").await.unwrap();
    assert!(status == 200 && !body.is_empty());
    collector.answer(Answers::HangUp);
    assert!(export(&collector, "application/x-protobuf").await.is_err());
    assert!(collector.spans().is_empty());
    collector.answer(Answers::Slow(Duration::from_millis(1)));
    assert_eq!(export(&collector, "application/x-protobuf").await.unwrap().0, 200);
    let statuses: Vec<_> = collector.exports().iter().map(|export| export.status).collect();
    assert_eq!(statuses, [415, 503, 200, 0, 200]);
}

#[tokio::test]
async fn a_dead_collector_refuses() {
    let endpoint = Collector::dead_endpoint().await.unwrap();
    assert!(client().get(endpoint).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn azure_monitor_lets_in_who_has_a_good_token_for_it() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let ours = azure.managed_caller();
    let good = azure.token_for(&ours, "https://monitor.azure.com");
    let ended = azure.token_for_lifetime(&ours, "https://monitor.azure.com", Duration::ZERO);
    let other = azure.token_for(&ours, "https://management.azure.com");
    let pem = std::fs::read(serving.ca_pem()).unwrap();
    // Another test may have installed it already.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap();
    let monitor = &serving.azure_monitor;
    let post = async |token: &str, url: String| {
        let posted = client.post(url).bearer_auth(token).header("content-type", "application/x-protobuf");
        posted.body(request()).send().await.unwrap().status().as_u16()
    };
    for token in [ended.as_str(), other.as_str(), "x"] {
        assert_eq!(post(token, monitor.ingestion("traces")).await, 401, "{token}");
    }
    assert_eq!(monitor.spans(), []);
    assert_eq!(post(&good, monitor.ingestion("traces")).await, 200);
    assert_eq!(monitor.spans().len(), 1);
    assert_eq!(post(&good, format!("{}/v1/traces", monitor.endpoint())).await, 404);
    monitor.revoke_tokens();
    assert_eq!(post(&good, monitor.ingestion("traces")).await, 401);
    assert!(
        monitor.exports().iter().all(|export| !format!("{export:?}").contains(&good)),
        "no token is kept"
    );
}
