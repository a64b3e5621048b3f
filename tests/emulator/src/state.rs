//! The existing resources, and the operations in progress.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    arm::{Group, Site, Workspace},
    disk,
    fault::{Course, PREEMPTED},
    machine::StoredMachine,
    management_group::Member,
    operation::{Change, End, Operation},
    resource_id::{ResourceId, folded},
    write::Writes,
};

/// A disk or snapshot.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The id in the case in which the resource was created.
    pub(crate) id: ResourceId,
    pub(crate) body: Value,
    /// The body before the last write that took effect.
    pub(crate) previous: Option<Value>,
    /// When that write took effect; none if the resource existed from the start.
    pub(crate) written: Option<Instant>,
    /// The names of the operations in progress that change it.
    pub(crate) running: Vec<String>,
    /// Whether the operation that creates it is still in progress.
    pub(crate) being_made: bool,
}

impl Stored {
    pub(crate) fn new(id: ResourceId, body: Value) -> Self {
        Self { id, body, previous: None, written: None, running: Vec::new(), being_made: false }
    }
}

/// The state that one lock protects.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By id in lower case.
    pub(crate) resources: BTreeMap<String, Stored>,
    /// Virtual machines, scale sets and their instances, by id in lower case.
    pub(crate) machines: BTreeMap<String, StoredMachine>,
    pub(crate) operations: HashMap<String, Operation>,
    /// The tags of resources that are neither disks nor snapshots, by id in lower case.
    pub(crate) scope_tags: HashMap<String, Map<String, Value>>,
    /// The members of each management group, by its id in lower case.
    pub(crate) management_groups: BTreeMap<String, Vec<Member>>,
    /// The rows of Resource Graph's table `recoveryservicesresources`.
    pub(crate) protected: Vec<Map<String, Value>>,
    /// The rows of its table `resources` that are clusters, or added as they are.
    pub(crate) clusters: Vec<Map<String, Value>>,
    /// Function apps, by id in lower case.
    pub(crate) sites: BTreeMap<String, Site>,
    /// Resource groups that a client has created, by id in lower case.
    pub(crate) groups: BTreeMap<String, Group>,
    /// The events of the activity logs, in their order.
    pub(crate) activity: Vec<serde_json::Value>,
    /// The workspace that can be queried.
    pub(crate) workspace: Option<Workspace>,
    /// The ends of operations, in the order of their start if they end at once.
    due: BinaryHeap<Reverse<(Instant, u64, String)>>,
    started: u64,
}

impl State {
    /// Registers an operation that ends by itself at the given instant, or never.
    pub(crate) fn start(&mut self, operation: Operation, due: Option<Instant>) {
        let key = operation.target.key();
        if let Some(stored) = self.resources.get_mut(&key).filter(|_| operation.change.occupies()) {
            stored.running.push(operation.name.clone());
            stored.body["properties"]["provisioningState"] = json!("Updating");
        }
        if let Some(due) = due {
            self.started += 1;
            self.due.push(Reverse((due, self.started, operation.name.clone())));
        }
        self.operations.insert(operation.name.clone(), operation);
    }

    /// Ends every operation that is due, in order, and raises the event of each write. Returns whether any
    /// has ended.
    pub(crate) fn settle(&mut self, now: Instant, date: OffsetDateTime, writes: &Writes) -> bool {
        let mut any = false;
        while self.due.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            let Some(Reverse((.., name))) = self.due.pop() else { break };
            any |= self.end(&name, None, date, writes);
        }
        any
    }

    /// Cancels every operation in progress on a resource in favour of a newer one.
    pub(crate) fn preempt(&mut self, key: &str, date: OffsetDateTime, writes: &Writes) {
        let running = self.resources.get(key).map(|stored| stored.running.clone()).unwrap_or_default();
        for name in running {
            let (code, message) = PREEMPTED;
            let course = Course::Canceled { code: code.to_owned(), message: message.to_owned() };
            self.end(&name, Some(course), date, writes);
        }
    }

    /// Ends an operation: as given, or else by its own course. Returns false if it had ended before.
    fn end(&mut self, name: &str, course: Option<Course>, date: OffsetDateTime, writes: &Writes) -> bool {
        let Some(operation) = self.operations.get_mut(name).filter(|operation| operation.end.is_none())
        else {
            return false;
        };
        let (target, change) = (operation.target.clone(), operation.change.clone());
        let course = course.or_else(|| operation.course.clone());
        let mut write = operation.write.take();
        let end = match course {
            Some(Course::Fails { code, message }) => End::Failed { code, message },
            Some(Course::Canceled { code, message }) => End::Canceled { code, message },
            Some(Course::NeverEnds) => return false,
            None => self.apply(&target, &change, date),
        };
        let succeeded = matches!(end, End::Succeeded { .. });
        self.release(&target.key(), name, succeeded);
        if let Some(operation) = self.operations.get_mut(name) {
            operation.ended = Some(date);
            operation.end = Some(end);
        }
        if let Some(write) = &mut write {
            write.at = date;
            write.succeeded = succeeded;
            writes.raise(write);
        }
        true
    }

    fn release(&mut self, key: &str, name: &str, succeeded: bool) {
        let Some(stored) = self.resources.get_mut(key) else { return };
        let occupied = stored.running.len();
        stored.running.retain(|running| running != name);
        if occupied == stored.running.len() {
            return;
        }
        let state = match (stored.running.is_empty(), succeeded, stored.being_made) {
            (false, ..) => "Updating",
            (true, false, true) => "Failed",
            (true, ..) => "Succeeded",
        };
        stored.body["properties"]["provisioningState"] = json!(state);
        if stored.running.is_empty() {
            stored.being_made = false;
        }
    }

    /// The body that a client sends to copy a disk or snapshot without a size: the size is the source's.
    pub(crate) fn sized(&self, sent: &Value) -> Value {
        let mut sent = sent.clone();
        let source = sent["properties"]["creationData"]["sourceResourceId"].as_str();
        let source = source.and_then(|id| self.resources.get(&folded(id)));
        if let (Some(source), true) = (source, sent["properties"]["diskSizeGB"].is_null()) {
            sent["properties"]["diskSizeGB"] = source.body["properties"]["diskSizeGB"].clone();
        }
        sent
    }

    /// Applies a change now.
    pub(crate) fn apply(&mut self, target: &ResourceId, change: &Change, date: OffsetDateTime) -> End {
        let key = target.key();
        if let Change::Delete = change {
            self.resources.remove(&key);
            return End::Succeeded { output: None };
        }
        if let (Change::Put(sent), false) = (change, self.resources.contains_key(&key)) {
            let body = disk::created(target, &self.sized(sent), None, date);
            let stored =
                Stored { written: Some(Instant::now()), ..Stored::new(target.clone(), body.clone()) };
            self.resources.insert(key, stored);
            return End::Succeeded { output: Some(body) };
        }
        let Some(stored) = self.resources.get_mut(&key) else {
            let message = format!("Resource '{}' was deleted.", target.name);
            return End::Failed { code: "NotFound".to_owned(), message };
        };
        let (mut body, output) = change.of(&stored.id, &stored.body, date);
        // The operation itself is still among those in progress; its end sets the state.
        let state = if stored.running.is_empty() { "Succeeded" } else { "Updating" };
        body["properties"]["provisioningState"] = json!(state);
        let output = output.unwrap_or_else(|| {
            let mut output = body.clone();
            output["properties"]["provisioningState"] = json!("Succeeded");
            output
        });
        stored.written = Some(Instant::now());
        let before = std::mem::replace(&mut stored.body, body);
        if !stored.being_made {
            stored.previous = Some(before);
        }
        End::Succeeded { output: (!output.is_null()).then_some(output) }
    }
}
