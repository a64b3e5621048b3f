//! The transport of exports: the HTTP client and the runtime that requests to ARM use as well.
//!
//! The SDK exports on its own threads, outside the runtime, so each request is a task of the runtime and the
//! thread waits for it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, HttpClient, Method, Request,
    headers::{AUTHORIZATION, HeaderName, Headers},
};
use futures::StreamExt;
use opentelemetry_http::{Bytes, HttpError, Request as HttpRequest, Response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::{runtime::Handle, sync::watch};
use url::Url;

use super::{destination::Destination, lane::Lane};

/// How many bytes of an answer are read. OTLP's answers are shorter.
const ANSWER_MAX: usize = 64 * 1_024;

/// Authorizes exports to Azure Monitor.
#[async_trait]
pub trait Authorize: fmt::Debug + Send + Sync {
    /// The value of the header `Authorization`.
    ///
    /// # Errors
    /// There is none; says why, in one line.
    async fn header(&self) -> Result<String, String>;

    /// Notes that the destination refused this header, so that the next call returns another.
    fn refused(&self, header: &str);
}

/// What exports need from the process. It becomes available some time after the start.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The runtime for requests. It must live until telemetry has stopped.
    pub runtime: Handle,
    /// The client. It must not follow redirects, which could send the token to another host.
    pub http: Arc<dyn HttpClient>,
    /// The authorization for Azure Monitor, if its endpoints are set.
    pub authorize: Option<Arc<dyn Authorize>>,
}

/// The connection, once there is one.
pub(super) type Link = watch::Receiver<Option<Connection>>;

/// Sends one signal to one destination.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) link: Link,
    pub(super) destination: Destination,
    /// Of one attempt, including getting the token.
    pub(super) timeout: Duration,
    pub(super) lane: Arc<Lane>,
}

struct Answer {
    status: u16,
    headers: Headers,
    body: Bytes,
}

impl Transport {
    async fn send(&self, request: HttpRequest<Bytes>) -> Result<Answer, String> {
        let connection =
            self.link.clone().wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        let connection = connection.ok_or("the process ended before it was ready to export")?;
        let runtime = connection.runtime.clone();
        let request = self.request(&request)?;
        let exchange: futures::future::BoxFuture<'_, _> = match &self.destination {
            Destination::Standard => Box::pin(async move { exchange(&*connection.http, &request).await }),
            Destination::AzureMonitor(_) => Box::pin(authorized(connection, request)),
        };
        let timeout = self.timeout;
        // Within the task, because a timeout needs the runtime's clock.
        let task = runtime.spawn(async move { tokio::time::timeout(timeout, exchange).await });
        match task.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
            Err(fault) => Err(fault.to_string()),
        }
    }

    fn request(&self, sent: &HttpRequest<Bytes>) -> Result<Request, String> {
        let url = Url::parse(&sent.uri().to_string()).map_err(|fault| fault.to_string())?;
        let mut request = Request::new(url, Method::Post);
        for (name, value) in sent.headers() {
            // The exporter adds OTEL_EXPORTER_OTLP_HEADERS to every request, which may hold another backend's
            // key.
            let is_for_all = ["content-type", "content-encoding", "user-agent"].contains(&name.as_str());
            if let Ok(value) = value.to_str()
                && (is_for_all || self.destination == Destination::Standard)
            {
                request.insert_header(HeaderName::from(name.as_str().to_owned()), value.to_owned());
            }
        }
        request.set_body(sent.body().clone());
        Ok(request)
    }

    /// What a status other than 2xx means, and what to do.
    fn fault(&self, status: u16) -> String {
        match (&self.destination, status) {
            (Destination::AzureMonitor(_), 401) => {
                "401: the token is not accepted; is DISKSEAL_CLOUD the cloud of the endpoint?".to_owned()
            }
            (Destination::AzureMonitor(url), 403) => {
                let rule = url.path_segments().and_then(|mut parts| parts.nth(1)).unwrap_or_default();
                format!(
                    "403: give the identity the role Monitoring Metrics Publisher on the data collection rule {rule}"
                )
            }
            _ => format!("the answer is {status}"),
        }
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for Transport {
    async fn send_bytes(&self, request: HttpRequest<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request).await.inspect_err(|fault| self.lane.note_fault(fault.clone()))?;
        if (200..300).contains(&answer.status) {
            // The answers of all signals have the same form: a count of refused items, then a text. An answer
            // in another form reports no refused items.
            let partial = ExportTraceServiceResponse::decode(answer.body.clone()).ok();
            if let Some(partial) = partial.and_then(|answer| answer.partial_success)
                && let Ok(refused @ 1..) = u64::try_from(partial.rejected_spans)
            {
                self.lane.note_refused(refused, &partial.error_message);
            }
        } else {
            self.lane.note_fault(self.fault(answer.status));
        }
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers.iter() {
            response = response.header(name.as_str(), value.as_str());
        }
        Ok(response.body(answer.body)?)
    }
}

/// Sends with a token. Retries once with a new one if it is refused.
async fn authorized(connection: Connection, mut request: Request) -> Result<Answer, String> {
    let authorize = connection.authorize.ok_or("there is no identity to export with")?;
    let header = authorize.header().await?;
    request.insert_header(AUTHORIZATION, header.clone());
    let answer = exchange(&*connection.http, &request).await?;
    if answer.status != 401 {
        return Ok(answer);
    }
    authorize.refused(&header);
    request.insert_header(AUTHORIZATION, authorize.header().await?);
    exchange(&*connection.http, &request).await
}

async fn exchange(http: &dyn HttpClient, request: &Request) -> Result<Answer, String> {
    let response = http.execute_request(request).await.map_err(|fault| innermost(&fault))?;
    let (status, headers, mut stream) = AsyncRawResponse::deconstruct(response);
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|fault| innermost(&fault))?;
        body.extend_from_slice(&part[..part.len().min(ANSWER_MAX - body.len())]);
        if body.len() == ANSWER_MAX {
            break;
        }
    }
    Ok(Answer { status: status.into(), headers, body: body.into() })
}

/// The innermost cause: "connection refused", not "failed to execute".
fn innermost(error: &azure_core::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
