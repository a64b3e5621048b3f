//! One request to ARM: admitted, authorized, sent and retried, with a span for each attempt.

use std::{borrow::Cow, time::Duration};

use azure_core::{
    Bytes,
    http::{Method, Url},
};
use backon::BackoffBuilder;
use reqwest::{
    Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use tokio::time::Instant;
use tracing::{Span, field::Empty, info_span, record_all};
use uuid::Uuid;

use super::{
    api::Api,
    error::{Error, Failure, SystemFailure},
    governor::{Governor, Kind, Reserved},
    request_id::RequestIds,
    retry,
};
use crate::{
    azure::{Authorization, Fault, Identity, Response, Terms, Transport, Urgency, header, host},
    telemetry::{self, Wait, metrics, wait},
};

/// How long one attempt may take for an event. ARM itself gives up after a minute; a new attempt gets through
/// sooner than that.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for everything else, which has more time.
const PATIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a list or a query, whose answers are large. ARM itself gives up after this time.
const LIST_TIMEOUT: Duration = Duration::from_mins(1);

/// A time for a token that is worth a word if ARM had too little time then.
const NOTABLE: Duration = Duration::from_secs(1);

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const REMAINING_READS: HeaderName = HeaderName::from_static("x-ms-ratelimit-remaining-subscription-reads");
const REMAINING_WRITES: HeaderName = HeaderName::from_static("x-ms-ratelimit-remaining-subscription-writes");
const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("diskseal/", env!("CARGO_PKG_VERSION")));

/// A request, as it is sent again and again.
pub(super) struct Call<'a> {
    pub(super) api: &'static Api,
    pub(super) url: &'a Url,
    pub(super) subscription_id: &'a str,
    pub(super) body: Option<Bytes>,
    /// The part of ARM's quota that is set aside for it.
    pub(super) reserved: Option<&'a Reserved>,
}

impl Call<'_> {
    /// How long one attempt may take.
    fn attempt_timeout(&self, terms: Terms) -> Duration {
        match terms.urgency() {
            Urgency::Event => ATTEMPT_TIMEOUT,
            Urgency::BehindEvents if self.api.is_list() => LIST_TIMEOUT,
            Urgency::BehindEvents => PATIENT_TIMEOUT,
        }
    }

    /// Whether another attempt may succeed, and does no harm. A write without an answer may have been applied, so
    /// whoever sent it looks at the resource first.
    fn is_worth_another_try(&self, error: &Error) -> bool {
        match error.status {
            Some(status) => retry::is_retryable(status),
            None => error.is_without_answer() && Kind::of(self.api) != Kind::Write,
        }
    }
}

/// A success.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) http: Transport,
    pub(super) identity: Identity,
    pub(super) governor: Governor,
    pub(super) ids: RequestIds,
}

impl Pipeline {
    /// Sends until there is an answer that another attempt would not change, or no time for one.
    pub(super) async fn send(&self, call: &Call<'_>, terms: Terms) -> Result<Answer, Error> {
        let mut is_renewed = false;
        let mut attempts = 0;
        let mut backoff = retry::BACKOFF.build();
        let kind = Kind::of(call.api);
        loop {
            let Call { api, subscription_id, reserved, .. } = *call;
            let admission = self.governor.admit(api.what, subscription_id, kind, reserved, terms);
            let admission = wait(Wait::Admission, admission).await?;
            let authorization = self.identity.authorization(terms).await?;
            let result = self.attempt(call, attempts, &authorization, terms).await;
            attempts += 1;
            let error = match result {
                Ok(answer) => {
                    admission.answered(remaining(kind, &answer.headers));
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let is_throttled = error.is_throttled();
            if is_throttled {
                metrics::throttled(error.throttle());
                admission.refused(error.retry_after);
            }
            drop(admission);
            if error.failure == Failure::System(SystemFailure::Unauthorized)
                && !is_renewed
                && self.identity.renew(&authorization)
            {
                is_renewed = true;
                continue;
            }
            // What was begun is finished, however often the quota of others is in the way.
            let may_go_on = attempts < retry::ATTEMPTS_MAX || (is_throttled && reserved.is_some());
            if !may_go_on || !call.is_worth_another_try(&error) {
                return Err(error);
            }
            if is_throttled {
                // The governor knows how long.
                continue;
            }
            // The back-off of a retry, never shorter than ARM's `Retry-After`.
            let pause = error.retry_after.unwrap_or_default().max(backoff.next().unwrap_or_default());
            if !terms.allow(pause) {
                return Err(error);
            }
            // As long as ARM asks, or as the backoff gives: nothing announces that it answers again.
            wait(Wait::Retry, tokio::time::sleep(pause)).await;
        }
    }

    /// Sets aside the quota for several writes.
    pub(super) async fn reserve(
        &self,
        what: &'static str,
        subscription_id: &str,
        writes: u32,
        terms: Terms,
    ) -> Result<Reserved, Error> {
        let reserved = self.governor.reserve(what, subscription_id, Kind::Write, writes, terms);
        wait(Wait::Admission, reserved).await
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        resend_count: u32,
        authorization: &Authorization,
        terms: Terms,
    ) -> Result<Answer, Error> {
        let span = span(call, resend_count);
        let started = Instant::now();
        let exchange = self.exchange(call, authorization, &span);
        let until = terms.until().min(started + call.attempt_timeout(terms));
        let result =
            telemetry::request(tokio::time::timeout_at(until, exchange)).await.unwrap_or_else(|_| {
                let mut message = format!("{} did not answer in time", host(call.url));
                // The token may have come out of the same time limit, for the first event of a process for example.
                let for_token = authorization.took_within(ATTEMPT_TIMEOUT).filter(|took| *took >= NOTABLE);
                if until < started + ATTEMPT_TIMEOUT
                    && let Some(took) = for_token
                {
                    let seconds = took.as_secs();
                    message = format!("{message}: getting a token took {seconds} s of the time limit");
                }
                Err(Error::without_answer(call.api.what, SystemFailure::Timeout, message))
            });
        count(call, &result, started.elapsed());
        if let Err(error) = &result {
            // "Semantic conventions for HTTP spans": the status where there is one, else the kind of fault.
            match error.status {
                Some(status) => span.record("error.type", tracing::field::display(status)),
                None => span.record("error.type", error.failure.reason()),
            };
            span.record("otel.status_code", "ERROR");
            span.record("azure.error.code", error.code.as_deref());
        }
        result
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        authorization: &Authorization,
        span: &Span,
    ) -> Result<Answer, Error> {
        let broken = |fault: Fault| {
            let failure = match fault {
                Fault::Connection(..) => SystemFailure::Unreachable,
                Fault::Other(_) => SystemFailure::Unreadable,
            };
            Error::without_answer(call.api.what, failure, fault.at(call.url))
        };
        let response =
            self.http.send(request(call, authorization, self.ids.next(), span)).await.map_err(broken)?;
        record(span, &response);
        let max = call.api.answer_bytes_max();
        let Response { status, headers, body } = response;
        let Some(body) = body.bounded(max).await.map_err(broken)? else {
            let retry_after = retry::retry_after(&headers, self.identity.now());
            return Err(Error::from_answer(call.api.what, status, b"", retry_after).too_large(max));
        };
        let body = without_mark(body);
        if (200..300).contains(&status) {
            if is_arms(&headers, &body) {
                return Ok(Answer { status, headers, body });
            }
            let message = format_args!("{status} with a body that is not JSON: something stands before ARM");
            return Err(Error::without_answer(call.api.what, SystemFailure::Unreadable, message));
        }
        let retry_after = retry::retry_after(&headers, self.identity.now());
        Err(Error::from_answer(call.api.what, status, &body, retry_after))
    }
}

/// "Semantic conventions for HTTP metrics".
fn count(call: &Call<'_>, result: &Result<Answer, Error>, took: Duration) {
    let (status, fault) = match result {
        Ok(answer) => (Some(answer.status), None),
        Err(Error { status: Some(status), .. }) => (Some(*status), None),
        Err(error) => (None, Some(error.failure.reason())),
    };
    let request = metrics::Request {
        method: call.api.method.as_str(),
        template: call.api.template,
        address: call.url.host_str().unwrap_or_default(),
        port: call.url.port_or_known_default(),
        status,
        fault,
    };
    metrics::requested(request, took.as_secs_f64());
}

/// The body after its byte order mark. RFC 8259, section 8.1, lets a reader of JSON ignore the mark, and services behind
/// ARM have sent it.
fn without_mark(body: Bytes) -> Bytes {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if body.starts_with(MARK) { body.slice(MARK.len()..) } else { body }
}

/// Whether ARM itself has answered, and not a proxy's page with a status of its own.
fn is_arms(headers: &HeaderMap, body: &Bytes) -> bool {
    let is_json = |text: &str| text.as_bytes().windows(4).any(|part| part.eq_ignore_ascii_case(b"json"));
    body.is_empty() || header(headers, &CONTENT_TYPE).is_none_or(is_json)
}

/// What is left of the quota, by ARM's own header.
fn remaining(kind: Kind, headers: &HeaderMap) -> Option<u32> {
    let name = match kind {
        Kind::Read => &REMAINING_READS,
        Kind::Write => &REMAINING_WRITES,
        Kind::Query => return None,
    };
    header(headers, name)?.trim().parse().ok()
}

fn request(call: &Call<'_>, authorization: &Authorization, id: Uuid, span: &Span) -> Request {
    let mut request = Request::new(method(call.api.method), call.url.clone());
    let headers = request.headers_mut();
    headers.reserve(5);
    headers.insert(AUTHORIZATION, authorization.value.clone());
    headers.insert(USER_AGENT, USER_AGENT_VALUE);
    let mut text = Uuid::encode_buffer();
    let client_request_id: &str = id.hyphenated().encode_lower(&mut text);
    span.record("diskseal.arm.client_request_id", client_request_id);
    if let Ok(value) = HeaderValue::from_str(client_request_id) {
        headers.insert(CLIENT_REQUEST_ID, value);
    }
    if let Some(body) = &call.body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.clone().into());
    }
    request
}

/// A method that none of the calls has is sent as GET, which changes nothing.
fn method(method: Method) -> reqwest::Method {
    reqwest::Method::from_bytes(method.as_ref().as_bytes()).unwrap_or_default()
}

/// "Semantic conventions for HTTP client spans" and "Semantic conventions for Azure SDKs". Numbers are
/// `i64`, because OTLP has no unsigned ones and they would become texts.
fn span(call: &Call<'_>, resend_count: u32) -> Span {
    let method = call.api.method.as_str();
    info_span!(
        "ARM",
        otel.name = format_args!("{method} {}", call.api.template),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        http.request.resend_count = (resend_count > 0).then_some(i64::from(resend_count)),
        http.response.status_code = Empty,
        error.type = Empty,
        server.address = call.url.host_str(),
        server.port = call.url.port_or_known_default().map(i64::from),
        url.full = &*redacted(call.url),
        url.template = call.api.template,
        azure.resource_provider.namespace = call.api.provider,
        diskseal.arm.client_request_id = Empty,
        azure.service.request.id = Empty,
        diskseal.arm.correlation_id = Empty,
        azure.error.code = Empty,
    )
}

fn record(span: &Span, response: &Response) {
    record_all!(
        span,
        http.response.status_code = i64::from(response.status),
        azure.service.request.id = header(&response.headers, &REQUEST_ID),
        diskseal.arm.correlation_id = header(&response.headers, &CORRELATION_REQUEST_ID),
    );
}

/// A URL without credentials, and without its query but for the version: operations' URLs are signed, and whoever
/// has one can use it.
fn redacted(url: &Url) -> Cow<'_, str> {
    // Our own URLs hold nothing else.
    let is_ours = url.query().is_some_and(|query| query.starts_with("api-version=") && !query.contains('&'));
    if is_ours && url.username().is_empty() && url.password().is_none() && url.fragment().is_none() {
        return Cow::Borrowed(url.as_str());
    }
    let mut shown = url.origin().ascii_serialization() + url.path();
    if let Some((_, version)) = url.query_pairs().find(|(name, _)| name == "api-version") {
        shown.push_str("?api-version=");
        shown.push_str(&version);
    }
    Cow::Owned(shown)
}

/// Whether a URL that an answer names is ARM's, so that the token may go there. A URL with credentials is none of
/// ARM's: they would be sent beside the token, and logged.
pub(super) fn is_of(endpoint: &Url, url: &Url) -> bool {
    url.origin() == endpoint.origin() && url.username().is_empty() && url.password().is_none()
}
