//! Checks of the handler's own identity and roles, by an account that may read them.
//!
//! Sources: "Web Apps - Get" (`identity`), "How to use managed identities for App Service" (`AZURE_CLIENT_ID` names
//! one of several user-assigned identities; without it the system-assigned one is used).

use serde_json::Value;

use super::Finding;
use crate::{
    arm::{Permissions, api},
    azure::Terms,
    enforce::Context,
};

const CHECK: &str = "identity";

/// The managed identity of the function app, as its directory knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handler {
    /// The object ID of its service principal.
    pub(super) principal_id: String,
}

/// Finds the identity with which the handler in a function app signs in. `client_id` is the app's setting
/// `AZURE_CLIENT_ID`.
pub(super) async fn find(
    ctx: &Context,
    app: &str,
    client_id: Option<&str>,
    terms: Terms,
) -> Result<(Handler, Finding), Finding> {
    let site = ctx.arm.inspect(&api::SITE, app, terms).await;
    let site = site.map_err(|error| Finding::unreadable(CHECK, app, api::SITE.action, &error))?;
    let handler = of_site(&site, client_id).ok_or_else(|| {
        let text = match client_id {
            Some(id) => {
                format!("the app has no identity with the client ID {id}, which AZURE_CLIENT_ID names")
            }
            None => "the app has no system-assigned identity, and AZURE_CLIENT_ID names no other".to_owned(),
        };
        Finding::failed(
            CHECK,
            app,
            text,
            "assign the identity to the app, and set AZURE_CLIENT_ID to its client ID",
        )
    })?;
    let text =
        format!("the handler's identity has the object ID {}; its roles are checked", handler.principal_id);
    Ok((handler, Finding::ok(CHECK, app, text)))
}

fn of_site(site: &Value, client_id: Option<&str>) -> Option<Handler> {
    let identity = &site["identity"];
    let principal = |value: &Value| {
        let id = value["principalId"].as_str().filter(|id| !id.is_empty())?;
        // It goes into a filter of the list of role assignments.
        let is_guid = id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        is_guid.then(|| Handler { principal_id: id.to_owned() })
    };
    let assigned = || identity["userAssignedIdentities"].as_object().into_iter().flat_map(|all| all.values());
    match client_id {
        Some(client_id) => assigned()
            .find(|one| one["clientId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(client_id)))
            .and_then(principal),
        None => principal(identity),
    }
}

/// The permissions to check in a scope: those of the handler's identity, or those of this command's.
pub(super) async fn permissions(
    ctx: &Context,
    handler: Option<&Handler>,
    subscription_id: &str,
    terms: Terms,
) -> Result<Permissions, Finding> {
    let (read, api) = if let Some(Handler { principal_id }) = handler {
        let scope = format!("/subscriptions/{subscription_id}");
        (ctx.arm.permissions_of(principal_id, &scope, terms).await, &api::ROLE_ASSIGNMENTS)
    } else {
        (ctx.arm.permissions(subscription_id, terms).await, &api::PERMISSIONS)
    };
    read.map_err(|error| Finding::unreadable("permissions", subscription_id, api.action, &error))
}

/// Checks that the handler may read the switch, which may be outside of its scope.
pub(super) async fn reads_switch(
    ctx: &Context,
    handler: &Handler,
    scope: &str,
    terms: Terms,
) -> Option<Finding> {
    const SWITCH: &str = "switch";
    let action = api::TAGS.action?;
    match ctx.arm.permissions_of(&handler.principal_id, scope, terms).await {
        Ok(permissions) if permissions.allow(action) => None,
        Ok(_) => Some(Finding::failed(
            SWITCH,
            scope,
            format!("the handler lacks {action} there, so for it the switch counts as on"),
            format!("give the handler's identity {action} on it; infra/ gives it the role Reader there"),
        )),
        Err(error) => Some(Finding::unreadable(SWITCH, scope, api::ROLE_ASSIGNMENTS.action, &error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "11110000-0000-4000-8000-000000000001";
    const TWO: &str = "11110000-0000-4000-8000-000000000002";

    #[test]
    fn the_identity_is_the_one_that_the_setting_names_or_that_of_the_system() {
        let assigned = |ids: &[(&str, &str)]| {
            let all = ids.iter().map(|(principal, client)| {
                (format!("/id/{client}"), json!({"principalId": principal, "clientId": client}))
            });
            json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": all.collect::<serde_json::Map<_, _>>()}})
        };
        let mut both = assigned(&[(TWO, "c2")]);
        both["identity"]["principalId"] = json!(ONE);
        for (site, client_id, expected) in [
            (assigned(&[(ONE, "c1"), (TWO, "c2")]), Some("C2"), Some(TWO)),
            (assigned(&[(ONE, "c1")]), None, None),
            (assigned(&[(ONE, "c1")]), Some("c2"), None),
            (both.clone(), None, Some(ONE)),
            (both, Some("c2"), Some(TWO)),
            (json!({"identity": {"type": "None"}}), None, None),
            (json!({}), None, None),
            (assigned(&[("x') or (1 eq 1", "c1")]), Some("c1"), None),
        ] {
            let found = of_site(&site, client_id).map(|handler| handler.principal_id);
            assert_eq!(found.as_deref(), expected, "{site} {client_id:?}");
        }
    }
}
