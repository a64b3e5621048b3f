//! Requests to services other than ARM: the Queue service, and Azure Monitor's OTLP ingestion.

use std::sync::Arc;

use azure_core::http::{
    HttpClient, Method, Request, Url,
    headers::{AUTHORIZATION, CONTENT_TYPE, HeaderName},
};
use futures::StreamExt;
use reqwest::header::{HeaderMap, HeaderName as Name};
use serde_json::json;

use crate::{
    arm::{Error, SystemFailure},
    azure::{Fault, Identity, Terms, from_sdk, header, host},
};

const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const ERROR_CODE: Name = Name::from_static("x-ms-error-code");
/// The Queue service's version: tokens are accepted since 2017-11-09 ("Authorize with Microsoft Entra ID").
const QUEUE_VERSION: &str = "2021-12-02";
/// What failed, for error messages.
pub(super) const WHAT: &str = "inspecting the deployment";

/// Maximum size of a body: 32 messages of 64 KiB ("Peek Messages"), and what surrounds them.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An answer that accepts the request.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The request for a storage queue, for an identity whose audience is Storage's.
pub(super) fn of_queue(url: &Url) -> Request {
    let mut request = Request::new(url.clone(), Method::Get);
    request.insert_header(VERSION, QUEUE_VERSION);
    request
}

/// An empty export to Azure Monitor, for an identity whose audience is Azure Monitor's. An empty body is a valid
/// export ("OTLP Specification").
pub(super) fn of_ingestion(url: &Url) -> Request {
    let mut request = Request::new(url.clone(), Method::Post);
    request.insert_header(CONTENT_TYPE, "application/x-protobuf");
    request
}

/// Sends a request once, as this identity.
///
/// # Errors
/// The service does not accept it; the error has the service's code, if there is one ("Queue service error codes").
pub(super) async fn send(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    mut request: Request,
    terms: Terms,
) -> Result<Answer, Error> {
    let authorization = identity.authorization(terms).await?;
    request.insert_header(AUTHORIZATION, authorization.header.clone());
    let answer = tokio::time::timeout_at(terms.until(), exchange(http, &request)).await;
    let late =
        |_| broken(SystemFailure::Unreachable, &format!("{} did not answer in time", host(request.url())));
    let (status, answer) = answer.map_err(late)??;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    // The Queue service's body is XML, but a header has the code.
    let code = header(&answer.headers, &ERROR_CODE);
    let body = code.map(|code| json!({"code": code, "message": "the request was refused"}).to_string());
    Err(Error::from_answer(WHAT, status, body.unwrap_or_default().as_bytes(), None))
}

async fn exchange(http: &Arc<dyn HttpClient>, request: &Request) -> Result<(u16, Answer), Error> {
    let unreachable =
        |error: azure_core::Error| broken(SystemFailure::Unreachable, &Fault::from(error).at(request.url()));
    let (status, headers, mut stream) =
        http.execute_request(request).await.map_err(unreachable)?.deconstruct();
    let mut body = vec![];
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(unreachable)?;
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(broken(SystemFailure::Unreadable, "the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((u16::from(status), Answer { headers: from_sdk(&headers), body }))
}

fn broken(failure: SystemFailure, fault: &str) -> Error {
    Error::without_answer(WHAT, failure, fault)
}
