//! The identity of this process: its token, kept while it is valid, and the object ID in the token.
//!
//! There is at most one request for a token at a time, whoever needs it, and it goes on without whoever began it. A
//! token is kept until shortly before it expires. `azure_identity` does so for some credentials and by the wall clock;
//! here it holds for all of them, by the clock that is given.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential},
    http::HttpClient,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::{
    azure_cli::{AZ_TIMEOUT, AzFault},
    terms::Terms,
};
use crate::telemetry::{Authorize, Wait, wait};

mod answer;
mod credential;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;

use credential::credential;
pub use credential::{Credential, IdentityOptions};

/// How long before its end a token is replaced.
const REFRESH_BEFORE: Duration = Duration::from_mins(5);
/// How long a request for a token may take, with its retries.
const REQUEST_TIMEOUT: Duration = AZ_TIMEOUT;
/// How long a request is waited for by callers who have a token that is still valid.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The shortest time between two requests while there is a token, and between two that replace a refused one. In this
/// time a token is used although it seems to have expired when it arrived: then this clock is wrong, and ARM judges.
const PAUSE: Duration = Duration::from_secs(30);
/// How long an export waits for its token.
const EXPORT_TOKEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failure is the answer to further callers.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

type NewCredential = dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync;

/// The identity with which every request is sent.
pub struct Identity {
    now: fn() -> OffsetDateTime,
    source: Arc<Source>,
    state: Arc<Mutex<State>>,
}

/// Where tokens come from.
struct Source {
    scope: String,
    /// Who issues them, for messages.
    issuer: String,
    new_credential: Box<NewCredential>,
}

#[derive(Default)]
struct State {
    latest: Option<Latest>,
    /// The last request, whether it has ended or not.
    request: Option<Request>,
    failure: Option<(NoToken, Instant)>,
    /// When a refused token was last forgotten.
    renewed: Option<Instant>,
}

struct Latest {
    authorization: Arc<Authorization>,
    /// When it arrived, if it seemed to have expired by then.
    arrived_expired: Option<Instant>,
}

impl Latest {
    fn is_valid(&self, now: OffsetDateTime) -> bool {
        self.authorization.expires_on() > now || self.arrived_expired.is_some_and(|at| at.elapsed() < PAUSE)
    }
}

#[derive(Clone)]
struct Request {
    began: Instant,
    result: watch::Receiver<Option<Result<Arc<Authorization>, NoToken>>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("scope", &self.source.scope).finish_non_exhaustive()
    }
}

/// A token, and the header that it is sent in.
pub struct Authorization {
    token: AccessToken,
    took: Duration,
    arrived: Instant,
    /// The value of the header `Authorization`.
    pub header: String,
    /// The same, to be cloned into a request without a copy.
    pub(crate) value: HeaderValue,
    /// The object ID of the identity (claim `oid`), if the token has it.
    pub object_id: Option<String>,
}

impl Authorization {
    /// When the token expires. A new one is fetched before that.
    pub fn expires_on(&self) -> OffsetDateTime {
        self.token.expires_on
    }

    /// How long the request for it took, if it arrived less than `time` ago.
    pub fn took_within(&self, time: Duration) -> Option<Duration> {
        (self.arrived.elapsed() < time).then_some(self.took)
    }
}

/// There is no token; holds what the credential or the identity endpoint reports, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("getting a token failed: {0}")]
pub struct NoToken(pub String);

impl Identity {
    /// The identity that the settings name.
    ///
    /// # Errors
    /// The environment lacks what the credential needs.
    pub fn new(
        options: &IdentityOptions,
        http: &Arc<dyn HttpClient>,
        now: fn() -> OffsetDateTime,
    ) -> azure_core::Result<Self> {
        let scope = format!("{}/.default", options.audience);
        let issuer = options.credential.to_string();
        let (options, http) = (options.clone(), Arc::clone(http));
        Self::of(scope, issuer, now, Box::new(move || credential(&options, &http, now)))
    }

    /// An identity with the caller's credential. `now` is the clock that expiries are compared with.
    /// `new_credential` is called for each request, because a credential may have a cache that returns a refused token.
    ///
    /// # Errors
    /// Those of `new_credential`.
    pub fn with_credential(
        scope: String,
        now: fn() -> OffsetDateTime,
        new_credential: impl Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync + 'static,
    ) -> azure_core::Result<Self> {
        Self::of(scope, Credential::ManagedIdentity.to_string(), now, Box::new(new_credential))
    }

    /// `issuer` is who is asked, for messages.
    fn of(
        scope: String,
        issuer: String,
        now: fn() -> OffsetDateTime,
        new_credential: Box<NewCredential>,
    ) -> azure_core::Result<Self> {
        // What the environment lacks is reported now, and not at the first event.
        new_credential()?;
        let source = Arc::new(Source { scope, issuer, new_credential });
        Ok(Self { now, source, state: Arc::default() })
    }

    /// The object ID of this identity, if the token has it.
    ///
    /// # Errors
    /// There is no token.
    pub async fn object_id(&self, terms: Terms) -> Result<Option<String>, NoToken> {
        Ok(self.authorization(terms).await?.object_id.clone())
    }

    /// Gets the first token, with the time that this takes at most, so that it is not part of another deadline.
    ///
    /// # Errors
    /// There is no token.
    pub async fn sign_in(&self) -> Result<(), NoToken> {
        self.authorization(Terms::behind_events(REQUEST_TIMEOUT + PATIENCE)).await.map(|_| ())
    }

    /// The token to send: the one in hand while it is valid, or a new one. While there is a valid one, its replacement
    /// is waited for only briefly.
    ///
    /// # Errors
    /// There is no token.
    pub async fn authorization(&self, terms: Terms) -> Result<Arc<Authorization>, NoToken> {
        let (mut request, valid) = match self.step() {
            Step::Use(authorization) => return Ok(authorization),
            Step::Fail(failure) => return Err(failure),
            Step::Wait(request, valid) => (request, valid),
        };
        let until = match valid {
            Some(_) => terms.until().min(request.began + PATIENCE),
            None => terms.until(),
        };
        let ended = async { request.result.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()) };
        match wait(Wait::Token, timeout_at(until, ended)).await {
            Ok(Some(Ok(authorization))) => Ok(authorization),
            Ok(Some(Err(failure))) => valid.ok_or(failure),
            // Late, or the request is gone with its runtime.
            Ok(None) | Err(_) => valid.ok_or_else(|| self.source.late()),
        }
    }

    /// The time, by the clock that expiries are compared with.
    pub fn now(&self) -> OffsetDateTime {
        (self.now)()
    }

    /// Forgets a refused token, and returns whether another one is worth a try. Only the first of several callers with
    /// the same token has an effect. A token that replaced a refused one a moment ago is kept: then no token is
    /// accepted, and further ones would only cost requests.
    pub fn renew(&self, refused: &Authorization) -> bool {
        let mut state = self.state.lock();
        let is_latest = |latest: &Latest| latest.authorization.token.token == refused.token.token;
        if !state.latest.as_ref().is_some_and(is_latest) {
            return true;
        }
        if state.renewed.is_some_and(|renewed| renewed.elapsed() < PAUSE) {
            return false;
        }
        state.renewed = Some(Instant::now());
        state.latest = None;
        true
    }

    /// What a caller has to do.
    fn step(&self) -> Step {
        let mut state = self.state.lock();
        let now = self.now();
        let valid = state.latest.as_ref().filter(|latest| latest.is_valid(now));
        let valid = valid.map(|latest| Arc::clone(&latest.authorization));
        if let Some(valid) = valid.as_ref().filter(|valid| valid.expires_on() > now + REFRESH_BEFORE) {
            return Step::Use(Arc::clone(valid));
        }
        if let Some(request) = state.request.as_ref().filter(|request| request.is_running()) {
            return Step::Wait(request.clone(), valid);
        }
        let is_recent = |request: &Request| request.began.elapsed() < PAUSE;
        if let Some(valid) = valid.clone().filter(|_| state.request.as_ref().is_some_and(is_recent)) {
            return Step::Use(valid);
        }
        if let Some((failure, at)) = &state.failure
            && at.elapsed() < FAILURE_PAUSE
            && valid.is_none()
        {
            return Step::Fail(failure.clone());
        }
        let request = self.request();
        state.request = Some(request.clone());
        Step::Wait(request, valid)
    }

    /// Sends a request. It goes on if nobody waits for it, and ends with its runtime.
    fn request(&self) -> Request {
        let (sender, result) = watch::channel(None);
        let (source, state, now) = (Arc::clone(&self.source), Arc::clone(&self.state), self.now);
        tokio::spawn(async move {
            let end = source.token().await;
            {
                let mut state = state.lock();
                match &end {
                    Ok(authorization) => {
                        let authorization = Arc::clone(authorization);
                        let is_expired = authorization.expires_on() <= now();
                        let arrived_expired = is_expired.then(Instant::now);
                        state.latest = Some(Latest { authorization, arrived_expired });
                        state.failure = None;
                    }
                    Err(failure) => state.failure = Some((failure.clone(), Instant::now())),
                }
            }
            sender.send_replace(Some(end));
        });
        Request { began: Instant::now(), result }
    }
}

/// What a caller has to do for a token.
enum Step {
    /// Use this one.
    Use(Arc<Authorization>),
    /// Take this failure, which happened a moment ago.
    Fail(NoToken),
    /// Wait for this request, and use the token in hand, if there is one, when that takes long.
    Wait(Request, Option<Arc<Authorization>>),
}

impl Request {
    fn is_running(&self) -> bool {
        // The sender is gone if the request's runtime has stopped.
        self.result.borrow().is_none() && self.result.has_changed().is_ok()
    }
}

impl Source {
    async fn token(&self) -> Result<Arc<Authorization>, NoToken> {
        let ask = async { (self.new_credential)()?.get_token(&[&self.scope], None).await };
        let began = Instant::now();
        let token = timeout(REQUEST_TIMEOUT, ask).await.map_err(|_| self.late())?;
        let token = token.map_err(|error| self.failed(&error))?;
        let secret = token.token.secret();
        let header = format!("Bearer {secret}");
        let value = HeaderValue::from_str(&header).ok();
        let is_clean = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        let Some(mut value) = value.filter(|_| is_clean) else {
            return Err(NoToken(format!("{} returned what cannot be sent in a header", self.issuer)));
        };
        value.set_sensitive(true);
        Ok(Arc::new(Authorization {
            header,
            value,
            object_id: object_id(secret),
            took: began.elapsed(),
            arrived: Instant::now(),
            token,
        }))
    }

    /// What the credential says, unless that hides the cause: "which will not be retried".
    fn failed(&self, error: &azure_core::Error) -> NoToken {
        let said = error.to_string();
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let inner = innermost.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(AzFault(fault)) = inner.and_then(|inner| inner.downcast_ref()) {
            return NoToken(one_line(fault));
        }
        let cause = innermost.to_string();
        NoToken(one_line(&if said.contains(&cause) { said } else { format!("{}: {cause}", self.issuer) }))
    }

    fn late(&self) -> NoToken {
        NoToken(format!("{} did not answer in time", self.issuer))
    }
}

/// A message without line breaks, and no longer than a line can be read.
fn one_line(message: &str) -> String {
    const LENGTH_MAX: usize = 1_000;
    let words: Vec<_> = message.split_whitespace().collect();
    words.join(" ").chars().take(LENGTH_MAX).collect()
}

/// Telemetry is exported with the same identity and a token of another audience.
#[async_trait]
impl Authorize for Identity {
    async fn header(&self) -> Result<String, String> {
        let authorization = self.authorization(Terms::behind_events(EXPORT_TOKEN_TIMEOUT)).await;
        authorization.map(|authorization| authorization.header.clone()).map_err(|error| error.to_string())
    }

    fn refused(&self, header: &str) {
        let latest = self.state.lock().latest.as_ref().map(|latest| Arc::clone(&latest.authorization));
        if let Some(latest) = latest.filter(|latest| latest.header == header) {
            self.renew(&latest);
        }
    }
}

/// The claim `oid` of a JSON Web Token (RFC 7519); none of a token in another form. The signature is left to the
/// service that gets the token.
fn object_id(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        oid: String,
    }
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.oid)
}

#[cfg(test)]
mod tests;
