//! Management groups: a tree whose leaves are subscriptions.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{Emulator, answer::Answer, context::Context, refusal::Refusal};

const GROUPS: &str = "/providers/Microsoft.Management/managementGroups";

/// A direct member of a management group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A subscription, by its id.
    Subscription(String),
    /// Another management group, by its id.
    ManagementGroup(String),
}

impl Emulator {
    /// Creates a management group with these members, or replaces its members.
    pub fn set_management_group(&self, id: &str, members: &[Member]) {
        self.inner.state.lock().management_groups.insert(id.to_ascii_lowercase(), members.to_vec());
    }

    /// Everything below a group at any depth, each with the id of its parent; none if the group does not
    /// exist.
    fn below(&self, group: &str) -> Option<Vec<(String, Member)>> {
        let state = self.inner.state.lock();
        state.management_groups.get(&group.to_ascii_lowercase())?;
        let (mut found, mut open) = (Vec::new(), vec![group.to_owned()]);
        while let Some(parent) = open.pop() {
            let members = state.management_groups.get(&parent.to_ascii_lowercase());
            for member in members.into_iter().flatten() {
                if let Member::ManagementGroup(id) = member {
                    open.push(id.clone());
                }
                found.push((parent.clone(), member.clone()));
            }
        }
        Some(found)
    }

    /// The subscriptions below a group, by their ids in lower case.
    pub(crate) fn subscriptions_below(&self, group: &str) -> Option<HashSet<String>> {
        let subscriptions = self.below(group)?.into_iter().filter_map(|(_, member)| match member {
            Member::Subscription(id) => Some(id.to_ascii_lowercase()),
            Member::ManagementGroup(_) => None,
        });
        Some(subscriptions.collect())
    }

    /// "Management Groups - Get Descendants", page by page.
    pub(crate) fn descendants(&self, context: &Context, group: &str) -> Result<Answer, Refusal> {
        let Some(below) = self.below(group) else {
            let message = format!("The management group '{GROUPS}/{group}' cannot be found.");
            return Err(Refusal::new(404, "NotFound", &message));
        };
        let start = context.request.parameter("$skiptoken");
        let start = start.and_then(|token| token.parse().ok()).unwrap_or(0);
        let most = self.inner.options.page_size.max(1);
        let value: Vec<Value> = below.iter().skip(start).take(most).map(describe).collect();
        let end = start + value.len();
        let mut page = json!({"value": value});
        if end < below.len() {
            let request = &context.request;
            let version = &context.api_version;
            page["nextLink"] =
                json!(format!("{}{}?api-version={version}&$skiptoken={end}", request.origin, request.path));
        }
        Ok(Answer::json(StatusCode::OK, &page))
    }
}

fn describe((parent, member): &(String, Member)) -> Value {
    let (id, kind, name) = match member {
        Member::Subscription(id) => (format!("/subscriptions/{id}"), "/subscriptions", id),
        Member::ManagementGroup(id) => {
            (format!("{GROUPS}/{id}"), GROUPS.trim_start_matches("/providers/"), id)
        }
    };
    json!({
        "id": id, "type": kind, "name": name,
        "properties": {"displayName": format!("Local {name}"), "parent": {"id": format!("{GROUPS}/{parent}")}},
    })
}
