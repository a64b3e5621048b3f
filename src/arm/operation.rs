//! Long-running operations: a write that ARM has accepted and not yet finished.
//!
//! Source: "Track asynchronous Azure operations". `Azure-AsyncOperation` goes before `Location`; a
//! status that is not terminal means that it is running; whether the poll succeeded says nothing of
//! whether the operation did.

use std::time::Duration;

use azure_core::http::Url;
use reqwest::header::{HeaderMap, HeaderName, LOCATION};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Client,
    api::OPERATION,
    error::{self, Error, Failure},
    pipeline::{Answer, is_of},
    retry,
};
use crate::{
    azure::{Terms, header},
    resource::Resource,
    resource_id::ResourceId,
};

const AZURE_ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// A write that ARM has accepted.
#[derive(Debug)]
pub struct Operation {
    resource: ResourceId,
    status: Option<Status>,
    retry_after: Option<Duration>,
}

/// Where to look.
#[derive(Clone, Debug)]
enum Status {
    /// Says `status`, with the resource in `properties.output`.
    AsyncOperation(Url),
    /// Answers 202 while it is running, and then what the write itself would have answered.
    Location(Url),
}

impl Operation {
    /// Reads the headers of an answer. `endpoint` is ARM's: our token goes nowhere else.
    pub(super) fn from_headers(
        resource: &ResourceId,
        headers: &HeaderMap,
        endpoint: &Url,
        now: OffsetDateTime,
    ) -> Self {
        let url = |name: &HeaderName| {
            let url = Url::parse(header(headers, name)?).ok()?;
            is_of(endpoint, &url).then_some(url)
        };
        let status = url(&AZURE_ASYNC_OPERATION)
            .map(Status::AsyncOperation)
            .or_else(|| url(&LOCATION).map(Status::Location));
        Self { resource: resource.clone(), status, retry_after: retry::retry_after(headers, now) }
    }

    /// How long ARM asks to wait before its state is read, as of the last answer.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Where to look, if an answer named a place.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn url(&self) -> Option<&Url> {
        let (Status::AsyncOperation(url) | Status::Location(url)) = self.status.as_ref()?;
        Some(url)
    }

    /// Whether an answer names an operation at all. A 200 can as well.
    pub(super) fn is_in(headers: &HeaderMap) -> bool {
        header(headers, &AZURE_ASYNC_OPERATION).is_some()
    }
}

/// What an operation's own state says, once read.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// It has succeeded, and this is the resource, if the answer carries it.
    Succeeded(Option<Box<Resource>>),
    /// The answer does not contain the operation's state. That is no end: only a read of the resource shows it.
    Unknown,
}

impl Client {
    /// Reads once how an operation stands.
    ///
    /// # Errors
    /// The operation has failed or was canceled, or another write overtook it ([`Error::is_of_operation`]); or its
    /// state could not be read, which says nothing of the operation.
    pub async fn poll(&self, operation: &mut Operation, terms: Terms) -> Result<State, Error> {
        let Operation { resource, status: Some(status), retry_after } = operation else {
            return Ok(State::Unknown);
        };
        let (Status::AsyncOperation(url) | Status::Location(url)) = &*status;
        let answer = match self.send(&OPERATION, url, resource.subscription_id(), None, terms).await {
            Ok(answer) => answer,
            // The record of the operation is missing, or may not be read.
            Err(Error { failure: Failure::Gone | Failure::Resource(_), .. }) => return Ok(State::Unknown),
            Err(error) => return Err(error),
        };
        *retry_after = retry::retry_after(&answer.headers, self.identity().now());
        state(status, &answer, resource)
    }
}

fn state(status: &Status, answer: &Answer, resource: &ResourceId) -> Result<State, Error> {
    let succeeded = |json: &[u8]| State::Succeeded(Resource::from_json(resource, json).ok().map(Box::new));
    if matches!(status, Status::Location(_)) {
        return Ok(if answer.status == 202 { State::Running } else { succeeded(&answer.body) });
    }
    let Ok(monitor) = serde_json::from_slice::<Value>(&answer.body) else { return Ok(State::Unknown) };
    let error = || monitor.get("error").filter(|error| !error.is_null()).cloned().map(error::Body::from);
    match monitor["status"].as_str().map(str::to_ascii_lowercase).as_deref() {
        Some("succeeded") => Ok(match &monitor["properties"]["output"] {
            Value::Null => State::Succeeded(None),
            output => succeeded(output.to_string().as_bytes()),
        }),
        Some("failed") => Err(Error::from_operation(false, error().as_ref())),
        Some("canceled" | "cancelled") => Err(Error::from_operation(true, error().as_ref())),
        Some(_) => Ok(State::Running),
        None => Ok(State::Unknown),
    }
}

#[cfg(test)]
mod tests;
