//! Permissions and role assignments, as far as a test does not define others (`facts`).
//!
//! Sources: the REST reference, "Permissions - List", "Role Assignments - List For Scope", "Role Definitions - Get By
//! ID"; "List Azure role assignments using the REST API", filter `assignedTo`. Both managed identities have the
//! deployed role on every subscription. The role of a subscription allows what its permissions do, so a test defines
//! both with `set_permissions`.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::{
    Emulator, context::Context, options::ManagedIdentity, refusal::Refusal, request::Request, role::Role,
    route::Route,
};

/// The role definition's name.
const ROLE: &str = "d15c5ea1-0000-4000-8000-000000000001";
const PROVIDER: &str = "/providers/microsoft.authorization/";

impl Emulator {
    /// Deletes the role assignments of both managed identities: whatever they ask of Resource Manager is refused
    /// ("Troubleshoot Azure RBAC", 403 `AuthorizationFailed`). A signed URL of an operation still answers.
    pub fn remove_role(&self) {
        self.inner.is_without_role.store(true, Ordering::Relaxed);
    }

    /// Our managed identities.
    fn ours(&self) -> impl Iterator<Item = &ManagedIdentity> {
        let options = self.options();
        std::iter::once(&options.identity).chain(&options.system_identity)
    }

    /// Refuses a managed identity whose role is gone.
    pub(super) fn check_role(&self, context: &Context) -> Result<(), Refusal> {
        let caller = &context.caller.object_id;
        let is_ours = self.ours().any(|identity| identity.object_id.eq_ignore_ascii_case(caller));
        let is_signed = matches!(context.route, Route::Operation { .. });
        if is_ours && !is_signed && self.inner.is_without_role.load(Ordering::Relaxed) {
            return Err(Refusal::authorization_failed());
        }
        Ok(())
    }

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
                .unwrap_or_else(|| json!([role(&Role::deployed().installed().collect::<Vec<_>>(), &[])]))
        };
        match rest {
            "permissions" => Some(json!({"value": permissions()})),
            "roleassignments" => {
                let filter = request.parameter("$filter").unwrap_or_default();
                let principal = filter.strip_prefix("assignedTo('").and_then(|rest| rest.strip_suffix("')"));
                let has_role = !self.inner.is_without_role.load(Ordering::Relaxed);
                let assignments: Vec<Value> = self
                    .ours()
                    .filter(|_| has_role)
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
