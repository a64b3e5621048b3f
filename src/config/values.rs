//! The configuration: what the settings mean, once all are read.

use std::{
    num::{NonZeroU16, NonZeroU32},
    time::Duration,
};

use url::Url;

use super::cloud::Cloud;
use crate::{
    azure::{Credential, IdentityOptions},
    enforce::Options,
    policy::Policy,
    telemetry::AzureMonitor,
};

/// Token audience for blobs, in every cloud ("Authorize with Microsoft Entra ID").
const STORAGE_AUDIENCE: &str = "https://storage.azure.com";

/// Everything that is set from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// The rules.
    pub policy: Policy,
    /// What is set about enforcing, besides the rules.
    pub options: Options,
    /// Maximum number of writes per second and subscription that are not for an event.
    pub pace: Option<NonZeroU32>,
    /// How long one invocation may take, all waits included.
    pub deadline: Duration,
    /// Azure Monitor's OTLP ingestion, where telemetry goes there.
    pub azure_monitor: AzureMonitor,
    /// The share of traces that the handler exports although their invocation changed nothing, from 0 to 1.
    pub traces_unchanged_ratio: f64,
    pub(super) cloud: &'static Cloud,
    pub(super) arm_endpoint: Option<Url>,
    pub(super) arm_audience: Option<String>,
    pub(super) credential: Credential,
    pub(super) client_id: Option<String>,
    pub(super) port: Option<NonZeroU16>,
    pub(super) sweep_schedule: Option<String>,
    /// The container for evidence.
    pub evidence: Option<Url>,
}

impl Config {
    /// Azure Resource Manager's base URL: HTTPS, or plain HTTP on loopback.
    ///
    /// # Errors
    /// None for any cloud that can be set.
    pub fn arm_endpoint(&self) -> Result<Url, url::ParseError> {
        self.arm_endpoint.clone().map_or_else(|| Url::parse(self.cloud.arm_endpoint), Ok)
    }

    /// The address of the cloud's portal, without a slash at its end.
    pub fn portal(&self) -> &'static str {
        self.cloud.portal
    }

    /// The identity of requests to Azure Resource Manager.
    pub fn identity(&self) -> IdentityOptions {
        let audience = self.arm_audience.as_deref().unwrap_or(self.cloud.arm_audience);
        self.identity_for(audience)
    }

    /// The identity of exports to Azure Monitor.
    pub fn monitor_identity(&self) -> IdentityOptions {
        self.identity_for(self.cloud.monitor_audience)
    }

    /// The identity of requests to Azure Storage.
    pub fn storage_identity(&self) -> IdentityOptions {
        self.identity_for(STORAGE_AUDIENCE)
    }

    fn identity_for(&self, audience: &str) -> IdentityOptions {
        IdentityOptions {
            credential: self.credential,
            client_id: self.client_id.clone(),
            cloud: self.cloud.authority.clone(),
            audience: audience.to_owned(),
        }
    }
}
