//! The trace of a seal, as a collector receives it, and faulty collectors.

use std::time::Duration;

use diskseal_emulator::{
    Options,
    collector::{Answers, Collector, Span, SpanKind, Status},
    disk_body,
    event_grid::DeliverySchema,
    fault::{Fault, Kind, Refusal},
    host::{Stream, Trigger},
    local_azure::LocalAzure,
    options::{Asynchronous, OperationStyle},
};
use serde_json::{Value, json};

use super::{disk, event, is_sealed, setup, start};
use crate::world::jane;

/// The spans of the trace of the first seal, once the span of its invocation, which ends last, has arrived.
async fn trace(azure: &LocalAzure) -> Vec<Span> {
    let enforce = azure.collector.wait_for(|span| span.name == "enforce").await;
    azure.collector.wait_for(|span| span.name == "seal_on_write" && span.trace_id == enforce.trace_id).await;
    azure.collector.spans().into_iter().filter(|span| span.trace_id == enforce.trace_id).collect()
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found.as_slice() else { panic!("{} spans named {name} in {spans:#?}", found.len()) };
    span
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a Value {
    span.attributes.get(name).unwrap_or_else(|| panic!("no {name} on {span:#?}"))
}

const DISK_TEMPLATE: &str =
    "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}";

#[tokio::test]
async fn one_trace_leads_from_the_invocation_to_every_request() {
    let mut setup = setup();
    setup.event_grid.schema = DeliverySchema::CloudEventSchemaV1_0;
    let azure = start(setup, &[]).await;
    let id = disk("d");
    azure.emulator.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Patch));
    azure.emulator.put(&id, &jane(), &disk_body("westeurope")).unwrap();
    let spans = trace(&azure).await;

    let invocation = one(&spans, "seal_on_write");
    let called = azure.host.wait_for_invocation(|i| i.logs[0].starts_with("sealed")).await;
    assert_eq!(invocation.kind, SpanKind::Consumer);
    let traceparent = called.traceparent.unwrap();
    let [_, trace_id, parent_id, _] = traceparent.split('-').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        (invocation.trace_id.as_str(), invocation.parent_span_id.as_deref()),
        (trace_id, Some(parent_id))
    );
    assert_eq!(*attribute(invocation, "faas.invocation_id"), json!(called.id));
    assert_eq!(*attribute(invocation, "faas.name"), "func-seal/seal_on_write");
    assert_eq!(*attribute(invocation, "faas.trigger"), "pubsub");
    assert_eq!(*attribute(invocation, "messaging.system"), "eventgrid");
    assert_eq!(*attribute(invocation, "messaging.operation.type"), "process");
    assert_eq!(*attribute(invocation, "cloudevents.event_type"), "Microsoft.Resources.ResourceWriteSuccess");
    assert_eq!(*attribute(invocation, "cloudevents.event_spec_version"), "1.0");
    assert_eq!(*attribute(invocation, "cloudevents.event_subject"), json!(id));
    assert!(attribute(invocation, "diskseal.event_age_seconds").as_f64().unwrap() >= 0.0);

    let enforce = one(&spans, "enforce");
    assert_eq!(enforce.parent_span_id.as_ref(), Some(&invocation.span_id));
    assert_eq!(enforce.kind, SpanKind::Internal);
    assert_eq!(*attribute(enforce, "diskseal.resource_id"), json!(id));
    assert_eq!(*attribute(enforce, "diskseal.outcome"), "sealed");

    let mut requests: Vec<_> = spans.iter().filter(|span| span.kind == SpanKind::Client).collect();
    requests.sort_by_key(|span| span.start_unix_nano);
    let (get, patch) = (format!("GET {DISK_TEMPLATE}"), format!("PATCH {DISK_TEMPLATE}"));
    let guard = requests.iter().position(|span| span.name.contains("Microsoft.ResourceGraph")).unwrap();
    assert_eq!(guard, 1, "what backups protect is asked once it is known that the mode is to be set");
    requests.remove(guard);
    let names: Vec<_> = requests.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, [&get, &patch, &patch, "PATCH /{scope}/providers/Microsoft.Resources/tags/default"]);
    for request in &requests {
        assert_eq!(request.parent_span_id.as_ref(), Some(&enforce.span_id));
        assert_eq!(*attribute(request, "server.address"), "localhost");
        assert!(attribute(request, "url.full").as_str().unwrap().starts_with(&azure.serving.arm_https));
    }
    assert_eq!(*attribute(requests[1], "http.response.status_code"), 500);
    assert_eq!(*attribute(requests[1], "error.type"), "500");
    assert!(matches!(requests[1].status, Status::Error(_)));
    assert_eq!(requests[2].attributes.get("error.type"), None);
    assert_eq!(*attribute(requests[2], "http.request.resend_count"), 1);
    assert_eq!(requests[0].attributes.get("http.request.resend_count"), None);

    // The spans have the values that ARM wrote into its responses.
    let exchanges = azure.emulator.requests_for(&id);
    for (request, exchange) in requests.iter().zip(&exchanges) {
        let header = |name| exchange.response_header(name).unwrap();
        assert_eq!(*attribute(request, "azure.service.request.id"), header("x-ms-request-id"));
        assert_eq!(*attribute(request, "diskseal.arm.correlation_id"), header("x-ms-correlation-request-id"));
        assert_eq!(
            Some(attribute(request, "diskseal.arm.client_request_id").as_str().unwrap()),
            exchange.client_request_id.as_deref()
        );
    }

    let instance = azure.host.instance_of("seal_on_write").unwrap().settings()["WEBSITE_INSTANCE_ID"].clone();
    for (name, value) in [
        ("service.name", "func-seal"),
        ("faas.instance", instance.as_str()),
        ("cloud.provider", "azure"),
        ("cloud.platform", "azure.functions"),
        ("cloud.region", "West Europe"),
        ("cloud.account.id", "11111111-2222-4333-8444-555555555555"),
    ] {
        assert_eq!(invocation.resource[name], value);
    }
    assert_eq!(invocation.scope_name, "diskseal");
    assert!(invocation.scope_schema_url.starts_with("https://opentelemetry.io/schemas/"));
}

/// The time of a span, in nanoseconds, that none of the others covers.
fn uncovered(whole: &Span, parts: &[&Span]) -> u64 {
    let mut parts: Vec<_> = parts.iter().map(|span| (span.start_unix_nano, span.end_unix_nano)).collect();
    parts.sort_unstable();
    let (mut open, mut covered_until) = (0, whole.start_unix_nano);
    for (start, end) in parts {
        open += start.saturating_sub(covered_until);
        covered_until = covered_until.max(end);
    }
    open + whole.end_unix_nano.saturating_sub(covered_until)
}

#[tokio::test]
async fn the_time_of_a_seal_adds_up() {
    let mut setup = setup();
    setup.azure = Options {
        latency: Duration::from_millis(150),
        operations: OperationStyle::Asynchronous(Asynchronous {
            retry_after_accepted: Some(1),
            retry_after_polling: Some(1),
            ..Asynchronous::default()
        }),
        ..Options::default()
    };
    let azure = start(setup, &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Patch));
    azure.emulator.inject(Fault::refuse(Refusal::throttled_arm(1)).on(Kind::TagsWrite));
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    let spans = trace(&azure).await;
    let invocation = one(&spans, "seal_on_write");
    let told: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == SpanKind::Client || span.attributes.contains_key("diskseal.wait.for"))
        .collect();
    let whole = invocation.end_unix_nano - invocation.start_unix_nano;
    assert!(whole > 2_500_000_000, "two waits of a second, and eight requests: {whole} ns");
    let unexplained = uncovered(invocation, &told);
    assert!(unexplained * 20 < whole, "{unexplained} ns of {whole} ns are unexplained in {told:#?}");
}

#[tokio::test]
async fn without_the_hosts_trace_the_events_own_is_continued_and_else_one_begins() {
    let mut setup = setup();
    setup.host.traceparent = false;
    let azure = start(setup, &[]).await;
    let told = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let cloud_event = json!({
        "specversion": "1.0", "id": "told", "source": "/s", "type": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": disk("told"), "traceparent": told,
    });
    let mut untold = event(&disk("untold"));
    untold["id"] = json!("untold");
    for (name, event) in [("told", cloud_event), ("untold", untold)] {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
        azure.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap();
    }
    // The handler's own write comes back as an event of the same subject, and may end first: only the ID tells them apart.
    let span = |id: &'static str| {
        azure.collector.wait_for(move |span| {
            span.attributes.get("cloudevents.event_id").is_some_and(|event| *event == json!(id))
        })
    };
    let told = span("told").await;
    assert_eq!(told.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(told.parent_span_id.as_deref(), Some("b7ad6b7169203331"));
    assert_eq!(span("untold").await.parent_span_id, None);
}

#[tokio::test]
async fn the_queue_continues_the_trace_in_which_the_resource_was_first_seen() {
    let azure = start(setup(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch));
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    let queued = azure.collector.wait_for(|span| span.name == "seal_queued").await;
    let spans = trace(&azure).await;
    let first = one(&spans, "seal_on_write");
    assert_eq!(queued.trace_id, first.trace_id);
    let sent = one(&spans, "send diskseal-pending");
    assert_eq!((sent.kind, sent.parent_span_id.as_ref()), (SpanKind::Producer, Some(&first.span_id)));
    assert_eq!(queued.parent_span_id.as_ref(), Some(&sent.span_id));
    let called = azure.host.wait_for_invocation(|i| i.function == "seal_queued").await;
    let hosts = called.traceparent.unwrap();
    let links: Vec<_> = queued.links.iter().map(|link| link.span_id.as_str()).collect();
    assert_eq!(links, [hosts.split('-').nth(2).unwrap(), &sent.span_id], "the host's own, and who sent it");
    assert!(attribute(&queued, "messaging.message.id").as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(*attribute(&queued, "messaging.destination.name"), "diskseal-pending");

    // The queue's own process may export its `enforce` of the same trace before.
    let of_first =
        |span: &&Span| span.name == "enforce" && span.parent_span_id.as_ref() == Some(&first.span_id);
    let failed = spans.iter().find(of_first).unwrap();
    assert_eq!(*attribute(failed, "error.type"), "locked");
    assert_eq!(*attribute(failed, "diskseal.outcome"), "pending");
    assert!(matches!(failed.status, Status::Error(_)));
    assert!(!matches!(first.status, Status::Error(_)), "the invocation itself succeeded");
}

#[tokio::test]
async fn a_sweep_its_messages_and_their_seals_are_one_trace() {
    let azure = start(setup(), &[]).await;
    for name in ["a", "b"] {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    let called = azure.host.fire_timer("sweep").await.unwrap();
    let sealed = |spans: &[Span]| {
        let queued: Vec<_> = spans.iter().filter(|span| span.name == "seal_queued").cloned().collect();
        (queued.len() == 2).then_some(queued)
    };
    let queued = azure.collector.wait_until(sealed).await;
    let spans = azure.collector.spans();
    let (sweep, sent) = (one(&spans, "sweep"), one(&spans, "send diskseal-pending"));
    let traceparent = called.traceparent.unwrap();
    assert_eq!(traceparent.split('-').nth(1), Some(sweep.trace_id.as_str()));
    assert_eq!(sent.parent_span_id.as_ref(), Some(&sweep.span_id));
    assert_eq!(*attribute(sent, "messaging.batch.message_count"), 2);
    for queued in &queued {
        assert_eq!(
            (&queued.trace_id, queued.parent_span_id.as_ref()),
            (&sweep.trace_id, Some(&sent.span_id))
        );
        assert!(queued.links.iter().any(|link| link.span_id == sent.span_id), "its creation is linked");
        let enforce =
            spans.iter().find(|span| span.parent_span_id.as_ref() == Some(&queued.span_id)).unwrap();
        assert_eq!(*attribute(enforce, "diskseal.outcome"), "sealed");
    }
}

/// The standard sampler, by its standard variables, and the parent that decides before it.
#[tokio::test]
async fn unsampled_looks_are_not_exported_but_still_seal() {
    for (sampler, sampled) in [("always_off", false), ("parentbased_always_off", true), ("always_on", true)] {
        let azure = start(setup(), &[("OTEL_TRACES_SAMPLER", sampler)]).await;
        azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
        azure.event_grid.idle().await;
        assert!(is_sealed(&azure, &disk("d")));
        let pid = azure.host.pid("seal_on_write").unwrap();
        azure.host.terminate("seal_on_write");
        azure.host.wait_exit(pid).await;
        let found = azure.collector.spans().iter().any(|span| span.name == "enforce");
        assert_eq!(found, sampled, "{sampler}: the host's own trace is sampled");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_well_costs_one_warning_a_signal_and_nothing_else() {
    for answers in [
        None,
        Some(Answers::Status(500)),
        Some(Answers::Garbage),
        Some(Answers::HangUp),
        Some(Answers::Slow(Duration::from_mins(1))),
    ] {
        let dead = Collector::dead_endpoint().await.unwrap();
        let more: &[_] = match answers {
            None => &[("OTEL_EXPORTER_OTLP_ENDPOINT", dead.as_str())],
            Some(_) => &[("OTEL_EXPORTER_OTLP_TIMEOUT", "300")],
        };
        let azure = start(setup(), more).await;
        if let Some(answers) = answers {
            azure.collector.answer(answers);
        }
        for n in 0..20 {
            azure.emulator.put(&disk(&format!("d{n}")), &jane(), &disk_body("westeurope")).unwrap();
            azure.event_grid.idle().await;
            assert!(is_sealed(&azure, &disk(&format!("d{n}"))));
        }
        let pid = azure.host.pid("seal_on_write").unwrap();
        azure.host.terminate("seal_on_write");
        let exit = azure.host.wait_exit(pid).await;
        assert_eq!(exit.code, Some(200), "{answers:?}");
        let lines = azure.host.console();
        let warnings = lines.iter().filter(|line| line.stream == Stream::Stderr && line.pid == pid);
        let mut told: Vec<_> = warnings.filter_map(|line| line.text.split(',').next()).collect();
        told.sort_unstable();
        // A response of 200 is a success, whatever its body is.
        let expected: &[_] = match answers {
            Some(Answers::Garbage) => &[],
            _ => &[
                "warning: logs are not exported",
                "warning: metrics are not exported",
                "warning: traces are not exported",
            ],
        };
        assert_eq!(told, expected, "{answers:?}");
    }
}
