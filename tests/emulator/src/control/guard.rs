//! Who may use the control surface: programs on this machine, and pages that it served.
//!
//! It has no credentials, so a foreign page must not be able to use it through a browser on this machine. No
//! response allows another origin (there are no CORS headers), and:
//! - `Host` must name loopback, so that a foreign name that resolves to 127.0.0.1 (DNS rebinding) is of no use;
//! - `Origin`, which browsers send with every request of a page that may change something, must be the
//!   surface's own. Programs send none.

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::routes::Refused;

/// Refuses foreign requests before the routes see them.
pub(super) fn around(routes: Router) -> Router {
    routes.layer(axum::middleware::from_fn(only_our_own))
}

async fn only_our_own(request: Request, next: Next) -> Response {
    match foreign(request.headers()) {
        Some(fault) => Refused(StatusCode::FORBIDDEN, fault.to_owned()).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is refused.
fn foreign(headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["127.0.0.1", "localhost"].contains(&name) {
        return Some("the header Host must be 127.0.0.1 or localhost with the port");
    }
    let is_foreign = text(header::ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host));
    is_foreign.then_some("a page of another origin must not use this")
}
