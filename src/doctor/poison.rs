//! The poison queue: how many messages the Functions host has given up, how old they are, and which resources they
//! name.
//!
//! Sources: "Get Queue Metadata" and "Peek Messages" of the Queue service REST API; "Azure Queue storage trigger for
//! Azure Functions", poison messages. The host copies the text of a message and gives it a new ID; the copy lives for
//! seven days, the default of "Put Message".

use std::{sync::Arc, time::Duration};

use azure_core::http::{HttpClient, Url};
use base64::{Engine, engine::general_purpose::STANDARD};
use indicatif::HumanDuration;
use reqwest::header::HeaderName;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{Finding, function_app, probe};
use crate::{
    arm::{Error, Failure, SystemFailure},
    azure::{Identity, Terms, header},
    function::{Pending, QUEUE},
};

const COUNT: HeaderName = HeaderName::from_static("x-ms-approximate-messages-count");
/// How many messages one request can return ("Peek Messages", `numofmessages`).
const PEEKED_MAX: usize = 32;
/// How many resources a finding names.
const NAMED_MAX: usize = 5;

/// What the poison queue holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// The number of messages. Azure's count is approximate.
    pub messages: u64,
    /// When the oldest of the first 32 messages was given up. None if there are none, or the answer has no times.
    pub oldest: Option<OffsetDateTime>,
    /// The contents of the first 32 messages; None for one that is not Diskseal's.
    contents: Vec<Option<Pending>>,
}

/// Reads the poison queue of this queue service, as an identity whose audience is Storage's.
/// None if the queue does not exist: the host creates it with its first message.
///
/// # Errors
/// The service does not answer, refuses, or returns no list of messages.
pub async fn poison(
    http: &Arc<dyn HttpClient>,
    service: &Url,
    identity: &Identity,
    timeout: Duration,
) -> Result<Option<Poison>, Error> {
    let request = |path: &str, query: &str| {
        let mut url = service.clone();
        url.set_path(&format!("{}/{QUEUE}-poison{path}", service.path().trim_end_matches('/')));
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
fn of_answers(count: Option<u64>, body: &[u8]) -> Result<Poison, Error> {
    let unreadable = |fault: &str| Error::without_answer(probe::WHAT, SystemFailure::Unreadable, fault);
    let text = std::str::from_utf8(body).map_err(|_| unreadable("the list of messages is not UTF-8"))?;
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|fault| unreadable(&format!("the list of messages is not XML: {fault}")))?;
    if !document.root_element().has_tag_name("QueueMessagesList") {
        return Err(unreadable("the answer is not a list of messages"));
    }
    let messages = document.root_element().children().filter(|node| node.has_tag_name("QueueMessage"));
    let member = |message: roxmltree::Node<'_, '_>, name: &str| {
        message.children().find(|node| node.has_tag_name(name))?.text().map(str::to_owned)
    };
    let mut poison = Poison { messages: 0, oldest: None, contents: vec![] };
    for message in messages {
        let inserted = member(message, "InsertionTime");
        let inserted = inserted.and_then(|time| OffsetDateTime::parse(time.trim(), &Rfc2822).ok());
        poison.oldest = [poison.oldest, inserted].into_iter().flatten().min();
        poison.contents.push(member(message, "MessageText").as_deref().and_then(content));
    }
    // The count is approximate, the list is not.
    poison.messages = count.unwrap_or_default().max(poison.contents.len() as u64);
    Ok(poison)
}

/// host.json sets the encoding base64.
fn content(text: &str) -> Option<Pending> {
    serde_json::from_slice(&STANDARD.decode(text.trim()).ok()?).ok()
}

/// Checks what the poison queue holds.
pub(super) fn finding(service: &str, answer: Result<Option<Poison>, Error>, now: OffsetDateTime) -> Finding {
    let about = format!("{}/{QUEUE}-poison", service.trim_end_matches('/'));
    let poison = match answer {
        Ok(Some(poison)) if poison.messages > 0 => poison,
        Ok(_) => {
            return Finding::ok(function_app::STORAGE, about, "no message in the poison queue");
        }
        Err(error) => return function_app::queue_refused(about, &error),
    };
    let count = match poison.messages {
        1 => "1 message has used up its receipts".to_owned(),
        count => format!("{count} messages have used up their receipts"),
    };
    let age = poison.oldest.and_then(|oldest| Duration::try_from(now - oldest).ok());
    let age = age.map_or_else(String::new, |age| format!(", the oldest {} ago", HumanDuration(age)));
    let known: Vec<_> = poison.contents.iter().flatten().collect();
    let mut named: Vec<String> = known
        .iter()
        .take(NAMED_MAX)
        .map(|one| format!("{} ({})", one.resource, one.known_reason()))
        .chain((known.len() > NAMED_MAX).then(|| format!("{} more", known.len() - NAMED_MAX)))
        .collect();
    let foreign = poison.contents.len() - known.len();
    if foreign > 0 {
        named.push(format!("{foreign} that Diskseal did not write"));
    }
    let colon = if named.is_empty() { "" } else { ": " };
    let text = format!("{count}{age}{colon}{}", named.join(", "));
    Finding::warning(
        function_app::STORAGE,
        about,
        text,
        "remove the reasons, run a sweep, then clear the queue: docs/runbook.md#poisoned. Azure deletes each message \
         seven days after it came",
    )
}

#[cfg(test)]
mod tests;
