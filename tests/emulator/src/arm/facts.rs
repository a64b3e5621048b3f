//! What surrounds the disks, defined by the test: permissions, system topics, function apps, containers and
//! queues. Read-only; a list is defined by its `value`.
//!
//! Shapes after the REST reference: "Permissions - List", "System Topics - List By Subscription", "System Topic
//! Event Subscriptions - List By System Topic", "Web Apps - List Functions", "Blob Containers - Get", "Get Queue
//! Metadata".

use std::collections::BTreeMap;

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{authorization::role, deployment::Deployment, peek};
use crate::{
    Emulator,
    answer::Answer,
    context::Context,
    queue::{QueueMessage, Queues},
    refusal::Refusal,
    request::Request,
};

/// What is defined.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// By path in lower case.
    by_path: Mutex<BTreeMap<String, Result<Value, Refusal>>>,
    pub(super) deployment: Mutex<Option<Deployment>>,
    /// The queues of the app's storage account, besides those that a test has defined.
    queues: Mutex<Option<Queues>>,
    /// The blob containers.
    pub(super) containers: Mutex<super::blobs::Containers>,
    /// The client IDs whose writes the event subscriptions of that deployment drop.
    pub(super) excluded_app_ids: Mutex<Vec<String>>,
}

/// Whether a request is for the Queue service, which shares this address.
pub(super) fn is_of_storage(request: &Request) -> bool {
    request.parameter("comp").is_some() || request.parameter("peekonly").is_some()
}

impl Emulator {
    /// Defines the response to a GET of this path: a body, or a list by its `value`.
    pub fn put_fact(&self, path: &str, body: Value) {
        self.inner.facts.by_path.lock().insert(key(path), Ok(body));
    }

    /// Defines that a GET of this path is refused.
    pub fn refuse_fact(&self, path: &str, refusal: Refusal) {
        self.inner.facts.by_path.lock().insert(key(path), Err(refusal));
    }

    /// Defines a storage queue with these messages, the oldest first. `count` is what Azure approximates.
    pub fn put_queue(&self, name: &str, count: usize, messages: &[QueueMessage]) {
        self.put_fact(&format!("/{name}"), peek::fact(count, messages));
    }

    /// Serves the queues of a storage account at this address, as far as they are read.
    pub fn serve_queues(&self, queues: &Queues) {
        *self.inner.facts.queues.lock() = Some(queues.clone());
    }

    /// A queue of that account, if the path names one that exists.
    fn served_queue(&self, path: &str) -> Option<Value> {
        let queues = self.inner.facts.queues.lock();
        let (queues, name) = (queues.as_ref()?, path.trim_matches('/'));
        let queue = queues.names().iter().any(|known| known == name).then(|| queues.queue(name))?;
        Some(peek::fact(queue.len(), &queue.peek(peek::PEEKED_MAX)))
    }

    /// Removes the definition for this path.
    pub fn forget_fact(&self, path: &str) {
        self.inner.facts.by_path.lock().remove(&key(path));
    }

    /// Defines the permissions of everyone in a subscription, as one role, and what the assigned role allows there.
    pub fn set_permissions(&self, subscription: &str, actions: &[&str], not_actions: &[&str]) {
        self.put_fact(&permissions_of(subscription), json!({"value": [role(actions, not_actions)]}));
    }

    pub(super) fn stated(&self, context: &Context) -> Option<Result<Answer, Refusal>> {
        let request = &context.request;
        if request.method != "GET" {
            return None;
        }
        let stated = self.inner.facts.by_path.lock().get(&key(peek::queue(request))).cloned();
        let permissions =
            |subscription: &str| match self.inner.facts.by_path.lock().get(&permissions_of(subscription)) {
                Some(Ok(body)) => Some(body["value"].clone()),
                _ => None,
            };
        let stated = stated.or_else(|| self.authorization(request, permissions).map(Ok)).or_else(|| {
            let deployment = self.inner.facts.deployment.lock();
            let excluded = self.inner.facts.excluded_app_ids.lock();
            deployment
                .as_ref()
                .and_then(|deployment| deployment.answer(&key(&request.path), &excluded))
                .map(Ok)
        });
        if !is_of_storage(request) {
            return stated.map(|fact| fact.map(|body| Answer::json(StatusCode::OK, &body)));
        }
        // With a token, the version is required: "Versioning for Azure Storage".
        let is_versioned = request.header("x-ms-version").is_some();
        Some(match stated {
            _ if !is_versioned => Err(peek::refusal(400, "InvalidHeaderValue")),
            Some(Ok(queue)) => peek::answer(request, &queue),
            Some(Err(refusal)) => Err(refusal),
            None => match self.served_queue(peek::queue(request)) {
                Some(queue) => peek::answer(request, &queue),
                None => Err(peek::refusal(404, "QueueNotFound")),
            },
        })
    }
}

fn permissions_of(subscription: &str) -> String {
    key(&format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions"))
}

fn key(path: &str) -> String {
    path.trim_end_matches('/').to_ascii_lowercase()
}
