//! The credentials of `azure_identity`, by the setting.

use std::{fmt, sync::Arc};

use azure_core::{
    cloud::CloudConfiguration,
    credentials::TokenCredential,
    http::{ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport},
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use time::OffsetDateTime;

use super::answer::Answers;
use crate::azure::azure_cli::Az;

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

/// Who is asked for a token.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ManagedIdentity => "the identity endpoint",
            Self::WorkloadIdentity => "Microsoft Entra ID",
            Self::AzureCli => "the Azure CLI",
        })
    }
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

/// A credential without a token: what its environment has is read again.
pub(super) fn credential(
    options: &IdentityOptions,
    http: &Arc<dyn HttpClient>,
    now: fn() -> OffsetDateTime,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    // Few, so that callers soon learn of a dead endpoint. The caller's deadline may end the retries earlier.
    let retry = RetryOptions::exponential(ExponentialRetryOptions { max_retries: 3, ..Default::default() });
    let answers: Arc<dyn HttpClient> = Arc::new(Answers { http: Arc::clone(http), now });
    let client_options = ClientOptions {
        transport: Some(Transport::new(answers)),
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
        Credential::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
            executor: Some(Arc::new(Az)),
            ..Default::default()
        }))?,
    })
}
