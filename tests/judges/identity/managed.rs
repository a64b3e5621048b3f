//! `azure_identity` as a program: asks for a token of a managed identity and says what it got.
//!
//! `managed-identity [CLIENT_ID]` looks at `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`, as every function app
//! does. Without them it takes itself for a virtual machine, whose metadata service has one address
//! everywhere; `METADATA_HOST` is where that address leads here.
#![expect(clippy::print_stdout, reason = "what it got is this program's output")]

use std::{process::ExitCode, sync::Arc};

use azure_core::{
    credentials::TokenCredential,
    http::{AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, Transport, Url},
};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    appid: String,
    aud: String,
}

/// Leads the metadata service's address to where it is here.
#[derive(Debug)]
struct Route {
    http: Arc<dyn HttpClient>,
    metadata: Option<Url>,
}

#[async_trait::async_trait]
impl HttpClient for Route {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Some(metadata) =
            self.metadata.as_ref().filter(|_| request.url().host_str() == Some("169.254.169.254"))
        else {
            return self.http.execute_request(request).await;
        };
        let mut request = request.clone();
        let mut url = metadata.clone();
        url.set_path(request.url().path());
        url.set_query(request.url().query());
        *request.url_mut() = url;
        self.http.execute_request(&request).await
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(claims) => {
            println!("{} {}", claims.appid, claims.aud);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Claims, Box<dyn std::error::Error>> {
    let metadata = std::env::var("METADATA_HOST").ok().map(|host| Url::parse(&host)).transpose()?;
    let http = Arc::new(Route { http: diskseal::azure::http_client()?, metadata });
    let credential = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
        user_assigned_id: std::env::args().nth(1).map(UserAssignedId::ClientId),
        client_options: ClientOptions {
            transport: Some(Transport::new(http)),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        },
    }))?;
    let token = credential.get_token(&["https://management.azure.com/.default"], None).await?;
    Ok(jsonwebtoken::dangerous::insecure_decode::<Claims>(token.token.secret())?.claims)
}
