//! Long-running operations: a write that ARM has accepted and not yet finished.
//!
//! Source: "Track asynchronous Azure operations". `Azure-AsyncOperation` goes before `Location`; a
//! status that is not terminal means that it is running; whether the poll succeeded says nothing of
//! whether the operation did.

use std::time::Duration;

use azure_core::http::{
    Url,
    headers::{HeaderName, Headers},
};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    Client,
    api::OPERATION,
    error::{self, Error, Failure},
    pipeline::Answer,
    retry,
};
use crate::{
    azure::Terms,
    resource::Resource,
    resource_id::ResourceId,
    telemetry::{Wait, wait},
};

const AZURE_ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const LOCATION: HeaderName = HeaderName::from_static("location");

/// The wait where ARM names none. Operations on disks take about 0.1 s, so the first look comes soon
/// and the later ones ever less often.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

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

#[derive(Deserialize)]
struct Monitor {
    status: Option<String>,
    error: Option<error::Body>,
    properties: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    output: Option<Box<serde_json::value::RawValue>>,
}

impl Operation {
    /// Reads the headers of an answer. `endpoint` is ARM's: our token goes nowhere else.
    pub(super) fn from_headers(
        resource: &ResourceId,
        headers: &Headers,
        endpoint: &Url,
        now: OffsetDateTime,
    ) -> Self {
        let url = |name: HeaderName| {
            let url = Url::parse(headers.get_optional_str(&name)?).ok()?;
            (url.origin() == endpoint.origin()).then_some(url)
        };
        let status = url(AZURE_ASYNC_OPERATION)
            .map(Status::AsyncOperation)
            .or_else(|| url(LOCATION).map(Status::Location));
        Self { resource: resource.clone(), status, retry_after: retry::retry_after(headers, now) }
    }

    /// Whether an answer tells of an operation at all. A 200 can as well.
    pub(super) fn is_in(headers: &Headers) -> bool {
        headers.get_optional_str(&AZURE_ASYNC_OPERATION).is_some()
    }
}

impl Client {
    /// Waits for the end of an operation, and gives the resource if the end carries it. `None` where
    /// the operation cannot be read: then only a GET of the resource tells.
    ///
    /// # Errors
    /// The operation did not succeed, or ARM could not be asked.
    pub async fn wait(&self, operation: Operation, terms: Terms) -> Result<Option<Resource>, Error> {
        let Operation { resource, status: Some(status), mut retry_after } = operation else {
            return Ok(None);
        };
        let mut default_wait = FIRST_WAIT;
        loop {
            let pause = retry_after.unwrap_or(default_wait);
            if !terms.allow(pause) {
                return Err(Error::unfinished());
            }
            // ARM demands that a client waits as long as `Retry-After` says before it asks again.
            wait(Wait::Operation, tokio::time::sleep(pause)).await;
            default_wait = (default_wait * 2).min(LONGEST_WAIT);
            let answer = match self.poll(&resource, &status, terms).await {
                Ok(answer) => answer,
                // The operation's record is gone or not for us. The resource itself is.
                Err(Error { failure: Failure::Gone | Failure::Resource(_), .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            retry_after = retry::retry_after(&answer.headers, self.identity().now());
            match progress(&status, &answer)? {
                Progress::Running => {}
                Progress::Succeeded(output) => {
                    return Ok(output.and_then(|json| Resource::from_json(&resource, json.as_bytes()).ok()));
                }
            }
        }
    }

    async fn poll(&self, resource: &ResourceId, status: &Status, terms: Terms) -> Result<Answer, Error> {
        let (Status::AsyncOperation(url) | Status::Location(url)) = status;
        self.send(&OPERATION, url, resource.subscription_id(), None, terms).await
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Running,
    Succeeded(Option<String>),
}

fn progress(status: &Status, answer: &Answer) -> Result<Progress, Error> {
    let body = || String::from_utf8(answer.body.to_vec()).ok();
    if matches!(status, Status::Location(_)) {
        return Ok(if answer.status == 202 { Progress::Running } else { Progress::Succeeded(body()) });
    }
    let Ok(monitor) = serde_json::from_slice::<Monitor>(&answer.body) else {
        return Ok(Progress::Succeeded(None));
    };
    let output = || monitor.properties.and_then(|properties| properties.output);
    match monitor.status.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("succeeded") => Ok(Progress::Succeeded(output().map(|output| output.get().to_owned()))),
        Some("failed") => Err(Error::from_operation(false, monitor.error.as_ref())),
        Some("canceled" | "cancelled") => Err(Error::from_operation(true, monitor.error.as_ref())),
        Some(_) => Ok(Progress::Running),
        // No status: not an operation's answer, and so nothing to wait for.
        None => Ok(Progress::Succeeded(None)),
    }
}

#[cfg(test)]
mod tests;
