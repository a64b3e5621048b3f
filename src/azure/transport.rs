//! The HTTP client for all requests: rustls, the system's root certificates (or `SSL_CERT_FILE`), no redirects, and
//! the proxies that the environment names.

use std::{
    error::Error,
    io::{self, ErrorKind as ErrorKindOfIo},
    sync::Arc,
    time::Duration,
};

use azure_core::{
    Bytes,
    error::ErrorKind,
    http::{
        AsyncResponseBody, HttpClient, Method, Request as SdkRequest, Url,
        headers::{HeaderName as SdkHeaderName, Headers},
    },
};
use futures::StreamExt;
use reqwest::{
    Request,
    header::{HeaderMap, HeaderName, HeaderValue},
};

mod proxies;

pub use proxies::proxy_faults;

/// Builds the client. Reading the root certificates is the slowest part of the start.
///
/// # Errors
/// The system's root certificates cannot be read: the cause, in words.
pub fn http_client() -> Result<Arc<dyn HttpClient>, String> {
    network().map(|client| Arc::new(client) as Arc<dyn HttpClient>)
}

/// The same as `reqwest` has it.
///
/// # Errors
/// Those of [`http_client`].
pub fn network() -> Result<reqwest::Client, String> {
    // Fails if the provider is installed already, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // A redirect could send the token to another host.
        .redirect(reqwest::redirect::Policy::none())
        // Whether a request is sent again is decided where it is known what it does. Without a limit of zero, the
        // library copies each request for a retry that never comes.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        // The library's own reading of the environment would send the identity endpoint's secret to a proxy.
        .no_proxy();
    let proxies = proxies::proxies(&|name| std::env::var(name).ok());
    let client = proxies.into_iter().fold(client, reqwest::ClientBuilder::proxy).build();
    let cause = |error: reqwest::Error| error.source().map_or_else(|| error.to_string(), ToString::to_string);
    client.map_err(cause)
}

/// How requests to ARM are sent. The Azure SDK's `HttpClient` copies each header into a map of its own, on the way
/// there and back, and parses the URL again. So requests over the network go to `reqwest` as they are.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Over the network.
    Network(reqwest::Client),
    /// By a client of the Azure SDK, as tests in one process have it.
    Sdk(Arc<dyn HttpClient>),
}

impl From<reqwest::Client> for Transport {
    fn from(client: reqwest::Client) -> Self {
        Self::Network(client)
    }
}

impl From<Arc<dyn HttpClient>> for Transport {
    fn from(client: Arc<dyn HttpClient>) -> Self {
        Self::Sdk(client)
    }
}

/// Why there is no answer, or not all of it: what the client says at the bottom of its chain, "connection refused" and
/// not "failed to execute".
#[derive(Debug)]
pub enum Fault {
    /// There is no connection, or it broke: the kind of fault, if the system names it, and its text.
    Connection(Option<io::ErrorKind>, String),
    /// Anything else.
    Other(String),
}

impl Fault {
    /// The fault in a sentence that names the host that was asked.
    pub fn at(&self, url: &Url) -> String {
        let host = host(url);
        let (kind, text) = match self {
            Self::Connection(kind, text) => (*kind, text),
            Self::Other(text) => return text.clone(),
        };
        match kind {
            Some(ErrorKindOfIo::ConnectionRefused) => format!("connection to {host} refused"),
            Some(ErrorKindOfIo::ConnectionReset) => format!("connection to {host} reset"),
            Some(ErrorKindOfIo::TimedOut) => format!("connection to {host} timed out"),
            _ => format!("connection to {host} failed: {text}"),
        }
    }
}

/// The host of a URL, with its port if that is another than usual.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        // The library's own time limit of a connection is no error of the system.
        let kind = kind(&error).or_else(|| error.is_timeout().then_some(ErrorKindOfIo::TimedOut));
        Self::Connection(kind, innermost(&error))
    }
}

impl From<azure_core::Error> for Fault {
    fn from(error: azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::Io | ErrorKind::Connection => Self::Connection(kind(&error), innermost(&error)),
            _ => Self::Other(innermost(&error)),
        }
    }
}

/// The kind of the innermost error of the system.
fn kind(error: &(dyn Error + 'static)) -> Option<ErrorKindOfIo> {
    let mut kind = None;
    let mut next = Some(error);
    while let Some(error) = next {
        kind = error.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
        next = error.source();
    }
    kind
}

fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// An answer whose body is not read yet.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// From the network.
    Network(reqwest::Response),
    /// From a client of the Azure SDK.
    Sdk(AsyncResponseBody),
}

impl Transport {
    /// Sends a request once. No redirect is followed.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send(&self, request: Request) -> Result<Response, Fault> {
        match self {
            Self::Network(client) => {
                let mut answer = client.execute(request).await?;
                let headers = std::mem::take(answer.headers_mut());
                Ok(Response { status: answer.status().as_u16(), headers, body: Body::Network(answer) })
            }
            Self::Sdk(client) => {
                let answer = client.execute_request(&for_sdk(&request)?).await?;
                let (status, headers, body) = answer.deconstruct();
                Ok(Response { status: status.into(), headers: from_sdk(&headers), body: Body::Sdk(body) })
            }
        }
    }
}

impl Body {
    /// The whole body; none if it has more than `max` bytes.
    ///
    /// # Errors
    /// It broke off.
    pub async fn bounded(mut self, max: usize) -> Result<Option<Bytes>, Fault> {
        let Some(first) = self.part().await? else { return Ok(Some(Bytes::new())) };
        if first.len() > max {
            return Ok(None);
        }
        let Some(mut next) = self.part().await? else { return Ok(Some(first)) };
        let mut all = first.to_vec();
        loop {
            if next.len() > max - all.len() {
                return Ok(None);
            }
            all.extend_from_slice(&next);
            let Some(part) = self.part().await? else { return Ok(Some(all.into())) };
            next = part;
        }
    }

    /// The next part of the body; none at its end.
    ///
    /// # Errors
    /// It broke off.
    pub async fn part(&mut self) -> Result<Option<Bytes>, Fault> {
        Ok(match self {
            Self::Network(answer) => answer.chunk().await?,
            Self::Sdk(body) => body.next().await.transpose()?,
        })
    }
}

/// The text of a header; none if it is absent or no text. The SDK's own lookup makes an error, with a backtrace where
/// `RUST_BACKTRACE` is set, of each header that is absent.
pub fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn for_sdk(request: &Request) -> Result<SdkRequest, Fault> {
    let method = Method::try_from(request.method().as_str())?;
    let mut copy = SdkRequest::new(request.url().clone(), method);
    for (name, value) in request.headers() {
        if let Ok(value) = value.to_str() {
            copy.insert_header(SdkHeaderName::from(name.as_str().to_owned()), value.to_owned());
        }
    }
    if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
        copy.set_body(body.to_vec());
    }
    Ok(copy)
}

/// The headers of an answer as the Azure SDK has them. What is no text is left out.
pub fn from_sdk(headers: &Headers) -> HeaderMap {
    let pairs = headers.iter().filter_map(|(name, value)| {
        Some((
            HeaderName::from_bytes(name.as_str().as_bytes()).ok()?,
            HeaderValue::from_str(value.as_str()).ok()?,
        ))
    });
    pairs.collect()
}
