//! Resource groups: created, read and deleted with all that is in them.
//!
//! Sources: the REST reference, "Resource Groups - Create Or Update" (201 for a new group, 200 for one that exists),
//! "Resource Groups - Delete" (202 with `Location`, and `Retry-After`), "Resource Groups - Get"; "Azure Resource Manager
//! resource group and resource deletion" (what is in it goes first, and nothing new is taken meanwhile:
//! `ResourceGroupBeingDeleted`).

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use crate::{
    Emulator, answer::Answer, context::Context, options::OperationStyle, refusal::Refusal,
    resource_id::ResourceId, state::State,
};

/// A resource group that a client has created.
#[derive(Debug)]
pub(crate) struct Group {
    id: String,
    location: Value,
    tags: Value,
    /// Set from the begin of the deletion on.
    is_deleting: bool,
}

impl Group {
    fn body(&self) -> Value {
        let state = if self.is_deleting { "Deleting" } else { "Succeeded" };
        json!({
            "id": self.id, "name": self.id.rsplit('/').next(), "type": "Microsoft.Resources/resourceGroups",
            "location": self.location, "tags": self.tags, "properties": {"provisioningState": state}
        })
    }
}

fn id(subscription: &str, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

/// Whether a resource is in a group.
fn is_in(resource: &str, group: &str) -> bool {
    resource.get(..group.len()).is_some_and(|start| start.eq_ignore_ascii_case(group))
        && resource.as_bytes().get(group.len()) == Some(&b'/')
}

impl Emulator {
    /// The body of a resource group that a client has created and nobody has deleted.
    pub fn group(&self, subscription: &str, group: &str) -> Option<Value> {
        let key = id(subscription, group).to_ascii_lowercase();
        self.inner.state.lock().groups.get(&key).map(Group::body)
    }

    /// The IDs of all such groups.
    pub fn groups(&self) -> Vec<String> {
        self.inner.state.lock().groups.values().map(|group| group.id.clone()).collect()
    }

    pub(super) fn get_group(&self, subscription: &str, group: &str) -> Result<Answer, Refusal> {
        let id = id(subscription, group);
        let state = self.inner.state.lock();
        if let Some(group) = state.groups.get(&id.to_ascii_lowercase()) {
            return Ok(Answer::json(StatusCode::OK, &group.body()));
        }
        // A group that a test has filled without creating it.
        let is_used = state.resources.values().any(|stored| is_in(&stored.id.to_string(), &id))
            || state.sites.keys().any(|site| is_in(site, &id));
        if !is_used {
            return Err(not_found(group));
        }
        let implied = Group { id, location: json!(self.regions()), tags: json!({}), is_deleting: false };
        Ok(Answer::json(StatusCode::OK, &implied.body()))
    }

    pub(super) fn put_group(
        &self,
        context: &Context,
        subscription: &str,
        group: &str,
    ) -> Result<Answer, Refusal> {
        let sent = context.body()?;
        if !sent["location"].is_string() {
            let message = "The location property is required for this definition.";
            return Err(Refusal::new(400, "LocationRequired", message));
        }
        let id = id(subscription, group);
        let mut state = self.inner.state.lock();
        let key = id.to_ascii_lowercase();
        let exists = state.groups.get(&key).map(|group| group.is_deleting);
        if exists == Some(true) {
            return Err(being_deleted(group));
        }
        let tags = sent.get("tags").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let made = Group { id, location: sent["location"].clone(), tags, is_deleting: false };
        let status = if exists.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        let answer = Answer::json(status, &made.body());
        state.groups.insert(key, made);
        drop(state);
        self.inner.journal.notify();
        Ok(answer)
    }

    pub(super) fn delete_group(
        &self,
        context: &Context,
        subscription: &str,
        group: &str,
    ) -> Result<Answer, Refusal> {
        let key = id(subscription, group).to_ascii_lowercase();
        let mut state = self.inner.state.lock();
        let made = state.groups.get_mut(&key).ok_or_else(|| not_found(group))?;
        made.is_deleting = true;
        match &self.inner.options.operations {
            OperationStyle::Immediate => end(&mut state, &key),
            OperationStyle::Asynchronous(style) => {
                let (due, inner) = (Instant::now() + style.duration, std::sync::Arc::downgrade(&self.inner));
                let key = key.clone();
                tokio::spawn(async move {
                    sleep_until(due).await;
                    if let Some(inner) = inner.upgrade() {
                        end(&mut inner.state.lock(), &key);
                        inner.journal.notify();
                    }
                });
            }
        }
        drop(state);
        self.inner.journal.notify();
        let name = uuid::Uuid::new_v4().simple().to_string().to_ascii_uppercase();
        let origin = &context.request.origin;
        let location =
            format!("{origin}/subscriptions/{subscription}/operationresults/{name}?api-version=2021-04-01");
        Ok(Answer::empty(StatusCode::ACCEPTED).with("location", &location).with("retry-after", "15"))
    }

    /// Refuses a resource in a group that is being deleted.
    pub(super) fn check_group(state: &State, target: &ResourceId) -> Result<(), Refusal> {
        let key = id(&target.subscription, &target.group).to_ascii_lowercase();
        match state.groups.get(&key) {
            Some(group) if group.is_deleting => Err(being_deleted(&target.group)),
            _ => Ok(()),
        }
    }
}

/// Removes a group with what is in it.
fn end(state: &mut State, key: &str) {
    state.resources.retain(|_, stored| !is_in(&stored.id.to_string(), key));
    state.groups.remove(key);
}

fn not_found(group: &str) -> Refusal {
    Refusal::new(404, "ResourceGroupNotFound", &format!("Resource group '{group}' could not be found."))
}

fn being_deleted(group: &str) -> Refusal {
    let message =
        format!("The resource group '{group}' is in deprovisioning state and cannot perform this operation.");
    Refusal::new(409, "ResourceGroupBeingDeleted", &message)
}
