//! Azure Resource Manager over HTTP: disks and snapshots, their tags, long-running operations.
//!
//! Knows how to ask, and what the answers mean; knows not why. The seams are the Azure SDK's own,
//! `HttpClient` and `TokenCredential`. The SDK's pipeline is not used for ARM itself: its bearer
//! policy refuses the loopback endpoints that a local Azure needs, and its retry policy knows neither
//! our deadline nor the gate that all callers share.

pub mod api;
mod error;
mod governor;
mod graph;
mod list;
mod machine;
mod operation;
mod pipeline;
mod retry;

use std::{num::NonZeroU32, sync::Arc};

use azure_core::{
    Bytes,
    http::{HttpClient, Url},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub use api::Api;
pub use error::{Error, Failure, ResourceFailure, SystemFailure};
pub use graph::{Query, Rows};
pub use list::{Page, Unreadable};
pub use machine::MachineDisks;
pub use operation::{Operation, State};

use crate::{
    azure::{Identity, Terms},
    resource::{DataAccessAuthMode, Resource, tags::Tags},
    resource_id::{ResourceId, ResourceType},
};
use governor::Governor;
use pipeline::{Answer, Call, Pipeline};

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
    /// A client for ARM at `endpoint`. `pace` is the greatest number of writes a second and subscription that
    /// are not for an event.
    pub fn new(
        endpoint: Url,
        http: Arc<dyn HttpClient>,
        identity: Identity,
        pace: Option<NonZeroU32>,
    ) -> Self {
        Self { endpoint, pipeline: Pipeline { http, identity, governor: Governor::new(pace) } }
    }

    /// The identity with which every request is sent.
    pub fn identity(&self) -> &Identity {
        &self.pipeline.identity
    }

    /// Reads a disk or snapshot.
    ///
    /// # Errors
    /// `Gone` if it is not there; see [`Failure`] for the others.
    pub async fn get(&self, id: &ResourceId, terms: Terms) -> Result<Resource, Error> {
        let api = match id.resource_type() {
            ResourceType::Disk => &api::DISK,
            ResourceType::Snapshot => &api::SNAPSHOT,
        };
        let url = self.url(&id.to_string(), api);
        let answer = self.send(api, &url, id.subscription_id(), None, terms).await?;
        read(api, id, &answer)
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
        terms: Terms,
    ) -> Result<Update, Error> {
        let Write { url, body } = self.mode_write(id, mode);
        let api = update_of(id);
        let answer = self.send(api, &url, id.subscription_id(), Some(body), terms).await?;
        if answer.status == 202 || Operation::is_in(&answer.headers) {
            // The body of a 202 is a part of the resource, so it proves nothing.
            return Ok(Update::Accepted(Operation::from_headers(
                id,
                &answer.headers,
                &self.endpoint,
                self.identity().now(),
            )));
        }
        read(api, id, &answer).map(Update::Done)
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
        terms: Terms,
    ) -> Result<Option<Tags>, Error> {
        self.patch_tags(&api::TAGS_MERGE, id, tags, terms).await
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
        terms: Terms,
    ) -> Result<Option<Tags>, Error> {
        self.patch_tags(&api::TAGS_DELETE, id, tags, terms).await
    }

    async fn patch_tags(
        &self,
        api: &'static Api,
        id: &ResourceId,
        tags: &Tags,
        terms: Terms,
    ) -> Result<Option<Tags>, Error> {
        let Write { url, body } = self.tags_patch(api, id, tags);
        let answer = self.send(api, &url, id.subscription_id(), Some(body), terms).await?;
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
    pub async fn tags(&self, scope: &str, terms: Terms) -> Result<Tags, Error> {
        let api = &api::TAGS;
        let url = self.url(&format!("{scope}/providers/Microsoft.Resources/tags/default"), api);
        let answer = self.send(api, &url, subscription_of(scope), None, terms).await?;
        let resource: TagsResource = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::without_answer(api.what, SystemFailure::Unreadable, error))?;
        Ok(resource.properties.tags)
    }

    /// The PATCH that [`Client::update`] sends.
    pub fn mode_write(&self, id: &ResourceId, mode: &DataAccessAuthMode) -> Write {
        let body = json!({"properties": {"dataAccessAuthMode": mode}});
        Write { url: self.url(&id.to_string(), update_of(id)), body: body.to_string().into() }
    }

    /// The PATCH that [`Client::merge_tags`] sends.
    pub fn tags_write(&self, id: &ResourceId, tags: &Tags) -> Write {
        self.tags_patch(&api::TAGS_MERGE, id, tags)
    }

    fn tags_patch(&self, api: &Api, id: &ResourceId, tags: &Tags) -> Write {
        let operation = if *api == api::TAGS_DELETE { "Delete" } else { "Merge" };
        let body = json!({"operation": operation, "properties": {"tags": tags}});
        let path = format!("{id}/providers/Microsoft.Resources/tags/default");
        Write { url: self.url(&path, api), body: body.to_string().into() }
    }

    /// Reads one thing by its path below the endpoint, as JSON: whoever asks picks the members, and says what a
    /// missing one means.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn inspect(&self, api: &'static Api, path: &str, terms: Terms) -> Result<Value, Error> {
        let url = self.url(path, api);
        let answer = self.send(api, &url, subscription_of(path), None, terms).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::without_answer(api.what, SystemFailure::Unreadable, error))
    }

    async fn send(
        &self,
        api: &'static Api,
        url: &Url,
        subscription_id: &str,
        body: Option<Bytes>,
        terms: Terms,
    ) -> Result<Answer, Error> {
        self.pipeline.send(&Call { api, url, subscription_id, body }, terms).await
    }

    fn url(&self, path: &str, api: &Api) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", api.version);
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

fn update_of(id: &ResourceId) -> &'static Api {
    match id.resource_type() {
        ResourceType::Disk => &api::DISK_UPDATE,
        ResourceType::Snapshot => &api::SNAPSHOT_UPDATE,
    }
}

/// Whose limits a request counts against.
fn subscription_of(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

fn read(api: &Api, id: &ResourceId, answer: &Answer) -> Result<Resource, Error> {
    Resource::from_json(id, &answer.body)
        .map_err(|error| Error::without_answer(api.what, SystemFailure::Unreadable, error))
}
