//! All that comes from outside has an end: answers, deliveries, attributes, times.

use diskseal_emulator::{
    Emulator, Options,
    collector::{Answers, Span},
    disk_body,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
    local_azure::LocalAzure,
};
use serde_json::{Value, json};

use super::{commands::command, disk, event, is_sealed, setup, start};

const MIB: usize = 1024 * 1024;

async fn invoke(azure: &LocalAzure, event: Value) -> diskseal_emulator::host::Invocation {
    azure.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap()
}

/// The most memory that the handler has used so far, in MiB.
fn peak(azure: &LocalAzure) -> usize {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", azure.host.pid("seal_on_write").unwrap()))
            .unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

#[tokio::test]
async fn an_answer_without_end_concerns_its_disk_alone() {
    let azure = start(setup(), &[]).await;
    let faults = [
        Fault::endless_answer().on(Kind::Get).resource("endless"),
        Fault::padded_answer(MIB + 1).on(Kind::Get).resource("long"),
        Fault::padded_answer(MIB).on(Kind::Get).resource("longest"),
    ];
    for fault in faults {
        azure.emulator.inject(fault.always());
    }
    for (name, is_too_long) in [("endless", true), ("long", true), ("longest", false), ("other", false)] {
        let id = disk(name);
        azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        let invocation = invoke(&azure, event(&id)).await;
        assert!(invocation.succeeded(), "{invocation:?}");
        if is_too_long {
            assert_eq!(invocation.outputs["pending"]["reason"], "answer_too_large", "{invocation:?}");
            assert!(invocation.logs[0].contains("the answer has more than 1048576 bytes"), "{invocation:?}");
            let reads = azure.emulator.requests_for(&id).len();
            assert_eq!(reads, 1, "another attempt would not be shorter");
        }
        assert_eq!(is_sealed(&azure, &id), !is_too_long, "{name}");
    }
    assert!(peak(&azure) < 100, "{} MiB", peak(&azure));
}

#[tokio::test]
async fn an_endless_refusal_keeps_the_meaning_of_its_status() {
    let azure = start(setup(), &[]).await;
    let id = disk("d");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let page = " ".repeat(2 * MIB);
    // 501 is not tried again.
    azure.emulator.inject(Fault::text(501, "text/html", page).on(Kind::Get).always());
    let invocation = invoke(&azure, event(&id)).await;
    assert!(!invocation.succeeded(), "a failure of the system, which Event Grid delivers again");
    let line = azure.host.wait_for_line(|line| line.text.starts_with("error: failed ")).await;
    assert!(line.text.contains("501 the answer has more than 1048576 bytes"), "{line:?}");
}

#[tokio::test]
async fn a_page_without_end_is_a_gap_in_the_report() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    azure.inject(Fault::padded_answer(33 * MIB).on(Kind::List).times(1));
    let (code, out, err) = command(&serving, &["report", "--exact"], "").await;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("the answer has more than 33554432 bytes"), "{out}{err}");
    // Of Resource Graph, the lists are read instead.
    azure.inject(Fault::endless_answer().on(Kind::Query).always());
    let (code, out, err) = command(&serving, &["report"], "").await;
    assert!(code == Some(1) && out.contains("1 of 1 disks"), "{out}{err}");
}

#[tokio::test]
async fn a_delivery_of_empty_elements_is_refused_with_its_number() {
    let azure = start(setup(), &[]).await;
    let count = 1_390_000;
    let elements = vec!["{}"; count].join(",");
    let in_a_string = format!(r#"{{"Data":{{"event":"[{elements}]"}}}}"#);
    let other = format!(r#"{{"Data":{{"x":[{}],"event":{{}}}}}}"#, elements.replace("{}", "[]"));
    for (body, status) in
        [(format!(r#"{{"Data":{{"event":[{elements}]}}}}"#), 400), (in_a_string, 400), (other, 200)]
    {
        let reply = azure.host.invoke_raw("seal_on_write", body).await.unwrap();
        assert_eq!(reply.status, status);
        if status == 400 {
            let reply = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(reply.contains("Data.event has more than 5000 elements"), "{reply}");
        }
    }
    assert!(peak(&azure) < 100, "{} MiB", peak(&azure));
    let journal = azure.emulator.journal();
    assert!(journal.iter().all(|exchange| exchange.kind == Kind::Token), "{journal:?}");
}

#[tokio::test]
async fn long_texts_of_an_event_fill_neither_the_queue_of_exports_nor_a_message() {
    let azure = start(setup(), &[]).await;
    let id = disk("d");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let long = "ß".repeat(450_000);
    let mut hostile = event(&id);
    for name in ["id", "topic"] {
        hostile[name] = json!(long);
    }
    let invocation = invoke(&azure, hostile.clone()).await;
    assert!(invocation.succeeded() && is_sealed(&azure, &id));
    // Our own writes raise events as well.
    let is_hostile = |span: &Span| {
        span.attributes
            .get("cloudevents.event_id")
            .and_then(Value::as_str)
            .is_some_and(|id| id.starts_with('ß'))
    };
    let span = azure.collector.wait_for(is_hostile).await;
    for name in ["messaging.message.id", "cloudevents.event_id", "cloudevents.event_source"] {
        let text = span.attributes[name].as_str().unwrap();
        assert!(
            text.starts_with("ßß") && text.ends_with("ß…") && text.len() < 2_100,
            "{name}: {}",
            text.len()
        );
    }

    // A collector that does not answer leaves everything in the queue.
    let pid = azure.host.pid("seal_on_write");
    azure.collector.answer(Answers::Slow(std::time::Duration::from_mins(1)));
    for _ in 0..60 {
        assert!(invoke(&azure, hostile.clone()).await.succeeded());
    }
    assert!(peak(&azure) < 150, "{} MiB", peak(&azure));
    assert_eq!(azure.host.pid("seal_on_write"), pid);
}

/// A trace context is copied into the queue's message, which the host refuses beyond 64 KiB.
#[tokio::test]
async fn a_long_trace_state_does_not_fill_a_message() {
    let mut setup = setup();
    setup.host.traceparent = false;
    let azure = start(setup, &[("OTEL_SDK_DISABLED", "true")]).await;
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
    let locked = disk("locked");
    azure.emulator.insert(&locked, &disk_body("westeurope")).unwrap();
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "s", "subject": locked,
        "type": "Microsoft.Resources.ResourceWriteSuccess",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": format!("a={}", "x".repeat(500_000)),
        "data": {},
    });
    let invocation = invoke(&azure, event).await;
    assert_eq!(invocation.outputs["pending"]["reason"], "locked");
    assert!(invocation.outputs["pending"].to_string().len() < 2_000, "{invocation:?}");
}

#[tokio::test]
async fn a_time_that_cannot_be_true_is_no_panic_and_reaches_no_tag_span_or_metric() {
    let more = [("DISKSEAL_TAGS", "at={event_time}"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")];
    let azure = start(setup(), &more).await;
    let now = time::OffsetDateTime::now_utc();
    let times = [
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-23:59",
        "0000-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
    ];
    for (number, time) in times.into_iter().enumerate() {
        let mut created = disk_body("westeurope");
        created["properties"]["timeCreated"] = json!(time);
        let ids = ["event", "cloud", "queue"].map(|how| disk(&format!("{how}{number}")));
        for id in &ids {
            azure.emulator.insert(id, &created).unwrap();
        }
        let mut dated = event(&ids[0]);
        dated["eventTime"] = json!(time);
        let cloud = json!({
            "specversion": "1.0", "id": "1", "source": "s", "subject": ids[1], "time": time,
            "type": "Microsoft.Resources.ResourceWriteSuccess", "data": {},
        });
        for event in [dated, cloud] {
            let invocation = invoke(&azure, event).await;
            assert!(invocation.succeeded(), "{time}: {invocation:?}");
        }
        let message = json!({"id": ids[2], "reason": "conflict", "firstSeen": time});
        let envelope = json!({"Data": {"message": message}, "Metadata": {"DequeueCount": "1"}}).to_string();
        assert_eq!(azure.host.invoke_raw("seal_queued", envelope).await.unwrap().status, 200, "{time}");
        for id in ids {
            let resource = azure.emulator.get(&id).unwrap();
            assert_eq!(resource["properties"]["dataAccessAuthMode"], "AzureActiveDirectory", "{id}: {time}");
            let at = resource["tags"]["at"].as_str().unwrap();
            assert!(at.starts_with(&now.year().to_string()), "{id}: {time}: {at}");
        }
    }
    let outcomes = |points: &[diskseal_emulator::collector::MetricPoint]| {
        points.iter().any(|point| point.name == "diskseal.outcomes").then_some(())
    };
    azure.collector.wait_until_metrics(outcomes).await;
    let points = azure.collector.metrics();
    assert!(
        points
            .iter()
            .all(|point| point.name != "diskseal.time_to_seal" && point.name != "diskseal.queue.age")
    );
    let spans = azure.collector.spans();
    // The events of our own writes have a true age.
    let ages = spans.iter().filter_map(|span| span.attributes.get("diskseal.event_age_seconds")?.as_f64());
    let ages: Vec<_> = ages.collect();
    assert!(ages.iter().all(|age| age.abs() < 3_600.0), "{ages:?}");
    assert!(!azure.host.console().iter().any(|line| line.text.contains("panicked")));
}

#[tokio::test]
async fn what_a_person_should_know_is_logged_once_a_look() {
    let azure = start(setup(), &[("DISKSEAL_EXEMPT_TAG", "keep")]).await;
    let id = disk("d");
    let mut body = disk_body("westeurope");
    body["tags"] = json!({"keep": "because"});
    azure.emulator.insert(&id, &body).unwrap();
    // Another writer gets in between, so the look reads again.
    let overtaken = azure.emulator.inject(Fault::refuse(Refusal::conflict()).on(Kind::Patch).times(1));
    assert!(invoke(&azure, event(&id)).await.succeeded());
    assert!(overtaken.fired() == 1 && is_sealed(&azure, &id));
    azure.host.terminate("seal_on_write");
    azure.host.wait_for_line(|line| line.text.contains("SIGTERM")).await;
    let notices = azure.host.console().iter().filter(|line| line.text.contains("its exemption tag")).count();
    assert_eq!(notices, 1, "{:?}", azure.host.console());
}
