//! Azure Resource Manager over HTTP: disks and snapshots, their tags, long-running operations.
//!
//! Knows how to ask, and what the answers mean; knows not why. The seams are the Azure SDK's own,
//! `HttpClient` and `TokenCredential`. The SDK's pipeline is not used for ARM itself: its bearer
//! policy refuses the loopback endpoints that a local Azure needs, and its retry policy knows neither
//! our deadline nor the gate that all callers share.

mod deadline;
mod error;
mod governor;
mod graph;
mod identity;
mod inspect;
mod list;
mod machine;
mod operation;
mod pipeline;
mod retry;
mod transport;

use std::{num::NonZeroU32, sync::Arc};

use azure_core::{
    Bytes,
    http::{HttpClient, Method, Url},
};
use serde::Deserialize;
use serde_json::json;

pub use deadline::Deadline;
pub use error::{Error, Failure, Operation as Asked, ResourceFailure, SystemFailure};
pub use graph::{Query, Rows};
pub use identity::{Credential, Identity, IdentityOptions, SignedIn};
pub use inspect::{ingestion_answers, queue_answers};
pub use list::{Page, Unreadable};
pub use machine::MachineDisks;
pub use operation::Operation;
pub use transport::http_client;

use crate::{
    resource::{DataAccessAuthMode, Resource, tags::Tags},
    resource_id::{ResourceId, ResourceType},
};
use governor::Governor;
use pipeline::{Answer, Call, Pipeline};

/// The version of the disk resource provider's API: in every cloud for long, and the last whose
/// definitions know everything that is sent and read here.
const DISKS_API_VERSION: &str = "2024-03-02";
/// The version of the tags API.
const TAGS_API_VERSION: &str = "2024-07-01";

/// ARM, as one identity sees it. All callers of one process share one client, and with it the gate
/// for throttling.
#[derive(Debug)]
pub struct Client {
    endpoint: Url,
    pipeline: Pipeline,
}

/// What ARM made of a PATCH.
#[derive(Debug)]
pub enum Update {
    /// Done, and this is the resource.
    Done(Resource),
    /// Accepted: the end is still to come.
    Accepted(Operation),
}

/// A PATCH as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where to.
    pub url: Url,
    /// The body, in JSON.
    pub body: Bytes,
}

impl Client {
    /// A client for ARM at `endpoint`.
    pub fn new(endpoint: Url, http: Arc<dyn HttpClient>, identity: Identity) -> Self {
        Self { endpoint, pipeline: Pipeline { http, identity, governor: Governor::new(None) } }
    }

    /// The same, with at most so many writes a second and subscription behind events.
    #[must_use]
    pub fn with_pace(self, pace: Option<NonZeroU32>) -> Self {
        let pipeline = Pipeline { governor: Governor::new(pace), ..self.pipeline };
        Self { pipeline, ..self }
    }

    /// The identity with which every request is sent.
    pub fn identity(&self) -> &Identity {
        &self.pipeline.identity
    }

    /// Reads a disk or snapshot.
    ///
    /// # Errors
    /// `Gone` if it is not there; see [`Failure`] for the others.
    pub async fn get(&self, id: &ResourceId, deadline: Deadline) -> Result<Resource, Error> {
        let url = self.url(&id.to_string(), DISKS_API_VERSION);
        let answer = self.send(Asked::Get, Method::Get, &url, template(id), id, None, deadline).await?;
        read(Asked::Get, id, &answer)
    }

    /// Sets `properties.dataAccessAuthMode`, and nothing else: tags in the same PATCH would replace
    /// the whole tag set.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn update(
        &self,
        id: &ResourceId,
        mode: &DataAccessAuthMode,
        deadline: Deadline,
    ) -> Result<Update, Error> {
        let Write { url, body } = self.mode_write(id, mode);
        let answer =
            self.send(Asked::Update, Method::Patch, &url, template(id), id, Some(body), deadline).await?;
        if answer.status == 202 || Operation::is_in(&answer.headers) {
            // The body of a 202 is a part of the resource, so it proves nothing.
            return Ok(Update::Accepted(Operation::from_headers(id, &answer.headers, &self.endpoint)));
        }
        read(Asked::Update, id, &answer).map(Update::Done)
    }

    /// Merges tags into those that are there, which no tag of another writer can be lost by. Gives
    /// the tags as they are then, if the answer says so.
    ///
    /// On disks and snapshots the answer may be a 202 with a URL that cannot be read, although the tags
    /// are applied; it is never polled.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn merge_tags(
        &self,
        id: &ResourceId,
        tags: &Tags,
        deadline: Deadline,
    ) -> Result<Option<Tags>, Error> {
        self.patch_tags(id, "Merge", tags, deadline).await
    }

    /// Removes tags of exactly these names and values, and leaves all others. Gives the tags as they are
    /// then, if the answer says so; see [`Self::merge_tags`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn delete_tags(
        &self,
        id: &ResourceId,
        tags: &Tags,
        deadline: Deadline,
    ) -> Result<Option<Tags>, Error> {
        self.patch_tags(id, "Delete", tags, deadline).await
    }

    async fn patch_tags(
        &self,
        id: &ResourceId,
        operation: &'static str,
        tags: &Tags,
        deadline: Deadline,
    ) -> Result<Option<Tags>, Error> {
        let Write { url, body } = self.tags_patch(id, operation, tags);
        let template = "/{scope}/providers/Microsoft.Resources/tags/default";
        let answer =
            self.send(Asked::MergeTags, Method::Patch, &url, template, id, Some(body), deadline).await?;
        if answer.status == 202 {
            return Ok(None);
        }
        let resource: Option<TagsResource> = serde_json::from_slice(&answer.body).ok();
        Ok(resource.map(|resource| resource.properties.tags))
    }

    /// The tags of anything in a subscription. `scope` is a valid resource ID.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn tags(&self, scope: &str, deadline: Deadline) -> Result<Tags, Error> {
        let url = self.url(&format!("{scope}/providers/Microsoft.Resources/tags/default"), TAGS_API_VERSION);
        let call = Call {
            operation: Asked::GetTags,
            method: Method::Get,
            url: &url,
            template: "/{scope}/providers/Microsoft.Resources/tags/default",
            subscription_id: scope.split('/').nth(2).unwrap_or_default(),
            body: None,
        };
        let answer = self.pipeline.send(&call, deadline).await?;
        let resource: TagsResource = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::without_answer(Asked::GetTags, SystemFailure::Unreadable, error))?;
        Ok(resource.properties.tags)
    }

    /// The PATCH that [`Client::update`] sends.
    pub fn mode_write(&self, id: &ResourceId, mode: &DataAccessAuthMode) -> Write {
        let body = json!({"properties": {"dataAccessAuthMode": mode}});
        Write { url: self.url(&id.to_string(), DISKS_API_VERSION), body: body.to_string().into() }
    }

    /// The PATCH that [`Client::merge_tags`] sends.
    pub fn tags_write(&self, id: &ResourceId, tags: &Tags) -> Write {
        self.tags_patch(id, "Merge", tags)
    }

    fn tags_patch(&self, id: &ResourceId, operation: &'static str, tags: &Tags) -> Write {
        let body = json!({"operation": operation, "properties": {"tags": tags}});
        let path = format!("{id}/providers/Microsoft.Resources/tags/default");
        Write { url: self.url(&path, TAGS_API_VERSION), body: body.to_string().into() }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request, each said once by each caller")]
    async fn send(
        &self,
        operation: Asked,
        method: Method,
        url: &Url,
        template: &'static str,
        id: &ResourceId,
        body: Option<Bytes>,
        deadline: Deadline,
    ) -> Result<Answer, Error> {
        let call = Call { operation, method, url, template, subscription_id: id.subscription_id(), body };
        self.pipeline.send(&call, deadline).await
    }

    fn url(&self, path: &str, api_version: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", api_version);
        url
    }
}

#[derive(Deserialize)]
struct TagsResource {
    properties: TagsOutput,
}

#[derive(Deserialize)]
struct TagsOutput {
    #[serde(default)]
    tags: Tags,
}

fn template(id: &ResourceId) -> &'static str {
    match id.resource_type() {
        ResourceType::Disk => {
            "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/disks/{name}"
        }
        ResourceType::Snapshot => {
            "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/snapshots/{name}"
        }
    }
}

fn read(operation: Asked, id: &ResourceId, answer: &Answer) -> Result<Resource, Error> {
    Resource::from_json(id, &answer.body)
        .map_err(|error| Error::without_answer(operation, SystemFailure::Unreadable, error))
}
