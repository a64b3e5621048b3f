//! The poison queue: how many messages the Functions host has given up, how old they are, and which resources they
//! name.
//!
//! Source: "Azure Queue storage trigger for Azure Functions", poison messages. The host copies the text of a message and
//! gives it a new ID; the copy lives for seven days, the default of "Put Message".

use std::time::Duration;

use indicatif::HumanDuration;
use time::OffsetDateTime;

use super::{Finding, function_app, peek::Peeked};
use crate::{arm::Error, function::POISON};

/// How many resources a finding names.
const NAMED_MAX: usize = 5;

/// Checks what the poison queue holds.
pub(super) fn finding(service: &str, answer: Result<Option<Peeked>, Error>, now: OffsetDateTime) -> Finding {
    let about = format!("{}/{POISON}", service.trim_end_matches('/'));
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
    let age = poison.oldest().and_then(|oldest| Duration::try_from(now - oldest).ok());
    let age = age.map_or_else(String::new, |age| format!(", the oldest {} ago", HumanDuration(age)));
    let known: Vec<_> = poison.entries.iter().filter_map(|entry| entry.content.as_ref()).collect();
    let mut named: Vec<String> = known
        .iter()
        .take(NAMED_MAX)
        .map(|one| format!("{} ({})", one.resource, one.known_reason()))
        .chain((known.len() > NAMED_MAX).then(|| format!("{} more", known.len() - NAMED_MAX)))
        .collect();
    let foreign = poison.entries.len() - known.len();
    if foreign > 0 {
        named.push(format!("{foreign} that Diskseal did not write"));
    }
    let colon = if named.is_empty() { "" } else { ": " };
    let text = format!("{count}{age}{colon}{}", named.join(", "));
    Finding::warning(
        function_app::STORAGE,
        about,
        text,
        "remove the reasons, run a sweep, then clear the queue: docs/runbook.md#poisoned. `diskseal pending` lists the \
         messages; Azure deletes each seven days after it came",
    )
}

#[cfg(test)]
mod tests;
