//! Requests to services other than ARM: the Queue service, and Azure Monitor's OTLP ingestion.

use std::sync::Arc;

use azure_core::http::{
    AsyncRawResponse, HttpClient, Method, Request, Url,
    headers::{AUTHORIZATION, CONTENT_TYPE, HeaderName},
};
use serde_json::json;

use crate::{
    arm::{Error, SystemFailure},
    azure::{Identity, Terms},
};

const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
/// The Queue service's version: tokens are accepted since 2017-11-09 ("Authorize with Microsoft Entra ID").
const QUEUE_VERSION: &str = "2021-12-02";
/// What failed, for error messages.
const WHAT: &str = "inspecting the deployment";

/// Reads a storage queue as this identity, whose audience must be Storage's.
///
/// # Errors
/// The queue cannot be read; the error has the service's code ("Queue service error codes").
pub(super) async fn queue_answers(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    url: &Url,
    terms: Terms,
) -> Result<(), Error> {
    let mut request = Request::new(url.clone(), Method::Get);
    request.insert_header(VERSION, QUEUE_VERSION);
    let response = send(http, identity, request, "the queue", terms).await?;
    let status = u16::from(response.status());
    if (200..300).contains(&status) {
        return Ok(());
    }
    // The body is XML, but a header has the code.
    let code = response.headers().get_optional_str(&ERROR_CODE).unwrap_or_default();
    let body = json!({"code": code, "message": "the Queue service refused"}).to_string();
    Err(Error::from_answer(WHAT, status, body.as_bytes(), None))
}

/// Sends an empty export to Azure Monitor as this identity, whose audience must be Azure Monitor's. An empty body
/// is a valid export ("OTLP Specification").
///
/// # Errors
/// Azure Monitor does not accept it.
pub(super) async fn ingestion_answers(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    url: &Url,
    terms: Terms,
) -> Result<(), Error> {
    let mut request = Request::new(url.clone(), Method::Post);
    request.insert_header(CONTENT_TYPE, "application/x-protobuf");
    let response = send(http, identity, request, "Azure Monitor", terms).await?;
    match u16::from(response.status()) {
        200..300 => Ok(()),
        status => Err(Error::from_answer(WHAT, status, b"", None)),
    }
}

/// Sends a request once, as this identity.
async fn send(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    mut request: Request,
    service: &str,
    terms: Terms,
) -> Result<AsyncRawResponse, Error> {
    let broken = |fault: String| Error::without_answer(WHAT, SystemFailure::Unreachable, fault);
    let authorization = identity.authorization(terms).await?;
    request.insert_header(AUTHORIZATION, authorization.header.clone());
    match tokio::time::timeout_at(terms.until(), http.execute_request(&request)).await {
        Ok(response) => response.map_err(|error| broken(error.to_string())),
        Err(_) => Err(broken(format!("{service} did not answer in time"))),
    }
}
