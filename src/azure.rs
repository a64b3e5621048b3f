//! What every request to an Azure service needs, whichever service it is: the identity, the HTTP client, and
//! the terms of the request (its deadline and its urgency).
//!
//! Azure Resource Manager, Azure Monitor and Azure Storage are all asked through this room.

mod identity;
mod terms;
mod transport;

pub use identity::{Authorization, Credential, Identity, IdentityOptions, NoToken, SignedIn};
pub use terms::{Terms, Urgency};
pub use transport::http_client;
