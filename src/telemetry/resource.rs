//! Who is speaking: resource attributes from the environment of Azure Functions.
//!
//! Sources: "Environment variables and app settings in Azure App Service", and the semantic
//! conventions for cloud, FaaS and service resources.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    attribute::{
        CLOUD_ACCOUNT_ID, CLOUD_PLATFORM, CLOUD_PROVIDER, CLOUD_REGION, CLOUD_RESOURCE_ID, FAAS_INSTANCE,
        FAAS_NAME, FAAS_VERSION, SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION,
    },
};

/// The resource of every span. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go before what the
/// platform says, as their specification demands.
pub(super) fn resource(lookup: &dyn Fn(&str) -> Option<String>) -> Resource {
    let standard = Resource::builder().build();
    let is_said = |attribute: &KeyValue| {
        let said = standard.get(&attribute.key).map(|value| value.to_string());
        // The SDK's placeholder for a service without a name.
        said.is_some_and(|value| !value.starts_with("unknown_service"))
    };
    let platform: Vec<_> = platform(lookup).into_iter().filter(|attribute| !is_said(attribute)).collect();
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
    if let Some(site) = &site {
        // "{subscription}+{resource group and region}webspace"
        let subscription = value("WEBSITE_OWNER_NAME")
            .and_then(|owner| owner.split_once('+').map(|(subscription, _)| subscription.to_owned()));
        let resource_id = subscription.as_ref().zip(value("WEBSITE_RESOURCE_GROUP")).map(|(id, group)| {
            format!("/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.Web/sites/{site}")
        });
        add(CLOUD_PROVIDER, Some("azure".to_owned()));
        add(CLOUD_PLATFORM, Some("azure.functions".to_owned()));
        add(CLOUD_REGION, value("REGION_NAME"));
        add(CLOUD_ACCOUNT_ID, subscription);
        add(CLOUD_RESOURCE_ID, resource_id);
        add(FAAS_NAME, Some(site.clone()));
        add(FAAS_VERSION, Some(env!("CARGO_PKG_VERSION").to_owned()));
        add(FAAS_INSTANCE, value("WEBSITE_INSTANCE_ID"));
        add(SERVICE_INSTANCE_ID, value("WEBSITE_INSTANCE_ID"));
    }

    attributes
}
