//! Function apps: sites with tags and app settings, to be found and read, never changed.
//!
//! Sources: the REST reference, "Web Apps - Get" (`identity`), "Web Apps - List", "Web Apps - List Application Settings" (a POST
//! without a body, allowed by `Microsoft.Web/sites/config/list/action`, which the role Reader has not; its answer is
//! a `StringDictionary`, and holds a reference to Key Vault as its own text); "Azure Resource Graph table and resource
//! type reference", `resources`, `microsoft.web/sites`.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{Emulator, answer::Answer, refusal::Refusal};

/// A function app.
#[derive(Debug)]
pub(crate) struct Site {
    /// The id in the case in which it was created.
    id: String,
    tags: Map<String, Value>,
    settings: Map<String, Value>,
}

impl Site {
    fn segment(&self, place: usize) -> &str {
        self.id.split('/').nth(place).unwrap_or_default()
    }

    fn body(&self) -> Value {
        json!({
            "id": self.id, "name": self.segment(8), "type": "Microsoft.Web/sites", "kind": "functionapp,linux",
            "location": "West Europe", "tags": self.tags, "properties": {"state": "Running", "enabled": true}
        })
    }

    /// The row of Resource Graph.
    pub(crate) fn row(&self) -> Map<String, Value> {
        let mut row = self.body();
        row["type"] = json!("microsoft.web/sites");
        row["resourceGroup"] = json!(self.segment(4).to_ascii_lowercase());
        row["subscriptionId"] = json!(self.segment(2));
        row.as_object().cloned().unwrap_or_default()
    }

    pub(crate) fn subscription(&self) -> String {
        self.segment(2).to_ascii_lowercase()
    }
}

impl Emulator {
    /// Creates or replaces a function app with these tags and app settings.
    pub fn put_site(&self, id: &str, tags: &[(&str, &str)], settings: &[(&str, &str)]) {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>()
        };
        let site = Site { id: id.to_owned(), tags: map(tags), settings: map(settings) };
        self.inner.state.lock().sites.insert(id.to_ascii_lowercase(), site);
    }

    /// The same with the tag that `infra/` gives to all that it creates.
    pub fn install(&self, id: &str, settings: &[(&str, &str)]) {
        self.put_site(id, &[("application", "diskseal")], settings);
    }

    /// With its identities: the user-assigned one, and that of the system if there is one.
    pub(super) fn get_site(&self, id: &str) -> Result<Answer, Refusal> {
        let options = self.options();
        let assigned = &options.identity;
        let mut identity = json!({"type": "UserAssigned", "userAssignedIdentities": {
            &assigned.resource_id: {"principalId": assigned.object_id, "clientId": assigned.client_id}}});
        if let Some(system) = &options.system_identity {
            identity["type"] = json!("SystemAssigned, UserAssigned");
            identity["principalId"] = json!(system.object_id);
        }
        self.of_site(id, |site| {
            let mut body = site.body();
            body["identity"] = identity.clone();
            body
        })
    }

    pub(super) fn list_site_settings(&self, id: &str) -> Result<Answer, Refusal> {
        self.of_site(id, |site| {
            json!({
                "id": format!("{}/config/appsettings", site.id), "name": "appsettings",
                "type": "Microsoft.Web/sites/config", "location": "West Europe", "properties": site.settings
            })
        })
    }

    pub(super) fn list_sites(&self, subscription: &str) -> Answer {
        let wanted = subscription.to_ascii_lowercase();
        let state = self.inner.state.lock();
        let sites = state.sites.values().filter(|site| site.subscription() == wanted);
        let value: Vec<Value> = sites.map(Site::body).collect();
        Answer::json(StatusCode::OK, &json!({"value": value}))
    }

    fn of_site(&self, id: &str, body: impl Fn(&Site) -> Value) -> Result<Answer, Refusal> {
        let state = self.inner.state.lock();
        let site = state.sites.get(&id.to_ascii_lowercase());
        let missing = || {
            let name = id.rsplit('/').next().unwrap_or_default();
            let message = format!("The Resource 'Microsoft.Web/sites/{name}' was not found.");
            Refusal::new(404, "ResourceNotFound", &message)
        };
        site.map(|site| Answer::json(StatusCode::OK, &body(site))).ok_or_else(missing)
    }
}
