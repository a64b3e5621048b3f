//! The OTLP exporter, made when it is first needed, and quiet about a collector that is not there.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use tracing::{info, warn};

/// Exports over OTLP. Making the HTTP client reads the system's roots, which the start need not wait
/// for; a collector that cannot be reached is told once, and once when it is back.
#[derive(Debug, Default)]
pub(super) struct Exporter {
    otlp: OnceLock<Result<OtlpExporter, String>>,
    resource: Option<Resource>,
    is_failing: AtomicBool,
}

impl Exporter {
    fn otlp(&self) -> Result<&OtlpExporter, OTelSdkError> {
        let made = self.otlp.get_or_init(|| {
            // Installed already, unless no request to ARM has been made yet; either is fine.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let mut otlp = OtlpExporter::builder().with_http().build().map_err(|error| error.to_string())?;
            if let Some(resource) = &self.resource {
                otlp.set_resource(resource);
            }
            Ok(otlp)
        });
        made.as_ref().map_err(|fault| OTelSdkError::InternalFailure(fault.clone()))
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = match self.otlp() {
            Ok(otlp) => otlp.export(batch).await,
            Err(error) => Err(error),
        };
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_failing => {
                warn!("traces are not exported, and nothing else is affected: {error}");
            }
            Ok(()) if was_failing => info!("traces are exported again"),
            _ => {}
        }
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = Some(resource.clone());
    }
}
