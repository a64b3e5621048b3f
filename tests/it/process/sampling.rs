//! Which traces arrive at a collector: all of those that sealed, waited or failed, and a share of the others.

use std::collections::{BTreeMap, BTreeSet};

use diskseal_emulator::{
    collector::{MetricData, Span},
    disk_body,
    estate::virtual_machine_id,
    fault::{Fault, Kind, Refusal},
    host::{ConsoleLine, Invocation, Stream, Trigger},
    local_azure::{LocalAzure, Setup},
    virtual_machine_body,
};
use serde_json::{Value, json};

use super::{disk, end_all, event, is_sealed, setup, start, start_one};
use crate::world::{SUBSCRIPTION, jane};

const RATIO: &str = "DISKSEAL_TRACES_UNCHANGED_RATIO";

async fn told(azure: &LocalAzure, event: Value) -> Invocation {
    azure.host.invoke("seal_on_write", Trigger::Event(event)).await.unwrap()
}

/// Stops the handler, so that it exports everything.
async fn end(azure: &LocalAzure) {
    end_all(azure).await;
}

/// The spans of an invocation, by the ID that the host gave it.
fn of<'a>(spans: &'a [Span], invocation: &Invocation) -> Vec<&'a Span> {
    let is_its = |span: &&Span| span.attributes.get("faas.invocation_id") == Some(&json!(invocation.id));
    spans.iter().filter(is_its).collect()
}

/// The last values of a counter, added up.
fn counted(azure: &LocalAzure, name: &str, attribute: Option<(&str, &str)>) -> f64 {
    let mut series = BTreeMap::new();
    for point in azure.collector.metrics().iter().filter(|point| point.name == name) {
        let fits = attribute.is_none_or(|(name, value)| point.attributes.get(name) == Some(&json!(value)));
        if let (true, MetricData::Sum { value, .. }) = (fits, &point.data) {
            series.insert(format!("{:?}", point.attributes), *value);
        }
    }
    // An empty sum is minus zero.
    series.into_values().sum::<f64>() + 0.0
}

fn warnings(azure: &LocalAzure) -> Vec<String> {
    let is_warning = |line: &&ConsoleLine| line.stream == Stream::Stderr;
    azure.host.console().iter().filter(is_warning).map(|line| line.text.clone()).collect()
}

/// Everything that can become of an event: sealed, pending, failed, and each way of changing nothing.
async fn day(mut setup: Setup, ratio: &str) -> LocalAzure {
    // An own write that comes back is one of the events that change nothing.
    setup.drops_own_writes = false;
    let settings =
        [(RATIO, ratio), ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-exempt"), ("DISKSEAL_DEADLINE", "2")];
    let azure = start(setup, &settings).await;
    let broken = Fault::refuse(Refusal::server_error(500)).on(Kind::Get).resource("broken").always();
    azure.emulator.inject(broken);
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked"));
    for name in ["d", "locked"] {
        azure.emulator.put(&disk(name), &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    azure.host.queues_drained().await;
    // The queue's seal raises an event as well.
    azure.event_grid.idle().await;
    told(&azure, event(&disk("d"))).await;
    told(&azure, event(&disk("x").replace("rg-app", "rg-exempt"))).await;
    told(&azure, json!({"eventType": "Something.Else", "subject": disk("d")})).await;
    azure.emulator.insert(&disk("broken"), &disk_body("westeurope")).unwrap();
    assert!(!told(&azure, event(&disk("broken"))).await.succeeded());
    // A batch is one invocation: it changed something if one of its events did.
    azure.emulator.insert(&disk("e"), &disk_body("westeurope")).unwrap();
    let batch = json!({"Data": {"event": [event(&disk("d")), event(&disk("e"))]}, "Metadata": {}});
    azure.host.invoke_raw("seal_on_write", batch.to_string()).await.unwrap();
    azure.event_grid.idle().await;
    assert!(["d", "e", "locked"].iter().all(|name| is_sealed(&azure, &disk(name))));
    end(&azure).await;
    azure
}

const UNCHANGED: [&str; 3] = ["already_sealed ", "exempt ", "ignored: "];

fn is_unchanged(invocation: &Invocation) -> bool {
    let is_such = |line: &String| UNCHANGED.iter().any(|start| line.starts_with(start));
    invocation.succeeded() && invocation.function == "seal_on_write" && invocation.logs.iter().all(is_such)
}

#[tokio::test]
async fn at_0_nothing_arrives_of_what_changed_nothing_and_all_of_everything_else() {
    let mut setup = setup();
    // What the host says where it records nothing itself.
    setup.host.trace_flags = 0;
    let azure = day(setup, "0").await;
    let (spans, invocations) = (azure.collector.spans(), azure.host.invocations());
    let (quiet, busy): (Vec<_>, Vec<_>) = invocations.iter().partition(|one| is_unchanged(one));
    let lines: Vec<_> =
        quiet.iter().map(|one| one.logs[0].split(['/', ':']).next().unwrap().trim()).collect();
    for word in ["already_sealed", "exempt", "ignored"] {
        assert!(lines.contains(&word), "{lines:?}");
    }
    assert!(quiet.iter().any(|one| one.logs[0].starts_with("ignored: our own write")), "{quiet:?}");
    for invocation in quiet {
        assert_eq!(of(&spans, invocation), Vec::<&Span>::new(), "{invocation:?}");
    }
    for invocation in &busy {
        if invocation.logs.iter().any(|line| line.starts_with("not_due")) {
            continue;
        }
        assert_eq!(of(&spans, invocation).len(), 1, "{invocation:?}");
    }
    let outcomes: BTreeSet<_> = spans
        .iter()
        .filter_map(|span| span.attributes.get("diskseal.outcome").and_then(Value::as_str))
        .collect();
    // The one that was sealed already is that of the batch.
    assert_eq!(outcomes, BTreeSet::from(["already_sealed", "failed", "pending", "sealed"]));

    // Whatever arrives is whole: the parent of each span arrives, except for those of other services.
    let roots: BTreeSet<_> = ["seal_on_write", "seal_queued"].into();
    let known: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    for span in &spans {
        let has_parent = span.parent_span_id.as_ref().is_some_and(|parent| known.contains(parent));
        assert!(
            has_parent || roots.contains(span.name.as_str()) || span.name == "wait for token",
            "{span:#?}"
        );
    }

    // Metrics and log records have them all.
    let dropped = invocations.iter().filter(|one| is_unchanged(one)).count();
    assert_eq!(counted(&azure, "diskseal.traces.dropped", None).to_string(), dropped.to_string());
    for outcome in ["already_sealed", "exempt", "ignored"] {
        assert!(
            counted(&azure, "diskseal.outcomes", Some(("diskseal.outcome", outcome))) >= 1.0,
            "{outcome}"
        );
        let logs = azure.collector.logs();
        assert!(logs.iter().any(|record| record.attributes.get("diskseal.outcome") == Some(&json!(outcome))));
    }
    assert_eq!(warnings(&azure).iter().filter(|line| line.contains("SAMPLER")).count(), 0);
}

#[tokio::test]
async fn by_default_everything_arrives_even_if_the_host_samples_nothing() {
    let mut setup = setup();
    setup.host.trace_flags = 0;
    let azure = day(setup, "").await;
    let (spans, invocations) = (azure.collector.spans(), azure.host.invocations());
    for invocation in invocations.iter().filter(|one| one.function == "seal_on_write") {
        assert_eq!(of(&spans, invocation).len(), 1, "{invocation:?}");
        let marked = of(&spans, invocation)[0].attributes.get("diskseal.unchanged");
        assert_eq!(marked, is_unchanged(invocation).then_some(&json!(true)), "{invocation:?}");
    }
    assert_eq!(counted(&azure, "diskseal.traces.dropped", None).to_string(), "0");
}

/// The disks of a machine decide about its invocation; if they are too many for it, their messages are its work.
#[tokio::test]
async fn a_machine_is_unchanged_if_its_disks_are_and_none_was_handed_over() {
    let mut setup = setup();
    setup.host.listen_to_queues = false;
    let azure = start(setup, &[(RATIO, "0")]).await;
    let [small, large] = ["vm-1", "vm-2"].map(|name| virtual_machine_id(SUBSCRIPTION, "rg-app", name));
    for (id, disks) in [(&small, 2), (&large, 33)] {
        azure.emulator.put_machine(id, &jane(), &virtual_machine_body("westeurope", disks)).unwrap();
    }
    azure.event_grid.idle().await;
    let [quiet, busy] = [told(&azure, event(&small)).await, told(&azure, event(&large)).await];
    assert!(quiet.logs[1..].iter().all(|line| line.starts_with("already_sealed ")), "{quiet:?}");
    assert!(busy.logs[0].contains("each handed to the queue"), "{busy:?}");
    end(&azure).await;
    let spans = azure.collector.spans();
    assert_eq!((of(&spans, &quiet).len(), of(&spans, &busy).len()), (0, 1));
}

/// An event for a disk that is sealed, in a trace of its own.
fn cloud_event(trace_id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": trace_id, "source": "/s", "type": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": disk("d"), "traceparent": format!("00-{trace_id}-b7ad6b7169203331-00"),
    })
}

/// The traces of 16 looks that found nothing to do, of 32 in all, that arrive.
async fn arrived(settings: &[(&str, &str)]) -> (BTreeSet<String>, LocalAzure) {
    let mut setup = setup();
    setup.host.traceparent = false;
    let azure = start_one(setup, settings).await;
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    for trace_id in traces() {
        let looked = told(&azure, cloud_event(&trace_id)).await;
        assert!(looked.logs[0].starts_with("already_sealed "), "{looked:?}");
    }
    end(&azure).await;
    let spans = azure.collector.spans();
    let found = spans.iter().map(|span| span.trace_id.clone()).filter(|id| traces().contains(id));
    (found.collect(), azure)
}

/// Trace IDs over the whole range of what the standard's ratio looks at, the last eight bytes.
fn traces() -> Vec<String> {
    (0..16_u64).map(|n| format!("{:016x}{:016x}", n + 1, (n << 60) | 0x123)).collect()
}

#[tokio::test]
async fn at_a_half_the_traces_id_decides_and_every_instance_decides_alike() {
    let expected: BTreeSet<_> = traces().into_iter().take(8).collect();
    for _ in 0..2 {
        let (found, azure) = arrived(&[(RATIO, "0.5")]).await;
        assert_eq!(found, expected);
        // And the echo of the seal, whose trace has an ID of its own.
        let dropped = counted(&azure, "diskseal.traces.dropped", None);
        assert!((8.0..=9.0).contains(&dropped), "{dropped}");
    }
}

#[tokio::test]
async fn with_a_standard_sampler_the_share_has_no_effect_and_the_log_says_so() {
    let all: BTreeSet<_> = traces().into_iter().collect();
    for (sampler, ratio, expected, warned) in [
        ("always_on", "0", all.clone(), 1),
        ("always_on", "1", all.clone(), 0),
        ("always_off", "0.5", BTreeSet::new(), 1),
        // An unknown one counts as not set.
        ("jaeger_remote", "0", BTreeSet::new(), 0),
    ] {
        let (found, azure) = arrived(&[("OTEL_TRACES_SAMPLER", sampler), (RATIO, ratio)]).await;
        assert_eq!(found, expected, "{sampler} {ratio}");
        let is_inert = sampler != "jaeger_remote";
        assert_eq!(counted(&azure, "diskseal.traces.dropped", None) == 0.0, is_inert, "{sampler} {ratio}");
        let about = warnings(&azure).into_iter().filter(|line| line.contains(RATIO)).count();
        assert_eq!(about, warned, "{sampler} {ratio}: {:?}", warnings(&azure));
    }
}
