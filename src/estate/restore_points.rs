//! Counts the restore points of machines, by Resource Graph, and who may call `retrieveSasUris` on them, by the role
//! assignments. Nothing is read from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, value::RawValue};

use crate::{
    arm::{Client, Error, Query, RoleAssignment},
    azure::Terms,
    report::{Callers, Gap, RestorePoints},
    scope::Scope,
};

/// The query for both types ("Azure Resource Graph table and resource type reference", `resources`).
const TEXT: &str = "resources | where type in~ ('microsoft.compute/restorepointcollections', \
    'microsoft.compute/restorepointcollections/restorepoints') | project id | order by id asc";
/// The action that returns SAS URLs ("Azure permissions for Compute").
const ACTION: &str = "Microsoft.Compute/restorePointCollections/restorePoints/retrieveSasUris/action";
/// What the IDs of collections and restore points have after that of their resource group.
const PROVIDER: &str = "/providers/microsoft.compute/restorepointcollections/";

/// Counts them in the scope, and who may call them, each request within `time`. A subscription whose role assignments
/// cannot be read is a gap.
///
/// # Errors
/// Resource Graph does not answer, or not with what it has announced.
pub async fn restore_points(
    arm: &Client,
    scope: &Scope,
    time: Duration,
) -> Result<(RestorePoints, Vec<Gap>), Error> {
    let query = Query::new(TEXT.to_owned(), scope.clone());
    let (mut collections, mut points, mut announced, mut page) = (0, 0, 0, None);
    let mut groups = BTreeSet::new();
    loop {
        page = arm.query(&query, page.as_ref(), Terms::behind_events(time)).await?;
        let Some(page) = &mut page else { break };
        announced = page.total;
        for row in std::mem::take(&mut page.rows) {
            let id = id_of(&row);
            if id.contains("/restorepoints/") {
                points += 1;
            } else {
                collections += 1;
            }
            groups.extend(id.split_once(PROVIDER).map(|(group, _)| group.to_owned()));
        }
    }
    let read = collections + points;
    if read < announced {
        let why = format!("Resource Graph returned {read} of {announced} rows");
        return Ok((RestorePoints::Unread(why), vec![]));
    }
    let (callers, gaps) = callers(arm, &groups, time).await;
    Ok((RestorePoints::Counted { collections, points, callers }, gaps))
}

/// The ID of a row in lower case.
fn id_of(row: &RawValue) -> String {
    let row: Value = serde_json::from_str(row.get()).unwrap_or_default();
    row["id"].as_str().unwrap_or_default().to_ascii_lowercase()
}

/// Who may call the action on restore points of these resource groups, by their IDs in lower case.
async fn callers(arm: &Client, groups: &BTreeSet<String>, time: Duration) -> (Callers, Vec<Gap>) {
    let subscriptions: BTreeSet<&str> = groups.iter().filter_map(|group| group.split('/').nth(2)).collect();
    let (mut callers, mut gaps) = (Callers::default(), vec![]);
    // The definition of a role is the same below every subscription.
    let mut roles = BTreeMap::new();
    for subscription in subscriptions {
        if let Err(error) = add(arm, groups, subscription, &mut roles, &mut callers, time).await {
            gaps.push(Gap {
                what: format!("who may get SAS URLs of restore points in subscription {subscription}"),
                why: error.to_string(),
            });
        }
    }
    (callers, gaps)
}

async fn add(
    arm: &Client,
    groups: &BTreeSet<String>,
    subscription: &str,
    roles: &mut BTreeMap<String, Option<String>>,
    callers: &mut Callers,
    time: Duration,
) -> Result<(), Error> {
    let assignments = arm.role_assignments(subscription, Terms::behind_events(time)).await?;
    for assignment in assignments.iter().filter(|one| concerns(one, groups, subscription)) {
        let definition = &assignment.role_definition_id;
        let key = definition.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        if !roles.contains_key(&key) {
            let (name, permissions) = arm.role(definition, Terms::behind_events(time)).await?;
            roles.insert(key.clone(), permissions.allow(ACTION).then_some(name));
        }
        if let Some(Some(role)) = roles.get(&key) {
            callers.add(role, assignment.principal_type.as_deref(), &assignment.principal_id);
        }
    }
    Ok(())
}

/// Whether an assignment holds at restore points of these groups: it is made there, above, or at one of them.
fn concerns(assignment: &RoleAssignment, groups: &BTreeSet<String>, subscription: &str) -> bool {
    let scope = assignment.scope.to_ascii_lowercase();
    let in_subscription = format!("/subscriptions/{subscription}/");
    let mut groups = groups.iter().filter(|group| group.starts_with(&in_subscription));
    groups.any(|group| {
        assignment.holds_at(group)
            || scope.strip_prefix(group.as_str()).is_some_and(|rest| rest.starts_with(PROVIDER))
    })
}
