//! Settings: defaults, every fault at once, and what is refused.

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, Faults> {
    let lookup =
        |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::for_command(&lookup)
}

fn fault(name: &str, value: &str) -> String {
    match read(&[(name, value)]) {
        Ok(config) => panic!("{name}={value} was accepted: {config:?}"),
        Err(Faults(faults)) => {
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].name, name);
            faults[0].message.clone()
        }
    }
}

#[test]
fn without_settings_the_defaults_hold() {
    let config = read(&[]).unwrap();
    assert_eq!(config.policy.mode, Mode::Enforce);
    assert_eq!(config.arm_endpoint.as_str(), "https://management.azure.com/");
    assert_eq!(config.identity.audience, "https://management.azure.com/");
    assert_eq!(config.identity.credential, Credential::AzureCli);
    assert_eq!(config.deadline, Duration::from_secs(25));
    let names: Vec<_> = config.policy.tags.iter().map(TagRule::name).collect();
    assert_eq!(names, ["diskseal-auth-mode", "diskseal-sealed-at"]);
    assert_eq!(config.policy.exemptions.tag, None);
}

#[test]
fn an_empty_value_is_no_value() {
    let pairs: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, " ")).collect();
    assert_eq!(read(&pairs).unwrap().policy.tags.len(), 2);
}

#[test]
fn clouds_have_their_own_endpoint_and_audience_and_both_can_be_overridden() {
    for (cloud, endpoint, audience) in [
        ("AzurePublic", "https://management.azure.com/", "https://management.azure.com/"),
        (
            "azureusgovernment",
            "https://management.usgovcloudapi.net/",
            "https://management.core.usgovcloudapi.net/",
        ),
        ("AzureChina", "https://management.chinacloudapi.cn/", "https://management.chinacloudapi.cn/"),
    ] {
        let config = read(&[("DISKSEAL_CLOUD", cloud)]).unwrap();
        assert_eq!((config.arm_endpoint.as_str(), config.identity.audience.as_str()), (endpoint, audience));
    }
    let config = read(&[
        ("DISKSEAL_ARM_ENDPOINT", "http://127.0.0.1:8080"),
        ("DISKSEAL_ARM_AUDIENCE", "https://management.core.windows.net/"),
    ])
    .unwrap();
    assert_eq!(config.arm_endpoint.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.identity.audience, "https://management.core.windows.net/");
}

#[test]
fn every_fault_is_told_at_once_with_its_name_and_what_is_allowed() {
    let error = read(&[
        ("DISKSEAL_MODE", "on"),
        ("DISKSEAL_CLOUD", "AWS"),
        ("DISKSEAL_ARM_ENDPOINT", "http://example.com"),
        ("DISKSEAL_ARM_AUDIENCE", "management"),
        ("DISKSEAL_CREDENTIAL", "password"),
        ("AZURE_CLIENT_ID", "me"),
        ("DISKSEAL_TAGS", "a/b=c"),
        ("DISKSEAL_SUBSCRIPTIONS", "prod"),
        ("DISKSEAL_MANAGEMENT_GROUP", "a/b"),
        ("DISKSEAL_EXEMPT_SUBSCRIPTIONS", "[a"),
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", "a**b"),
        ("DISKSEAL_EXEMPT_NAMES", "[z"),
        ("DISKSEAL_EXEMPT_TAG", "a?b"),
        ("DISKSEAL_MAX_RESOURCES", "-1"),
        ("DISKSEAL_MAX_PERCENT", "101"),
        ("DISKSEAL_PACE", "0"),
        ("DISKSEAL_DEADLINE", "soon"),
    ])
    .unwrap_err();
    let text = error.to_string();
    assert_eq!(error.0.len(), 17, "{text}");
    for allowed in
        ["enforce, audit", "AzurePublic, AzureUSGovernment, AzureChina", "loopback only", "1 to 600"]
    {
        assert!(text.contains(allowed), "{allowed} is not in {text}");
    }
    assert!(text.starts_with("17 wrong settings:\n"));
}

#[test]
fn endpoints_that_would_leak_tokens_are_refused() {
    for url in [
        "http://management.azure.com",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "https://user:secret@management.azure.com",
        "https://management.azure.com/path",
        "https://management.azure.com/?x=1",
        "management.azure.com",
    ] {
        fault("DISKSEAL_ARM_ENDPOINT", url);
    }
    for url in ["http://localhost:1", "http://[::1]:1", "http://127.9.9.9:1", "https://arm.local"] {
        assert!(read(&[("DISKSEAL_ARM_ENDPOINT", url)]).is_ok(), "{url}");
    }
}

#[test]
fn azure_monitors_endpoints_are_whole_urls_of_their_signals_and_confidential() {
    let rule = "https://dce.westeurope-1.ingest.monitor.azure.com/datacollectionRules/dcr-1/streams";
    let metrics = format!("{rule}/Custom-Metrics-Otel/otlp/v1/metrics");
    let config = read(&[("DISKSEAL_AZURE_MONITOR_METRICS_ENDPOINT", &metrics)]).unwrap();
    assert_eq!(config.azure_monitor.endpoints().map(|(name, _)| name).collect::<Vec<_>>(), ["metrics"]);
    assert_eq!(config.azure_monitor.metrics.unwrap().as_str(), metrics);
    for url in [
        rule,
        &metrics,
        "http://dce.example/otlp/v1/traces",
        "https://user:secret@dce.example/otlp/v1/traces",
        "dce.example/otlp/v1/traces",
    ] {
        fault("DISKSEAL_AZURE_MONITOR_TRACES_ENDPOINT", url);
    }
    for (cloud, audience) in [
        ("AzurePublic", "https://monitor.azure.com"),
        ("AzureUSGovernment", "https://monitor.azure.us"),
        ("AzureChina", "https://monitor.azure.cn"),
    ] {
        assert_eq!(read(&[("DISKSEAL_CLOUD", cloud)]).unwrap().monitor_identity.audience, audience);
    }
}

#[test]
fn tags_are_checked_against_azures_rules_before_anything_starts() {
    for tags in ["novalue", "a<b=c", "x={nobody}", "x={sealed_at", "a=1,A=2", "azure-x=1", "=v"] {
        fault("DISKSEAL_TAGS", tags);
    }
    let long = format!("a={}", "v".repeat(257));
    fault("DISKSEAL_TAGS", &long);
    assert!(read(&[("DISKSEAL_TAGS", "none")]).unwrap().policy.tags.is_empty());
    assert_eq!(read(&[("DISKSEAL_TAGS", "team=sec, trace={trace_id}")]).unwrap().policy.tags.len(), 2);
}

#[test]
fn the_port_is_demanded_and_told_together_with_the_rest() {
    let serve = |pairs: &[(&str, &str)]| {
        let lookup =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::for_serve(&lookup)
    };
    let (config, port) = serve(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "7071")]).unwrap();
    assert_eq!((port, config.identity.credential), (7071, Credential::ManagedIdentity));
    for port in ["x", "0", "65536", "-1", "80 80"] {
        let Faults(faults) = serve(&[("FUNCTIONS_CUSTOMHANDLER_PORT", port)]).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("1 to 65535"), "{faults:?}");
    }
    let Faults(faults) = serve(&[("DISKSEAL_MODE", "on")]).unwrap_err();
    let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names, ["DISKSEAL_MODE", "FUNCTIONS_CUSTOMHANDLER_PORT"]);
}

#[test]
fn the_scope_is_subscriptions_or_a_management_group_and_never_both() {
    let id = "11111111-2222-4333-8444-555555555555";
    let scope = |pairs: &[(&str, &str)]| read(pairs).unwrap().policy.scope;
    assert_eq!(scope(&[]), Scope::Visible);
    assert_eq!(scope(&[("DISKSEAL_SUBSCRIPTIONS", id)]), Scope::Subscriptions(vec![id.to_owned()]));
    let group = ("DISKSEAL_MANAGEMENT_GROUP", "mg-prod");
    assert_eq!(scope(&[group]), Scope::ManagementGroup("mg-prod".to_owned()));
    let Faults(faults) = read(&[group, ("DISKSEAL_SUBSCRIPTIONS", id)]).unwrap_err();
    assert_eq!((faults.len(), faults[0].name), (1, "DISKSEAL_MANAGEMENT_GROUP"));
    assert!(faults[0].message.contains("together with DISKSEAL_SUBSCRIPTIONS"), "{faults:?}");
}
