//! Lists, read page by page, so that memory use does not grow with the number of resources.

use azure_core::http::Url;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Client,
    api::{self, Api},
    error::{Error, Failure, SystemFailure, one_line},
    pages::Trail,
    parse,
    pipeline::is_of,
    subscription_of,
};
use crate::{
    azure::Terms,
    resource::{MEMBERS, Resource},
    resource_id::{ResourceId, ResourceType, is_subscription_id},
    scope::Scope,
};

/// Maximum number of pages of a list that is read as a whole, such as that of the subscriptions.
const SHORT_LIST_PAGES_MAX: usize = 200;

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// The resources on it.
    pub resources: Vec<Resource>,
    /// The elements that could not be read; the list is incomplete without them.
    pub unreadable: Vec<Unreadable>,
    api: &'static Api,
    next: Option<NextPage>,
    trail: Trail,
}

/// The URL of the next page, or why it cannot be read.
pub(super) type NextPage = Result<Url, Error>;

/// The subscriptions of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// Their IDs, as GUIDs.
    pub ids: Vec<String>,
    /// The IDs and names of those that Azure has named.
    pub names: Vec<(String, String)>,
    /// The elements and pages that could not be read; there may be more subscriptions.
    pub unread: Vec<Unreadable>,
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
    #[serde(rename = "nextLink", default)]
    next_link: Value,
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
        self.page(api, subscription_id, &self.url(&path, api), Trail::default(), terms).await
    }

    /// The page after `page`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or leads back to one before it. `page` stays as it is.
    pub async fn next(
        &self,
        subscription_id: &str,
        page: &Page,
        terms: Terms,
    ) -> Result<Option<Page>, Error> {
        let Some(next) = &page.next else { return Ok(None) };
        let url = next.as_ref().map_err(Clone::clone)?;
        self.page(page.api, subscription_id, url, page.trail.clone(), terms).await.map(Some)
    }

    /// The subscriptions in scope: those given, all that the identity sees, or all in a management group
    /// ("Management Groups - Get Descendants").
    ///
    /// # Errors
    /// The first page cannot be read. What cannot be read after it is missing from the result, by name.
    pub async fn subscriptions(&self, scope: &Scope, terms: Terms) -> Result<Subscriptions, Error> {
        let (api, path) = match scope {
            Scope::Subscriptions(ids) => {
                return Ok(Subscriptions { ids: ids.clone(), ..Subscriptions::default() });
            }
            Scope::Visible => (&api::SUBSCRIPTIONS, "/subscriptions".to_owned()),
            Scope::ManagementGroup(id) => (
                &api::DESCENDANTS,
                format!("/providers/Microsoft.Management/managementGroups/{id}/descendants"),
            ),
        };
        let (all, fault) = self.inspect_pages(api, self.url(&path, api), terms).await.map_err(of_scope)?;
        let mut subscriptions = Subscriptions::default();
        for (index, element) in all.iter().enumerate() {
            match subscription_id(element) {
                Some(id) => {
                    let name = display_name(element).map(str::to_owned);
                    subscriptions.names.extend(name.map(|name| (id.clone(), name)));
                    subscriptions.ids.push(id);
                }
                None if is_management_group(element) => {}
                None => subscriptions.unread.push(Unreadable {
                    what: format!("element {} of the list of subscriptions", index + 1),
                    why: "it has no ID of a subscription".to_owned(),
                }),
            }
        }
        subscriptions.unread.extend(fault.map(|fault| Unreadable {
            what: "the rest of the list of subscriptions".to_owned(),
            why: fault.to_string(),
        }));
        Ok(subscriptions)
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
        match self.inspect_pages(api, first, terms).await? {
            (all, None) => Ok(all),
            (_, Some(fault)) => Err(fault),
        }
    }

    /// The same, with what was read before a page that cannot be read.
    async fn inspect_pages(
        &self,
        api: &'static Api,
        first: Url,
        terms: Terms,
    ) -> Result<(Vec<Value>, Option<Error>), Error> {
        let (mut all, mut trail, mut is_first) = (vec![], Trail::default(), true);
        let subscription = subscription_of(first.path()).to_owned();
        let mut next = Some(Ok(first));
        while let Some(page) = next {
            let page = match page {
                Ok(url) => match trail.step(api, url.as_str()) {
                    Ok(()) => self.elements(api, &subscription, &url, terms).await,
                    Err(fault) => Err(fault),
                },
                Err(fault) => Err(fault),
            };
            let (elements, link) = match page {
                Err(fault) if !is_first => return Ok((all, Some(fault))),
                page => page?,
            };
            // What is no JSON by itself, such as a character that is cut in half, is an element without an ID.
            all.extend(elements.iter().map(|json| serde_json::from_str(json.get()).unwrap_or(Value::Null)));
            if trail.len() > SHORT_LIST_PAGES_MAX {
                let fault = "the list has more pages than a short list can have";
                return Ok((all, Some(Error::without_answer(api.what, SystemFailure::Unreadable, fault))));
            }
            (next, is_first) = (link, false);
        }
        Ok((all, None))
    }

    async fn page(
        &self,
        api: &'static Api,
        subscription_id: &str,
        url: &Url,
        mut trail: Trail,
        terms: Terms,
    ) -> Result<Page, Error> {
        trail.step(api, url.as_str())?;
        let (elements, next) = self.elements(api, subscription_id, url, terms).await?;
        let (resources, unreadable) = read_all(&elements);
        Ok(Page { resources, unreadable, api, next, trail })
    }

    /// The elements of a page, and the URL of the next one.
    pub(super) async fn elements(
        &self,
        api: &'static Api,
        subscription_id: &str,
        url: &Url,
        terms: Terms,
    ) -> Result<(Vec<Box<RawValue>>, Option<NextPage>), Error> {
        let answer = self.send(api, url, subscription_id, None, terms).await?;
        let body: ListAnswer = parse(api, &answer.body)?;
        Ok((body.value, self.next_page(api, &body.next_link)))
    }

    /// The page at a `nextLink`. The elements before it are good, whatever the link is.
    fn next_page(&self, api: &Api, link: &Value) -> Option<NextPage> {
        if link.is_null() || link == "" {
            return None;
        }
        let url = link.as_str().and_then(|link| Url::parse(link).ok());
        // The token may go to ARM only, and an incomplete list may not pass as a whole one.
        Some(url.filter(|url| is_of(&self.endpoint, url)).ok_or_else(|| {
            let fault = "the list's next page is at an address that is not ARM's";
            Error::without_answer(api.what, SystemFailure::Unreadable, fault)
        }))
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
    let element = MEMBERS.of(json.as_bytes()).map_err(|fault| unreadable(&unnamed, &fault))?;
    let Some(id) = element.text("id") else {
        let resource_type = element.text("type");
        let what = resource_type.map_or_else(|| unnamed.clone(), |name| format!("{name}, {unnamed}"));
        return Err(unreadable(&what, &"it has no ID"));
    };
    let resource_id: ResourceId = id.parse().map_err(|fault| unreadable(id, &fault))?;
    Resource::from_node(&resource_id, element).map_err(|fault| unreadable(&resource_id.to_string(), &fault))
}

fn is_management_group(element: &Value) -> bool {
    let id = element["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    id.contains("/providers/microsoft.management/managementgroups/")
}

/// The name of a subscription: `displayName` of a subscription, or `properties.displayName` of a descendant.
fn display_name(element: &Value) -> Option<&str> {
    let names = [&element["displayName"], &element["properties"]["displayName"]];
    names.into_iter().find_map(Value::as_str).filter(|name| !name.is_empty())
}

/// The ID of an element that is a subscription; none for a management group.
fn subscription_id(element: &Value) -> Option<String> {
    let (root, id) = element["id"].as_str()?.trim_start_matches('/').split_once('/')?;
    (root.eq_ignore_ascii_case("subscriptions") && is_subscription_id(id)).then(|| id.to_owned())
}

/// A scope that Azure refuses to list, or does not find, is no failure of one resource: nothing in it can be sealed. A
/// role takes some minutes to hold, and Event Grid's patience of a day covers them.
fn of_scope(error: Error) -> Error {
    match error.failure {
        Failure::System(_) => error,
        Failure::Gone | Failure::Overtaken | Failure::Resource(_) => {
            Error { failure: Failure::System(SystemFailure::ScopeUnreadable), ..error }
        }
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
            (r#"{"id":"/x\ny"}"#.to_owned(), "/x y", "not the resource ID of a managed disk"),
            (r#"{"type":"a/b"}"#.to_owned(), "a/b, element 7 of its page", "it has no ID"),
            ("{}".to_owned(), "element 7 of its page", "it has no ID"),
            ("[1]".to_owned(), "element 7 of its page", "it has no ID"),
            (r#"{"id":7,"type":"a/b"}"#.to_owned(), "a/b, element 7 of its page", "it has no ID"),
        ] {
            let fault = read(&json, 7).unwrap_err();
            assert_eq!(fault.what, what, "{json}");
            assert!(fault.why.contains(why), "{json}: {}", fault.why);
        }
        // What has an ID can be looked at, whatever else is odd about it.
        for properties in ["", r#","properties":{}"#, r#","properties":null"#, r#","tags":7"#] {
            assert!(read(&format!(r#"{{"id":"{ID}"{properties}}}"#), 1).is_ok(), "{properties}");
        }
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
