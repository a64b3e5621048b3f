//! Each variable has a value that is named as wrong, and each value of the specification has its meaning.

use std::time::Duration;

use opentelemetry_sdk::{metrics::Temporality, trace::Sampler};

use super::{super::signal, *};

fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn faults_of(pairs: &[(&str, &str)]) -> Vec<String> {
    faults(&lookup(pairs))
}

#[test]
fn each_variable_has_a_value_that_is_reported_by_name() {
    let of_exporter = EXPORTER.iter().flat_map(|(what, _)| {
        let own = Signal::ALL.map(|signal| format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name()));
        own.into_iter().chain([format!("OTEL_EXPORTER_OTLP_{what}")])
    });
    for name in of_exporter.chain(OTHERS.iter().map(|(name, _)| (*name).to_owned())) {
        let faults = faults_of(&[(&name, "-1 %zz")]);
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        assert!(faults[0].starts_with(&name), "{faults:?}");
        assert_eq!(faults_of(&[(&name, " ")]), Vec::<String>::new(), "{name}: empty counts as not set");
    }
}

#[test]
fn values_of_the_specification_are_read_in_any_case() {
    for pairs in [
        &[("OTEL_SDK_DISABLED", "False")][..],
        &[("OTEL_TRACES_EXPORTER", "NONE")],
        &[("OTEL_LOGS_EXPORTER", "OTLP")],
        &[("OTEL_TRACES_SAMPLER", "ParentBased_Always_Off")],
        &[("OTEL_TRACES_SAMPLER", "TraceIdRatio"), ("OTEL_TRACES_SAMPLER_ARG", "0")],
        &[("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_TRACES_SAMPLER_ARG", "x")],
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/protobuf")],
        &[("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/Protobuf ")],
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "GZip")],
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "NONE")],
        &[("OTEL_EXPORTER_OTLP_TIMEOUT", " 500 ")],
        &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,x=1==2, y = z")],
        &[("OTEL_PROPAGATORS", "TraceContext,baggage")],
        &[(TEMPORALITY, "LowMemory")],
        &[("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,")],
    ] {
        assert_eq!(faults_of(pairs), Vec::<String>::new(), "{pairs:?}");
    }
}

#[test]
fn values_that_cannot_be_read_are_reported_once() {
    for (name, value) in [
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1.5"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-site=caf%C3%A9"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-site=café"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-site=100%"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-site=a%0D%0Ab"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%C3"),
    ] {
        let faults = faults_of(&[(name, value)]);
        assert_eq!(faults.len(), 1, "{name}={value}: {faults:?}");
    }
    let ratio = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "25")];
    assert!(faults_of(&ratio)[0].starts_with("OTEL_TRACES_SAMPLER_ARG"), "{:?}", faults_of(&ratio));
    assert!(faults_of(&ratio[..1])[0].starts_with("OTEL_TRACES_SAMPLER_ARG"));
}

#[test]
fn a_header_is_named_without_its_value() {
    let pairs = [("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret-é,secret-token,ok=secret")];
    let [fault] = &faults_of(&pairs)[..] else { panic!("{:?}", faults_of(&pairs)) };
    assert!(fault.contains("api-key") && !fault.contains("secret"), "{fault}");
}

#[test]
fn samplers_have_the_meaning_of_their_names() {
    let named = |name: &str, argument: &str| {
        let pairs = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)];
        format!("{:?}", signal::spans_sampler(&lookup(&pairs)))
    };
    let parent = |root| format!("{:?}", Some(Sampler::ParentBased(Box::new(root))));
    for (name, argument, expected) in [
        ("ALWAYS_OFF", "", format!("{:?}", Some(Sampler::AlwaysOff))),
        ("always_on", "0", format!("{:?}", Some(Sampler::AlwaysOn))),
        ("TraceIdRatio", "0", format!("{:?}", Some(Sampler::TraceIdRatioBased(0.0)))),
        ("traceidratio", " 0.25 ", format!("{:?}", Some(Sampler::TraceIdRatioBased(0.25)))),
        ("traceidratio", "25", format!("{:?}", Some(Sampler::TraceIdRatioBased(1.0)))),
        ("parentbased_TRACEIDRATIO", "0.5", parent(Sampler::TraceIdRatioBased(0.5))),
        ("ParentBased_Always_Off", "", parent(Sampler::AlwaysOff)),
        ("parentbased_always_on", "", parent(Sampler::AlwaysOn)),
        ("always", "", "None".to_owned()),
        ("", "0", "None".to_owned()),
    ] {
        assert_eq!(named(name, argument), expected, "{name} {argument}");
    }
}

#[test]
fn numbers_that_cannot_be_read_leave_the_default() {
    let of = |value: &str| {
        let pairs = [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", value),
            ("OTEL_BSP_SCHEDULE_DELAY", value),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", value),
            ("OTEL_METRIC_EXPORT_INTERVAL", value),
        ];
        let lookup = lookup(&pairs);
        let traces = Signal::Traces;
        let times =
            [traces.timeout(&lookup), traces.schedule_delay(&lookup), signal::metric_interval(&lookup)];
        (times.map(|time| Duration::as_millis(&time)), traces.batch_size(&lookup))
    };
    for value in ["", "10s", "-1", "1.5"] {
        assert_eq!(of(value), ([10_000, 1_000, 10_000], 512), "{value}");
    }
    assert_eq!(of(" 20 "), ([20, 20, 20], 20));
    assert_eq!(of("0"), ([10_000, 1, 10_000], 512));
    let delta = [(TEMPORALITY, "DELTA")];
    assert_eq!(signal::temporality(&lookup(&delta)), Some(Temporality::Delta));
}

#[test]
fn resource_attributes_are_decoded_and_an_unreadable_list_is_not_used() {
    let value = |pairs: &[(&str, &str)], key: &'static str| {
        let resource = attributes::resource(&lookup(pairs));
        resource.get(&key.into()).map(|value| value.to_string())
    };
    let given = "deployment.environment.name=prod%20eu,team=a%2Cb,site=caf%C3%A9,my%20key=%3D";
    let pairs = [("OTEL_RESOURCE_ATTRIBUTES", given)];
    for (key, expected) in [
        ("deployment.environment.name", "prod eu"),
        ("team", "a,b"),
        ("site", "café"),
        ("my key", "="),
        ("service.name", "diskseal"),
        ("telemetry.sdk.language", "rust"),
    ] {
        assert_eq!(value(&pairs, key).as_deref(), Some(expected), "{key}");
    }
    let broken = [("OTEL_RESOURCE_ATTRIBUTES", "team=a,site=100%")];
    assert_eq!(value(&broken, "team"), None);
    let named = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=a%20b"), ("WEBSITE_SITE_NAME", "func")];
    assert_eq!(value(&named, "service.name").as_deref(), Some("a b"));
    let both = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"), ("OTEL_SERVICE_NAME", "100%25")];
    assert_eq!(value(&both, "service.name").as_deref(), Some("100%25"));
}
