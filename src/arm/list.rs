//! Lists, read page by page, so that memory use does not grow with the number of resources.

use azure_core::http::Url;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Client,
    api::{self, Api},
    error::{Error, Failure, ResourceFailure, SystemFailure, one_line},
    parse,
    pipeline::is_of,
    subscription_of,
};
use crate::{
    azure::Terms,
    resource::Resource,
    resource_id::{ResourceId, ResourceType, is_subscription_id},
    scope::Scope,
};

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The resources on it.
    pub resources: Vec<Resource>,
    /// The elements that could not be read; the list is incomplete without them.
    pub unreadable: Vec<Unreadable>,
    api: &'static Api,
    /// The URL of the next page.
    next: Option<Url>,
}

/// An element of a list that could not be read as a disk or snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its ID, or else its type and its place on the page, in one line.
    pub what: String,
    /// Why it could not be read, in one line.
    pub why: String,
}

#[derive(Deserialize)]
struct ListAnswer {
    value: Vec<Box<RawValue>>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

/// The members that name an element.
#[derive(Deserialize)]
struct Element {
    id: Option<String>,
    #[serde(rename = "type")]
    resource_type: Option<String>,
}

impl Client {
    /// The first page of a subscription's disks or snapshots.
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
    pub async fn next(
        &self,
        subscription_id: &str,
        page: &Page,
        terms: Terms,
    ) -> Result<Option<Page>, Error> {
        let Some(url) = &page.next else { return Ok(None) };
        self.page(page.api, subscription_id, url, terms).await.map(Some)
    }

    /// The subscriptions in scope: those given, all that the identity sees, or all in a management group
    /// ("Management Groups - Get Descendants").
    pub async fn subscriptions(&self, scope: &Scope, terms: Terms) -> Result<Vec<String>, Error> {
        let (api, path) = match scope {
            Scope::Subscriptions(ids) => return Ok(ids.clone()),
            Scope::Visible => (&api::SUBSCRIPTIONS, "/subscriptions".to_owned()),
            Scope::ManagementGroup(id) => (
                &api::DESCENDANTS,
                format!("/providers/Microsoft.Management/managementGroups/{id}/descendants"),
            ),
        };
        let all = self.inspect_all(api, &path, terms).await.map_err(|error| of_scope(error, scope))?;
        Ok(all.iter().filter_map(subscription_id).collect())
    }

    /// Reads all pages of a list of any type by its path, as JSON. For short lists.
    pub async fn inspect_all(
        &self,
        api: &'static Api,
        path: &str,
        terms: Terms,
    ) -> Result<Vec<Value>, Error> {
        self.all_of(api, self.url(path, api), terms).await
    }

    /// The same from the URL of the first page.
    pub(super) async fn all_of(
        &self,
        api: &'static Api,
        first: Url,
        terms: Terms,
    ) -> Result<Vec<Value>, Error> {
        let subscription = subscription_of(first.path()).to_owned();
        let mut next = Some(first);
        let mut all = vec![];
        while let Some(url) = next {
            let (elements, link) = self.elements(api, &subscription, &url, terms).await?;
            // Never fails: each element was parsed as JSON before.
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

    /// The elements of a page, and the URL of the next one.
    pub(super) async fn elements(
        &self,
        api: &'static Api,
        subscription_id: &str,
        url: &Url,
        terms: Terms,
    ) -> Result<(Vec<Box<RawValue>>, Option<Url>), Error> {
        let answer = self.send(api, url, subscription_id, None, terms).await?;
        let body: ListAnswer = parse(api, &answer.body)?;
        let Some(link) = body.next_link.filter(|link| !link.is_empty()) else {
            return Ok((body.value, None));
        };
        match Url::parse(&link) {
            Ok(url) if is_of(&self.endpoint, &url) => Ok((body.value, Some(url))),
            // The token may go to ARM only, and an incomplete list may not pass as a whole one.
            _ => {
                let fault = "the list's next page is at an address that is not ARM's";
                Err(Error::without_answer(api.what, SystemFailure::Unreadable, fault))
            }
        }
    }
}

/// The elements of a page as resources, and those that could not be read.
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

/// The ID of an element that is a subscription; none for a management group.
fn subscription_id(element: &Value) -> Option<String> {
    let (root, id) = element["id"].as_str()?.trim_start_matches('/').split_once('/')?;
    (root.eq_ignore_ascii_case("subscriptions") && is_subscription_id(id)).then(|| id.to_owned())
}

/// A missing management group is a failure, not a resource that is gone: nothing in it can be sealed.
fn of_scope(error: Error, scope: &Scope) -> Error {
    match (scope, error.failure) {
        (Scope::ManagementGroup(_), Failure::Gone) => {
            Error { failure: Failure::Resource(ResourceFailure::Refused), ..error }
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

    #[test]
    fn an_unreadable_element_is_named_with_the_reason() {
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
    fn only_the_subscriptions_of_a_management_groups_descendants_count() {
        let id = "11111111-2222-4333-8444-555555555555";
        for (element, found) in [
            (json!({"id": format!("/subscriptions/{id}"), "type": "Microsoft.Management/x"}), true),
            (json!({"id": format!("/Subscriptions/{id}"), "type": "/subscriptions"}), true),
            (json!({"id": format!("/providers/Microsoft.Management/managementGroups/{id}")}), false),
            (json!({"id": "/subscriptions/../x"}), false),
            (json!({}), false),
        ] {
            assert_eq!(subscription_id(&element), found.then(|| id.to_owned()), "{element}");
        }
    }
}
