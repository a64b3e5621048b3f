//! Every request with its answer, for assertions that need no sleeps.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::Emulator;
use crate::fault::Kind;
use crate::judge::Judge;
use crate::options::Keep;

/// A request and its answer. It never holds a token.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the request was about.
    pub kind: Kind,
    /// The method.
    pub method: String,
    /// Scheme and host that the request came by.
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
    /// Claim `oid` of the bearer token, whether or not the token was good.
    pub object_id: Option<String>,
    /// The body of the request; JSON null where there is none, a string where it is not JSON.
    pub request_body: Value,
    /// The status of the answer. None: the connection was broken without one.
    pub status: Option<u16>,
    /// The headers of the answer, names in lower case.
    pub response_headers: Vec<(String, String)>,
    /// The body of the answer, read as the request's; empty for the token endpoint.
    pub response_body: Value,
    /// When the request had arrived.
    pub received: OffsetDateTime,
    /// When the answer was ready.
    pub answered: OffsetDateTime,
    /// The injected fault that met the request.
    pub fault: Option<&'static str>,
}

impl Exchange {
    /// Whether Diskseal has sent it: its requests are judged, others are sent wrongly on purpose.
    pub(crate) fn is_of_diskseal(&self) -> bool {
        self.user_agent.as_deref().is_some_and(|agent| agent.starts_with("diskseal/"))
    }

    /// A header of the answer; the name is in lower case.
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

/// All exchanges that are kept, in the order in which they ended.
#[derive(Debug)]
pub(crate) struct Journal {
    keep: Keep,
    entries: Mutex<Entries>,
    changed: watch::Sender<u64>,
    /// Whoever holds every exchange against the handler's role, and against Azure's definitions where these are
    /// at hand.
    judge: Judge,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Arc<Exchange>>,
    /// How many are gone from the front.
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

    /// Fails the test if an exchange was none that Azure's definitions and the handler's role know.
    pub(crate) fn speak(&self) {
        self.judge.speak();
    }

    /// Wakes everybody who waits for something to happen.
    pub(crate) fn notify(&self) {
        self.changed.send_modify(|version| *version += 1);
    }
}

impl Emulator {
    /// All exchanges that are kept, in the order in which they ended. A request that is held is not among
    /// them yet.
    pub fn journal(&self) -> Vec<Arc<Exchange>> {
        self.inner.journal.entries.lock().kept.iter().cloned().collect()
    }

    /// The exchanges about a resource, its tags and its access; not the polls of its operations.
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

    /// Forgets all exchanges.
    pub fn clear_journal(&self) {
        let mut entries = self.inner.journal.entries.lock();
        entries.dropped += entries.kept.len();
        entries.kept.clear();
    }

    /// The first exchange in the journal, past or to come, that the predicate takes.
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
            // The sender lives as long as `self`, so this fails never.
            let _ = changed.changed().await;
        }
    }

    /// Waits until the predicate holds. It is asked again whenever a request has been answered and whenever an
    /// operation has ended.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changed = self.inner.journal.changed.subscribe();
        while !holds(self) {
            self.inner.journal.speak();
            let _ = changed.changed().await;
        }
    }
}
