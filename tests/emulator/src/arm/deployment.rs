//! What `infra/` makes around a function app, as far as `diskseal doctor` reads it: the topic and its event
//! subscription in each subscription, the functions, and the container of dead letters. Read-only.
//!
//! Shapes after the REST reference: "System Topics - List By Subscription", "System Topic Event Subscriptions - List By
//! System Topic", "Event Subscriptions - List Global By Subscription", "Web Apps - List Functions", "Blob Containers -
//! Get". The filter is that of `infra/events.json`, which Bicep and Terraform load.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::Emulator;

/// The deployment of one app.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The resource ID of the function app.
    pub app: String,
    /// The function to which the events go.
    pub function: String,
    /// The functions that the host knows, and whether each is disabled.
    pub functions: BTreeMap<String, bool>,
    /// Whether its event subscription exists.
    pub is_subscribed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    topic_type: String,
    event_types: Vec<String>,
    operations: Vec<String>,
    max_delivery_attempts: u32,
    event_time_to_live_in_minutes: u32,
    dead_letter_container: String,
}

static EVENTS: LazyLock<Option<Events>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../infra/events.json")).ok());

impl Emulator {
    /// Answers as if this app had been deployed with `infra/`, in every subscription.
    pub fn deploy(&self, deployment: Deployment) {
        *self.inner.facts.deployment.lock() = Some(deployment);
    }

    /// The values of the filter `StringNotIn` on `data.claims.appid` of each event subscription that a deployment has;
    /// empty means that there is no such filter.
    pub fn exclude_app_ids(&self, client_ids: &[String]) {
        *self.inner.facts.excluded_app_ids.lock() = client_ids.to_vec();
    }
}

impl Deployment {
    /// The answer to a GET of this path, in lower case.
    pub(super) fn answer(&self, path: &str, excluded_app_ids: &[String]) -> Option<Value> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let app = self.app.to_ascii_lowercase();
        match segments[..] {
            ["subscriptions", id, "providers", "microsoft.eventgrid", "systemtopics"] => {
                Some(json!({"value": [topic(id)?]}))
            }
            ["subscriptions", _, "providers", "microsoft.eventgrid", "eventsubscriptions"] => {
                Some(json!({"value": []}))
            }
            [
                "subscriptions",
                id,
                ..,
                "microsoft.eventgrid",
                "systemtopics",
                "topic-diskseal",
                "eventsubscriptions",
            ] => {
                let one = if self.is_subscribed {
                    Some(self.event_subscription(id, excluded_app_ids)?)
                } else {
                    None
                };
                Some(json!({"value": one.into_iter().collect::<Vec<_>>()}))
            }
            _ if path == format!("{app}/functions") => {
                let site = self.app.rsplit('/').next().unwrap_or_default();
                let one = |(name, is_disabled): (&String, &bool)| {
                    json!({"id": format!("{}/functions/{name}", self.app), "name": format!("{site}/{name}"),
                        "type": "Microsoft.Web/sites/functions",
                        "properties": {"name": name, "isDisabled": is_disabled}})
                };
                Some(json!({"value": self.functions.iter().map(one).collect::<Vec<_>>()}))
            }
            [
                ..,
                "microsoft.storage",
                "storageaccounts",
                _,
                "blobservices",
                "default",
                "containers",
                name,
            ] if EVENTS.as_ref().is_some_and(|events| events.dead_letter_container == name) => {
                Some(json!({"id": path, "name": name, "properties": {"publicAccess": "None"}}))
            }
            _ => None,
        }
    }

    fn event_subscription(&self, subscription: &str, excluded_app_ids: &[String]) -> Option<Value> {
        let events = EVENTS.as_ref()?;
        let mut filters = vec![
            json!({"operatorType": "StringIn", "key": "data.operationName", "values": events.operations}),
        ];
        if !excluded_app_ids.is_empty() {
            filters.push(
                json!({"operatorType": "StringNotIn", "key": "data.claims.appid", "values": excluded_app_ids}),
            );
        }
        let topic = topic_id(subscription);
        let group = self.app.split("/providers/").next()?;
        Some(json!({
            "id": format!("{topic}/eventSubscriptions/diskseal"), "name": "diskseal",
            "type": "Microsoft.EventGrid/systemTopics/eventSubscriptions",
            "properties": {
                "topic": topic, "provisioningState": "Succeeded",
                "destination": {"endpointType": "AzureFunction", "properties": {
                    "resourceId": format!("{}/functions/{}", self.app, self.function),
                    "maxEventsPerBatch": 1, "preferredBatchSizeInKilobytes": 64}},
                "filter": {
                    "subjectBeginsWith": "", "subjectEndsWith": "", "includedEventTypes": events.event_types,
                    "enableAdvancedFilteringOnArrays": true,
                    "advancedFilters": filters},
                "eventDeliverySchema": "CloudEventSchemaV1_0",
                "retryPolicy": {"maxDeliveryAttempts": events.max_delivery_attempts,
                    "eventTimeToLiveInMinutes": events.event_time_to_live_in_minutes},
                "deadLetterDestination": {"endpointType": "StorageBlob", "properties": {
                    "resourceId": format!("{group}/providers/Microsoft.Storage/storageAccounts/stdiskseal"),
                    "blobContainerName": events.dead_letter_container}},
            },
        }))
    }
}

fn topic_id(subscription: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/rg-diskseal-events/providers/Microsoft.EventGrid/systemTopics/\
         topic-diskseal"
    )
}

fn topic(subscription: &str) -> Option<Value> {
    Some(json!({
        "id": topic_id(subscription), "name": "topic-diskseal", "location": "global",
        "type": "Microsoft.EventGrid/systemTopics",
        "properties": {"provisioningState": "Succeeded", "source": format!("/subscriptions/{subscription}"),
            "topicType": EVENTS.as_ref()?.topic_type},
    }))
}
