//! The people and programs that create disks, each with its own token, over HTTPS as in Azure.

use diskseal_emulator::{local_azure::LocalAzure, write::Caller};
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

use crate::Fault;

/// Someone who writes resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    /// In the portal.
    Jane,
    /// With the Azure CLI.
    Omar,
    /// A pipeline that applies templates.
    Terraform,
    /// A backup service that takes snapshots.
    Backup,
    /// A Kubernetes cluster that creates volumes.
    Cluster,
    /// A tool that tags every new resource.
    Tagger,
}

impl Person {
    /// The name as the table shows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jane => "Jane",
            Self::Omar => "Omar",
            Self::Terraform => "Terraform",
            Self::Backup => "Backup",
            Self::Cluster => "Kubernetes",
            Self::Tagger => "tag tool",
        }
    }

    /// The person who sent a request, if it was one of them.
    pub(crate) fn of(caller: &Caller) -> Option<Self> {
        let all = [Self::Jane, Self::Omar, Self::Terraform, Self::Backup, Self::Cluster, Self::Tagger];
        all.into_iter().find(|person| person.caller().object_id == caller.object_id)
    }

    fn caller(self) -> Caller {
        let id = |last: u8| format!("0d0d0d0d-0000-4000-8000-0000000000{last:02}");
        let app = |last: u8| Caller::app(id(last), format!("0a0a0a0a-0000-4000-8000-0000000000{last:02}"));
        match self {
            Self::Jane => Caller::user(id(1), "Jane Doe"),
            Self::Omar => Caller::user(id(2), "Omar Haddad"),
            Self::Terraform => app(3),
            Self::Backup => app(4),
            Self::Cluster => app(5),
            Self::Tagger => app(6),
        }
    }

    /// A token for Resource Manager.
    pub(crate) fn token(self, azure: &LocalAzure) -> String {
        azure.emulator.token_for(&self.caller(), "https://management.azure.com/")
    }
}

/// The users' HTTP client for Resource Manager.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    base: String,
}

impl Http {
    /// Creates a client that trusts only the certificate authority of the local Azure.
    pub(crate) fn new(azure: &LocalAzure) -> Result<Self, Fault> {
        // Fails only if a provider is already installed, which is fine: only one is compiled in.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = Certificate::from_pem(&std::fs::read(azure.serving.ca_pem())?)?;
        let client = Client::builder().tls_certs_only([authority]).build()?;
        Ok(Self { client, base: azure.serving.arm_https.clone() })
    }

    /// Creates or replaces a resource or a virtual machine.
    pub(crate) async fn put(&self, token: &str, id: &str, body: &Value) -> Result<(), Fault> {
        // Disks and machines have different API versions.
        let version = if id.contains("/virtualMachines/") { "2024-03-01" } else { "2024-03-02" };
        self.send(Method::PUT, token, &format!("{id}?api-version={version}"), Some(body)).await
    }

    /// Changes a part of a resource.
    pub(crate) async fn patch(&self, token: &str, id: &str, body: &Value) -> Result<(), Fault> {
        self.send(Method::PATCH, token, &format!("{id}?api-version=2024-03-02"), Some(body)).await
    }

    /// Deletes a resource.
    pub(crate) async fn delete(&self, token: &str, id: &str) -> Result<(), Fault> {
        self.send(Method::DELETE, token, &format!("{id}?api-version=2024-03-02"), None).await
    }

    /// Adds tags and keeps the others.
    pub(crate) async fn merge_tags(&self, token: &str, id: &str, tags: &Value) -> Result<(), Fault> {
        let body = json!({"operation": "Merge", "properties": {"tags": tags}});
        let path = format!("{id}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01");
        self.send(Method::PATCH, token, &path, Some(&body)).await
    }

    async fn send(&self, method: Method, token: &str, path: &str, body: Option<&Value>) -> Result<(), Fault> {
        let mut request =
            self.client.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(format!("{method} {path} was refused with {status}: {}", answer.text().await?).into())
    }
}
