//! The OpenTelemetry resource: attributes of this process, from the environment of Azure Functions.
//!
//! Sources: "Environment variables and app settings in Azure App Service", and the semantic
//! conventions for cloud, FaaS and service resources.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    attribute::{
        CLOUD_ACCOUNT_ID, CLOUD_PLATFORM, CLOUD_PROVIDER, CLOUD_REGION, FAAS_INSTANCE, SERVICE_INSTANCE_ID,
        SERVICE_NAME, SERVICE_VERSION,
    },
};

static FUNCTION_APP: OnceLock<FunctionApp> = OnceLock::new();

/// The function app that this process belongs to. An app has several functions, so the attributes of one function
/// (`faas.name`, `cloud.resource_id`) are on the invocation's span, and not on the resource, as the conventions
/// require for Azure Functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionApp {
    /// The app's name.
    pub name: String,
    /// The app's ID in ARM, if the environment has its parts.
    pub resource_id: Option<String>,
}

/// The function app, if there is one.
pub fn function_app() -> Option<&'static FunctionApp> {
    FUNCTION_APP.get()
}

pub(super) fn remember_function_app(lookup: &dyn Fn(&str) -> Option<String>) {
    if let Some(app) = FunctionApp::from_lookup(lookup) {
        let _ = FUNCTION_APP.set(app);
    }
}

impl FunctionApp {
    pub(super) fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let value = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let name = value("WEBSITE_SITE_NAME")?;
        let resource_id = subscription_id(lookup).zip(value("WEBSITE_RESOURCE_GROUP")).map(|(id, group)| {
            format!("/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.Web/sites/{name}")
        });
        Some(Self { name, resource_id })
    }

    /// `faas.name` of one of its functions.
    pub fn faas_name(&self, function: &str) -> String {
        format!("{}/{function}", self.name)
    }

    /// `cloud.resource_id` of one of its functions.
    pub fn function_id(&self, function: &str) -> Option<String> {
        self.resource_id.as_ref().map(|id| format!("{id}/functions/{function}"))
    }
}

/// `WEBSITE_OWNER_NAME` is "{subscription}+{resource group and region}webspace".
fn subscription_id(lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let owner = lookup("WEBSITE_OWNER_NAME")?;
    owner.split_once('+').map(|(subscription, _)| subscription.to_owned())
}

/// The resource of every signal. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override the platform's
/// attributes, as their specification requires.
pub(super) fn resource(lookup: &dyn Fn(&str) -> Option<String>) -> Resource {
    let standard = Resource::builder().build();
    let is_set = |attribute: &KeyValue| {
        let set = standard.get(&attribute.key).map(|value| value.to_string());
        // The SDK's placeholder for a service without a name.
        set.is_some_and(|value| !value.starts_with("unknown_service"))
    };
    let platform: Vec<_> = platform(lookup).into_iter().filter(|attribute| !is_set(attribute)).collect();
    Resource::builder().with_attributes(platform).with_schema_url([], SCHEMA_URL).build()
}

fn platform(lookup: &dyn Fn(&str) -> Option<String>) -> Vec<KeyValue> {
    let value = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let mut attributes = vec![KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION"))];
    let mut add = |key: &'static str, value: Option<String>| {
        attributes.extend(value.map(|value| KeyValue::new(key, value)));
    };

    let site = value("WEBSITE_SITE_NAME");
    add(SERVICE_NAME, site.clone().or_else(|| Some("diskseal".to_owned())));
    if site.is_some() {
        add(CLOUD_PROVIDER, Some("azure".to_owned()));
        add(CLOUD_PLATFORM, Some("azure.functions".to_owned()));
        add(CLOUD_REGION, value("REGION_NAME"));
        add(CLOUD_ACCOUNT_ID, subscription_id(lookup));
        add(FAAS_INSTANCE, value("WEBSITE_INSTANCE_ID"));
        add(SERVICE_INSTANCE_ID, value("WEBSITE_INSTANCE_ID"));
    }

    attributes
}
