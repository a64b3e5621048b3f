//! Azure Monitor's OTLP ingestion: a data collection endpoint with the addresses of a data collection rule,
//! which requires a token of Microsoft Entra ID.
//!
//! Sources: "Ingest OpenTelemetry Protocol signals into Azure Monitor" (addresses, audience, role) and "Logs
//! Ingestion API in Azure Monitor" (refusals).

use std::{collections::HashSet, io, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::json;

use super::{BODY_MAX, Collector, Received, export};
use crate::{
    Emulator,
    options::Options,
    request::Request,
    serve::{Tls, listen},
    token::authenticate,
};

/// The audience of its tokens in the public cloud.
const AUDIENCE: &str = "https://monitor.azure.com";

/// The rule's immutable id.
const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";

/// Admits callers with a token for Azure Monitor.
#[derive(Debug)]
pub(super) struct Gate {
    emulator: Emulator,
    seen: Mutex<HashSet<String>>,
    revoked: Mutex<HashSet<String>>,
}

impl Gate {
    /// The response to a caller that is not admitted.
    pub(super) fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
        let inner = &self.emulator.inner;
        let options = Options { audiences: vec![AUDIENCE.to_owned()], ..inner.options.clone() };
        let request = Request {
            origin: String::new(),
            method: Method::POST,
            path: uri.path().to_owned(),
            query: String::new(),
            headers: headers.clone(),
            body: Bytes::new(),
        };
        let token = request.bearer().unwrap_or_default().to_owned();
        let is_good = authenticate(&options, &inner.secret, inner.clock.now(), &request).is_ok();
        let is_let_in = is_good && !self.revoked.lock().contains(&token);
        self.seen.lock().insert(token);
        (!is_let_in).then(|| {
            let message =
                "The authentication token provided is missing, has expired, or is for another audience.";
            let body = json!({"error": {"code": "InvalidToken", "message": message}}).to_string();
            (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        })
    }
}

impl Collector {
    /// Azure Monitor's ingestion on a port of loopback, with TLS.
    pub(crate) async fn of_azure_monitor(emulator: &Emulator, tls: &Tls, port: u16) -> io::Result<Self> {
        let emulator = emulator.clone();
        let gate = Gate { emulator, seen: Mutex::default(), revoked: Mutex::default() };
        let received = Arc::new(Received { gate: Some(gate), ..Received::default() });
        let stream = |name: &str| format!("/datacollectionRules/{RULE}/streams/{name}");
        let app = Router::new()
            .route(&format!("{}/otlp/v1/traces", stream("Microsoft-OTLP-Traces")), post(export))
            .route(&format!("{}/otlp/v1/metrics", stream("Custom-Metrics-Otel")), post(export))
            .route(&format!("{}/otlp/v1/logs", stream("Microsoft-OTLP-Logs")), post(export))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(Arc::clone(&received));
        let (server, address) = listen(port, app, Some(tls)).await?;
        Ok(Self { endpoint: format!("https://localhost:{}", address.port()), received, server })
    }

    /// Refuses, from now on, every token that was used so far, as after a revoked session.
    pub fn revoke_tokens(&self) {
        if let Some(gate) = &self.received.gate {
            gate.revoked.lock().extend(gate.seen.lock().iter().cloned());
        }
    }

    /// The full address of a signal (`traces`, `metrics` or `logs`) in Azure Monitor's ingestion.
    pub fn ingestion(&self, signal: &str) -> String {
        let stream = match signal {
            "traces" => "Microsoft-OTLP-Traces",
            "metrics" => "Custom-Metrics-Otel",
            _ => "Microsoft-OTLP-Logs",
        };
        format!("{}/datacollectionRules/{RULE}/streams/{stream}/otlp/v1/{signal}", self.endpoint)
    }
}
