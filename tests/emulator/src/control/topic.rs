//! Event Grid's custom topic, for publishers.
//!
//! `POST /api/events?api-version=2018-01-01` with the topic's key in the header `aeg-sas-key` (or the
//! parameter of that name). The body is a batch of Event Grid events (`application/json`), a batch of
//! CloudEvents (`application/cloudevents-batch+json`) or one CloudEvent (`application/cloudevents+json`); the
//! response is 200 without a body. The events are delivered to the handler in their own schema, without the
//! filters of the event subscription.
//!
//! Sources: "Publish events to Azure Event Grid custom topics using access keys", "Event Grid event schema",
//! "CloudEvents v1.0 schema with Azure Event Grid". The codes of refusals are those that clients see; of their
//! texts only the beginnings are.

use std::sync::{Arc, Weak};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{clock::Clock, event_grid::EventGrid};

/// The path of every topic.
pub(super) const PATH: &str = "/api/events";

const API_VERSION: &str = "2018-01-01";

/// The largest batch.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// The value of `topic` that Event Grid writes into the events of its own schema.
const RESOURCE: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal/providers/\
                        Microsoft.EventGrid/topics/diskseal";

/// A custom topic with one event subscription.
#[derive(Debug)]
pub(super) struct Topic {
    key: String,
    event_grid: Weak<EventGrid>,
}

impl Topic {
    pub(super) fn new(event_grid: Weak<EventGrid>) -> Self {
        let random = [*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat();
        Self { key: STANDARD.encode(random), event_grid }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

pub(super) fn router(topic: Topic) -> Router {
    Router::new()
        .route(PATH, post(publish))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "NotFound", "There is no such endpoint.") })
        .layer(DefaultBodyLimit::max(BATCH_BYTES_MAX))
        .with_state(Arc::new(topic))
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "api-version")]
    api_version: Option<String>,
    #[serde(rename = "aeg-sas-key")]
    key: Option<String>,
}

async fn publish(
    State(topic): State<Arc<Topic>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let key = header("aeg-sas-key").or(parameters.key.as_deref());
    if key != Some(topic.key.as_str()) {
        let host = header("host").unwrap_or("localhost").to_ascii_uppercase();
        return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", &unauthorized(key, &host));
    }
    if parameters.api_version.as_deref() != Some(API_VERSION) {
        let message = format!("The api-version is missing or not supported; it must be {API_VERSION}.");
        return refusal(StatusCode::BAD_REQUEST, "BadRequest", &message);
    }
    let body = match body {
        Ok(body) => body,
        Err(fault) if fault.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("The maximum size ({BATCH_BYTES_MAX}) has been exceeded.");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
        }
        Err(fault) => return refusal(StatusCode::BAD_REQUEST, "BadRequest", &fault.body_text()),
    };
    let media_type = header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let events = match media_type.as_str() {
        "application/json" => batch(&body, "EventGridEvent", event_grid_event),
        "application/cloudevents-batch+json" => batch(&body, "CloudEventV10", cloud_event),
        "application/cloudevents+json" => {
            json(&body, "CloudEventV10").and_then(cloud_event).map(|event| vec![event])
        }
        other => {
            let message = format!("The content type {other:?} is not supported.");
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", &message);
        }
    };
    match events {
        Ok(events) => {
            // Without a subscription, a topic accepts events and drops them.
            if let Some(event_grid) = topic.event_grid.upgrade() {
                event_grid.publish(events);
            }
            StatusCode::OK.into_response()
        }
        Err(message) => refusal(StatusCode::BAD_REQUEST, "BadRequest", &message),
    }
}

fn unauthorized(key: Option<&str>, host: &str) -> String {
    match key {
        None => {
            "Request must contain one of the following authorization signature: aeg-sas-token, aeg-sas-key."
                .to_owned()
        }
        Some(_) => format!("The request authorization key is not authorized for {host}."),
    }
}

/// Event Grid's envelope, which repeats its message.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let now = Clock::start().now().format(&Rfc3339).unwrap_or_default();
    let report = format!(
        "Report '{}:0:{now}' to our forums for assistance or raise a support ticket.",
        Uuid::new_v4()
    );
    let message = format!("{message} {report}");
    let detail = json!({"code": code, "message": message});
    (status, Json(json!({"error": {"code": code, "message": message, "details": [detail]}}))).into_response()
}

fn json(body: &[u8], schema: &str) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|fault| format!("{} {fault}", expects(schema)))
}

fn expects(schema: &str) -> String {
    format!(
        "This resource is configured to receive event in '{schema}' schema. The JSON received does not conform \
         to the expected schema."
    )
}

fn batch(
    body: &[u8],
    schema: &str,
    check: impl Fn(Value) -> Result<Value, String>,
) -> Result<Vec<Value>, String> {
    match json(body, schema)? {
        Value::Array(events) => events.into_iter().map(check).collect(),
        other => {
            let token = if other.is_object() { "StartObject" } else { "Value" };
            let schema = expects(schema);
            Err(format!("{schema} Token Expected: StartArray, Actual Token Received: {token}."))
        }
    }
}

/// An event of Event Grid's schema, with the members that Event Grid adds.
fn event_grid_event(mut event: Value) -> Result<Value, String> {
    required(&event, "EventGridEvent", &["id", "subject", "eventType", "eventTime"])?;
    let time = event["eventTime"].as_str().unwrap_or_default();
    if OffsetDateTime::parse(time, &Rfc3339).is_err() {
        return Err(format!("{} Error converting the value of 'eventTime'.", expects("EventGridEvent")));
    }
    event["topic"] = RESOURCE.into();
    event["metadataVersion"] = "1".into();
    if event.get("dataVersion").is_none() {
        event["dataVersion"] = "".into();
    }
    Ok(event)
}

fn cloud_event(event: Value) -> Result<Value, String> {
    required(&event, "CloudEventV10", &["id", "source", "specversion", "type"])?;
    if event["specversion"] == "1.0" {
        Ok(event)
    } else {
        Err(format!("{} The 'specversion' must be 1.0.", expects("CloudEventV10")))
    }
}

fn required(event: &Value, schema: &str, names: &[&str]) -> Result<(), String> {
    let is_there = |name: &str| event[name].as_str().is_some_and(|value| !value.is_empty());
    match names.iter().find(|name| !is_there(name)) {
        None => Ok(()),
        Some(name) => Err(format!("{} Required property '{name}' not found in JSON.", expects(schema))),
    }
}
