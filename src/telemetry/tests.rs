//! When traces are exported, what is continued, and who is speaking.

use opentelemetry_semantic_conventions::attribute::{CLOUD_ACCOUNT_ID, CLOUD_RESOURCE_ID, FAAS_NAME};

use super::*;

fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn traces_are_exported_where_an_endpoint_is_named_and_nothing_forbids_it() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces");
    for (pairs, exported) in [
        (vec![], false),
        (vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "")], false),
        (vec![endpoint], true),
        (vec![traces], true),
        (vec![endpoint, ("OTEL_SDK_DISABLED", "TRUE")], false),
        (vec![endpoint, ("OTEL_SDK_DISABLED", "false")], true),
        (vec![endpoint, ("OTEL_TRACES_EXPORTER", "none")], false),
        (vec![endpoint, ("OTEL_TRACES_EXPORTER", "otlp")], true),
    ] {
        assert_eq!(is_exporting(&lookup(&pairs)), exported, "{pairs:?}");
    }
}

#[test]
fn only_a_valid_traceparent_is_continued() {
    let trace = |traceparent: &str| TraceContext { traceparent: Some(traceparent.into()), tracestate: None };
    assert!(trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_valid());
    assert!(trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").is_valid());
    for invalid in [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "hello",
    ] {
        assert!(!trace(invalid).is_valid(), "{invalid}");
    }
    assert!(!TraceContext::default().is_valid());
}

#[test]
fn the_platform_says_who_is_speaking() {
    let resource = resource::resource(&lookup(&[
        ("WEBSITE_SITE_NAME", "func-seal"),
        ("WEBSITE_OWNER_NAME", "11111111-2222-4333-8444-555555555555+rg-seal-WestEuropewebspace-Linux"),
        ("WEBSITE_RESOURCE_GROUP", "rg-seal"),
    ]));
    let value = |key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
    assert_eq!(value(FAAS_NAME).as_deref(), Some("func-seal"));
    assert_eq!(value(CLOUD_ACCOUNT_ID).as_deref(), Some("11111111-2222-4333-8444-555555555555"));
    assert_eq!(
        value(CLOUD_RESOURCE_ID).as_deref(),
        Some(
            "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-seal/providers/Microsoft.Web/sites/func-seal"
        )
    );
    assert_eq!(resource.schema_url(), Some(SCHEMA_URL));
    let alone = resource::resource(&lookup(&[]));
    assert_eq!(alone.get(&"service.name".into()).map(|value| value.to_string()).as_deref(), Some("diskseal"));
    assert_eq!(alone.get(&"cloud.provider".into()), None);
}
