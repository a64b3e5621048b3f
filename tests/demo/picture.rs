//! The data of the page, as JSON: every disk and snapshot with its state and its traces.

use std::collections::{BTreeSet, HashMap, HashSet};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use diskseal_emulator::{
    collector::{LogRecord, Span, Status},
    host::Invocation,
    local_azure::LocalAzure,
    queue::Queue,
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    act::Stage,
    chronicle::{Story, is_sealed, last_word, queued_for},
    people::Person,
    scene::{Mode, SCENES, Scene},
};

/// The queue of resources that wait, as host.json's function names it.
const PENDING: &str = "diskseal-pending";

/// The current state.
pub(crate) fn of(azure: &LocalAzure, stage: &Stage) -> Value {
    let invocations = azure.host.invocations();
    let traces = Traces::of(&azure.collector.spans(), &azure.collector.logs());
    let queues =
        [azure.queues.queue(PENDING), azure.queues.poison(PENDING)].map(|queue| resources_of(&queue));
    let mut resources: Vec<_> = azure
        .emulator
        .resources()
        .iter()
        .map(|resource| {
            let id = resource["id"].as_str().unwrap_or_default();
            let standing = standing(id, resource, &invocations, &queues);
            let scene = SCENES.iter().find(|scene| scene.id().eq_ignore_ascii_case(id));
            let about = About { story: stage.chronicle.of(id), scene, mode: stage.mode, standing };
            entry(id, resource, about, &traces)
        })
        .collect();
    resources.sort_by(|one, other| other["created"].as_str().cmp(&one["created"].as_str()));
    let handlers = azure.host.pids().into_iter();
    let handlers: Vec<_> =
        handlers.map(|(group, pid)| json!({"group": group.to_string(), "pid": pid})).collect();
    json!({"handlers": handlers, "resources": resources})
}

/// What else is known of a resource.
struct About {
    story: Story,
    scene: Option<&'static Scene>,
    mode: Mode,
    standing: (&'static str, Option<String>),
}

fn entry(id: &str, resource: &Value, about: About, traces: &Traces) -> Value {
    let About { story, scene, mode, standing: (outcome, reason) } = about;
    let segments: Vec<&str> = id.split('/').collect();
    let segment = |index: usize| segments.get(index).copied().unwrap_or_default();
    let properties = &resource["properties"];
    let to_seal = story.created.zip(story.sealed).map(|(created, sealed)| milliseconds(sealed - created));
    json!({
        "id": id,
        "name": segment(8),
        "kind": if segment(7).eq_ignore_ascii_case("snapshots") { "snapshot" } else { "disk" },
        "subscription": segment(2),
        "group": segment(4),
        "state": [&properties["provisioningState"], &properties["diskState"]],
        "mode": properties["dataAccessAuthMode"],
        "attachedTo": resource["managedBy"],
        "by": scene.map(|scene| scene.by).or(story.by).map(Person::name),
        "scenario": scene.map(|scene| scene.scenario(mode)),
        "tags": seal_tags(&resource["tags"]),
        "otherTags": other_tags(&resource["tags"]),
        "outcome": outcome,
        "reason": reason,
        "created": story.created.map_or_else(|| properties["timeCreated"].clone(), rfc3339),
        "sealedAfterMs": to_seal,
        "traces": traces.about(id),
    })
}

/// The state of a resource, and the reason if it waits or was given up. The state is Resource Manager's and the queues';
/// of the log, only what has no other trace is believed.
fn standing(
    id: &str,
    resource: &Value,
    invocations: &[Invocation],
    [pending, poison]: &[HashSet<String>; 2],
) -> (&'static str, Option<String>) {
    if is_sealed(resource) {
        return ("sealed", None);
    }
    let key = id.to_ascii_lowercase();
    let reason = || queued_for(invocations, id);
    if pending.contains(&key) {
        return ("pending", reason());
    }
    if poison.contains(&key) {
        return ("given up", reason());
    }
    if resource["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory" {
        return ("tags missing", None);
    }
    match last_word(invocations, id).as_deref() {
        Some("exempt") => ("exempt", None),
        Some("would_seal") => ("would seal", None),
        _ => ("unsealed", None),
    }
}

/// The resources in the messages of a queue, in lower case.
fn resources_of(queue: &Queue) -> HashSet<String> {
    let resource = |text: &str| {
        let decoded = BASE64_STANDARD.decode(text).ok()?;
        let message: Value = serde_json::from_slice(&decoded).ok()?;
        Some(message["resource"].as_str()?.to_ascii_lowercase())
    };
    queue.messages().iter().filter_map(|message| resource(&message.text)).collect()
}

fn milliseconds(span: time::Duration) -> i64 {
    i64::try_from(span.whole_milliseconds()).unwrap_or(i64::MAX)
}

fn rfc3339(at: OffsetDateTime) -> Value {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default().into()
}

fn seal_tags(tags: &Value) -> Map<String, Value> {
    chosen(tags, |name| name.starts_with("diskseal-"))
}

fn other_tags(tags: &Value) -> Map<String, Value> {
    chosen(tags, |name| !name.starts_with("diskseal-"))
}

fn chosen(tags: &Value, is_chosen: impl Fn(&str) -> bool) -> Map<String, Value> {
    let tags = tags.as_object().into_iter().flatten();
    tags.filter(|(name, _)| is_chosen(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// All traces, and the resources in their spans.
struct Traces {
    /// The trace IDs by resource ID in lower case.
    about: HashMap<String, BTreeSet<String>>,
    summaries: HashMap<String, Summary>,
}

/// The summary of a trace.
#[derive(Default)]
struct Summary {
    /// The start of the first span, in nanoseconds since 1970, and its name.
    start: u64,
    name: String,
    end: u64,
    spans: usize,
    logs: usize,
    has_error: bool,
}

impl Traces {
    fn of(spans: &[Span], logs: &[LogRecord]) -> Self {
        let mut this = Self { about: HashMap::new(), summaries: HashMap::new() };
        for span in spans {
            if let Some(id) = span.attributes.get("diskseal.resource_id").and_then(Value::as_str) {
                this.about.entry(id.to_ascii_lowercase()).or_default().insert(span.trace_id.clone());
            }
            let summary = this.summaries.entry(span.trace_id.clone()).or_default();
            if summary.spans == 0 || span.start_unix_nano < summary.start {
                summary.start = span.start_unix_nano;
                summary.name.clone_from(&span.name);
            }
            summary.end = summary.end.max(span.end_unix_nano);
            summary.spans += 1;
            summary.has_error |= matches!(span.status, Status::Error(_));
        }
        for record in logs {
            if let Some(summary) = this.summaries.get_mut(&record.trace_id) {
                summary.logs += 1;
            }
        }
        this
    }

    /// The traces of a resource, the newest first.
    fn about(&self, id: &str) -> Vec<Value> {
        let ids = self.about.get(&id.to_ascii_lowercase()).into_iter().flatten();
        let mut found: Vec<_> = ids.filter_map(|id| Some((id, self.summaries.get(id)?))).collect();
        found.sort_by_key(|(_, summary)| std::cmp::Reverse(summary.start));
        found
            .into_iter()
            .map(|(id, summary)| {
                json!({
                    "id": id,
                    "name": summary.name,
                    "startMs": summary.start / 1_000_000,
                    "tookMs": summary.end.saturating_sub(summary.start) / 1_000_000,
                    "spans": summary.spans,
                    "logs": summary.logs,
                    "hasError": summary.has_error,
                })
            })
            .collect()
    }
}
