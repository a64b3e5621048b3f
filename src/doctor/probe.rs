//! Requests to services that are not ARM: the Queue service, and Azure Monitor's OTLP ingestion.

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
/// What fails, in the error's words.
const WHAT: &str = "inspecting the deployment";

/// Whether a storage queue is there and answers to this identity, whose audience must be Storage's.
///
/// # Errors
/// It does not; the Queue service's own code is in the error ("Queue service error codes").
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
    // The body is XML; the code is in a header as well.
    let code = response.headers().get_optional_str(&ERROR_CODE).unwrap_or_default();
    let body = json!({"code": code, "message": "the Queue service refused"}).to_string();
    Err(Error::from_answer(WHAT, status, body.as_bytes(), None))
}

/// Whether Azure Monitor takes telemetry from this identity, whose audience must be Azure Monitor's. An export of
/// nothing is an empty body ("OTLP Specification").
///
/// # Errors
/// It does not.
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

/// Sends a request that is not ARM's, once, as this identity.
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
