//! Compares the telemetry of days in which everything happens with the tables of docs/telemetry.md, in both
//! directions.

mod days;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use diskseal::{
    enforce::{AUDIT_RING, Concern, EVENT_MISSED, Error, Left, Outcome, Reverted, TagsKept, Unsealed},
    evidence,
    function::{Ignored, Pending, Refused},
    policy::{Drift, Exemption, Guarded},
    sweep,
};
use diskseal_emulator::collector::{MetricData, MetricPoint, Span, SpanKind, Status};
use serde_json::Value;
use tokio::sync::OnceCell;

use days::{CLAIMS, Emitted};
use tables::{quoted, rows, word_list};

type Sets = BTreeMap<String, BTreeSet<String>>;

/// Attributes that depend on chance: an invocation that arrives before the process has started.
const SELDOM: &str = "wait for start";

/// The span whose parent depends on chance.
const TOKEN: &str = "wait for token";

/// The days are long, so all tests share them.
async fn emitted() -> &'static Emitted {
    static EMITTED: OnceCell<Emitted> = OnceCell::const_new();
    EMITTED.get_or_init(|| Box::pin(days::all())).await
}

/// The name of a span in the tables.
fn name(span: &Span) -> String {
    if span.kind == SpanKind::Client { "request".to_owned() } else { span.name.clone() }
}

fn kind(span: &Span) -> &'static str {
    match span.kind {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn set<T: Into<String>>(items: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    items.into_iter().map(Into::into).collect()
}

fn without_seldom(mut sets: Sets) -> Sets {
    sets.remove(SELDOM);
    sets
}

#[tokio::test]
async fn spans_their_kinds_and_their_parents_are_those_of_the_table() {
    let emitted = emitted().await;
    let (mut kinds, mut parents) = (Sets::new(), Sets::new());
    for span in &emitted.spans {
        kinds.entry(name(span)).or_default().insert(kind(span).to_owned());
        let parent = match &span.parent_span_id {
            None => "none".to_owned(),
            Some(id) => {
                emitted.spans.iter().find(|other| other.span_id == *id).map_or("remote".to_owned(), name)
            }
        };
        parents.entry(name(span)).or_default().insert(parent);
        assert!(span.events.is_empty(), "{span:#?}");
    }
    let table = rows("### Spans");
    let column = |index: usize| -> Sets {
        let cells = table.iter().map(|row| {
            let words = row[index].split(", ").map(|word| word.trim_matches('`'));
            (quoted(&row[0])[0].clone(), set(words))
        });
        cells.collect()
    };
    assert_eq!(without_seldom(kinds), without_seldom(column(1)));
    let mut documented = column(2);
    // Whoever comes first waits for the token, which serves all others.
    let (first, possible) = (parents.remove(TOKEN).unwrap(), documented.remove(TOKEN).unwrap());
    assert!(first.is_subset(&possible), "{first:?}");
    assert_eq!(without_seldom(parents), without_seldom(documented));
}

#[tokio::test]
async fn attributes_of_spans_are_those_of_the_table_and_of_its_sets() {
    let mut found = Sets::new();
    let spans = emitted().await.spans.iter().filter(|span| span.name != SELDOM);
    for span in spans.clone() {
        for attribute in span.attributes.keys() {
            found.entry(attribute.clone()).or_default().insert(name(span));
        }
    }
    let table = rows("### Attributes of spans");
    let documented = |row: &Vec<String>| {
        (quoted(&row[0])[0].clone(), set(quoted(&row[1]).into_iter().filter(|name| name != SELDOM)))
    };
    assert_eq!(found, table.iter().map(documented).collect());
    for row in &table {
        let Some(words) = word_list(&row[2]) else { continue };
        let attribute = &quoted(&row[0])[0];
        for span in spans.clone() {
            let Some(value) = span.attributes.get(attribute) else { continue };
            let is_status = attribute == "error.type" && value.as_str().is_some_and(|text| text.len() == 3);
            assert!(
                is_status || words.contains(value.as_str().unwrap()),
                "{attribute} = {value} of {}",
                span.name
            );
        }
    }
}

#[tokio::test]
async fn metrics_with_their_kinds_units_and_attributes_are_those_of_the_table() {
    let mut found = BTreeMap::new();
    for point in &emitted().await.points {
        let kind = match &point.data {
            MetricData::Gauge(_) => "gauge",
            MetricData::Sum { is_monotonic: true, .. } => "counter",
            MetricData::Sum { is_monotonic: false, .. } => "up-down counter",
            MetricData::Histogram { .. } => "histogram",
        };
        let (_, _, attributes) = found
            .entry(point.name.clone())
            .or_insert_with(|| (kind.to_owned(), point.unit.clone(), BTreeSet::new()));
        attributes.extend(point.attributes.keys().cloned());
        assert!(!point.description.is_empty(), "{}", point.name);
    }
    let documented = |row: Vec<String>| {
        (quoted(&row[0])[0].clone(), (row[1].clone(), quoted(&row[2])[0].clone(), set(quoted(&row[3]))))
    };
    assert_eq!(found, rows("## Metrics").into_iter().map(documented).collect());
}

#[tokio::test]
async fn attributes_of_metrics_are_words_of_closed_sets() {
    let points = &emitted().await.points;
    let mut found = BTreeSet::new();
    for point in points {
        found.extend(point.attributes.keys().map(|attribute| (attribute.clone(), point.name.clone())));
    }
    let mut documented = BTreeSet::new();
    for row in rows("### Attributes of metrics") {
        let attribute = &quoted(&row[0])[0];
        for metric in quoted(&row[1]) {
            documented.insert((attribute.clone(), metric.clone()));
            let Some(words) = word_list(&row[2]) else { continue };
            let values = points.iter().filter(|point| point.name == metric);
            for value in values.filter_map(|point| point.attributes.get(attribute)) {
                let is_status =
                    attribute == "error.type" && value.as_str().is_some_and(|text| text.len() == 3);
                assert!(
                    is_status || words.contains(value.as_str().unwrap()),
                    "{attribute} = {value} of {metric}"
                );
            }
        }
    }
    assert_eq!(found, documented);
}

/// Each combination of attributes is a time series, so no attribute may have an unlimited number of values.
#[tokio::test]
async fn no_attribute_of_a_metric_names_a_resource() {
    for MetricPoint { name, attributes, .. } in &emitted().await.points {
        for (attribute, value) in attributes {
            let text = value.to_string();
            let is_name = days::NAMES.iter().any(|name| text.contains(name));
            let has_id = text.split(|c: char| !c.is_ascii_hexdigit()).any(|part| part.len() >= 8);
            assert!(!is_name && !has_id, "{attribute} = {value} of {name}");
        }
    }
}

#[test]
fn reasons_are_those_of_the_code() {
    let documented = set(rows("## Reasons").iter().flat_map(|row| quoted(&row[0])));
    let of_the_code = [
        Error::reasons(),
        Exemption::reasons(),
        Guarded::reasons(),
        Left::reasons(),
        Ignored::reasons(),
        Pending::reasons(),
        Refused::reasons(),
        sweep::Error::reasons(),
        evidence::Error::reasons(),
        Drift::reasons(),
        vec![Pending::OTHER, TagsKept::MODIFIED, EVENT_MISSED, AUDIT_RING],
    ];
    assert_eq!(documented, set(of_the_code.concat()));
}

/// Whoever is called at night finds what to do about each.
#[test]
fn every_reason_why_something_is_not_sealed_is_in_the_runbook() {
    let runbook = include_str!("../../../docs/runbook.md");
    let tables = runbook.split("| reason | what to do |").skip(1);
    let rows = tables.flat_map(|table| table.lines().skip(1).take_while(|line| line.starts_with('|')));
    let known = set(rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap())));
    let missing: Vec<_> = Error::reasons().into_iter().filter(|reason| !known.contains(*reason)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn outcomes_are_those_of_the_code() {
    let concerns = [Concern::Resource, Concern::System].map(Concern::label);
    let looks = [&Outcome::labels()[..], &concerns].concat();
    let cell = |heading, attribute: &str| {
        let rows = rows(heading);
        let row = rows.iter().find(|row| quoted(&row[0]) == [attribute]).unwrap();
        word_list(&row[2]).unwrap()
    };
    let of_spans = [&looks[..], &Unsealed::labels(), &Reverted::labels()].concat();
    assert_eq!(cell("### Attributes of spans", "diskseal.outcome"), set(of_spans));
    let of_metrics = [&looks[..], &["ignored"]].concat();
    assert_eq!(cell("### Attributes of metrics", "diskseal.outcome"), set(of_metrics));
}

#[tokio::test]
async fn the_resource_and_the_scope_are_exported_with_their_schema() {
    let emitted = emitted().await;
    let documented = set(rows("## Resource").iter().flat_map(|row| quoted(&row[0])));
    let url = "https://opentelemetry.io/schemas/1.42.0";
    let resources = emitted.spans.iter().map(|span| &span.resource);
    let resources: Vec<_> = resources.chain(emitted.points.iter().map(|point| &point.resource)).collect();
    assert_eq!(set(resources.iter().flat_map(|resource| resource.keys().cloned())), documented);
    for span in &emitted.spans {
        let Span { scope_name, scope_schema_url, resource_schema_url, .. } = span;
        assert_eq!([scope_name, scope_schema_url, resource_schema_url], ["diskseal", url, url]);
    }
    for MetricPoint { scope_name, scope_schema_url, .. } in &emitted.points {
        assert_eq!([scope_name, scope_schema_url], ["diskseal", url]);
    }
}

#[tokio::test]
async fn a_span_has_an_error_type_exactly_if_it_failed() {
    for span in &emitted().await.spans {
        let is_error = matches!(span.status, Status::Error(_));
        assert_eq!(is_error, span.attributes.contains_key("error.type"), "{span:#?}");
    }
}

#[tokio::test]
async fn no_claim_of_any_caller_is_in_anything() {
    let emitted = emitted().await;
    let (mut texts, mut events) = (vec![], 0);
    for span in &emitted.spans {
        texts.extend([&span.attributes, &span.resource].map(|attributes| format!("{attributes:?}")));
        texts.push(format!("{} {:?} {:?} {:?}", span.name, span.status, span.events, span.links));
        events += usize::from(span.attributes.get("cloudevents.event_id").is_some_and(|id| *id == "claims"));
    }
    for point in &emitted.points {
        texts.push(format!("{} {:?} {:?}", point.name, point.attributes, point.resource));
    }
    assert!(events > 0, "the event with the claims appears in the telemetry");
    for (claim, value) in CLAIMS {
        let value = value.to_lowercase();
        let found = texts.iter().find(|text| text.to_lowercase().contains(&value));
        assert_eq!(found, None, "{claim}");
    }
}

/// Most looks find nothing to do.
#[tokio::test]
async fn a_trace_in_which_nothing_was_done_is_small() {
    let spans = &emitted().await.spans;
    for (outcome, expected) in [
        ("already_sealed", &["GET …", "enforce", "seal_on_write"][..]),
        ("exempt", &["enforce", "seal_on_write"]),
    ] {
        let is_such = |span: &&Span| span.attributes.get("diskseal.outcome") == Some(&Value::from(outcome));
        let traces = spans.iter().filter(is_such).map(|enforce| {
            let spans = spans.iter().filter(|span| span.trace_id == enforce.trace_id);
            let names = spans.filter(|span| span.name != "wait for token");
            let mut names: Vec<_> = names.map(|span| span.name.split('/').next().unwrap()).collect();
            names.sort_unstable();
            names.iter().map(|name| name.replace("GET ", "GET …")).collect::<Vec<_>>()
        });
        assert!(traces.into_iter().any(|names| names == expected), "{outcome}");
    }
}
