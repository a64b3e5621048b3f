//! The host's HTTP client: plain HTTP/1.1 over loopback, or straight into a service.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header},
};
use futures::stream;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use hyper_util::{
    client::legacy::{Client as Pooled, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    in_process::InProcess,
    reply::{Failure, RawReply},
};

/// A request's body.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// .NET writes the body through a buffer of this size, each time as a chunk (every recorded request of the host).
const CHUNK: usize = 1024;

/// The number of redirects that .NET's client follows.
const MOST_REDIRECTS: usize = 50;

/// The URL of a path on the handler. Function names need no escaping.
pub(super) fn uri(port: u16, path: &str) -> Uri {
    Uri::builder()
        .scheme("http")
        .authority(format!("127.0.0.1:{port}"))
        .path_and_query(format!("/{path}"))
        .build()
        .unwrap_or_default()
}

fn root(port: u16) -> Request<Body> {
    let mut request = Request::new(Empty::new().boxed());
    *request.uri_mut() = uri(port, "");
    request
}

#[derive(Clone, Debug)]
pub(super) enum Client {
    Loopback(Pooled<HttpConnector, Body>),
    InProcess(Arc<InProcess>),
}

impl Client {
    pub(super) fn loopback() -> Self {
        // As the recording `end-to-end/idle-connections.json` shows, and .NET's default is.
        let pool = Pooled::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_mins(1))
            .build_http();
        Self::Loopback(pool)
    }

    /// `GET /`, whose response does not matter.
    pub(super) async fn get_root(&self, port: u16) -> Result<(), Failure> {
        self.exchange(root(port)).await.map(drop)
    }

    /// The readiness request. Every failure but that of the connection itself counts as ready
    /// (`DefaultHttpWorkerService.IsWorkerReady`), so a connection that is closed without an answer does; an answer
    /// that does not end is waited for.
    pub(super) async fn is_ready(&self, port: u16) -> bool {
        match self {
            Self::Loopback(pool) => match pool.request(root(port)).await {
                Ok(response) => {
                    let _ = response.into_body().collect().await;
                    true
                }
                Err(error) => !error.is_connect(),
            },
            Self::InProcess(_) => true,
        }
    }

    /// Sends a request and reads the whole reply.
    async fn exchange(&self, request: Request<Body>) -> Result<Response<Bytes>, Failure> {
        let (head, body) = match self {
            Self::Loopback(pool) => {
                let (head, body) = pool.request(request).await.map_err(|error| broken(&error))?.into_parts();
                (head, body.collect().await.map_err(|error| broken(&error))?.to_bytes())
            }
            Self::InProcess(handler) => {
                let (head, body) = handler.call(request).await?.into_parts();
                (head, body.collect().await.map_err(|error| broken(&error))?.to_bytes())
            }
        };
        Ok(Response::from_parts(head, body))
    }

    /// Posts a body and follows redirects, as .NET's client does: only 307 and 308 repeat the body.
    pub(super) async fn post(
        &self,
        uri: Uri,
        headers: &HeaderMap,
        body: &Bytes,
        chunked: bool,
    ) -> Result<RawReply, Failure> {
        let (mut method, mut uri) = (Method::POST, uri);
        for _ in 0..MOST_REDIRECTS {
            let reply = self.send(&method, &uri, headers, body, chunked).await?;
            match (reply.0.status, &reply.1) {
                (301..=303, Some(location)) => {
                    method = Method::GET;
                    uri = location.clone();
                }
                (307 | 308, Some(location)) => uri = location.clone(),
                _ => return Ok(reply.0),
            }
        }
        Err(Failure::Connection("too many redirects".to_owned()))
    }

    async fn send(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
        chunked: bool,
    ) -> Result<(RawReply, Option<Uri>), Failure> {
        let body = match (method == Method::GET, chunked) {
            (true, _) => Empty::new().boxed(),
            // A body of unknown length is sent in chunks.
            (_, true) => {
                let chunks: Vec<_> = (0..body.len()).step_by(CHUNK).collect();
                let body = body.clone();
                let frames = chunks.into_iter().map(move |start| {
                    let end = body.len().min(start + CHUNK);
                    Ok::<_, Infallible>(Frame::data(body.slice(start..end)))
                });
                StreamBody::new(stream::iter(frames)).boxed()
            }
            (_, false) => Full::new(body.clone()).boxed(),
        };
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = ordered(headers, uri, method != Method::GET && chunked);
        let response = self.exchange(request).await?;
        let text = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (status, content_type) = (response.status().as_u16(), text(header::CONTENT_TYPE));
        let location = text(header::LOCATION).and_then(|location| resolve(uri, &location));
        let body = response.into_body().to_vec();
        Ok((RawReply { status, content_type, body }, location))
    }
}

/// The headers in .NET's order: `Host`, the host's own, how the body is sent, the trace, and the content's.
fn ordered(headers: &HeaderMap, uri: &Uri, chunked: bool) -> HeaderMap {
    let mut ordered = HeaderMap::new();
    if let Some(host) = uri.authority().and_then(|authority| authority.as_str().parse().ok()) {
        ordered.insert(header::HOST, host);
    }
    let is_late = |name: &header::HeaderName| name == "traceparent" || *name == header::CONTENT_TYPE;
    for (name, value) in headers {
        if chunked && is_late(name) && !ordered.contains_key(header::TRANSFER_ENCODING) {
            ordered.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        ordered.insert(name, value.clone());
    }
    ordered
}

fn broken(error: &dyn std::error::Error) -> Failure {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::Connection(format!("{error}{cause}"))
}

/// A location is a whole URL or a path on the same server.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location: Uri = location.parse().ok()?;
    if location.scheme().is_some() {
        return Some(location);
    }
    let mut parts = location.into_parts();
    parts.scheme = base.scheme().cloned();
    parts.authority = base.authority().cloned();
    Uri::from_parts(parts).ok()
}
