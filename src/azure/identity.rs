//! The identity of this process: its token, kept while it is valid, and the object ID in the token.
//!
//! `azure_identity` caches the token and fetches a new one five minutes before it expires, for all callers at
//! once. This file adds two things: a new token after a 401 (continuous access evaluation, a revoked session),
//! and the use of a token that is still valid while the identity endpoint fails.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    cloud::CloudConfiguration,
    credentials::{AccessToken, TokenCredential},
    http::{ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::RwLock;
use serde::Deserialize;
use time::OffsetDateTime;

use super::terms::Terms;
use crate::telemetry::{Authorize, Wait, wait};

/// How long an export waits for its token. A new one is fetched five minutes before the old one expires.
const EXPORT_TOKEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The kind of credential for Microsoft Entra ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The managed identity of the function app or virtual machine.
    ManagedIdentity,
    /// A federated token, as in a Kubernetes cluster.
    WorkloadIdentity,
    /// The account that is signed in to the Azure CLI.
    AzureCli,
}

/// Where the token comes from, and what it is for.
#[derive(Clone, Debug)]
pub struct IdentityOptions {
    /// The kind of credential.
    pub credential: Credential,
    /// The client ID of a user-assigned identity.
    pub client_id: Option<String>,
    /// The cloud whose Microsoft Entra ID issues the token. None is the public one, or `AZURE_AUTHORITY_HOST`.
    pub cloud: Option<CloudConfiguration>,
    /// The audience of the token: ARM's, Azure Monitor's or Storage's.
    pub audience: String,
}

type NewCredential = dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync;

/// The identity with which every request is sent.
pub struct Identity {
    scope: String,
    now: fn() -> OffsetDateTime,
    new_credential: Box<NewCredential>,
    credential: RwLock<Arc<dyn TokenCredential>>,
    latest: RwLock<Option<Arc<Authorization>>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// A token, and the header that it is sent in.
pub struct Authorization {
    token: AccessToken,
    /// The value of the header `Authorization`.
    pub header: String,
    /// The object ID of the identity (claim `oid`), if the token has it.
    pub object_id: Option<String>,
}

impl Authorization {
    /// When the token expires. A new one is fetched before that.
    pub fn expires_on(&self) -> OffsetDateTime {
        self.token.expires_on
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
        let (options, http) = (options.clone(), Arc::clone(http));
        Self::with_credential(scope, now, move || credential(&options, &http))
    }

    /// An identity with the caller's credential. `now` is the clock that expiries are compared with.
    /// `new_credential` is called again after a token was refused, because a cache would return the refused one.
    ///
    /// # Errors
    /// Those of `new_credential`.
    pub fn with_credential(
        scope: String,
        now: fn() -> OffsetDateTime,
        new_credential: impl Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync + 'static,
    ) -> azure_core::Result<Self> {
        let credential = RwLock::new(new_credential()?);
        let new_credential = Box::new(new_credential);
        Ok(Self { scope, now, new_credential, credential, latest: RwLock::default() })
    }

    /// The object ID of this identity, if the token has it.
    ///
    /// # Errors
    /// There is no token.
    pub async fn object_id(&self, terms: Terms) -> Result<Option<String>, NoToken> {
        Ok(self.authorization(terms).await?.object_id.clone())
    }

    /// The token to send. Signs in, unless that is done already.
    ///
    /// # Errors
    /// There is no token.
    pub async fn authorization(&self, terms: Terms) -> Result<Arc<Authorization>, NoToken> {
        let credential = Arc::clone(&self.credential.read());
        let scopes = [self.scope.as_str()];
        let token = tokio::time::timeout_at(terms.until(), credential.get_token(&scopes, None));
        let fault = match wait(Wait::Token, token).await {
            Ok(Ok(token)) => return Ok(self.keep(token)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the identity endpoint did not answer in time".to_owned(),
        };
        match self.latest() {
            Some(latest) if latest.token.expires_on > self.now() => Ok(latest),
            _ => Err(NoToken(fault)),
        }
    }

    /// The time, by the clock that expiries are compared with.
    pub fn now(&self) -> OffsetDateTime {
        (self.now)()
    }

    /// Forgets a refused token. Only the first of several callers with the same token has an effect.
    pub fn renew(&self, refused: &Authorization) {
        let mut latest = self.latest.write();
        if latest.take_if(|latest| latest.token.token == refused.token.token).is_some()
            && let Ok(credential) = (self.new_credential)()
        {
            *self.credential.write() = credential;
        }
    }

    fn latest(&self) -> Option<Arc<Authorization>> {
        self.latest.read().clone()
    }

    fn keep(&self, token: AccessToken) -> Arc<Authorization> {
        if let Some(latest) = self.latest()
            && latest.token.token == token.token
        {
            return latest;
        }
        let secret = token.token.secret();
        let authorization = Arc::new(Authorization {
            header: format!("Bearer {secret}"),
            object_id: object_id(secret),
            token,
        });
        *self.latest.write() = Some(Arc::clone(&authorization));
        authorization
    }
}

/// Telemetry is exported with the same identity and a token of another audience.
#[async_trait]
impl Authorize for Identity {
    async fn header(&self) -> Result<String, String> {
        let authorization = self.authorization(Terms::behind_events(EXPORT_TOKEN_TIMEOUT)).await;
        authorization.map(|authorization| authorization.header.clone()).map_err(|error| error.to_string())
    }

    fn refused(&self, header: &str) {
        if let Some(latest) = self.latest().filter(|latest| latest.header == header) {
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

fn credential(
    options: &IdentityOptions,
    http: &Arc<dyn HttpClient>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    // Few, so that callers soon learn of a dead endpoint. The caller's deadline may end the retries earlier.
    let retry = RetryOptions::exponential(ExponentialRetryOptions { max_retries: 3, ..Default::default() });
    let client_options = ClientOptions {
        transport: Some(Transport::new(Arc::clone(http))),
        retry,
        cloud: options.cloud.clone().map(Arc::new),
        ..ClientOptions::default()
    };
    Ok(match options.credential {
        Credential::ManagedIdentity => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: options.client_id.clone().map(UserAssignedId::ClientId),
                client_options,
            }))?
        }
        Credential::WorkloadIdentity => {
            let credential_options = ClientAssertionCredentialOptions { client_options };
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options,
                client_id: options.client_id.clone(),
                ..Default::default()
            }))?
        }
        Credential::AzureCli => AzureCliCredential::new(None)?,
    })
}

#[cfg(test)]
mod tests;
