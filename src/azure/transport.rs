//! The HTTP client for all requests: rustls, the system's root certificates (or `SSL_CERT_FILE`), no redirects, and
//! the proxies that the environment names.

use std::{error::Error, sync::Arc, time::Duration};

use azure_core::http::HttpClient;

mod proxies;

pub use proxies::proxy_faults;

/// Builds the client. Reading the root certificates is the slowest part of the start.
///
/// # Errors
/// The system's root certificates cannot be read: the cause, in words.
pub fn http_client() -> Result<Arc<dyn HttpClient>, String> {
    // Fails if the provider is installed already, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // A redirect could send the token to another host.
        .redirect(reqwest::redirect::Policy::none())
        // The library's own reading of the environment would send the identity endpoint's secret to a proxy.
        .no_proxy();
    let proxies = proxies::proxies(&|name| std::env::var(name).ok());
    let client = proxies.into_iter().fold(client, reqwest::ClientBuilder::proxy).build();
    let cause = |error: reqwest::Error| error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Ok(Arc::new(client.map_err(cause)?))
}
