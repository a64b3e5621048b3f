//! What a storage queue holds, without receiving anything.
//!
//! Sources: "Get Queue Metadata" and "Peek Messages" of the Queue service REST API. A peek returns the visible messages at
//! the front of the queue, 32 at most, and there is no way to those behind them. A message that was received and failed
//! is hidden until its next receipt; the approximate count has it all the same.

use std::{sync::Arc, time::Duration};

use azure_core::http::{HttpClient, Url};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::HeaderName;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::probe;
use crate::{
    arm::{Error, Failure, SystemFailure},
    azure::{Identity, Terms, header},
    function::Pending,
};

const COUNT: HeaderName = HeaderName::from_static("x-ms-approximate-messages-count");
/// How many messages one request can return ("Peek Messages", `numofmessages`).
pub const PEEKED_MAX: usize = 32;

/// What a queue holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// The number of messages, hidden ones as well. Azure's count is approximate.
    pub messages: u64,
    /// The first 32 visible messages.
    pub entries: Vec<Peek>,
}

/// One visible message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// When it came into this queue, if the answer has a time that can be read.
    pub inserted: Option<OffsetDateTime>,
    /// When Azure deletes it.
    pub expires: Option<OffsetDateTime>,
    /// How often it was received.
    pub receipts: Option<u32>,
    /// Its content; None for one that is not Diskseal's.
    pub content: Option<Pending>,
}

impl Peeked {
    /// When the oldest of the first messages came.
    pub fn oldest(&self) -> Option<OffsetDateTime> {
        self.entries.iter().filter_map(|entry| entry.inserted).min()
    }

    /// How many messages are not shown: hidden ones, and those behind the first 32.
    pub fn unseen(&self) -> u64 {
        self.messages.saturating_sub(self.entries.len() as u64)
    }
}

/// Reads a queue of this queue service, as an identity whose audience is Storage's.
/// None if the queue does not exist: the host creates it with its first message.
///
/// # Errors
/// The service does not answer, refuses, or returns no list of messages.
pub async fn peek(
    http: &Arc<dyn HttpClient>,
    service: &Url,
    queue: &str,
    identity: &Identity,
    timeout: Duration,
) -> Result<Option<Peeked>, Error> {
    let request = |path: &str, query: &str| {
        let mut url = service.clone();
        url.set_path(&format!("{}/{queue}{path}", service.path().trim_end_matches('/')));
        url.set_query(Some(query));
        probe::of_queue(&url)
    };
    let read = async |path: &str, query: &str| {
        probe::send(http, identity, request(path, query), Terms::behind_events(timeout)).await
    };
    let metadata = match read("", "comp=metadata").await {
        Err(error) if error.failure == Failure::Gone => return Ok(None),
        answer => answer?,
    };
    let count = header(&metadata.headers, &COUNT).and_then(|count| count.trim().parse().ok());
    let peeked = read("/messages", &format!("peekonly=true&numofmessages={PEEKED_MAX}")).await?;
    of_answers(count, &peeked.body).map(Some)
}

/// The body is a list of messages ("Peek Messages"), in UTF-8 and possibly with a byte order mark.
pub(super) fn of_answers(count: Option<u64>, body: &[u8]) -> Result<Peeked, Error> {
    let unreadable = |fault: &str| Error::without_answer(probe::WHAT, SystemFailure::Unreadable, fault);
    let text = std::str::from_utf8(body).map_err(|_| unreadable("the list of messages is not UTF-8"))?;
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|fault| unreadable(&format!("the list of messages is not XML: {fault}")))?;
    if !document.root_element().has_tag_name("QueueMessagesList") {
        return Err(unreadable("the answer is not a list of messages"));
    }
    let messages = document.root_element().children().filter(|node| node.has_tag_name("QueueMessage"));
    let entries: Vec<_> = messages.map(entry).collect();
    // The count is approximate, the list is not.
    Ok(Peeked { messages: count.unwrap_or_default().max(entries.len() as u64), entries })
}

fn entry(message: roxmltree::Node<'_, '_>) -> Peek {
    let member = |name: &str| message.children().find(|node| node.has_tag_name(name))?.text();
    let time = |name: &str| OffsetDateTime::parse(member(name)?.trim(), &Rfc2822).ok();
    Peek {
        inserted: time("InsertionTime"),
        expires: time("ExpirationTime"),
        receipts: member("DequeueCount").and_then(|count| count.trim().parse().ok()),
        content: member("MessageText").and_then(content),
    }
}

/// host.json sets the encoding base64.
fn content(text: &str) -> Option<Pending> {
    serde_json::from_slice(&STANDARD.decode(text.trim()).ok()?).ok()
}
