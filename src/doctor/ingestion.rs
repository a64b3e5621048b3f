//! The check of Azure Monitor's OTLP ingestion: whether it accepts our telemetry.
//!
//! Source: "Ingest OpenTelemetry Protocol signals into Azure Monitor".

use super::Finding;
use crate::arm;

const CHECK: &str = "telemetry";

/// Checks the answer to an empty export. Faults are warnings, because they leave nothing unsealed.
pub(super) fn ingestion(signal: &str, answer: Result<(), &arm::Error>) -> Finding {
    let about = format!("Azure Monitor, {signal}");
    let refused = |text: String, remedy: &str| Finding::warning(CHECK, about.clone(), text, remedy);
    match answer.map_err(|error| (error.status, error)) {
        Ok(()) => Finding::ok(CHECK, about, "it accepts exports"),
        Err((Some(401), _)) => refused(
            "it rejects the token".to_owned(),
            "set DISKSEAL_CLOUD to the cloud of the data collection endpoint",
        ),
        Err((Some(403), _)) => refused(
            "this identity may not export to it".to_owned(),
            "give the function app's identity the role Monitoring Metrics Publisher on the data collection rule",
        ),
        Err((Some(404), _)) => refused(
            "the stream does not exist".to_owned(),
            "compare the setting with the rule: az monitor data-collection rule show",
        ),
        Err((_, error)) => refused(
            format!("it does not accept exports: {error}"),
            "check the data collection endpoint's network access and DNS, from where the function app runs",
        ),
    }
}
