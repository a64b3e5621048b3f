//! What stands around the resources, for a look at a deployment: roles, topics, the function app, the queue.
//!
//! Read-only, and as JSON: who looks at it picks the members, and says what a missing one means.

use std::sync::Arc;

use azure_core::http::{
    AsyncRawResponse, HttpClient, Method, Request, Url,
    headers::{AUTHORIZATION, CONTENT_TYPE, HeaderName},
};
use serde_json::{Value, json};

use super::{
    Client, Identity,
    deadline::Deadline,
    error::{Error, Operation, SystemFailure},
    pipeline::Call,
};

const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
/// The Queue service's version: tokens are taken since 2017-11-09 ("Authorize with Microsoft Entra ID").
const QUEUE_VERSION: &str = "2021-12-02";

impl Client {
    /// Reads one thing by its path below the endpoint; `template` is the path's form, for the trace.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn inspect(
        &self,
        path: &str,
        api_version: &str,
        template: &'static str,
        deadline: Deadline,
    ) -> Result<Value, Error> {
        let url = self.url(path, api_version);
        let call = Call {
            operation: Operation::Inspect,
            method: Method::Get,
            url: &url,
            template,
            subscription_id: subscription_id(path),
            body: None,
        };
        let answer = self.pipeline.send(&call, deadline).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::without_answer(Operation::Inspect, SystemFailure::Unreadable, error))
    }

    /// Reads a whole list by its path below the endpoint, all pages of it. For short lists.
    ///
    /// # Errors
    /// See [`super::Failure`].
    pub async fn inspect_all(
        &self,
        path: &str,
        api_version: &str,
        template: &'static str,
        deadline: Deadline,
    ) -> Result<Vec<Value>, Error> {
        let mut next = Some(self.url(path, api_version));
        let mut all = vec![];
        while let Some(url) = next {
            let (elements, link) = self.elements(subscription_id(path), &url, template, deadline).await?;
            // Whatever is JSON at all has been read as JSON once before.
            all.extend(elements.iter().filter_map(|json| serde_json::from_str(json.get()).ok()));
            next = link;
        }
        Ok(all)
    }
}

/// Whether a storage queue is there and answers to this identity, whose audience must be Storage's.
///
/// # Errors
/// It does not; the Queue service's own code is in the error ("Queue service error codes").
pub async fn queue_answers(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    url: &Url,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut request = Request::new(url.clone(), Method::Get);
    request.insert_header(VERSION, QUEUE_VERSION);
    let response = asked(http, identity, request, "the queue", deadline).await?;
    let status = u16::from(response.status());
    if (200..300).contains(&status) {
        return Ok(());
    }
    // The body is XML; the code is in a header as well.
    let code = response.headers().get_optional_str(&ERROR_CODE).unwrap_or_default();
    let body = json!({"code": code, "message": "the Queue service refused"}).to_string();
    Err(Error::from_answer(Operation::Inspect, status, body.as_bytes(), None))
}

/// Whether Azure Monitor takes telemetry from this identity, whose audience must be Azure Monitor's. An export of
/// nothing is an empty body ("OTLP Specification").
///
/// # Errors
/// It does not.
pub async fn ingestion_answers(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    url: &Url,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut request = Request::new(url.clone(), Method::Post);
    request.insert_header(CONTENT_TYPE, "application/x-protobuf");
    let response = asked(http, identity, request, "Azure Monitor", deadline).await?;
    match u16::from(response.status()) {
        200..300 => Ok(()),
        status => Err(Error::from_answer(Operation::Inspect, status, b"", None)),
    }
}

/// Sends a request that is not ARM's, once, as this identity.
async fn asked(
    http: &Arc<dyn HttpClient>,
    identity: &Identity,
    mut request: Request,
    whom: &str,
    deadline: Deadline,
) -> Result<AsyncRawResponse, Error> {
    let broken = |fault: String| Error::without_answer(Operation::Inspect, SystemFailure::Unreachable, fault);
    let authorization = identity.authorization(deadline).await?;
    request.insert_header(AUTHORIZATION, authorization.header.clone());
    match tokio::time::timeout_at(deadline.instant(), http.execute_request(&request)).await {
        Ok(response) => response.map_err(|error| broken(error.to_string())),
        Err(_) => Err(broken(format!("{whom} did not answer in time"))),
    }
}

/// The resource provider of a path's form: the last that it names.
pub(super) fn namespace(template: &'static str) -> &'static str {
    let last = template.rsplit_once("/providers/").map_or("", |(_, rest)| rest);
    match last.split('/').next() {
        Some(name) if !name.is_empty() => name,
        _ => "Microsoft.Resources",
    }
}

/// Whose limits a request counts against.
fn subscription_id(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_names_the_provider_that_answers() {
        for (template, expected) in [
            ("/subscriptions/{id}/providers/Microsoft.Authorization/permissions", "Microsoft.Authorization"),
            ("/subscriptions/{id}/resourceGroups/{g}/providers/Microsoft.Web/sites/{n}", "Microsoft.Web"),
            ("/subscriptions", "Microsoft.Resources"),
        ] {
            assert_eq!(namespace(template), expected);
        }
    }
}
