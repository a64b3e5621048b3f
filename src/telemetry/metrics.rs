//! Every instrument in one place: its name, kind, unit and attributes.
//!
//! Attributes are words of closed sets, never an ID or a name: each combination is a time series that costs money.
//! docs/telemetry.md documents them, and a test compares it with what is exported. Each function costs one atomic
//! load if nothing is exported.

use std::sync::OnceLock;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, SERVER_ADDRESS, SERVER_PORT, URL_TEMPLATE,
};

/// From an event to the proof: seconds normally, hours if the queue or a sweep was needed.
const TIME_TO_SEAL_SECONDS: [f64; 15] =
    [0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0];
/// A part of it: milliseconds of our own, hours before a message of the queue.
const PART_SECONDS: [f64; 15] =
    [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0];
/// "Semantic conventions for HTTP metrics", `http.client.request.duration`.
const REQUEST_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The host delivers a queue message again every five minutes.
const QUEUE_AGE_SECONDS: [f64; 12] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0];

const OUTCOME: &str = "diskseal.outcome";
const REASON: &str = "diskseal.reason";
const RESOURCE_TYPE: &str = "diskseal.resource.type";
const TRIGGER: &str = "diskseal.trigger";

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

#[derive(Debug)]
struct Instruments {
    meter: Meter,
    time_to_seal: Histogram<f64>,
    time_to_seal_part: Histogram<f64>,
    outcomes: Counter<u64>,
    failures: Counter<u64>,
    events_received: Counter<u64>,
    request_duration: Histogram<f64>,
    throttled: Counter<u64>,
    queue_age: Histogram<f64>,
    revocations: Counter<u64>,
    sweep_resources: Gauge<u64>,
    sweep_coverage: Gauge<f64>,
    sweep_runs: Counter<u64>,
    evidence_runs: Counter<u64>,
    exemptions_expiring: Gauge<u64>,
    switch_failures: Counter<u64>,
    enforce_active: UpDownCounter<i64>,
    dropped: Counter<u64>,
    traces_dropped: Counter<u64>,
}

impl Instruments {
    fn new(meter: Meter) -> Self {
        let counter =
            |name, unit, text| meter.u64_counter(name).with_unit(unit).with_description(text).build();
        let seconds = |name, text, bounds: &[f64]| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(text);
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        let gauge = |name, unit, text| meter.u64_gauge(name).with_unit(unit).with_description(text).build();
        Self {
            time_to_seal: seconds(
                "diskseal.time_to_seal",
                "From the event, or from when the resource was first seen, to the proof of its seal",
                &TIME_TO_SEAL_SECONDS,
            ),
            time_to_seal_part: seconds(
                "diskseal.time_to_seal.part",
                "A part of the time to seal; the parts of one seal add up to it",
                &PART_SECONDS,
            ),
            outcomes: counter("diskseal.outcomes", "{resource}", "Outcomes of looks at resources"),
            failures: counter("diskseal.failures", "{failure}", "Looks that left a resource unsealed"),
            events_received: counter(
                "diskseal.events.received",
                "{event}",
                "Events that Event Grid delivered",
            ),
            request_duration: seconds(
                "http.client.request.duration",
                "Duration of HTTP client requests",
                &REQUEST_SECONDS,
            ),
            throttled: counter("diskseal.arm.throttled", "{response}", "Answers of 429"),
            queue_age: seconds(
                "diskseal.queue.age",
                "From when the resource was first seen to the handling of its message",
                &QUEUE_AGE_SECONDS,
            ),
            revocations: counter(
                "diskseal.revocations",
                "{resource}",
                "Resources whose SAS URLs were to be revoked after the seal",
            ),
            sweep_resources: gauge(
                "diskseal.sweep.resources",
                "{resource}",
                "Resources by state, as of the last sweep",
            ),
            sweep_coverage: meter
                .f64_gauge("diskseal.sweep.coverage")
                .with_unit("1")
                .with_description("The share of sealed resources, as of the last sweep")
                .build(),
            sweep_runs: counter("diskseal.sweep.runs", "{run}", "Sweeps"),
            evidence_runs: counter("diskseal.evidence.runs", "{run}", "Tries to write the evidence of a day"),
            exemptions_expiring: gauge(
                "diskseal.exemptions.expiring",
                "{exemption}",
                "Exemptions that end within 30 days, as of the last sweep",
            ),
            switch_failures: counter("diskseal.switch.failures", "{read}", "Reads of the switch that failed"),
            enforce_active: meter
                .i64_up_down_counter("diskseal.enforce.active")
                .with_unit("{resource}")
                .with_description("Resources in progress")
                .build(),
            dropped: counter("diskseal.telemetry.dropped", "{item}", "Telemetry that was lost"),
            traces_dropped: counter(
                "diskseal.traces.dropped",
                "{trace}",
                "Traces that changed nothing and are outside the share to export",
            ),
            meter,
        }
    }
}

/// Creates the instruments. A second start, as in tests, keeps the first one's.
pub(super) fn start(meter: Meter) {
    let _ = INSTRUMENTS.set(Instruments::new(meter));
}

/// Whether metrics are exported. A metric that costs a request is left out otherwise.
pub fn are_exported() -> bool {
    INSTRUMENTS.get().is_some()
}

/// Calls `record` if metrics are exported.
fn with(record: impl FnOnce(&Instruments)) {
    INSTRUMENTS.get().map(record);
}

/// A resource was sealed. `trigger` is what led to the look, `seconds` the time since the event, or since the
/// resource was first seen.
pub fn sealed(resource_type: &'static str, trigger: &'static str, seconds: f64) {
    let attributes = [KeyValue::new(RESOURCE_TYPE, resource_type), KeyValue::new(TRIGGER, trigger)];
    with(|instruments| instruments.time_to_seal.record(seconds.max(0.0), &attributes));
}

/// The parts of the time to seal of one resource: the word of each, and its seconds.
pub fn sealed_in(trigger: &'static str, parts: impl IntoIterator<Item = (&'static str, f64)>) {
    with(|instruments| {
        for (part, seconds) in parts {
            let attributes = [KeyValue::new("diskseal.part", part), KeyValue::new(TRIGGER, trigger)];
            instruments.time_to_seal_part.record(seconds, &attributes);
        }
    });
}

/// The outcome for one resource or event.
pub fn outcome(
    outcome: &'static str,
    reason: Option<&'static str>,
    resource_type: Option<&'static str>,
    trigger: &'static str,
) {
    if let Some(instruments) = INSTRUMENTS.get() {
        let mut attributes = Vec::with_capacity(4);
        attributes.extend([KeyValue::new(OUTCOME, outcome), KeyValue::new(TRIGGER, trigger)]);
        attributes.extend(reason.map(|reason| KeyValue::new(REASON, reason)));
        attributes.extend(resource_type.map(|name| KeyValue::new(RESOURCE_TYPE, name)));
        instruments.outcomes.add(1, &attributes);
    }
}

/// A look that left a resource unsealed: whom the failure concerns, why, and ARM's code if there is one.
pub fn failure(scope: &'static str, error_type: &'static str, azure_code: Option<&'static str>) {
    if let Some(instruments) = INSTRUMENTS.get() {
        let mut attributes =
            vec![KeyValue::new("diskseal.failure.scope", scope), KeyValue::new(ERROR_TYPE, error_type)];
        attributes.extend(azure_code.map(|code| KeyValue::new("azure.error.code", code)));
        instruments.failures.add(1, &attributes);
    }
}

/// An event arrived.
pub fn event_received(kind: &'static str) {
    with(|instruments| instruments.events_received.add(1, &[KeyValue::new("diskseal.event.kind", kind)]));
}

/// One attempt of a request, for `http.client.request.duration`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `http.request.method`
    pub method: &'static str,
    /// `url.template`
    pub template: &'static str,
    /// `server.address`
    pub address: &'a str,
    /// `server.port`
    pub port: Option<u16>,
    /// `http.response.status_code`, if there was an answer.
    pub status: Option<u16>,
    /// `error.type`, if there was none.
    pub fault: Option<&'static str>,
}

/// One attempt of a request has ended.
pub fn requested(request: Request<'_>, seconds: f64) {
    if let Some(instruments) = INSTRUMENTS.get() {
        let mut attributes = Vec::with_capacity(6);
        attributes.extend([
            KeyValue::new(HTTP_REQUEST_METHOD, request.method),
            KeyValue::new(URL_TEMPLATE, request.template),
            KeyValue::new(SERVER_ADDRESS, request.address.to_owned()),
        ]);
        attributes.extend(request.port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        if let Some(status) = request.status {
            attributes.push(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status)));
            if status >= 400 {
                attributes.push(KeyValue::new(ERROR_TYPE, status.to_string()));
            }
        }
        attributes.extend(request.fault.map(|fault| KeyValue::new(ERROR_TYPE, fault)));
        instruments.request_duration.record(seconds, &attributes);
    }
}

/// ARM or a resource provider has answered 429.
pub fn throttled(by: &'static str) {
    with(|instruments| instruments.throttled.add(1, &[KeyValue::new("diskseal.arm.throttle", by)]));
}

/// Calls `left` at each export for what is left of each of ARM's quotas, by the quota's name.
pub fn watch_quota(left: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static) {
    if let Some(instruments) = INSTRUMENTS.get() {
        let gauge = instruments.meter.u64_observable_gauge("diskseal.arm.quota.remaining");
        gauge
            .with_unit("{request}")
            .with_description("What is left of ARM's quota, in the subscription with the least")
            .with_callback(move |observer| {
                for (quota, remaining) in left() {
                    observer.observe(remaining, &[KeyValue::new("diskseal.arm.quota", quota)]);
                }
            })
            .build();
    }
}

/// A queue message is handled. `reason` is why it is on the queue, a word of a closed set; `seconds` is its age.
pub fn queue_age(reason: &'static str, seconds: f64) {
    with(|instruments| instruments.queue_age.record(seconds.max(0.0), &[KeyValue::new(REASON, reason)]));
}

/// SAS URLs of a resource were to be revoked, with an error if that failed.
pub fn revocation(resource_type: &'static str, error_type: Option<&'static str>) {
    let error_type = error_type.map(|name| KeyValue::new(ERROR_TYPE, name));
    let attributes: Vec<_> =
        std::iter::once(KeyValue::new(RESOURCE_TYPE, resource_type)).chain(error_type).collect();
    with(|instruments| instruments.revocations.add(1, &attributes));
}

/// What a sweep found.
#[derive(Clone, Copy, Debug)]
pub struct Swept {
    /// How many resources are in each state; the sum is all in scope.
    pub states: [(&'static str, u64); 7],
    /// How many of them are sealed.
    pub sealed: u64,
    /// How many exemptions end soon.
    pub expiring: u64,
}

/// A sweep has listed everything.
#[expect(clippy::cast_precision_loss, reason = "no estate has 2^53 disks")]
pub fn swept(swept: &Swept) {
    if let Some(instruments) = INSTRUMENTS.get() {
        for (state, count) in swept.states {
            instruments.sweep_resources.record(count, &[KeyValue::new("diskseal.state", state)]);
        }
        let all: u64 = swept.states.iter().map(|(_, count)| count).sum();
        // Nothing in scope counts as covered.
        let coverage = if all == 0 { 1.0 } else { swept.sealed as f64 / all as f64 };
        instruments.sweep_coverage.record(coverage, &[]);
        instruments.exemptions_expiring.record(swept.expiring, &[]);
    }
}

/// A sweep has ended, with an error if it failed.
pub fn sweep_run(error_type: Option<&'static str>) {
    let error_type = error_type.map(|name| KeyValue::new(ERROR_TYPE, name));
    with(|instruments| instruments.sweep_runs.add(1, error_type.as_slice()));
}

/// The evidence of a day was written, or could not be.
pub fn evidence_run(error_type: Option<&'static str>) {
    let error_type = error_type.map(|name| KeyValue::new(ERROR_TYPE, name));
    with(|instruments| instruments.evidence_runs.add(1, error_type.as_slice()));
}

/// Counts a read of the switch that failed.
pub fn switch_failure(error_type: &'static str) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.switch_failures.add(1, &[KeyValue::new(ERROR_TYPE, error_type)]);
    }
}

/// Counts a resource as in progress until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Active(());

/// Counts one more resource as in progress.
pub fn active() -> Active {
    with(|instruments| instruments.enforce_active.add(1, &[]));
    Active(())
}

impl Drop for Active {
    fn drop(&mut self) {
        with(|instruments| instruments.enforce_active.add(-1, &[]));
    }
}

/// Telemetry was lost: the signal, why (`queue_full`, `export_failed`), and how many items.
pub fn dropped(signal: &'static str, error_type: &'static str, items: u64) {
    let attributes = [KeyValue::new("diskseal.signal", signal), KeyValue::new(ERROR_TYPE, error_type)];
    with(|instruments| instruments.dropped.add(items, &attributes));
}

/// A trace is not exported: its invocation changed nothing, and it is outside the share of such traces.
pub(super) fn trace_dropped() {
    with(|instruments| instruments.traces_dropped.add(1, &[]));
}
