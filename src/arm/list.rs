//! Lists: one page at a time, so that memory stays flat whatever the estate's size.

use azure_core::http::Url;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Client,
    api::{self, Api},
    error::{Error, Failure, ResourceFailure, SystemFailure, one_line},
    subscription_of,
};
use crate::{
    azure::Terms,
    resource::Resource,
    resource_id::{Estate, ResourceId, ResourceType, is_subscription_id},
};

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The resources on it.
    pub resources: Vec<Resource>,
    /// The elements that could not be read, so that no one takes the list for whole.
    pub unreadable: Vec<Unreadable>,
    api: &'static Api,
    /// Where the next page is.
    next: Option<Url>,
}

/// An element of a listing that is no disk or snapshot that can be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The ID that it says, or else its type and place on the page; in one line.
    pub what: String,
    /// What is wrong with it, in one line.
    pub why: String,
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Box<RawValue>>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

/// Of an element, what names it.
#[derive(Deserialize)]
struct Element {
    id: Option<String>,
    #[serde(rename = "type")]
    resource_type: Option<String>,
}

/// An element of a list of subscriptions, or of subscriptions and management groups.
#[derive(Deserialize)]
struct Subscription {
    id: String,
}

impl Client {
    /// The first page of a subscription's disks or snapshots.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn list(
        &self,
        subscription_id: &str,
        resource_type: ResourceType,
        terms: Terms,
    ) -> Result<Page, Error> {
        let api = match resource_type {
            ResourceType::Disk => &api::DISKS,
            ResourceType::Snapshot => &api::SNAPSHOTS,
        };
        let path = format!("/subscriptions/{subscription_id}/providers/{resource_type}");
        self.page(api, subscription_id, &self.url(&path, api), terms).await
    }

    /// The page after `page`, if there is one.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn next(
        &self,
        subscription_id: &str,
        page: &Page,
        terms: Terms,
    ) -> Result<Option<Page>, Error> {
        match &page.next {
            Some(url) => self.page(page.api, subscription_id, url, terms).await.map(Some),
            None => Ok(None),
        }
    }

    /// The subscriptions in scope: those that are given, all that the identity sees, or all below a
    /// management group ("Management Groups - Get Descendants").
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn subscriptions(&self, estate: &Estate, terms: Terms) -> Result<Vec<String>, Error> {
        let (api, path) = match estate {
            Estate::Subscriptions(ids) => return Ok(ids.clone()),
            Estate::Visible => (&api::SUBSCRIPTIONS, "/subscriptions".to_owned()),
            Estate::ManagementGroup(id) => (
                &api::DESCENDANTS,
                format!("/providers/Microsoft.Management/managementGroups/{id}/descendants"),
            ),
        };
        let url = self.url(&path, api);
        let mut next = Some(url);
        let mut ids = vec![];
        while let Some(url) = next {
            let page = self.elements(api, "", &url, terms).await;
            let (elements, link) = page.map_err(|error| of_estate(error, estate))?;
            ids.extend(elements.iter().filter_map(|json| subscription_id(json.get())));
            next = link;
        }
        Ok(ids)
    }

    /// Reads a whole list by its path below the endpoint, all pages of it, as JSON. For short lists.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn inspect_all(
        &self,
        api: &'static Api,
        path: &str,
        terms: Terms,
    ) -> Result<Vec<Value>, Error> {
        let mut next = Some(self.url(path, api));
        let mut all = vec![];
        while let Some(url) = next {
            let (elements, link) = self.elements(api, subscription_of(path), &url, terms).await?;
            // Each element was read as JSON once already.
            all.extend(elements.iter().filter_map(|json| serde_json::from_str(json.get()).ok()));
            next = link;
        }
        Ok(all)
    }

    async fn page(
        &self,
        api: &'static Api,
        subscription_id: &str,
        url: &Url,
        terms: Terms,
    ) -> Result<Page, Error> {
        let (elements, next) = self.elements(api, subscription_id, url, terms).await?;
        let (resources, unreadable) = read_all(&elements);
        Ok(Page { resources, unreadable, api, next })
    }

    /// One page of any list, and where the next one is.
    pub(super) async fn elements(
        &self,
        api: &'static Api,
        subscription_id: &str,
        url: &Url,
        terms: Terms,
    ) -> Result<(Vec<Box<RawValue>>, Option<Url>), Error> {
        let answer = self.send(api, url, subscription_id, None, terms).await?;
        let unreadable =
            |error: &dyn std::fmt::Display| Error::without_answer(api.what, SystemFailure::Unreadable, error);
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

/// The elements of a page as resources, each of which says its own ID, and those that are none.
pub(super) fn read_all(elements: &[Box<RawValue>]) -> (Vec<Resource>, Vec<Unreadable>) {
    let (mut resources, mut unreadable) = (vec![], vec![]);
    for (index, json) in elements.iter().enumerate() {
        match read(json.get(), index + 1) {
            Ok(resource) => resources.push(resource),
            Err(fault) => unreadable.push(fault),
        }
    }
    (resources, unreadable)
}

fn read(json: &str, place: usize) -> Result<Resource, Unreadable> {
    let unreadable = |what: &str, why: &dyn std::fmt::Display| Unreadable {
        what: one_line(what),
        why: one_line(&why.to_string()),
    };
    let unnamed = format!("element {place} of its page");
    let Element { id, resource_type } =
        serde_json::from_str(json).map_err(|fault| unreadable(&unnamed, &fault))?;
    let Some(id) = id else {
        let what = resource_type.map_or_else(|| unnamed.clone(), |name| format!("{name}, {unnamed}"));
        return Err(unreadable(&what, &"it has no ID"));
    };
    let resource_id: ResourceId = id.parse().map_err(|fault| unreadable(&id, &fault))?;
    Resource::from_json(&resource_id, json.as_bytes()).map_err(|fault| unreadable(&id, &fault))
}

/// The subscription that an element of a list is; none for a management group.
fn subscription_id(json: &str) -> Option<String> {
    let Subscription { id } = serde_json::from_str(json).ok()?;
    let (root, id) = id.trim_start_matches('/').split_once('/')?;
    (root.eq_ignore_ascii_case("subscriptions") && is_subscription_id(id)).then(|| id.to_owned())
}

/// A management group that is not there is no resource that is gone: nothing of it can be sealed.
fn of_estate(error: Error, estate: &Estate) -> Error {
    let failure = match (estate, error.failure) {
        (Estate::ManagementGroup(_), Failure::Gone) => Failure::Resource(ResourceFailure::Refused),
        (Estate::ManagementGroup(_), failure) => failure,
        (Estate::Visible | Estate::Subscriptions(_), _) => return error,
    };
    Error { failure, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

    #[test]
    fn what_cannot_be_read_is_named_and_says_why() {
        for (json, what, why) in [
            (format!(r#"{{"id":"{ID}"}}"#), ID, "missing field `properties`"),
            (r#"{"id":"/x\ny"}"#.to_owned(), "/x y", "not the resource ID of a managed disk"),
            (r#"{"type":"a/b"}"#.to_owned(), "a/b, element 7 of its page", "it has no ID"),
            ("{}".to_owned(), "element 7 of its page", "it has no ID"),
            ("[1]".to_owned(), "element 7 of its page", "invalid type"),
            (r#"{"id":7}"#.to_owned(), "element 7 of its page", "invalid type"),
        ] {
            let fault = read(&json, 7).unwrap_err();
            assert_eq!(fault.what, what, "{json}");
            assert!(fault.why.contains(why), "{json}: {}", fault.why);
        }
        assert!(read(&format!(r#"{{"id":"{ID}","properties":{{}}}}"#), 1).is_ok());
    }

    #[test]
    fn of_what_is_below_a_management_group_the_subscriptions_are_taken() {
        let id = "11111111-2222-4333-8444-555555555555";
        for (json, found) in [
            (
                format!(
                    r#"{{"id":"/subscriptions/{id}","type":"Microsoft.Management/managementGroups/subscriptions"}}"#
                ),
                true,
            ),
            (format!(r#"{{"id":"/Subscriptions/{id}","type":"/subscriptions"}}"#), true),
            (format!(r#"{{"id":"/providers/Microsoft.Management/managementGroups/{id}"}}"#), false),
            (r#"{"id":"/subscriptions/../x"}"#.to_owned(), false),
            ("{}".to_owned(), false),
        ] {
            assert_eq!(subscription_id(&json), found.then(|| id.to_owned()), "{json}");
        }
    }
}
