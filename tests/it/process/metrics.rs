//! The values of metrics, as a dashboard would show them.
#![expect(clippy::float_cmp, reason = "counts, and halves of them, are exact")]

use std::time::Duration;

use diskseal_emulator::{
    collector::{MetricData, MetricPoint, Temporality},
    disk_body,
    event_grid::Disturbance,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
    local_azure::LocalAzure,
};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{disk, end_all, event, setup, start};
use crate::world::{jane, now};

const PREFERENCE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// Stops the handlers, so that they export everything that they counted, and returns the points.
async fn points(azure: &LocalAzure) -> Vec<MetricPoint> {
    end_all(azure).await;
    azure.collector.metrics()
}

/// The points of a metric with these attributes, in the order of their exports.
fn of<'a>(points: &'a [MetricPoint], name: &str, attributes: &Value) -> Vec<&'a MetricPoint> {
    let fits = |point: &&MetricPoint| {
        let mut wanted = attributes.as_object().unwrap().iter();
        point.name == name && wanted.all(|(name, value)| point.attributes.get(name) == Some(value))
    };
    points.iter().filter(fits).collect()
}

/// The points of all time series with these attributes in the last export of each instance.
fn latest<'a>(points: &'a [MetricPoint], name: &str, attributes: &Value) -> Vec<&'a MetricPoint> {
    let found = of(points, name, attributes);
    // Each instance exports at times of its own.
    let is_last = |point: &&MetricPoint| {
        let same = found.iter().filter(|other| other.resource == point.resource);
        same.map(|other| other.time_unix_nano).max() == Some(point.time_unix_nano)
    };
    found.iter().copied().filter(is_last).collect()
}

/// The last value of a counter or gauge, or the count of a histogram, as the sum of all time series with these
/// attributes.
fn last(points: &[MetricPoint], name: &str, attributes: &Value) -> f64 {
    let value = |point: &MetricPoint| match &point.data {
        MetricData::Gauge(value) | MetricData::Sum { value, .. } => *value,
        MetricData::Histogram { count, .. } => f64::from(u32::try_from(*count).unwrap()),
    };
    latest(points, name, attributes).into_iter().map(value).sum()
}

/// The last sum of a histogram, of all time series with these attributes.
fn sum(points: &[MetricPoint], name: &str, attributes: &Value) -> f64 {
    let sum = |point: &MetricPoint| match &point.data {
        MetricData::Histogram { sum, .. } => *sum,
        other => panic!("{other:?}"),
    };
    latest(points, name, attributes).into_iter().map(sum).sum()
}

#[tokio::test]
async fn outcomes_failures_and_times_are_counted_once_each() {
    let mut setup = setup();
    setup.drops_own_writes = false;
    let azure = start(setup, &[("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-exempt")]).await;
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked"));
    for name in ["a", "b", "locked"] {
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.emulator.put(&disk("x").replace("rg-app", "rg-exempt"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    azure.host.queues_drained().await;
    // Seals by the queue raise events too.
    azure.event_grid.idle().await;
    let points = points(&azure).await;
    let outcomes = |attributes: Value| last(&points, "diskseal.outcomes", &attributes);
    assert_eq!(outcomes(json!({"diskseal.outcome": "sealed", "diskseal.trigger": "event"})), 2.0);
    assert_eq!(outcomes(json!({"diskseal.outcome": "sealed", "diskseal.trigger": "queue"})), 1.0);
    assert_eq!(outcomes(json!({"diskseal.outcome": "pending", "diskseal.reason": "locked"})), 1.0);
    assert_eq!(outcomes(json!({"diskseal.outcome": "exempt", "diskseal.reason": "resource_group"})), 1.0);
    let failure = json!({
        "diskseal.failure.scope": "resource", "error.type": "locked", "azure.error.code": "ScopeLocked",
    });
    assert_eq!(last(&points, "diskseal.failures", &failure), 1.0);
    assert_eq!(last(&points, "diskseal.time_to_seal", &json!({})), 3.0);
    assert_eq!(last(&points, "diskseal.queue.age", &json!({"diskseal.reason": "locked"})), 1.0);
    assert_eq!(last(&points, "diskseal.enforce.active", &json!({})), 0.0, "everybody has come out again");

    // Each attempt that ARM received counts in the histogram, and no other.
    let asked = azure.emulator.journal().iter().filter(|exchange| exchange.kind != Kind::Token).count();
    assert_eq!(
        last(&points, "http.client.request.duration", &json!({})),
        f64::from(u32::try_from(asked).unwrap())
    );

    let received =
        |kind: &str| last(&points, "diskseal.events.received", &json!({"diskseal.event.kind": kind}));
    assert_eq!(received("disk"), 4.0);
    let echoes = azure.event_grid.deliveries().len() - 4;
    assert!(echoes > 0, "own writes are delivered here");
    assert_eq!(received("echo"), f64::from(u32::try_from(echoes).unwrap()));
}

#[tokio::test]
async fn looks_that_share_a_result_are_counted_once() {
    let azure = start(setup(), &[]).await;
    azure.emulator.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    let hold = azure.emulator.inject(Fault::hold_after_applying().on(Kind::Get));
    // A time to seal counts from a time that can be true.
    let mut written = event(&disk("d"));
    written["eventTime"] = json!(now().format(&Rfc3339).unwrap());
    let events = (0..20).map(|_| azure.host.invoke("seal_on_write", Trigger::Event(written.clone())));
    let release = async {
        hold.held().await;
        hold.release();
    };
    let (all, ()) = tokio::join!(futures::future::join_all(events), release);
    assert!(all.iter().all(|one| one.as_ref().unwrap().succeeded()));
    let requests = azure.emulator.requests_for(&disk("d"));
    // Each look begins with a read, and writes prove themselves.
    let looks = requests.iter().filter(|exchange| exchange.kind == Kind::Get).count();
    let points = points(&azure).await;
    let of = |outcome: &str| last(&points, "diskseal.outcomes", &json!({"diskseal.outcome": outcome}));
    let counted = of("sealed") + of("already_sealed");
    assert_eq!(counted, f64::from(u32::try_from(looks).unwrap()));
    assert_eq!(last(&points, "diskseal.time_to_seal", &json!({})), 1.0);
}

#[tokio::test]
async fn a_sweep_reports_the_coverage() {
    let azure = start(setup(), &[("DISKSEAL_EXEMPT_NAMES", "golden-*")]).await;
    let names = ["a", "b", "c", "d", "e", "golden-1"];
    for name in names {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    for name in &names[..3] {
        azure.host.invoke("seal_on_write", Trigger::Event(event(&disk(name)))).await.unwrap();
    }
    azure.host.fire_timer("sweep").await.unwrap();
    let points = points(&azure).await;
    for (state, expected) in
        [("sealed", 3.0), ("unsealed", 2.0), ("exempt", 1.0), ("pending", 0.0), ("protected", 0.0)]
    {
        assert_eq!(
            last(&points, "diskseal.sweep.resources", &json!({"diskseal.state": state})),
            expected,
            "{state}"
        );
    }
    assert_eq!(last(&points, "diskseal.sweep.coverage", &json!({})), 0.5);
    assert_eq!(last(&points, "diskseal.sweep.runs", &json!({})), 1.0);
    // The number of all costs one row, however many there are.
    let queries = azure.emulator.journal();
    let is_count = |exchange: &&std::sync::Arc<diskseal_emulator::journal::Exchange>| {
        exchange.kind == Kind::Query
            && exchange.request_body["query"].as_str().unwrap().contains("| summarize count()")
    };
    let counts: Vec<_> =
        queries.iter().filter(is_count).map(|exchange| &exchange.response_body["data"]).collect();
    assert_eq!(counts, [&json!([{"count_": 6}])]);
}

/// The time counts from the write that the event names, whatever happened on its way.
#[tokio::test]
async fn the_time_to_seal_has_the_time_before_the_delivery() {
    let azure = start(setup(), &[]).await;
    let late = Duration::from_mins(5);
    azure.event_grid.disturb("late", Disturbance::Late(late));
    let began = std::time::Instant::now();
    azure.emulator.put(&disk("late"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    let longest = late + began.elapsed();
    let points = points(&azure).await;
    let [MetricPoint { data: MetricData::Histogram { sum, .. }, .. }] =
        of(&points, "diskseal.time_to_seal", &json!({"diskseal.trigger": "event"}))[..]
    else {
        panic!("{points:?}")
    };
    assert!((late.as_secs_f64()..longest.as_secs_f64()).contains(sum), "{sum} s of at most {longest:?}");
}

/// Each part is what happened in its place, and all of them are the whole.
#[tokio::test]
async fn the_parts_of_the_time_to_seal_add_up_to_it() {
    const ARM_TIME: Duration = Duration::from_millis(40);
    let mut setup = setup();
    setup.azure.latency = ARM_TIME;
    let azure = start(setup, &[]).await;
    let late = Duration::from_mins(5);
    azure.event_grid.disturb("late", Disturbance::Late(late));
    for name in ["late", "in-time"] {
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    let journal = azure.emulator.journal();
    let requests =
        journal.iter().filter(|exchange| exchange.path.contains("/disks/") && exchange.kind != Kind::Put);
    let requests = u32::try_from(requests.count()).unwrap();
    let points = points(&azure).await;
    let of_event = json!({"diskseal.trigger": "event"});
    let part = |name: &str| {
        let attributes = json!({"diskseal.trigger": "event", "diskseal.part": name});
        assert_eq!(last(&points, "diskseal.time_to_seal.part", &attributes), 2.0, "{name}");
        sum(&points, "diskseal.time_to_seal.part", &attributes)
    };
    let parts = ["delivery", "host", "arm", "wait", "own"].map(part);
    let whole = sum(&points, "diskseal.time_to_seal", &of_event);
    assert!((parts.iter().sum::<f64>() - whole).abs() < 1e-6, "{parts:?} of {whole}");
    let [delivery, _, arm, _, own] = parts;
    assert!((late.as_secs_f64()..whole).contains(&delivery), "{parts:?}");
    assert!(requests >= 6, "a read and two writes each");
    assert!(arm >= (ARM_TIME * requests).as_secs_f64(), "{requests} requests: {parts:?}");
    assert!(own > 0.0, "{parts:?}");
}

/// Azure Monitor accepts only sums with delta temporality.
#[tokio::test]
async fn sums_begin_anew_with_each_export_if_that_is_preferred() {
    for (preference, expected) in [("delta", Temporality::Delta), ("cumulative", Temporality::Cumulative)] {
        let settings = [(PREFERENCE, preference), ("OTEL_METRIC_EXPORT_INTERVAL", "20")];
        let azure = start(setup(), &settings).await;
        let sealed = json!({"diskseal.outcome": "sealed"});
        for name in ["a", "b"] {
            azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
            azure.event_grid.idle().await;
            let told = |points: &[MetricPoint]| {
                let sum: f64 =
                    of(points, "diskseal.outcomes", &sealed).iter().map(|point| value(point)).sum();
                (sum >= if name == "a" { 1.0 } else { 2.0 }).then_some(())
            };
            azure.collector.wait_until_metrics(told).await;
        }
        let points = points(&azure).await;
        let found = of(&points, "diskseal.outcomes", &sealed);
        for point in &found {
            let MetricData::Sum { temporality, .. } = point.data else { panic!("{point:?}") };
            assert_eq!(temporality, expected);
        }
        let values: Vec<_> = found.iter().map(|point| value(point)).collect();
        match expected {
            Temporality::Delta => assert_eq!(values, [1.0, 1.0]),
            _ => assert_eq!(values.last(), Some(&2.0), "{values:?}"),
        }
    }
}

fn value(point: &MetricPoint) -> f64 {
    match point.data {
        MetricData::Gauge(value) | MetricData::Sum { value, .. } => value,
        MetricData::Histogram { .. } => panic!("{point:?}"),
    }
}

/// A disabled signal costs no request.
#[tokio::test]
async fn metrics_that_are_not_wanted_are_not_sent_nor_asked_for() {
    let azure = start(setup(), &[("OTEL_METRICS_EXPORTER", "none")]).await;
    azure.emulator.insert(&disk("a"), &disk_body("westeurope")).unwrap();
    azure.host.fire_timer("sweep").await.unwrap();
    let queries = azure.emulator.journal().iter().filter(|exchange| exchange.kind == Kind::Query).count();
    let before = queries;
    end_all(&azure).await;
    assert_eq!(azure.collector.metrics(), []);
    assert!(azure.collector.exports().iter().all(|export| export.path != "/v1/metrics"));

    let azure = start(setup(), &[]).await;
    azure.emulator.insert(&disk("a"), &disk_body("westeurope")).unwrap();
    azure.host.fire_timer("sweep").await.unwrap();
    let queries = azure.emulator.journal().iter().filter(|exchange| exchange.kind == Kind::Query).count();
    assert_eq!(queries, before + 1, "one more, for how much is in scope");
}
