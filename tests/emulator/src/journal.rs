//! Every request with its response, for assertions without sleeps.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{Emulator, fault::Kind, judge::Judge, options::Keep};

/// The name of the fault by which answers differ from Azure's definitions on purpose.
pub(crate) const ODD: &str = "odd";

/// A request and its response. It never holds a token.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The kind of the request.
    pub kind: Kind,
    /// The method.
    pub method: String,
    /// Scheme and host of the request.
    pub origin: String,
    /// The path as it was sent.
    pub path: String,
    /// The query as it was sent, without its question mark.
    pub query: String,
    /// Header `x-ms-client-request-id`.
    pub client_request_id: Option<String>,
    /// Header `User-Agent`.
    pub user_agent: Option<String>,
    /// Header `Content-Type`.
    pub content_type: Option<String>,
    /// Header `traceparent`.
    pub traceparent: Option<String>,
    /// Claim `oid` of the bearer token, even if the token is invalid.
    pub object_id: Option<String>,
    /// The body of the request; JSON null without one, a string if it is not JSON.
    pub request_body: Value,
    /// The status of the response. None: the connection was broken without one.
    pub status: Option<u16>,
    /// The headers of the response, names in lower case.
    pub response_headers: Vec<(String, String)>,
    /// The body of the response, parsed like the request's; empty for the token endpoint.
    pub response_body: Value,
    /// When the request had arrived.
    pub received: OffsetDateTime,
    /// When the response was ready.
    pub answered: OffsetDateTime,
    /// The injected fault that affected the request.
    pub fault: Option<&'static str>,
}

impl Exchange {
    /// Whether Diskseal sent it: its requests are judged, others can be wrong on purpose.
    pub(crate) fn is_of_diskseal(&self) -> bool {
        self.user_agent.as_deref().is_some_and(|agent| agent.starts_with("diskseal/"))
    }

    /// A header of the response; the name is in lower case.
    pub fn response_header(&self, name: &str) -> Option<&str> {
        self.response_headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The whole URL.
    pub fn url(&self) -> String {
        match self.query.as_str() {
            "" => format!("{}{}", self.origin, self.path),
            query => format!("{}{}?{query}", self.origin, self.path),
        }
    }

    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }
}

/// All kept exchanges, in the order in which they ended.
#[derive(Debug)]
pub(crate) struct Journal {
    keep: Keep,
    entries: Mutex<Entries>,
    changed: watch::Sender<u64>,
    /// Checks every exchange against the handler's role, and against Azure's definitions if they are
    /// available.
    judge: Judge,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Arc<Exchange>>,
    /// The number of exchanges removed from the front.
    dropped: usize,
}

impl Journal {
    pub(crate) fn new(keep: Keep) -> Self {
        let judge = Judge::of_environment();
        Self { keep, entries: Mutex::default(), changed: watch::Sender::new(0), judge }
    }

    pub(crate) fn push(&self, exchange: Exchange) {
        self.judge.look(&exchange);
        let mut entries = self.entries.lock();
        entries.kept.push_back(Arc::new(exchange));
        if let Keep::Last(most) = self.keep {
            while entries.kept.len() > most {
                entries.kept.pop_front();
                entries.dropped += 1;
            }
        }
        drop(entries);
        self.notify();
    }

    /// Fails the test if an exchange violated Azure's definitions or the handler's role.
    pub(crate) fn speak(&self) {
        self.judge.speak();
    }

    /// Wakes all waiters.
    pub(crate) fn notify(&self) {
        self.changed.send_modify(|version| *version += 1);
    }
}

impl Emulator {
    /// All kept exchanges, in the order in which they ended. A held request is not included yet.
    pub fn journal(&self) -> Vec<Arc<Exchange>> {
        self.inner.journal.entries.lock().kept.iter().cloned().collect()
    }

    /// The exchanges about a resource, its tags and its access; without the polls of its operations.
    pub fn requests_for(&self, id: &str) -> Vec<Arc<Exchange>> {
        let about = |path: &str| {
            path.split_at_checked(id.len()).is_some_and(|(head, tail)| {
                head.eq_ignore_ascii_case(id) && (tail.is_empty() || tail.starts_with('/'))
            })
        };
        self.inner
            .journal
            .entries
            .lock()
            .kept
            .iter()
            .filter(|exchange| about(&exchange.path))
            .cloned()
            .collect()
    }

    /// All kept exchanges, which are deleted: for a run whose journal would not fit into memory.
    pub fn take_journal(&self) -> Vec<Arc<Exchange>> {
        let mut entries = self.inner.journal.entries.lock();
        entries.dropped += entries.kept.len();
        entries.kept.drain(..).collect()
    }

    /// Deletes all exchanges.
    pub fn clear_journal(&self) {
        let mut entries = self.inner.journal.entries.lock();
        entries.dropped += entries.kept.len();
        entries.kept.clear();
    }

    /// The first exchange in the journal, past or future, that matches.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&Exchange) -> bool) -> Arc<Exchange> {
        let mut changed = self.inner.journal.changed.subscribe();
        let mut seen = 0_usize;
        loop {
            self.inner.journal.speak();
            {
                let entries = self.inner.journal.entries.lock();
                let fresh = entries.kept.iter().skip(seen.saturating_sub(entries.dropped));
                if let Some(found) = fresh.into_iter().find(|exchange| wanted(exchange)) {
                    return Arc::clone(found);
                }
                seen = entries.dropped + entries.kept.len();
            }
            // The sender lives as long as `self`, so this never fails.
            let _ = changed.changed().await;
        }
    }

    /// Waits until the predicate holds. It is checked after every response and after every end of an
    /// operation.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changed = self.inner.journal.changed.subscribe();
        while !holds(self) {
            self.inner.journal.speak();
            let _ = changed.changed().await;
        }
    }
}
