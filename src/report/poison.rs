//! The poison queue in the report: messages of resources that could not be sealed.

use std::time::Duration;

use indicatif::{HumanCount, HumanDuration};
use serde::Serialize;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// What the poison queue holds. It says nothing about coverage: a sweep may have sealed the resources since, and Azure
/// deletes each message seven days after it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoisonQueue {
    /// It was read.
    Read {
        /// The number of messages, as Azure approximates it.
        messages: u64,
        /// When the oldest message came; None if there is none, or its time is unknown.
        oldest: Option<OffsetDateTime>,
    },
    /// It could not be read, and why.
    Unread(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Json<'a> {
    messages: Option<u64>,
    oldest: Option<String>,
    oldest_age_seconds: Option<i64>,
    error: Option<&'a str>,
}

impl PoisonQueue {
    pub(super) fn json(&self, now: OffsetDateTime) -> Json<'_> {
        match self {
            Self::Read { messages, oldest } => Json {
                messages: Some(*messages),
                oldest: oldest.map(text),
                oldest_age_seconds: oldest.map(|oldest| (now - oldest).whole_seconds().max(0)),
                error: None,
            },
            Self::Unread(why) => {
                Json { messages: None, oldest: None, oldest_age_seconds: None, error: Some(why) }
            }
        }
    }

    /// A phrase for people.
    pub(super) fn phrase(&self, now: OffsetDateTime) -> String {
        match self {
            Self::Read { messages: 0, .. } => "no messages".to_owned(),
            Self::Read { messages, oldest } => {
                let noun = if *messages == 1 { "message" } else { "messages" };
                let count = HumanCount(*messages);
                let since = oldest.map_or_else(String::new, |oldest| {
                    let age = HumanDuration(Duration::try_from(now - oldest).unwrap_or_default());
                    format!(", the oldest since {} ({age})", text(oldest))
                });
                format!("{count} {noun}{since}")
            }
            Self::Unread(why) => format!("not read: {why}"),
        }
    }
}

fn text(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
