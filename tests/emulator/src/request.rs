//! A request, independent of its transport.

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};

/// A request without its transport, except for the origin that the caller used.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Scheme and host, such as `https://management.azure.com`: the start of absolute URLs in responses.
    pub(crate) origin: String,
    pub(crate) method: Method,
    /// The path as it was sent.
    pub(crate) path: String,
    /// The query as it was sent, without its question mark: signed URLs are compared byte for byte.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// A query parameter, decoded. Azure ignores the case of their names.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token of the authorization header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The whole URL.
    pub(crate) fn url(&self) -> String {
        match self.query.as_str() {
            "" => format!("{}{}", self.origin, self.path),
            query => format!("{}{}?{query}", self.origin, self.path),
        }
    }
}
