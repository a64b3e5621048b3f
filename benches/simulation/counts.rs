//! The metrics of a run against what its observers have seen.
//!
//! The exporter reads its variables from the process's environment, so the days run in a child of this process, which
//! holds the collector.

use std::{
    env, fs,
    process::{Command, ExitStatus},
    time::Duration,
};

use diskseal::{
    azure::http_client,
    config::Config,
    telemetry::{Audience, Connection, Telemetry},
};
use diskseal_emulator::collector::{Collector, MetricData, MetricPoint};
use tokio::runtime::{Builder, Runtime};

use crate::simulator::Counts;

/// Where the child leaves what was seen.
const SEEN: &str = "DISKSEAL_SIMULATION_SEEN";

/// The exports of a child.
pub(crate) struct Exports {
    /// In real time, unlike those of the days.
    _runtime: Runtime,
    telemetry: Telemetry,
    seen: String,
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl Exports {
    /// Starts to count, if this process is the child.
    pub(crate) fn of_child() -> Option<Self> {
        let seen = env::var(SEEN).ok()?;
        let runtime = runtime();
        let lookup = |name: &str| env::var(name).ok();
        let monitor = Config::for_command(&|_| None).unwrap().azure_monitor;
        let telemetry = Telemetry::start(&lookup, Audience::Person, &monitor, 1.0);
        let http = http_client().unwrap();
        telemetry.connect(Connection { runtime: runtime.handle().clone(), http, authorize: None });
        Some(Self { _runtime: runtime, telemetry, seen })
    }

    /// Exports, and leaves what was seen.
    pub(crate) fn end(self, counts: &Counts) {
        self.telemetry.stop(Duration::from_mins(1));
        let Counts { events, answered, seals_begun, seals_ended, seals_said, .. } = *counts;
        let most = seals_said + seals_begun - seals_ended;
        fs::write(self.seen, format!("{answered} {events} {seals_said} {most}")).unwrap();
    }
}

/// Runs this program again as a child with a collector. Returns how it ended, and what is wrong with its counts: they may
/// be more than what was said only by what was cut off.
pub(crate) fn run_child() -> (ExitStatus, Vec<String>) {
    let runtime = runtime();
    let collector = runtime.block_on(Collector::start()).unwrap();
    let seen = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new(env::current_exe().unwrap())
        .args(env::args().skip(1))
        .env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", format!("{}/v1/metrics", collector.endpoint()))
        .env("OTEL_METRIC_EXPORT_INTERVAL", "86400000")
        .env("RUST_LOG", "off")
        .env(SEEN, seen.path())
        .status()
        .unwrap();
    let text = fs::read_to_string(seen.path()).unwrap();
    let seen: Vec<u64> = text.split(' ').filter_map(|number| number.parse().ok()).collect();
    let &[answered, events, said, most] = seen.as_slice() else {
        return (status, vec!["the run has left no counts".to_owned()]);
    };
    let points = collector.metrics();
    let wrong = [
        ("events received", sum(&points, "diskseal.events.received", None), answered, events),
        ("seals", sum(&points, "diskseal.outcomes", Some("sealed")), said, most),
    ];
    let wrong = wrong.iter().filter(|(_, counted, least, most)| !(least..=most).contains(&counted));
    let line = |(what, counted, least, most): &(&str, u64, u64, u64)| {
        format!("{counted} {what} were counted, and there were {least} to {most}")
    };
    (status, wrong.map(line).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters are whole numbers")]
fn sum(points: &[MetricPoint], name: &str, outcome: Option<&str>) -> u64 {
    let fits = |point: &&MetricPoint| {
        let is_of =
            |outcome: &str| point.attributes.get("diskseal.outcome").is_some_and(|value| *value == *outcome);
        point.name == name && outcome.is_none_or(is_of)
    };
    let values = points.iter().filter(fits).map(|point| match point.data {
        MetricData::Sum { value, .. } => value as u64,
        _ => 0,
    });
    values.sum()
}
