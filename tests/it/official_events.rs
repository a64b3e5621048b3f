//! Microsoft's own samples of every event type of a subscription, in both schemas, through the real routes:
//! each is handled, or ignored for the right reason, and none is an error.
//!
//! We may not copy the samples; they are read from the folder that the environment names. None of them is
//! about a disk, so each is sent twice: unchanged, and with a disk in place of its resource.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use diskseal::function::{App, router};
use diskseal_emulator::{Emulator, definitions::fixtures_or_notice};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{SUBSCRIPTION, World};

/// The expected handling of an event type, if the event is about a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// It leads to a look.
    Written,
    /// It is ignored.
    NotAWrite,
}

const MEANINGS: [(&str, Meaning); 13] = [
    ("Microsoft.Resources.ResourceWriteSuccess", Meaning::Written),
    ("Microsoft.Resources.ResourceWriteFailure", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceWriteCancel", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceDeleteSuccess", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceDeleteFailure", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceDeleteCancel", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceActionSuccess", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceActionFailure", Meaning::NotAWrite),
    ("Microsoft.Resources.ResourceActionCancel", Meaning::NotAWrite),
    ("Microsoft.ResourceNotifications.Resources.CreatedOrUpdated", Meaning::Written),
    ("Microsoft.ResourceNotifications.Resources.Deleted", Meaning::NotAWrite),
    ("Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged", Meaning::NotAWrite),
    ("Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated", Meaning::NotAWrite),
];

const NOT_A_WRITE: &str = "ignored: not a successful write";
const NOT_A_DISK: &str = "ignored: not the resource ID of a managed disk or snapshot";

/// Every event of every sample below a folder, with the path of the sample.
fn samples(folder: &Path, into: &mut Vec<(String, Value)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            samples(&path, into);
            continue;
        }
        let name = path.display().to_string();
        if name.contains("/examples/") {
            match serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap() {
                Value::Array(events) => into.extend(events.into_iter().map(|event| (name.clone(), event))),
                event => into.push((name, event)),
            }
        }
    }
}

fn event_type(event: &Value) -> &str {
    event["eventType"].as_str().or_else(|| event["type"].as_str()).unwrap()
}

/// The same event for another resource.
fn of_resource(event: &Value, id: &str) -> Value {
    let mut event = event.clone();
    for pointer in ["/subject", "/data/resourceUri", "/data/resourceInfo/id"] {
        if let Some(place) = event.pointer_mut(pointer) {
            *place = json!(id);
        }
    }
    event
}

/// The forms in which a host passes on an event.
fn envelopes(event: &Value) -> Vec<Value> {
    let text = event.to_string();
    [
        event.clone(),
        json!(text),
        json!(json!(text).to_string()),
        json!([event]),
        json!(json!([event]).to_string()),
    ]
    .into_iter()
    .map(|value| json!({"Data": {"event": value}, "Metadata": {"data": event["data"]}}))
    .collect()
}

struct Handler {
    azure: Emulator,
    router: Router,
}

impl Handler {
    fn new() -> Self {
        let World { azure, ctx, .. } = World::new();
        let app = App::new(Duration::from_secs(25));
        app.context.set(Arc::new(ctx)).unwrap();
        Self { azure, router: router(Arc::new(app)) }
    }

    /// The lines of the host's log.
    async fn post(&self, envelope: &Value) -> Vec<String> {
        let request = Request::post("/seal_on_write").body(Body::from(envelope.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["Outputs"], json!({}), "{body}");
        serde_json::from_value(body["Logs"].clone()).unwrap()
    }
}

fn official() -> Option<Vec<(String, Value)>> {
    let mut found = vec![];
    samples(&fixtures_or_notice()?.join("events/official"), &mut found);
    Some(found)
}

fn meaning(name: &str, event: &Value) -> Meaning {
    let known = MEANINGS.iter().find(|(known, _)| *known == event_type(event));
    known.unwrap_or_else(|| panic!("{name}: {} is missing in MEANINGS", event_type(event))).1
}

#[test]
fn every_type_has_a_sample_in_both_schemas() {
    let Some(samples) = official() else { return };
    let seen: BTreeSet<_> = samples
        .iter()
        .map(|(name, event)| {
            assert_ne!(event.get("specversion").is_some(), event.get("eventType").is_some(), "{name}");
            meaning(name, event);
            (event_type(event).to_owned(), event.get("specversion").is_some())
        })
        .collect();
    let wanted = MEANINGS.iter().flat_map(|(known, _)| [false, true].map(|is| ((*known).to_owned(), is)));
    assert_eq!(seen, wanted.collect());
}

#[tokio::test(start_paused = true)]
async fn no_official_sample_is_an_error_and_none_is_ours() {
    let Some(samples) = official() else { return };
    let handler = Handler::new();
    for (name, event) in &samples {
        let reason = match meaning(name, event) {
            Meaning::Written => NOT_A_DISK,
            Meaning::NotAWrite => NOT_A_WRITE,
        };
        for envelope in envelopes(event) {
            let logs = handler.post(&envelope).await;
            assert!(matches!(&logs[..], [line] if line.starts_with(reason)), "{name}: {logs:?}");
        }
    }
    assert!(handler.azure.journal().is_empty(), "no requests to ARM");
}

#[tokio::test(start_paused = true)]
async fn the_same_events_of_a_disk_or_snapshot_seal_it_if_they_are_writes() {
    let Some(samples) = official() else { return };
    for (name, event) in &samples {
        for (resource_type, index) in
            ["disks", "snapshots"].iter().flat_map(|kind| (0..5).map(move |n| (kind, n)))
        {
            let handler = Handler::new();
            let id = format!(
                "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/{resource_type}/d"
            );
            let mut body = diskseal_emulator::disk_body("westeurope");
            if *resource_type == "snapshots" {
                body = diskseal_emulator::snapshot_body("westeurope", &id.replace("/snapshots/", "/disks/"));
            }
            handler.azure.insert(&id, &body).unwrap();
            let logs = handler.post(&envelopes(&of_resource(event, &id))[index]).await;
            let mode = &handler.azure.get(&id).unwrap()["properties"]["dataAccessAuthMode"];
            match meaning(name, event) {
                Meaning::Written => {
                    assert_eq!(logs, [format!("sealed {id}")], "{name}");
                    assert_eq!(mode, "AzureActiveDirectory", "{name}");
                }
                Meaning::NotAWrite => {
                    assert_eq!(logs, [format!("{NOT_A_WRITE}: {id}")], "{name}");
                    assert!(mode.is_null() && handler.azure.journal().is_empty(), "{name}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_them_in_one_batch_are_as_many_answers() {
    let Some(samples) = official() else { return };
    let handler = Handler::new();
    let events: Vec<_> = samples.iter().map(|(_, event)| event).collect();
    let logs = handler.post(&json!({"Data": {"event": events}})).await;
    assert_eq!(logs.len(), samples.len());
    assert!(
        logs.iter().all(|line| [NOT_A_WRITE, NOT_A_DISK].iter().any(|known| line.starts_with(known))),
        "{logs:?}"
    );
}
