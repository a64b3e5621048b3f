//! What is wrong with the standard variables: values that cannot be read, and variables that have no effect here.
//!
//! "OpenTelemetry Environment Variable Specification": a value that an implementation does not recognize is ignored with
//! a warning; names of an enumeration are read in any case.

use super::{
    attributes,
    signal::{Lookup, Signal, TEMPORALITY, is_word, ratio, sampler, value, whole},
};

/// What is said of a variable that is set; the end of a sentence that begins with its name.
#[derive(Clone, Copy)]
enum Rule {
    /// What is wrong with the value, and what applies instead.
    Read(fn(&str) -> Option<String>),
    /// It has no effect: what applies instead.
    Ignored(&'static str),
}

use Rule::{Ignored, Read};

impl Rule {
    fn fault(self, text: &str) -> Option<String> {
        match self {
            Read(fault) => fault(text),
            Ignored(instead) => Some(format!("is ignored: {instead}")),
        }
    }
}

const TIMEOUTS: Rule = Ignored("OTEL_EXPORTER_OTLP_TIMEOUT limits each export");
const LIMITS: Rule = Ignored("only the counts of a span's attributes, events and links have limits");
const FILES: Rule = Ignored("a configuration file is not supported");

/// A variable of one signal, or of all: `OTEL_EXPORTER_OTLP_{signal}_{what}`, `OTEL_EXPORTER_OTLP_{what}`.
const EXPORTER: [(&str, Rule); 8] = [
    (
        "PROTOCOL",
        Read(|text| {
            (!is_word(text, "http/protobuf"))
                .then(|| "is not supported: telemetry is exported over http/protobuf".to_owned())
        }),
    ),
    ("TIMEOUT", Read(|text| positive(text, "each export may take 10 s"))),
    (
        "COMPRESSION",
        Read(|text| {
            let is_known = ["gzip", "none"].iter().any(|word| is_word(text, word));
            (!is_known).then(|| "is not supported: nothing is compressed".to_owned())
        }),
    ),
    ("HEADERS", Read(headers)),
    ("CERTIFICATE", Ignored("the system's root certificates apply, or those of SSL_CERT_FILE")),
    ("CLIENT_CERTIFICATE", Ignored("no client certificate is sent")),
    ("CLIENT_KEY", Ignored("no client certificate is sent")),
    ("INSECURE", Ignored("the scheme of the endpoint decides")),
];

/// Variables with a name of their own.
const OTHERS: [(&str, Rule); 34] = [
    (
        "OTEL_SDK_DISABLED",
        Read(|text| {
            let is_known = ["true", "false"].iter().any(|word| is_word(text, word));
            (!is_known).then(|| "is neither true nor false; telemetry is not disabled".to_owned())
        }),
    ),
    ("OTEL_TRACES_EXPORTER", Read(exporters)),
    ("OTEL_METRICS_EXPORTER", Read(exporters)),
    ("OTEL_LOGS_EXPORTER", Read(exporters)),
    (
        "OTEL_TRACES_SAMPLER",
        Read(|text| sampler(text, None).is_none().then(|| "is unknown, and counts as not set".to_owned())),
    ),
    ("OTEL_RESOURCE_ATTRIBUTES", Read(|text| attributes::given(text).err())),
    (
        "OTEL_PROPAGATORS",
        Read(|text| {
            let names = || text.split(',').map(str::trim);
            let is_known = names()
                .all(|name| ["tracecontext", "baggage"].iter().any(|word| is_word(name, word)))
                && names().any(|name| is_word(name, "tracecontext"));
            (!is_known).then(|| "is ignored: traces are continued as W3C Trace Context has it".to_owned())
        }),
    ),
    ("OTEL_BSP_SCHEDULE_DELAY", Read(|text| whole_number(text, "spans are sent after 1 s at most"))),
    ("OTEL_BLRP_SCHEDULE_DELAY", Read(|text| whole_number(text, "log records are sent after 1 s at most"))),
    ("OTEL_BSP_MAX_QUEUE_SIZE", Read(|text| positive(text, "2048 spans are queued"))),
    ("OTEL_BLRP_MAX_QUEUE_SIZE", Read(|text| positive(text, "2048 log records are queued"))),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Read(|text| positive(text, "512 spans are sent at once"))),
    ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", Read(|text| positive(text, "512 log records are sent at once"))),
    ("OTEL_BSP_EXPORT_TIMEOUT", TIMEOUTS),
    ("OTEL_BLRP_EXPORT_TIMEOUT", TIMEOUTS),
    ("OTEL_METRIC_EXPORT_TIMEOUT", TIMEOUTS),
    ("OTEL_METRIC_EXPORT_INTERVAL", Read(|text| positive(text, "metrics are exported every 10 s"))),
    (
        TEMPORALITY,
        Read(|text| {
            let is_known = ["cumulative", "delta", "lowmemory"].iter().any(|word| is_word(text, word));
            (!is_known).then(|| "is none of cumulative, delta and lowmemory; cumulative is used".to_owned())
        }),
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        Read(|text| {
            let fault = || "is ignored: histograms have explicit buckets".to_owned();
            (!is_word(text, "explicit_bucket_histogram")).then(fault)
        }),
    ),
    (
        "OTEL_METRICS_EXEMPLAR_FILTER",
        Read(|text| (!is_word(text, "always_off")).then(|| "is ignored: there are no exemplars".to_owned())),
    ),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", Read(|text| whole_number(text, "a span has 128 attributes at most"))),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", Read(|text| whole_number(text, "a span has 128 events at most"))),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", Read(|text| whole_number(text, "a span has 128 links at most"))),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", LIMITS),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMITS),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMITS),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", LIMITS),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", LIMITS),
    ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", LIMITS),
    ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMITS),
    ("OTEL_LOG_LEVEL", Ignored("RUST_LOG chooses the messages")),
    ("OTEL_CONFIG_FILE", FILES),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", FILES),
    ("OTEL_ENTITIES", Ignored("OTEL_RESOURCE_ATTRIBUTES describes the service")),
];

/// One sentence for each variable that cannot be read or has no effect. Of headers, only the names are repeated.
pub(super) fn faults(lookup: Lookup<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut judge = |name: String, rule: Rule| {
        if let Some(text) = value(lookup, &name)
            && !is_reference(&text)
            && let Some(fault) = rule.fault(text.trim())
        {
            let shown = if name.ends_with("HEADERS") { String::new() } else { format!("={text:?}") };
            faults.push(format!("{name}{shown} {fault}"));
        }
    };
    for (what, rule) in EXPORTER {
        judge(format!("OTEL_EXPORTER_OTLP_{what}"), rule);
        for signal in Signal::ALL {
            judge(format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name()), rule);
        }
    }
    for (name, rule) in OTHERS {
        judge(name.to_owned(), rule);
    }
    faults.extend(sampler_argument(lookup));
    faults
}

/// Whether it is a reference to Key Vault or App Configuration, which is reported as such, without its text.
fn is_reference(text: &str) -> bool {
    text.trim_start().starts_with("@Microsoft.")
}

/// The sampler's argument matters only to the samplers that have one.
fn sampler_argument(lookup: Lookup<'_>) -> Option<String> {
    let name = value(lookup, "OTEL_TRACES_SAMPLER")?;
    let has_ratio = ["traceidratio", "parentbased_traceidratio"].iter().any(|word| is_word(&name, word));
    let given = value(lookup, "OTEL_TRACES_SAMPLER_ARG");
    let is_usable = given.as_deref().and_then(ratio).is_some();
    (has_ratio && !is_usable).then(|| {
        let given = given.unwrap_or_default();
        format!("OTEL_TRACES_SAMPLER_ARG={given:?} is not a number from 0 to 1; every trace is sampled")
    })
}

fn exporters(text: &str) -> Option<String> {
    let is_known = |name: &str| ["otlp", "none"].iter().any(|word| is_word(name, word));
    let unknown = text.split(',').map(str::trim).find(|name| !is_known(name))?;
    Some(format!("names {unknown:?}, which is not supported: only otlp is"))
}

fn whole_number(text: &str, instead: &str) -> Option<String> {
    whole(text).is_none().then(|| format!("is not a whole number; {instead}"))
}

fn positive(text: &str, instead: &str) -> Option<String> {
    let is_positive = whole(text).is_some_and(|number| number > 0);
    (!is_positive).then(|| format!("is not a positive whole number; {instead}"))
}

/// Headers are sent one by one: those that HTTP cannot have are left out.
fn headers(text: &str) -> Option<String> {
    let unusable: Vec<_> = text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .filter_map(|entry| {
            let Some((name, given)) = entry.split_once('=') else {
                // It may be a key, so it is not repeated.
                return Some("an entry without \"=\"".to_owned());
            };
            let name = name.trim();
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            let sent = attributes::decoded(given.trim());
            let is_sent =
                sent.as_deref().is_some_and(|sent| !sent.is_empty() && sent.chars().all(is_sendable));
            (!(is_name && is_sent)).then(|| format!("{name:?}"))
        })
        .collect();
    let fault = || format!("has headers that cannot be sent as they are: {}", unusable.join(", "));
    (!unusable.is_empty()).then(fault)
}

/// Visible ASCII, and the space (RFC 9110, "Field Values").
fn is_sendable(c: char) -> bool {
    c == ' ' || c == '\t' || c.is_ascii_graphic()
}

#[cfg(test)]
mod tests;
