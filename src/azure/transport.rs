//! The HTTP client under everything: rustls, the system's roots (or `SSL_CERT_FILE`), no redirects.

use std::{sync::Arc, time::Duration};

use azure_core::http::HttpClient;

/// Builds the client. Reading the roots takes longer than everything else at the start.
///
/// # Errors
/// The system's roots cannot be read.
pub fn http_client() -> Result<Arc<dyn HttpClient>, reqwest::Error> {
    // A second call finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // A token must not travel to wherever an answer points.
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    Ok(Arc::new(client))
}
