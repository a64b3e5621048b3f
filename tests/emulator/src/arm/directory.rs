//! Subscriptions, tenants, and the metadata of the cloud that a client reads before it signs in.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{Emulator, answer::Answer, refusal::Refusal, route::Route};

impl Emulator {
    pub(super) fn check_subscription(&self, route: &Route) -> Result<(), Refusal> {
        let Some(id) = route.subscription() else { return Ok(()) };
        if uuid::Uuid::try_parse(id).is_err() {
            let message = "The provided subscription identifier '{subscription}' is malformed or invalid.";
            return Err(Refusal::new(400, "InvalidSubscriptionId", message));
        }
        let known = &self.inner.options.subscriptions;
        if known.is_empty() || known.iter().any(|known| known.eq_ignore_ascii_case(id)) {
            return Ok(());
        }
        Err(Refusal::subscription_not_found())
    }

    pub(super) fn subscriptions(&self) -> Answer {
        let mut ids = self.inner.options.subscriptions.clone();
        if ids.is_empty() {
            ids.extend(
                self.inner.state.lock().resources.values().map(|stored| stored.id.subscription.clone()),
            );
            ids.sort_unstable_by_key(|id| id.to_ascii_lowercase());
            ids.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        }
        let value: Vec<Value> = ids.iter().map(|id| self.describe(id)).collect();
        let count = json!({"type": "Total", "value": value.len()});
        Answer::json(StatusCode::OK, &json!({"value": value, "count": count}))
    }

    pub(super) fn subscription(&self, id: &str) -> Answer {
        Answer::json(StatusCode::OK, &self.describe(id))
    }

    fn describe(&self, id: &str) -> Value {
        let given = self.inner.options.subscription_names.get(id).cloned();
        let name = given.unwrap_or_else(|| format!("Local {}", id.split('-').next().unwrap_or(id)));
        json!({
            "id": format!("/subscriptions/{id}"),
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": id,
            "tenantId": self.inner.options.tenant_id,
            "displayName": name,
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"
            }
        })
    }

    pub(super) fn tenants(&self) -> Answer {
        let tenant = &self.inner.options.tenant_id;
        let one = json!({
            "id": format!("/tenants/{tenant}"), "tenantId": tenant, "displayName": "Local", "tenantCategory": "Home",
            "countryCode": "DE", "defaultDomain": "local.example", "domains": ["local.example"]
        });
        Answer::json(StatusCode::OK, &json!({"value": [one]}))
    }

    /// The locations in responses.
    pub(super) fn regions(&self) -> String {
        self.inner.options.region.to_ascii_lowercase()
    }
}

/// The response for `az cloud register --endpoint-resource-manager`. All endpoints that would receive a
/// secret or a token are on the origin of the request, so that none leaves this machine.
pub(super) fn endpoints(origin: &str) -> Answer {
    let body = json!({
        "name": "Local",
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": origin,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD"
        },
        "resourceManager": origin,
        "graph": "https://graph.windows.net/",
        "graphAudience": "https://graph.windows.net/",
        "gallery": "https://gallery.azure.com/",
        "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"}
    });
    Answer::json(StatusCode::OK, &body)
}
