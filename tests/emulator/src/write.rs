//! What Resource Manager reports to Event Grid: one accepted write or delete that has ended.

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::mpsc;

/// The sender of a request, from the claims of the bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Claim `oid`: the object id of the user or service principal.
    pub object_id: String,
    /// Claim `appid`: the client id of the application that holds the token.
    pub app_id: String,
    /// Claim `name`, which only users have.
    pub name: Option<String>,
    /// Claim `tid`.
    pub tenant_id: String,
    /// Claim `idtyp`: `user` or `app`.
    pub is_user: bool,
}

impl Caller {
    /// A person who is signed in to the Azure CLI. Object ids distinguish people.
    pub fn user(object_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            object_id: object_id.into(),
            app_id: AZURE_CLI_APP_ID.to_owned(),
            name: Some(name.into()),
            tenant_id: DEFAULT_TENANT_ID.to_owned(),
            is_user: true,
        }
    }

    /// A service principal or managed identity.
    pub fn app(object_id: impl Into<String>, app_id: impl Into<String>) -> Self {
        Self {
            object_id: object_id.into(),
            app_id: app_id.into(),
            name: None,
            tenant_id: DEFAULT_TENANT_ID.to_owned(),
            is_user: false,
        }
    }
}

/// The Azure CLI's well-known client id.
const AZURE_CLI_APP_ID: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

/// The default tenant.
pub(crate) const DEFAULT_TENANT_ID: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

/// One write or delete that Resource Manager accepted, raised when its operation has ended.
#[derive(Clone, Debug)]
pub struct ResourceWrite {
    /// The id of the written resource, in the case in which it was first stored.
    pub resource_id: String,
    /// The subscription of the resource.
    pub subscription_id: String,
    /// The action, such as `Microsoft.Compute/disks/write` or `Microsoft.Resources/tags/write`.
    pub operation_name: String,
    /// The HTTP method of the request.
    pub method: String,
    /// The URL of the request.
    pub url: String,
    /// Who sent the request.
    pub caller: Caller,
    /// The value of `x-ms-correlation-request-id`.
    pub correlation_id: String,
    /// When the operation ended.
    pub at: OffsetDateTime,
    /// Whether the operation ended in `Succeeded`.
    pub succeeded: bool,
}

/// Sends every write to every subscriber. The queues are unbounded, so that none is lost.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    subscribers: Mutex<Vec<mpsc::UnboundedSender<ResourceWrite>>>,
}

impl Writes {
    pub(crate) fn subscribe(&self) -> mpsc::UnboundedReceiver<ResourceWrite> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.subscribers.lock().push(sender);
        receiver
    }

    pub(crate) fn raise(&self, write: &ResourceWrite) {
        self.subscribers.lock().retain(|subscriber| subscriber.send(write.clone()).is_ok());
    }
}
