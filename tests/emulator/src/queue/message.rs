//! A message, its encoding and its errors.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::time::Instant;

/// A message as its receiver gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMessage {
    /// The message's id.
    pub id: String,
    /// The pop receipt, which deletes or updates the message until it is received again.
    pub pop_receipt: String,
    /// The stored text.
    pub text: String,
    /// The number of receipts.
    pub dequeue_count: u32,
    /// When it was inserted.
    pub insertion_time: OffsetDateTime,
    /// When it expires.
    pub expiration_time: OffsetDateTime,
    /// When it becomes visible again.
    pub next_visible_time: OffsetDateTime,
}

/// Errors of the queue service.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueError {
    /// The stored text is larger than [`MESSAGE_LIMIT`](super::MESSAGE_LIMIT).
    #[error("the message has {bytes} bytes; a queue takes 65536")]
    MessageTooLarge {
        /// The length of the text in bytes, as it would be stored.
        bytes: usize,
    },
    /// No message has this id.
    #[error("the message does not exist")]
    MessageNotFound,
    /// The message was received again meanwhile.
    #[error("the pop receipt does not match the message")]
    PopReceiptMismatch,
    /// A request to a real service failed or was refused.
    #[error("{0}")]
    Service(String),
}

/// `extensions.queues.messageEncoding` of host.json: the host's encoding of every message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Base64 of the content.
    #[default]
    Base64,
    /// The content itself.
    None,
}

impl Encoding {
    /// The stored text of a content.
    pub fn encode(self, content: &[u8]) -> String {
        match self {
            Self::Base64 => STANDARD.encode(content),
            Self::None => String::from_utf8_lossy(content).into_owned(),
        }
    }

    /// The content of a stored text.
    pub(super) fn decode_message(self, text: &str) -> Decoded {
        match self {
            Self::None => Decoded::Text(text.to_owned()),
            Self::Base64 => {
                let compact: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
                match STANDARD.decode(compact).map(String::from_utf8) {
                    Ok(Ok(content)) => Decoded::Text(content),
                    Ok(Err(_)) => Decoded::NotText,
                    Err(_) => Decoded::NotBase64,
                }
            }
        }
    }

    /// The content of a stored text, or none if the text does not have this encoding, or is not UTF-8.
    pub fn decode(self, text: &str) -> Option<String> {
        match self.decode_message(text) {
            Decoded::Text(content) => Some(content),
            Decoded::NotBase64 | Decoded::NotText => None,
        }
    }
}

/// What the host gets from a stored text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// A text.
    Text(String),
    /// Bytes that are not UTF-8, which cannot be bound to a text.
    NotText,
    /// The text does not have the encoding.
    NotBase64,
}

/// A message as the queue stores it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) pop_receipt: String,
    pub(super) text: String,
    pub(super) dequeue_count: u32,
    pub(super) inserted: Instant,
    pub(super) expires: Instant,
    pub(super) visible: Instant,
}
