//! What an event costs: the requests that it leads to, and the bytes that are exported of it. Holds infra/README.md to
//! them, and its sums to its prices.
//!
//! `cargo test --test it -- process::cost --nocapture` prints what was measured.

use std::collections::BTreeMap;

use diskseal_emulator::{
    Options,
    collector::MetricData,
    disk_body,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
};
use serde_json::{Value, json};

use super::{disk, end_all, event, setup, start_one};

const README: &str = include_str!("../../../infra/README.md");
const HEADING: &str = "### What a million events cost";
/// Numbers and times have one byte more or less from run to run.
const TOLERANCE: f64 = 0.05;
/// How many events more the longer of two runs has.
const EVENTS: usize = 10;

/// What a process exported and sent to Azure, from its start to its end.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    traces: f64,
    logs: f64,
    exports: f64,
    reads: f64,
    writes: f64,
    /// Echoes that Event Grid has delivered by itself.
    echoes: f64,
    metrics: f64,
    points: f64,
}

/// What one event costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    traces: f64,
    logs: f64,
    reads: f64,
    writes: f64,
}

/// The event of a disk that comes to this end.
fn event_for(outcome: &str, number: usize) -> Value {
    let name = format!("data-disk-{number:04}");
    match outcome {
        "exempt" => event(&disk(&name).replace("rg-app", "rg-exempt")),
        "ignored" => event(&disk(&name).replace("Compute/disks", "Compute/images")),
        "echo" => {
            let mut echo = event(&disk(&name));
            let own = Options::default().identity.object_id;
            echo["data"]["claims"] =
                json!({"http://schemas.microsoft.com/identity/claims/objectidentifier": own});
            echo
        }
        _ => event(&disk(&name)),
    }
}

/// Runs the real handler through this many events with this end, after one seal that warms it up. `batch` is the
/// number of items of an export.
async fn run(outcome: &str, events: usize, batch: &str) -> Sum {
    let mut setup = setup();
    // An event subscription without that filter, so that an echo can be measured as well.
    setup.drops_own_writes = false;
    // Azure's own timing, and its answers to writes.
    setup.azure = Options::default();
    setup.host.listen_to_queues = false;
    let settings = [
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "rg-exempt"),
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "600000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "600000"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", batch),
    ];
    let azure = start_one(setup, &settings).await;
    for number in 0..events {
        let mut body = disk_body("westeurope");
        if outcome == "already_sealed" {
            body["properties"]["dataAccessAuthMode"] = json!("AzureActiveDirectory");
            body["tags"] = json!({
                "diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-11-24T01:02:03Z",
            });
        }
        azure.emulator.insert(&disk(&format!("data-disk-{number:04}")), &body).unwrap();
    }
    azure.emulator.insert(&disk("warm"), &disk_body("westeurope")).unwrap();
    let told = |event| azure.host.invoke("seal_on_write", Trigger::Event(event));
    assert!(told(event(&disk("warm"))).await.unwrap().logs[0].starts_with("sealed "));
    if outcome == "pending" {
        azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).always());
    }
    let word = if outcome == "echo" { "ignored: our own write" } else { outcome };
    for number in 0..events {
        let invocation = told(event_for(outcome, number)).await.unwrap();
        assert!(invocation.logs[0].starts_with(word), "{outcome}: {invocation:?}");
    }
    azure.event_grid.idle().await;
    end_all(&azure).await;

    let mut sum = Sum::default();
    for export in azure.collector.exports() {
        let bytes = count(export.bytes);
        sum.exports += if export.path == "/v1/traces" { 1.0 } else { 0.0 };
        *match export.path.as_str() {
            "/v1/traces" => &mut sum.traces,
            "/v1/logs" => &mut sum.logs,
            _ => &mut sum.metrics,
        } += bytes;
    }
    for exchange in azure.emulator.journal() {
        match exchange.kind {
            Kind::Token => {}
            Kind::Patch | Kind::TagsWrite => sum.writes += 1.0,
            _ => sum.reads += 1.0,
        }
    }
    let is_echo = |line: &String| line.starts_with("ignored: our own write");
    let echoes = azure.host.invocations().iter().filter(|one| one.logs.iter().any(is_echo)).count();
    sum.echoes = count(echoes) - if outcome == "echo" { count(events) } else { 0.0 };
    sum.points = count(azure.collector.metrics().iter().map(|point| samples(&point.data)).sum());
    sum
}

/// The samples of a point, as Prometheus counts them: a histogram has one for each bucket, its sum and its count.
fn samples(data: &MetricData) -> usize {
    match data {
        MetricData::Histogram { bounds, .. } => bounds.len() + 3,
        MetricData::Gauge(_) | MetricData::Sum { .. } => 1,
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

/// The cost of one event: the difference of two runs, so that starts and exports at their ends do not count.
async fn cost(outcome: &str, echo: Option<Cost>, envelope: (f64, f64)) -> Cost {
    let (one, many) = (run(outcome, 1, "512").await, run(outcome, 1 + EVENTS, "512").await);
    let events = count(EVENTS);
    let each = |part: fn(&Sum) -> f64, of_echo: f64| {
        let echoes = many.echoes - one.echoes;
        (part(&many) - part(&one) - echoes * of_echo) / events
    };
    Cost {
        traces: each(|sum| sum.traces, echo.map_or(0.0, |echo| echo.traces - envelope.0)) + envelope.0,
        logs: each(|sum| sum.logs, echo.map_or(0.0, |echo| echo.logs - envelope.1)) + envelope.1,
        reads: each(|sum| sum.reads, 0.0),
        writes: each(|sum| sum.writes, 0.0),
    }
}

/// What each export adds, of spans and of log records: resource and scope.
async fn envelope() -> (f64, f64) {
    let (together, apart) = (run("ignored", 4, "512").await, run("ignored", 4, "1").await);
    let of_spans = (apart.traces - together.traces) / (apart.exports - together.exports);
    // Records have the same resource and scope, and other numbers of exports.
    (of_spans, of_spans)
}

/// The rows of the first table below a heading or a line, without its head.
fn rows_below(mark: &str) -> Vec<Vec<String>> {
    let (_, below) = README.split_once(mark).unwrap_or_else(|| panic!("infra/README.md has no {mark}"));
    let table =
        below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    table.skip(2).map(cells).collect()
}

fn figure(text: &str) -> f64 {
    text.trim_matches('*')
        .split(' ')
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap_or_else(|_| panic!("{text}"))
}

/// The example price of a meter, in USD for its unit.
fn price(meter: &str) -> f64 {
    let rows = rows_below("## Cost");
    let row = rows.iter().find(|row| row[0] == meter).unwrap_or_else(|| panic!("no price of {meter}"));
    figure(&row[2])
}

fn is_about(documented: f64, measured: f64) -> bool {
    (documented - measured).abs() <= measured * TOLERANCE
}

/// How often a run is repeated: on a busy machine, a proof takes another read or a request another try, which is no cost of
/// the event.
const RUNS_MAX: usize = 4;

const OUTCOMES: [&str; 6] = ["echo", "ignored", "exempt", "already_sealed", "sealed", "pending"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_and_requests_of_an_event_are_those_of_the_readme() {
    let documented = rows_below(HEADING);
    let outcomes: Vec<_> = documented.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(outcomes, OUTCOMES);
    let envelope = envelope().await;
    let echo = cost("echo", None, envelope).await;
    let mut measured = BTreeMap::from([("echo", echo)]);
    for outcome in &OUTCOMES[1..] {
        let row = documented.iter().find(|row| row[0].trim_matches('`') == *outcome).unwrap();
        let mut found = cost(outcome, Some(echo), envelope).await;
        for _ in 1..RUNS_MAX {
            if fault(row, &found).is_none() {
                break;
            }
            found = cost(outcome, Some(echo), envelope).await;
        }
        measured.insert(outcome, found);
    }
    println!("an export alone: {:.0} bytes", envelope.0);
    for (outcome, Cost { traces, logs, reads, writes }) in &measured {
        println!(
            "{outcome}: {traces:.0} bytes of spans, {logs:.0} of records, {reads} reads, {writes} writes"
        );
    }
    for row in &documented {
        assert_eq!(fault(row, &measured[row[0].trim_matches('`')]), None);
    }
}

/// What a run has that its row of the table has not.
fn fault(row: &[String], found: &Cost) -> Option<String> {
    for (name, shown, found) in
        [("traces", &row[6], found.traces / 1_000.0), ("log records", &row[7], found.logs / 1_000.0)]
    {
        if !is_about(figure(shown), found) {
            return Some(format!("{name} of {}: {found:.2} GB a million, not {shown}", row[0]));
        }
    }
    let (reads, writes) = (figure(&row[4]), figure(&row[5]));
    let is_right = (reads, writes) == (found.reads, found.writes);
    (!is_right).then(|| format!("{} reads and {} writes of {}", found.reads, found.writes, row[0]))
}

#[tokio::test]
async fn an_export_of_metrics_is_that_of_the_readme() {
    let (_, below) = README.split_once("an export of an instance that seals has ").unwrap();
    let (_, of_bytes) = below.split_once(" samples in ").unwrap();
    let is_that =
        |sum: &Sum| is_about(figure(below), sum.points) && is_about(figure(of_bytes), sum.metrics / 1_000.0);
    let mut sum = run("sealed", 2, "512").await;
    for _ in 1..RUNS_MAX {
        if is_that(&sum) {
            break;
        }
        sum = run("sealed", 2, "512").await;
    }
    let Sum { metrics, points, .. } = sum;
    println!("an export of metrics: {metrics} bytes, {points} samples");
    assert!(is_that(&sum), "{points} samples in {metrics} bytes");
    let month = figure(README.split_once(", which makes ").unwrap().1);
    assert!(is_about(month, points * 259_200.0 / 1e7 * price("Azure Monitor workspace, metrics")), "{month}");
}

/// Whoever changes a price has to change the sums.
#[test]
fn the_sums_of_a_million_events_follow_from_the_prices() {
    let of = |row: &[String], traces: f64| {
        let [operations, executions, seconds] = [1, 2, 3].map(|column| figure(&row[column]));
        operations * price("Event Grid")
            + executions * price("Flex Consumption, executions")
            + seconds * 1e6 * price("Flex Consumption, execution time")
            + (traces + figure(&row[7])) * price("Log Analytics")
    };
    for row in rows_below(HEADING) {
        let sum = of(&row, figure(&row[6]));
        assert_eq!(figure(&row[8]).to_string(), format!("{sum:.0}"), "{row:?}");
    }
    let rows = rows_below(HEADING);
    let quiet = rows.iter().find(|row| row[0] == "`already_sealed`").unwrap();
    let (all, share) = (figure(&quiet[6]), figure(&quiet[6]) * 0.05);
    let said = format!(
        "With `DISKSEAL_TRACES_UNCHANGED_RATIO=0.05`, a million events of disks that are sealed already cost {:.0} USD instead of {:.0}",
        of(quiet, share),
        of(quiet, all),
    );
    assert!(README.contains(&said), "{said}");
}
