//! Azure Resource Manager over HTTP: disks and snapshots, their tags, long-running operations.
//!
//! This room sends requests and interprets the answers; it does not decide what to send. Tests replace the
//! [`Transport`] by an `HttpClient` of the Azure SDK, and the `TokenCredential`. The SDK's pipeline is not used for ARM:
//! its bearer policy refuses the loopback endpoint of a local Azure, and its retry policy knows neither our deadline nor
//! the governor.
//!
//! Every method that sends a request fails with an [`Error`], whose [`Failure`] says why.

#![expect(clippy::missing_errors_doc, reason = "see above; methods document only what is special to them")]

pub mod api;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod governor;
mod graph;
mod group;
mod list;
mod machine_disks;
mod operation;
mod pages;
mod permissions;
mod pipeline;
mod request_id;
mod retry;

use std::{num::NonZeroU32, time::Duration};

use azure_core::{Bytes, http::Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use api::Api;
pub use error::{Error, Failure, ResourceFailure, SystemFailure};
pub use governor::Reserved;
pub use graph::{Query, Rows};
pub use list::{Page, Subscriptions, Unreadable};
pub use machine_disks::MachineDisks;
pub use operation::{Operation, State};
pub use permissions::{Permissions, RoleAssignment};

use crate::{
    azure::{Identity, Terms, Transport, Urgency},
    resource::{Resource, properties::Properties, tags::Tags},
    resource_id::{ResourceId, ResourceType},
};
use governor::{Governor, Kind};
use pipeline::{Answer, Call, Pipeline};
use request_id::RequestIds;

/// A client of ARM for one identity. All callers in a process share one client, and with it the governor.
#[derive(Debug)]
pub struct Client {
    endpoint: Url,
    pipeline: Pipeline,
}

/// How ARM answered a PATCH.
#[derive(Debug)]
pub enum Update {
    /// It is done; holds the resource.
    Done(Resource),
    /// It is accepted, and continues as a long-running operation.
    Accepted(Operation),
}

/// A PATCH to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The URL.
    pub url: Url,
    /// The body, in JSON.
    pub body: Bytes,
}

impl Client {
    /// A client for ARM at `endpoint`. `pace` is the maximum of writes per second and subscription, events
    /// excluded.
    pub fn new(
        endpoint: Url,
        http: impl Into<Transport>,
        identity: Identity,
        pace: Option<NonZeroU32>,
    ) -> Self {
        Self {
            endpoint,
            pipeline: Pipeline {
                http: http.into(),
                identity,
                governor: Governor::new(pace),
                ids: RequestIds::new(),
            },
        }
    }

    /// The same client at another pace, before it has sent a write.
    #[must_use]
    pub fn at_pace(self, pace: Option<NonZeroU32>) -> Self {
        let pipeline = Pipeline { governor: Governor::new(pace), ..self.pipeline };
        Self { pipeline, ..self }
    }

    /// The most writes per second of one subscription that are not for an event: the pace that is set, and no more than
    /// what ARM refills.
    pub fn writes_per_second(&self) -> f64 {
        self.pipeline.governor.writes_per_second()
    }

    /// The identity with which every request is sent.
    pub fn identity(&self) -> &Identity {
        &self.pipeline.identity
    }

    /// Reads a disk or snapshot.
    ///
    /// # Errors
    /// `Gone` if it does not exist; see [`Failure`] for the others.
    pub async fn get(&self, id: &ResourceId, terms: Terms) -> Result<Resource, Error> {
        let api = match id.resource_type() {
            ResourceType::Disk => &api::DISK,
            ResourceType::Snapshot => &api::SNAPSHOT,
        };
        let url = self.url(id.as_str(), api);
        let answer = self.send(api, &url, id.subscription_id(), None, terms).await?;
        read(api, id, &answer)
    }

    /// Sets aside ARM's quota for this many writes of a resource, so that the first of them is not sent before there
    /// is quota for the last. What is not used is given back when it is dropped.
    ///
    /// # Errors
    /// `Throttled` if there is not so much quota within the terms: at once, where that can be seen.
    pub async fn reserve(&self, id: &ResourceId, writes: u32, terms: Terms) -> Result<Reserved, Error> {
        self.pipeline.reserve(update_of(id).what, id.subscription_id(), writes, terms).await
    }

    /// How long a seal of this resource would wait for ARM's quota now, as far as can be seen: a read, and this many
    /// writes.
    pub fn quota_wait(&self, id: &ResourceId, writes: u32, urgency: Urgency) -> Duration {
        let governor = &self.pipeline.governor;
        let read = governor.forecast(id.subscription_id(), Kind::Read, 1, urgency);
        read.max(governor.forecast(id.subscription_id(), Kind::Write, writes, urgency))
    }

    /// Sets these properties only: tags in the same PATCH would replace all tags. `reserved` is the quota that was set
    /// aside for it.
    ///
    /// # Errors
    /// One that is [without an answer](Error::is_without_answer) may have been applied; it is sent once.
    pub async fn update(
        &self,
        id: &ResourceId,
        properties: &Properties,
        reserved: Option<&Reserved>,
        terms: Terms,
    ) -> Result<Update, Error> {
        let Write { url, body } = self.properties_write(id, properties);
        let api = update_of(id);
        let answer = self.write(api, &url, id, body, reserved, terms).await?;
        if answer.status == 202 || Operation::is_in(&answer.headers) {
            // The body of a 202 may be incomplete, so it proves nothing.
            return Ok(Update::Accepted(Operation::from_headers(
                id,
                &answer.headers,
                &self.endpoint,
                self.identity().now(),
            )));
        }
        read(api, id, &answer).map(Update::Done)
    }

    /// Merges tags into the existing ones, so that no other writer's tag is lost. Returns all tags, if the
    /// answer has them.
    ///
    /// On disks and snapshots the answer may be a 202 with a URL that cannot be read, although the tags are
    /// applied; the URL is never polled. `reserved` is the quota that was set aside for it.
    ///
    /// # Errors
    /// One that is [without an answer](Error::is_without_answer) may have been applied; it is sent once.
    pub async fn merge_tags(
        &self,
        id: &ResourceId,
        tags: &Tags,
        reserved: Option<&Reserved>,
        terms: Terms,
    ) -> Result<Option<Tags>, Error> {
        self.patch_tags(&api::TAGS_MERGE, id, tags, reserved, terms).await
    }

    /// Removes the tags with exactly these names and values, and keeps all others. Returns what
    /// [`Self::merge_tags`] returns.
    ///
    /// # Errors
    /// Those of [`Self::merge_tags`].
    pub async fn delete_tags(
        &self,
        id: &ResourceId,
        tags: &Tags,
        reserved: Option<&Reserved>,
        terms: Terms,
    ) -> Result<Option<Tags>, Error> {
        self.patch_tags(&api::TAGS_DELETE, id, tags, reserved, terms).await
    }

    async fn patch_tags(
        &self,
        api: &'static Api,
        id: &ResourceId,
        tags: &Tags,
        reserved: Option<&Reserved>,
        terms: Terms,
    ) -> Result<Option<Tags>, Error> {
        let Write { url, body } = self.tags_patch(api, id, tags);
        let answer = self.write(api, &url, id, body, reserved, terms).await?;
        if answer.status == 202 {
            return Ok(None);
        }
        let resource: Option<TagsResource> = serde_json::from_slice(&answer.body).ok();
        Ok(resource.map(|resource| resource.properties.tags))
    }

    /// Reads the tags of a subscription or of something in one. `scope` is a valid resource ID.
    pub async fn tags(&self, scope: &str, terms: Terms) -> Result<Tags, Error> {
        let api = &api::TAGS;
        let url = self.url(&format!("{scope}/providers/Microsoft.Resources/tags/default"), api);
        let answer = self.send(api, &url, subscription_of(scope), None, terms).await?;
        Ok(parse::<TagsResource>(api, &answer.body)?.properties.tags)
    }

    /// Revokes every SAS URL of a disk or snapshot, by `endGetAccess`. The operation may go on after the answer.
    ///
    /// # Errors
    /// ARM refuses it, or cannot be asked.
    pub async fn end_access(&self, id: &ResourceId, terms: Terms) -> Result<(), Error> {
        let api = match id.resource_type() {
            ResourceType::Disk => &api::DISK_END_ACCESS,
            ResourceType::Snapshot => &api::SNAPSHOT_END_ACCESS,
        };
        let url = self.url(&format!("{id}/endGetAccess"), api);
        self.send(api, &url, id.subscription_id(), None, terms).await.map(drop)
    }

    /// The PATCH that [`Client::update`] sends.
    pub fn properties_write(&self, id: &ResourceId, properties: &Properties) -> Write {
        let body = PropertiesPatch { properties };
        Write { url: self.url(id.as_str(), update_of(id)), body: json(&body) }
    }

    /// The PATCH that [`Client::merge_tags`] sends.
    pub fn tags_write(&self, id: &ResourceId, tags: &Tags) -> Write {
        self.tags_patch(&api::TAGS_MERGE, id, tags)
    }

    fn tags_patch(&self, api: &Api, id: &ResourceId, tags: &Tags) -> Write {
        let operation = if *api == api::TAGS_DELETE { "Delete" } else { "Merge" };
        let body = TagsPatch { operation, properties: TagsProperties { tags } };
        let path = format!("{id}/providers/Microsoft.Resources/tags/default");
        Write { url: self.url(&path, api), body: json(&body) }
    }

    /// Reads a resource of any type by its path, as JSON. The caller interprets its members.
    pub async fn inspect(&self, api: &'static Api, path: &str, terms: Terms) -> Result<Value, Error> {
        let url = self.url(path, api);
        let answer = self.send(api, &url, subscription_of(path), None, terms).await?;
        parse(api, &answer.body)
    }

    async fn send(
        &self,
        api: &'static Api,
        url: &Url,
        subscription_id: &str,
        body: Option<Bytes>,
        terms: Terms,
    ) -> Result<Answer, Error> {
        self.pipeline.send(&Call { api, url, subscription_id, body, reserved: None }, terms).await
    }

    async fn write(
        &self,
        api: &'static Api,
        url: &Url,
        id: &ResourceId,
        body: Bytes,
        reserved: Option<&Reserved>,
        terms: Terms,
    ) -> Result<Answer, Error> {
        let call = Call { api, url, subscription_id: id.subscription_id(), body: Some(body), reserved };
        self.pipeline.send(&call, terms).await
    }

    fn url(&self, path: &str, api: &Api) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.set_query(Some(&format!("api-version={}", api.version)));
        url
    }
}

/// The body of "Disks - Update" and "Snapshots - Update".
#[derive(Serialize)]
struct PropertiesPatch<'a> {
    properties: &'a Properties,
}

/// The body of "Tags - Update At Scope".
#[derive(Serialize)]
struct TagsPatch<'a> {
    operation: &'static str,
    properties: TagsProperties<'a>,
}

#[derive(Serialize)]
struct TagsProperties<'a> {
    tags: &'a Tags,
}

/// The JSON of a body, which always serializes: it has nothing but texts.
fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
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

/// The subscription whose quota a request counts against.
fn subscription_of(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

/// The JSON of an answer.
fn parse<T: DeserializeOwned>(api: &Api, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body)
        .map_err(|error| Error::without_answer(api.what, SystemFailure::Unreadable, error))
}

fn read(api: &Api, id: &ResourceId, answer: &Answer) -> Result<Resource, Error> {
    Resource::from_json(id, &answer.body)
        .map_err(|error| Error::without_answer(api.what, SystemFailure::Unreadable, error))
}
