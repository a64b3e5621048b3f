//! What the identity's roles allow in a subscription.
//!
//! Sources: "Permissions - List", "Understand Azure role definitions": an action is allowed if the `actions` of a
//! role match it and the `notActions` of the same role do not; `*` matches any text.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Client, Error, SystemFailure, api};
use crate::azure::Terms;

/// The permissions of one identity in one subscription. A role that cannot be read allows nothing.
#[derive(Debug, Default)]
pub struct Permissions(Vec<Role>);

/// The permissions by one role, as the permissions API returns them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Role {
    actions: Option<Vec<String>>,
    not_actions: Option<Vec<String>>,
    data_actions: Option<Vec<String>>,
}

impl Client {
    /// The permissions of this identity in a subscription.
    pub async fn permissions(&self, subscription_id: &str, terms: Terms) -> Result<Permissions, Error> {
        let path = format!("/subscriptions/{subscription_id}/providers/Microsoft.Authorization/permissions");
        Ok(Permissions::from_json(&self.inspect_all(&api::PERMISSIONS, &path, terms).await?))
    }
}

impl Client {
    /// The permissions of another identity at a scope, such as a subscription or a resource: those of the roles that
    /// are assigned to it, or to a group of it, there or above ("List Azure role assignments using the REST API").
    /// Deny assignments and conditions are not taken into account.
    pub async fn permissions_of(
        &self,
        principal_id: &str,
        scope: &str,
        terms: Terms,
    ) -> Result<Permissions, Error> {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
        let mut url = self.url(&path, &api::ROLE_ASSIGNMENTS);
        url.query_pairs_mut().append_pair("$filter", &format!("assignedTo('{principal_id}')"));
        let assignments = self.all_of(&api::ROLE_ASSIGNMENTS, url, terms).await?;
        let roles: BTreeSet<&str> = assignments
            .iter()
            .map(|assignment| &assignment["properties"])
            .filter(|assignment| assignment["scope"].as_str().is_some_and(|of| covers(of, scope)))
            .filter_map(|assignment| assignment["roleDefinitionId"].as_str())
            .collect();
        let mut permissions = Permissions::default();
        for role in roles {
            let definition = self.inspect(&api::ROLE_DEFINITION, role, terms).await?;
            let of_role = definition["properties"]["permissions"].as_array().cloned().unwrap_or_default();
            permissions.0.extend(Permissions::from_json(&of_role).0);
        }
        Ok(permissions)
    }
}

/// An assignment of a role to a principal ("Role Assignments - List For Scope").
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleAssignment {
    /// Where the role is assigned.
    pub scope: String,
    /// The object ID of whoever has it.
    pub principal_id: String,
    /// `User`, `Group`, `ServicePrincipal`, or what else Azure may add. It is absent in old assignments.
    pub principal_type: Option<String>,
    /// The ID of the role's definition.
    pub role_definition_id: String,
}

impl RoleAssignment {
    /// Whether it holds at a scope, being made there or above.
    pub fn holds_at(&self, scope: &str) -> bool {
        covers(&self.scope, scope)
    }
}

impl Client {
    /// All role assignments of a subscription: at it, above it and below it.
    ///
    /// # Errors
    /// The list cannot be read, or one of its elements.
    pub async fn role_assignments(
        &self,
        subscription_id: &str,
        terms: Terms,
    ) -> Result<Vec<RoleAssignment>, Error> {
        let path =
            format!("/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleAssignments");
        let all = self.inspect_all(&api::ROLE_ASSIGNMENTS, &path, terms).await?;
        let read = |one: &Value| RoleAssignment::deserialize(&one["properties"]);
        all.iter().map(read).collect::<Result<_, _>>().map_err(|fault| {
            Error::without_answer(api::ROLE_ASSIGNMENTS.what, SystemFailure::Unreadable, fault)
        })
    }

    /// The name and permissions of a role by the ID of its definition.
    ///
    /// # Errors
    /// The role cannot be read.
    pub async fn role(&self, definition_id: &str, terms: Terms) -> Result<(String, Permissions), Error> {
        let definition = self.inspect(&api::ROLE_DEFINITION, definition_id, terms).await?;
        let name = definition["properties"]["roleName"].as_str().unwrap_or(definition_id).to_owned();
        let of_role = definition["properties"]["permissions"].as_array().cloned().unwrap_or_default();
        Ok((name, Permissions::from_json(&of_role)))
    }
}

/// Whether an assignment at scope `of` holds at `scope`. The list has those of resources below it, too, and a
/// management group in it is one above.
fn covers(of: &str, scope: &str) -> bool {
    let (of, scope) = (of.trim_end_matches('/').to_ascii_lowercase(), scope.to_ascii_lowercase());
    let is_above = || scope.strip_prefix(&of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    of.starts_with("/providers/microsoft.management/managementgroups/") || is_above()
}

impl Permissions {
    /// Reads the elements of the list that the permissions API returns.
    pub fn from_json(roles: &[Value]) -> Self {
        Self(roles.iter().filter_map(|role| Role::deserialize(role).ok()).collect())
    }

    /// Whether a role allows this action.
    pub fn allow(&self, action: &str) -> bool {
        self.0.iter().any(|role| {
            let any =
                |patterns: &Option<Vec<String>>| patterns.iter().flatten().any(|one| matches(one, action));
            any(&role.actions) && !any(&role.not_actions)
        })
    }

    /// Whether the data actions of a role match this action.
    pub fn match_data(&self, action: &str) -> bool {
        self.0.iter().flat_map(|role| role.data_actions.iter().flatten()).any(|one| matches(one, action))
    }

    /// The patterns of actions, of all roles.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|role| role.actions.iter().flatten()).map(String::as_str)
    }
}

/// Whether an action matches a pattern, ignoring case; `*` matches any text.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == action };
    let Some(mut rest) = action.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{covers, matches};

    #[test]
    fn an_assignment_holds_at_its_scope_and_below() {
        let scope = "/subscriptions/s/resourceGroups/rg/providers/p/t/n";
        for (of, expected) in [
            ("/", true),
            ("/providers/Microsoft.Management/managementGroups/g", true),
            ("/Subscriptions/S", true),
            ("/subscriptions/s/resourcegroups/RG", true),
            (scope, true),
            ("/subscriptions/s/resourceGroups/r", false),
            ("/subscriptions/s2", false),
            ("/subscriptions/s/resourceGroups/rg/providers/p/t/n/u/m", false),
            ("/providers/Microsoft.Other/x", false),
        ] {
            assert_eq!(covers(of, scope), expected, "{of}");
        }
    }

    #[test]
    fn patterns_match_by_azures_rules() {
        for (pattern, action, expected) in [
            ("*", "Microsoft.Compute/disks/write", true),
            ("*/read", "Microsoft.Compute/disks/read", true),
            ("*/read", "Microsoft.Compute/disks/write", false),
            ("microsoft.compute/*", "Microsoft.Compute/disks/write", true),
            ("Microsoft.Compute/disks/*", "Microsoft.Compute/snapshots/write", false),
            ("Microsoft.Compute/*/write", "Microsoft.Compute/disks/write", true),
            ("Microsoft.*/disks/*", "Microsoft.Compute/disks/read", true),
            ("Microsoft.Compute/disks/write", "MICROSOFT.COMPUTE/DISKS/WRITE", true),
            ("Microsoft.Compute/disks/writ", "Microsoft.Compute/disks/write", false),
            ("Microsoft.Compute/disks/write*write", "Microsoft.Compute/disks/write", false),
            ("", "Microsoft.Compute/disks/write", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        }
    }
}
