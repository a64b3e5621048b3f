//! What a request to any Azure service needs: the identity, the HTTP client, and the terms of the request (its
//! deadline and its urgency). Requests to Azure Resource Manager, Azure Monitor and Azure Storage use it.

mod azure_cli;
mod identity;
mod terms;
mod transport;

pub use azure_cli::{az, fault as az_fault};
#[cfg(any(test, feature = "fuzzing"))]
pub use identity::fuzz;
pub use identity::{Authorization, Credential, Identity, IdentityOptions, NoToken};
pub use terms::{Terms, Urgency};
pub use transport::{Fault, Response, Transport, from_sdk, header, host, http_client, network, proxy_faults};
