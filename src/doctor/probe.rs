//! Requests to services other than ARM: the Queue service, and Azure Monitor's OTLP ingestion.

use std::sync::Arc;

use azure_core::http::{
    HttpClient, Method, Request, Url,
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
) -> Result<(), Error> {
    let broken = |fault: String| Error::without_answer(WHAT, SystemFailure::Unreachable, fault);
    let authorization = identity.authorization(terms).await?;
    request.insert_header(AUTHORIZATION, authorization.header.clone());
    let response = tokio::time::timeout_at(terms.until(), http.execute_request(&request)).await;
    let response = response.map_err(|_| broken("no answer in time".to_owned()))?;
    let response = response.map_err(|error| broken(error.to_string()))?;
    let status = u16::from(response.status());
    if (200..300).contains(&status) {
        return Ok(());
    }
    // The Queue service's body is XML, but a header has the code.
    let code = response.headers().get_optional_str(&ERROR_CODE);
    let body = code.map(|code| json!({"code": code, "message": "the request was refused"}).to_string());
    Err(Error::from_answer(WHAT, status, body.unwrap_or_default().as_bytes(), None))
}
