//! Lists: one page at a time, so that memory stays flat whatever the estate's size.

use azure_core::http::{Method, Url};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Client, DISKS_API_VERSION,
    deadline::Deadline,
    error::{Error, Operation, SystemFailure},
    pipeline::Call,
};
use crate::{
    resource::Resource,
    resource_id::{ResourceId, ResourceType, is_subscription_id},
};

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The resources on it.
    pub resources: Vec<Resource>,
    /// How many elements could not be read, so that no one takes the list for whole.
    pub unreadable: usize,
    /// Where the next page is.
    next: Option<Url>,
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Box<RawValue>>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Element {
    id: ResourceId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: String,
}

/// The version of the subscriptions API ("Subscriptions - List").
const SUBSCRIPTIONS_API_VERSION: &str = "2022-12-01";

impl Client {
    /// The first page of a subscription's disks or snapshots.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn list(
        &self,
        subscription_id: &str,
        resource_type: ResourceType,
        deadline: Deadline,
    ) -> Result<Page, Error> {
        let path = format!("/subscriptions/{subscription_id}/providers/{resource_type}");
        self.page(subscription_id, &self.url(&path, DISKS_API_VERSION), deadline).await
    }

    /// The page after `page`, if there is one.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn next(
        &self,
        subscription_id: &str,
        page: &Page,
        deadline: Deadline,
    ) -> Result<Option<Page>, Error> {
        match &page.next {
            Some(url) => self.page(subscription_id, url, deadline).await.map(Some),
            None => Ok(None),
        }
    }

    /// The subscriptions that the identity sees.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn subscriptions(&self, deadline: Deadline) -> Result<Vec<String>, Error> {
        let mut next = Some(self.url("/subscriptions", SUBSCRIPTIONS_API_VERSION));
        let mut ids = vec![];
        while let Some(url) = next {
            let (elements, link) = self.elements("", &url, "/subscriptions", deadline).await?;
            let subscriptions = elements.iter().filter_map(|json| serde_json::from_str(json.get()).ok());
            let ours = subscriptions.map(|Subscription { subscription_id }| subscription_id);
            ids.extend(ours.filter(|id| is_subscription_id(id)));
            next = link;
        }
        Ok(ids)
    }

    async fn page(&self, subscription_id: &str, url: &Url, deadline: Deadline) -> Result<Page, Error> {
        let template = "/subscriptions/{id}/providers/Microsoft.Compute/{type}";
        let (elements, next) = self.elements(subscription_id, url, template, deadline).await?;
        let resources: Vec<_> = elements.iter().filter_map(|json| readable(json.get())).collect();
        Ok(Page { unreadable: elements.len() - resources.len(), resources, next })
    }

    pub(super) async fn elements(
        &self,
        subscription_id: &str,
        url: &Url,
        template: &'static str,
        deadline: Deadline,
    ) -> Result<(Vec<Box<RawValue>>, Option<Url>), Error> {
        self.elements_of(Operation::List, subscription_id, url, template, deadline).await
    }

    /// One page of any list, and where the next one is.
    pub(super) async fn elements_of(
        &self,
        operation: Operation,
        subscription_id: &str,
        url: &Url,
        template: &'static str,
        deadline: Deadline,
    ) -> Result<(Vec<Box<RawValue>>, Option<Url>), Error> {
        let call = Call { operation, method: Method::Get, url, template, subscription_id, body: None };
        let answer = self.pipeline.send(&call, deadline).await?;
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::without_answer(operation, SystemFailure::Unreadable, error)
        };
        let body: Body = serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))?;
        let next = match body.next_link.filter(|link| !link.is_empty()) {
            None => None,
            Some(link) => match Url::parse(&link) {
                Ok(url) if url.origin() == self.endpoint.origin() => Some(url),
                // Our token goes to ARM alone, and half a list is not a list.
                _ => return Err(unreadable(&"the list goes on at an address that is not ARM's")),
            },
        };
        Ok((body.value, next))
    }
}

/// One element of a list: a resource that says its own ID.
pub(super) fn readable(json: &str) -> Option<Resource> {
    let Element { id } = serde_json::from_str(json).ok()?;
    Resource::from_json(&id, json.as_bytes()).ok()
}
