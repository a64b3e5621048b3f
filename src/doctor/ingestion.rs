//! The check of Azure Monitor's OTLP ingestion: whether it accepts our telemetry.
//!
//! Source: "Ingest OpenTelemetry Protocol signals into Azure Monitor".

use super::Finding;
use crate::arm;

const CHECK: &str = "telemetry";

/// Checks the answer to an empty export. Faults are warnings, because they leave nothing unsealed.
///
/// The answer to a person says nothing of the handler's role, which is on the data collection rule.
pub(super) fn ingestion(signal: &str, answer: Result<(), &arm::Error>, is_person: bool) -> Finding {
    let about = format!("Azure Monitor, {signal}");
    let Err(error) = answer else { return Finding::ok(CHECK, about, "it accepts exports") };
    let unknown = format!("it does not accept exports: {error:#}");
    let (text, remedy) = match error.status {
        Some(401) => {
            ("it rejects the token", "set DISKSEAL_CLOUD to the cloud of the data collection endpoint")
        }
        Some(403) if is_person => (
            "not checked: this account may not export to it, and the handler's right cannot be seen",
            "diskseal doctor --try shows whether the handler's traces arrive; its identity needs the role Monitoring \
             Metrics Publisher on the data collection rule",
        ),
        Some(403) => (
            "this identity may not export to it",
            "give the function app's identity the role Monitoring Metrics Publisher on the data collection rule",
        ),
        Some(404) => (
            "the stream does not exist",
            "compare the setting with the rule: az monitor data-collection rule show",
        ),
        _ => (
            unknown.as_str(),
            "check the data collection endpoint's network access and DNS, from where the function app runs",
        ),
    };
    Finding::warning(CHECK, about, text, remedy)
}
