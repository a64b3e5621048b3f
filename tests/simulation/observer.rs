//! Watches everything that passes between the processes and Azure, and names what must not happen.
//!
//! | invariant | what it says |
//! | --- | --- |
//! | `sealed_or_explained` | after one clean sweep every resource is sealed, or exempt, out of scope, in audit, protected, or in a state in which it is not to be written |
//! | `foreign_tags_kept` | a write of ours names only tags of the seal, and merges them; at the end each resource has the tags that others gave it |
//! | `no_forbidden_write` | no write in audit, after the switch was read as off, or of what is exempt, protected or out of scope, by the settings of the process that writes and what it has read |
//! | `tags_claim_only_what_was_read` | the tag that claims the mode is written only if the last answer before it showed the mode |
//! | `breaker_holds` | the pauses between writes of one resource by one process |
//! | `bounded_requests` | an invocation sends a bounded number of requests about one resource |
//! | `counts_equal_what_happened` | no outcome is counted that did not happen, and without kills none is missing |
//! | `acknowledged_or_delivered_again` | what a success says of a resource, Azure has shown since the invocation began; every event and message comes to an end |

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    invocation::Invocation,
    process::Process,
    request::{About, Answered, Sent},
    rules,
    settings::has_mode,
};

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Invariant {
    SealedOrExplained,
    ForeignTagsKept,
    NoForbiddenWrite,
    TagsClaimOnlyWhatWasRead,
    BreakerHolds,
    BoundedRequests,
    CountsEqualWhatHappened,
    AcknowledgedOrDeliveredAgain,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SealedOrExplained => "sealed_or_explained",
            Self::ForeignTagsKept => "foreign_tags_kept",
            Self::NoForbiddenWrite => "no_forbidden_write",
            Self::TagsClaimOnlyWhatWasRead => "tags_claim_only_what_was_read",
            Self::BreakerHolds => "breaker_holds",
            Self::BoundedRequests => "bounded_requests",
            Self::CountsEqualWhatHappened => "counts_equal_what_happened",
            Self::AcknowledgedOrDeliveredAgain => "acknowledged_or_delivered_again",
        })
    }
}

/// Something that must not happen, and has.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {:.3} s: {}", self.invariant, self.at.as_secs_f64(), self.what)
    }
}

/// What was counted of a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) messages: u64,
    pub(crate) sweeps: u64,
    pub(crate) requests: u64,
    pub(crate) writes: u64,
    /// Events whose invocations succeeded.
    pub(crate) answered: u64,
    /// Looks that have sent a write of the properties; those of them whose invocation succeeded; and those of which it
    /// said that the resource is sealed now. Looks that share the result of another one are none of these.
    pub(crate) seals_begun: u64,
    pub(crate) seals_ended: u64,
    pub(crate) seals_said: u64,
    pub(crate) kills: u64,
    pub(crate) faults: u64,
    /// The most requests of an invocation about one resource.
    pub(crate) most_requests: u64,
}

#[derive(Debug)]
pub(crate) struct Observer {
    start: Instant,
    is_traced: bool,
    violations: Mutex<Vec<Violation>>,
    pub(crate) events: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) sweeps: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) seals_begun: AtomicU64,
    pub(crate) seals_ended: AtomicU64,
    pub(crate) seals_said: AtomicU64,
    pub(crate) kills: AtomicU64,
    pub(crate) most_requests: AtomicU64,
    /// Until when it may be that the switch could not be read for want of a token.
    pub(crate) blind_until: Mutex<Option<Instant>>,
    /// What vaults protect: disks and machines, in lower case.
    pub(crate) protected: Vec<String>,
}

/// More than these of one day say nothing new.
const VIOLATIONS_MAX: usize = 20;

impl Observer {
    pub(crate) fn new(protected: Vec<String>) -> Self {
        Self {
            start: Instant::now(),
            is_traced: std::env::var_os("DISKSEAL_SIMULATION_TRACE").is_some(),
            violations: Mutex::default(),
            events: AtomicU64::default(),
            messages: AtomicU64::default(),
            sweeps: AtomicU64::default(),
            requests: AtomicU64::default(),
            writes: AtomicU64::default(),
            answered: AtomicU64::default(),
            seals_begun: AtomicU64::default(),
            seals_ended: AtomicU64::default(),
            seals_said: AtomicU64::default(),
            kills: AtomicU64::default(),
            most_requests: AtomicU64::default(),
            blind_until: Mutex::default(),
            protected,
        }
    }

    pub(crate) fn violation(&self, invariant: Invariant, what: String) {
        let mut violations = self.violations.lock();
        if violations.len() < VIOLATIONS_MAX {
            violations.push(Violation { invariant, at: self.start.elapsed(), what });
        }
    }

    /// Prints what happens, for a person who looks at one day.
    #[expect(clippy::print_stderr, reason = "only where somebody has asked for it")]
    pub(crate) fn trace(&self, what: impl Fn() -> String) {
        if self.is_traced {
            eprintln!("{:>10.3} {}", self.start.elapsed().as_secs_f64(), what());
        }
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.lock().clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            events: of(&self.events),
            messages: of(&self.messages),
            sweeps: of(&self.sweeps),
            requests: of(&self.requests),
            writes: of(&self.writes),
            answered: of(&self.answered),
            seals_begun: of(&self.seals_begun),
            seals_ended: of(&self.seals_ended),
            seals_said: of(&self.seals_said),
            kills: of(&self.kills),
            faults: 0,
            most_requests: of(&self.most_requests),
        }
    }

    /// A request is about to be sent; returns whether it may be.
    pub(crate) fn sent(&self, process: &Process, invocation: Option<&Invocation>, sent: &Sent) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let is_bounded = invocation.is_none_or(|invocation| rules::bounded(self, process, invocation, sent));
        if sent.about == About::Switch {
            process.memory.lock().switch_asked = Some(sent.at);
        }
        if let Some(id) = sent.writes() {
            self.writes.fetch_add(1, Ordering::Relaxed);
            if let (About::Resource(id), Some(invocation)) = (&sent.about, invocation)
                && invocation.written.lock().insert(id.clone())
            {
                self.seals_begun.fetch_add(1, Ordering::Relaxed);
            }
            if let (About::Tags(id), Some(invocation)) = (&sent.about, invocation) {
                let tags = sent.body["properties"]["tags"].clone();
                invocation.tags.lock().insert(id.clone(), tags);
            }
            rules::write(self, process, invocation, sent, id);
        }
        is_bounded
    }

    /// A whole answer has arrived.
    pub(crate) fn answered(
        process: &Process,
        invocation: Option<&Invocation>,
        sent: &Sent,
        answered: &Answered,
    ) {
        let mut memory = process.memory.lock();
        let is_success = (200..300).contains(&answered.status);
        if sent.about == About::Switch && answered.status == 200 {
            let value = answered.body["properties"]["tags"]["diskseal"].as_str();
            let is_off = value.is_some_and(|value| value.trim().eq_ignore_ascii_case("off"));
            if answered.body["properties"].is_object() {
                memory.switch_off = Some((is_off, Instant::now()));
            }
            return;
        }
        if answered.status == 429 {
            memory.throttled = Some(Instant::now());
        }
        if let (About::Resource(id), true) = (&sent.about, is_success && sent.method == "PATCH")
            && answered.body.is_object()
        {
            rules::accepted(&mut memory, id);
        }
        if let (Some(id), Some(invocation), 429 | 500..) = (sent.writes(), invocation, answered.status) {
            invocation.refused.lock().insert(id.to_owned());
        }
        if answered.is_accepted_only {
            return;
        }
        match &sent.about {
            About::Resource(id) if answered.status == 404 && sent.method == "GET" => {
                memory.shown.entry(id.clone()).or_default().gone = Some(sent.at);
            }
            About::Resource(_) | About::Poll if answered.status == 200 => {
                let body = resource_of(&answered.body);
                if let Some(id) = body["id"].as_str() {
                    let id = id.to_ascii_lowercase();
                    let mode = has_mode(body);
                    let tags = are_tagged(process, invocation, &id, &body["tags"]);
                    let shown = memory.shown.entry(id.clone()).or_default();
                    if mode {
                        shown.mode = Some(sent.at);
                    }
                    if tags {
                        shown.tags = Some(sent.at);
                    }
                    if mode && tags {
                        shown.all = Some(sent.at);
                    }
                    if let Some(invocation) = invocation {
                        invocation.refused.lock().remove(&id);
                        invocation.read.lock().insert(id, body.clone());
                    }
                }
            }
            About::Tags(id)
                if answered.status == 200
                    && are_tagged(process, invocation, id, &answered.body["properties"]["tags"]) =>
            {
                memory.shown.entry(id.clone()).or_default().tags = Some(sent.at);
            }
            _ => {}
        }
    }

    /// Whether a vault protects a resource as Azure shows it.
    pub(crate) fn is_protected(&self, resource: &Value) -> bool {
        let is_known = |value: &Value| {
            value.as_str().is_some_and(|id| self.protected.contains(&id.to_ascii_lowercase()))
        };
        is_known(&resource["id"])
            || is_known(&resource["managedBy"])
            || is_known(&resource["properties"]["creationData"]["sourceResourceId"])
    }
}

/// Whether these tags are those of the seal, or those that the invocation has written of it: what others remove meanwhile
/// has events of its own.
fn are_tagged(process: &Process, invocation: Option<&Invocation>, id: &str, tags: &Value) -> bool {
    let are_as_sent = invocation.is_some_and(|invocation| {
        let sent = invocation.tags.lock();
        let sent = sent.get(id).and_then(Value::as_object);
        sent.is_some_and(|sent| sent.iter().all(|(name, value)| tags[name] == *value))
    });
    are_as_sent || process.settings.are_tagged(tags)
}

/// The resource in an answer: itself, or the output of an operation.
fn resource_of(body: &Value) -> &Value {
    let output = &body["properties"]["output"];
    if output.is_object() { output } else { body }
}
