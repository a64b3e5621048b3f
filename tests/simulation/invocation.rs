//! An invocation of a function, and whether its answer to the host is true.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    observer::{Invariant, Observer},
    process::Process,
};

/// An invocation.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) function: String,
    pub(crate) started: Instant,
    /// Requests about each resource.
    pub(crate) requests: Mutex<HashMap<String, u32>>,
    /// Each resource as it was last read in this invocation.
    pub(crate) read: Mutex<HashMap<String, Value>>,
    /// The tags that it has sent last.
    pub(crate) tags: Mutex<HashMap<String, Value>>,
    /// The resources that it has asked to write in vain, and not read since.
    pub(crate) refused: Mutex<HashSet<String>>,
    /// The resources whose properties this invocation has written.
    pub(crate) written: Mutex<HashSet<String>>,
}

impl Invocation {
    pub(crate) fn new(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            started: Instant::now(),
            requests: Mutex::default(),
            read: Mutex::default(),
            tags: Mutex::default(),
            refused: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// Checks a success: whatever it says of a resource, Azure has shown since the invocation began. `events` is how many
    /// events it was about; 0 for a message of the queue or the timer.
    pub(crate) fn check(&self, process: &Process, observer: &Observer, events: usize, reply: &Value) {
        let written = self.written.lock();
        observer.seals_ended.fetch_add(written.len() as u64, Ordering::Relaxed);
        observer.answered.fetch_add(events as u64, Ordering::Relaxed);
        let logs: Vec<&str> =
            reply["Logs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let false_ = |what: String| {
            let what = format!("{process:?}, {}: {what}", self.function);
            observer.violation(Invariant::AcknowledgedOrDeliveredAgain, what);
        };
        if logs.len() < events || (self.function == "seal_queued" && logs.is_empty()) {
            false_(format!("{events} events and {} lines about them", logs.len()));
        }
        let handed_over = |id: &str| {
            let pending = &reply["Outputs"]["pending"];
            let all = pending.as_array().map_or_else(|| std::slice::from_ref(pending), Vec::as_slice);
            all.iter().any(|one| one["resource"].as_str().is_some_and(|one| one.eq_ignore_ascii_case(id)))
        };
        for line in logs {
            let mut words = line.split(' ');
            let (Some(outcome), Some(id)) = (words.next(), words.next()) else { continue };
            if !id.starts_with("/subscriptions/") {
                continue;
            }
            let id = id.trim_end_matches(':').to_ascii_lowercase();
            if outcome == "sealed" && written.contains(&id) {
                observer.seals_said.fetch_add(1, Ordering::Relaxed);
            }
            let shown = process.memory.lock().shown.get(&id).copied().unwrap_or_default();
            let since = |at: Option<Instant>| at.is_some_and(|at| at >= self.started);
            let is_modified = line.contains("tags were changed");
            let is_true = match outcome {
                "already_sealed" => since(shown.all),
                "sealed" => since(shown.mode) && (is_modified || since(shown.tags)),
                "tagged" | "network_sealed" => is_modified || since(shown.tags),
                "gone" => since(shown.gone) || !id.contains("/disks/") && !id.contains("/snapshots/"),
                "would_seal" => process.settings.audit || process.settings.ring,
                _ => true,
            };
            if !is_true {
                false_(format!("{line}: nothing has shown it since the invocation began"));
            }
            let is_of_event = events > 0;
            if outcome == "pending" && is_of_event && !handed_over(&id) {
                false_(format!("{line}: it is not on the queue"));
            }
        }
    }
}
