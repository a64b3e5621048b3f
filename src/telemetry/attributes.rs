//! The OpenTelemetry resource: attributes of this process, from the environment of Azure Functions.
//!
//! Sources: "Environment variables and app settings in Azure App Service", and the semantic
//! conventions for cloud, FaaS and service resources.

use std::{borrow::Cow, sync::OnceLock};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{Resource, resource::TelemetryResourceDetector};
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    attribute::{
        CLOUD_ACCOUNT_ID, CLOUD_PLATFORM, CLOUD_PROVIDER, CLOUD_REGION, FAAS_INSTANCE, SERVICE_INSTANCE_ID,
        SERVICE_NAME, SERVICE_VERSION,
    },
};
use percent_encoding::percent_decode_str;

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

/// The resource of every signal. `OTEL_RESOURCE_ATTRIBUTES` overrides the platform's attributes, and `OTEL_SERVICE_NAME`
/// both, as their specification requires ("Resource SDK"). The SDK would not decode their values.
pub(super) fn resource(lookup: &dyn Fn(&str) -> Option<String>) -> Resource {
    let given = lookup(RESOURCE_ATTRIBUTES).and_then(|text| given(&text).ok()).unwrap_or_default();
    let service = lookup("OTEL_SERVICE_NAME").filter(|name| !name.trim().is_empty());
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(platform(lookup))
        .with_attributes(given.into_iter().map(|(key, value)| KeyValue::new(key, value)))
        .with_attributes(service.map(|name| KeyValue::new(SERVICE_NAME, name)))
        .with_schema_url([], SCHEMA_URL)
        .build()
}

pub(super) const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// The attributes in `OTEL_RESOURCE_ATTRIBUTES`: pairs as in W3C Baggage, percent-encoded.
///
/// # Errors
/// One cannot be read. Then none is used, as the specification asks; says why.
pub(super) fn given(text: &str) -> Result<Vec<(String, String)>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let read = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
        (!key.is_empty()).then_some((key, value))
    };
    let fault = |entry: &str| {
        format!("is ignored: {entry:?} is not a key, \"=\" and a value, percent-encoded as in W3C Baggage")
    };
    entries.map(|entry| read(entry).ok_or_else(|| fault(entry))).collect()
}

/// A percent-encoded text (RFC 3986) as it is meant; none if it is not one, or not UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let is_encoded = text.split('%').skip(1).all(|part| {
        part.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    });
    let decoded = is_encoded.then(|| percent_decode_str(text).decode_utf8())?;
    decoded.ok().map(Cow::into_owned)
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
