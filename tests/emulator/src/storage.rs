//! A real storage account; the fast tests use the one in process instead.
//!
//! It is given by a connection string with a shared access signature, which the Functions host also accepts.
//! The requests come from Microsoft's own clients.

use std::{fmt, sync::Arc, time::Duration};

use azure_core::http::{ClientOptions, RequestContent, Transport, Url, headers::HeaderName};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use azure_storage_queue::{
    QueueClient, QueueClientOptions,
    models::{
        QueueClientGetPropertiesResultHeaders as _, QueueClientReceiveMessagesOptions,
        QueueMessage as Content, ReceivedMessage,
    },
};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_rustls::rustls::crypto::ring;

use crate::queue::{QueueError, QueueMessage};

/// The shortest pause between two requests.
const POLL: Duration = Duration::from_millis(100);

/// Why the storage account cannot be used.
#[derive(Debug, Error)]
pub enum StorageError {
    /// A part of the connection string is missing or not a URL.
    #[error(
        "the connection string needs {0}: https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string"
    )]
    ConnectionString(&'static str),
    /// A client cannot be created.
    #[error("{0}")]
    Client(String),
}

/// A storage account. A clone is another handle on the same one.
#[derive(Clone)]
pub struct StorageAccount {
    queues: Url,
    blobs: Url,
    transport: Transport,
    speed: f64,
}

impl fmt::Debug for StorageAccount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URLs are signed.
        out.debug_struct("StorageAccount").field("host", &self.queues.host_str()).finish_non_exhaustive()
    }
}

impl StorageAccount {
    /// The account of a connection string: `QueueEndpoint`, `BlobEndpoint` and `SharedAccessSignature`.
    /// Visibility timeouts are divided by `speed`, to whole seconds.
    pub fn new(connection_string: &str, speed: f64) -> Result<Self, StorageError> {
        let part = |wanted: &str| {
            let pairs = connection_string.split(';').filter_map(|pair| pair.split_once('='));
            pairs
                .into_iter()
                .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value)
        };
        let signature = part("SharedAccessSignature")
            .ok_or(StorageError::ConnectionString("SharedAccessSignature"))?
            .trim_start_matches('?');
        let service = |name: &'static str| {
            let mut url = part(name)
                .and_then(|text| Url::parse(text.trim_end_matches('/')).ok())
                .ok_or(StorageError::ConnectionString(name))?;
            url.set_query(Some(signature));
            Ok(url)
        };
        // A second call finds a provider already installed, which is fine.
        let _ = ring::default_provider().install_default();
        let client =
            reqwest::Client::builder().build().map_err(|error| StorageError::Client(error.to_string()))?;
        Ok(Self {
            queues: service("QueueEndpoint")?,
            blobs: service("BlobEndpoint")?,
            transport: Transport::new(Arc::new(client)),
            speed,
        })
    }

    /// The queue of this name, which is created when it is first written to or listened to.
    pub fn queue(&self, name: &str) -> Result<StorageQueue, StorageError> {
        let options = QueueClientOptions { client_options: self.options(), ..QueueClientOptions::default() };
        let client = QueueClient::new(below(&self.queues, name), None, Some(options))
            .map_err(|error| StorageError::Client(error.to_string()))?;
        Ok(StorageQueue { client: Arc::new(client), speed: self.speed })
    }

    /// The blob container of this name, which must exist, as Event Grid requires.
    pub fn container(&self, name: &str) -> Result<Container, StorageError> {
        let options = BlobContainerClientOptions {
            client_options: self.options(),
            ..BlobContainerClientOptions::default()
        };
        let client = BlobContainerClient::new(below(&self.blobs, name), None, Some(options))
            .map_err(|error| StorageError::Client(error.to_string()))?;
        Ok(Container { client: Arc::new(client) })
    }

    fn options(&self) -> ClientOptions {
        ClientOptions { transport: Some(self.transport.clone()), ..ClientOptions::default() }
    }
}

fn below(service: &Url, name: &str) -> Url {
    let mut url = service.clone();
    url.set_path(&format!("{}/{name}", service.path().trim_end_matches('/')));
    url
}

/// A container for blobs.
#[derive(Clone)]
pub struct Container {
    client: Arc<BlobContainerClient>,
}

impl fmt::Debug for Container {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Container").finish_non_exhaustive()
    }
}

impl Container {
    /// Writes a blob.
    pub(crate) async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), QueueError> {
        let content = RequestContent::from(content);
        self.client.blob_client(name).upload(content, None).await.map(drop).map_err(|error| told(&error))
    }
}

/// A queue.
#[derive(Clone)]
pub struct StorageQueue {
    client: Arc<QueueClient>,
    speed: f64,
}

impl fmt::Debug for StorageQueue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StorageQueue").finish_non_exhaustive()
    }
}

impl StorageQueue {
    pub(crate) async fn put(&self, text: String) -> Result<(), QueueError> {
        let message = |text: String| Content { message_text: Some(text) }.try_into().map_err(|e| told(&e));
        match self.client.send_message(message(text.clone())?, None).await {
            Err(error) if error.http_status().map(u16::from) == Some(404) => {
                self.make().await?;
                self.client.send_message(message(text)?, None).await.map(drop).map_err(|e| told(&e))
            }
            sent => sent.map(drop).map_err(|error| told(&error)),
        }
    }

    async fn make(&self) -> Result<(), QueueError> {
        self.client.create(None).await.map(drop).map_err(|error| told(&error))
    }

    pub(crate) async fn receive(
        &self,
        count: usize,
        lease: Duration,
    ) -> Result<Vec<QueueMessage>, QueueError> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(i32::try_from(count.min(32)).unwrap_or(32)),
            visibility_timeout: Some(seconds(lease).max(1)),
            ..QueueClientReceiveMessagesOptions::default()
        };
        let received = match self.client.receive_messages(Some(options)).await {
            // The listener creates the queue.
            Err(error) if error.http_status().map(u16::from) == Some(404) => {
                return self.make().await.map(|()| Vec::new());
            }
            received => received.map_err(|error| told(&error))?,
        };
        let items = received.into_model().map_err(|error| told(&error))?.items.unwrap_or_default();
        Ok(items.into_iter().map(message).collect())
    }

    pub(crate) async fn delete(&self, id: &str, pop_receipt: &str) -> Result<(), QueueError> {
        self.client.delete_message(id, pop_receipt, None).await.map(drop).map_err(|error| told(&error))
    }

    pub(crate) async fn hide(&self, id: &str, pop_receipt: &str, wait: Duration) -> Result<(), QueueError> {
        let updated = self.client.update_message(id, pop_receipt, seconds(self.scaled(wait)), None).await;
        updated.map(drop).map_err(|error| told(&error))
    }

    /// Renews the lease of a message, and returns its new pop receipt.
    pub(crate) async fn renew(
        &self,
        id: &str,
        pop_receipt: &str,
        lease: Duration,
    ) -> Result<String, QueueError> {
        let updated = self.client.update_message(id, pop_receipt, seconds(lease), None).await;
        let updated = updated.map_err(|error| told(&error))?;
        let receipt =
            updated.headers().get_optional_as(&HeaderName::from_static("x-ms-popreceipt")).ok().flatten();
        receipt.ok_or_else(|| QueueError::Service("the answer has no pop receipt".to_owned()))
    }

    /// A pause between two looks, divided by the speed, but long enough for a real account.
    pub(crate) async fn pause(&self, pause: Duration) {
        sleep(self.scaled(pause).max(POLL)).await;
    }

    fn scaled(&self, wait: Duration) -> Duration {
        if self.speed > 0.0 { wait.div_f64(self.speed) } else { wait }
    }

    /// The approximate number of messages, including invisible ones.
    pub(crate) async fn count(&self) -> Result<usize, QueueError> {
        let properties = self.client.get_properties(None).await.map_err(|error| told(&error))?;
        let count = properties.approximate_messages_count().map_err(|error| told(&error))?;
        Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
    }

    /// Waits until there is no message.
    pub(crate) async fn emptied(&self) {
        while self.count().await != Ok(0) {
            sleep(POLL).await;
        }
    }
}

/// Azure counts visibility in whole seconds.
fn seconds(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(i32::MAX)
}

fn message(received: ReceivedMessage) -> QueueMessage {
    let at = |time: Option<OffsetDateTime>| time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    QueueMessage {
        id: received.message_id.unwrap_or_default(),
        pop_receipt: received.pop_receipt.unwrap_or_default(),
        text: received.message_text.unwrap_or_default(),
        dequeue_count: received.dequeue_count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        insertion_time: at(received.insertion_time),
        expiration_time: at(received.expiration_time),
        next_visible_time: at(received.time_next_visible),
    }
}

fn told(error: &azure_core::Error) -> QueueError {
    match error.http_status().map(u16::from) {
        Some(404) => QueueError::MessageNotFound,
        _ => QueueError::Service(error.to_string()),
    }
}
