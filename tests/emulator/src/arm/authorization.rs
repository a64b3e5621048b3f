//! Permissions and role assignments, as far as a test does not define others (`facts`).
//!
//! Sources: the REST reference, "Permissions - List", "Role Assignments - List For Scope", "Role Definitions - Get By
//! ID"; "List Azure role assignments using the REST API", filter `assignedTo`. Both managed identities have the
//! deployed role on every subscription. The role of a subscription allows what its permissions do, so a test defines
//! both with `set_permissions`.

use serde_json::{Value, json};

use crate::{Emulator, request::Request, role::Role};

/// The role definition's name.
const ROLE: &str = "d15c5ea1-0000-4000-8000-000000000001";
const PROVIDER: &str = "/providers/microsoft.authorization/";

impl Emulator {
    /// The answer to a GET of this kind, if it is one; `permissions` are those that a test defined in a subscription.
    pub(super) fn authorization(
        &self,
        request: &Request,
        permissions: impl Fn(&str) -> Option<Value>,
    ) -> Option<Value> {
        let path = request.path.trim_end_matches('/').to_ascii_lowercase();
        let (scope, rest) = path.rsplit_once(PROVIDER)?;
        let subscription = scope.strip_prefix("/subscriptions/")?.split('/').next()?;
        let permissions = || {
            permissions(subscription)
                .unwrap_or_else(|| json!([role(&Role::deployed().all().collect::<Vec<_>>(), &[])]))
        };
        match rest {
            "permissions" => Some(json!({"value": permissions()})),
            "roleassignments" => {
                let filter = request.parameter("$filter").unwrap_or_default();
                let principal = filter.strip_prefix("assignedTo('").and_then(|rest| rest.strip_suffix("')"));
                let options = self.options();
                let ours = std::iter::once(&options.identity).chain(&options.system_identity);
                let assignments: Vec<Value> = ours
                    .filter(|identity| {
                        principal.is_none_or(|id| id.eq_ignore_ascii_case(&identity.object_id))
                    })
                    .map(|identity| assignment(subscription, &identity.object_id))
                    .collect();
                Some(json!({"value": assignments}))
            }
            _ if rest == format!("roledefinitions/{ROLE}") => Some(json!({
                "id": format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"),
                "name": ROLE, "type": "Microsoft.Authorization/roleDefinitions",
                "properties": {"roleName": "Diskseal", "type": "CustomRole", "permissions": permissions()},
            })),
            _ => None,
        }
    }
}

fn assignment(subscription: &str, principal: &str) -> Value {
    let provider = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization");
    json!({
        "id": format!("{provider}/roleAssignments/{principal}"), "name": principal,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "scope": format!("/subscriptions/{subscription}"), "principalId": principal,
            "principalType": "ServicePrincipal", "roleDefinitionId": format!("{provider}/roleDefinitions/{ROLE}"),
        },
    })
}

/// The permissions of one role.
pub(super) fn role(actions: &[&str], not_actions: &[&str]) -> Value {
    json!({"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []})
}
