//! Disks and snapshots: read, create, change, delete, and grant access.

use axum::http::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Emulator,
    answer::Answer,
    context::Context,
    disk,
    operation::Change,
    options::{ConcurrentWrites, OperationStyle},
    refusal::Refusal,
    resource_id::ResourceId,
    state::{State, Stored},
};

impl Emulator {
    pub(super) fn get_resource(&self, context: &Context, id: &ResourceId) -> Result<Answer, Refusal> {
        let state = self.inner.state.lock();
        let stored = state.resources.get(&id.key()).ok_or_else(Refusal::resource_not_found)?;
        let body = stored.previous.as_ref().filter(|_| context.stale).unwrap_or(&stored.body);
        Ok(Answer::json(StatusCode::OK, body))
    }

    pub(super) fn put_resource(&self, context: &Context, id: &ResourceId) -> Result<Answer, Refusal> {
        let sent = context.body()?;
        let mut state = self.inner.state.lock();
        let existing = state.resources.get(&id.key()).map(|stored| stored.id.clone());
        Self::check_group(&state, id)?;
        disk::check_put(id, &sent, existing.is_some())?;
        let exists = existing.is_some();
        let target = existing.unwrap_or_else(|| id.clone());
        if exists {
            self.check_state(&mut state, &target)?;
        }
        let partial = disk::accepted_put(&target, &sent);
        if self.is_immediate(context) {
            drop(state);
            return self.immediate(context, &target, &Change::Put(sent));
        }
        if !exists {
            let body = disk::created(&target, &state.sized(&sent), None, self.inner.clock.now());
            let stored = Stored {
                being_made: true,
                written: Some(Instant::now()),
                ..Stored::new(target.clone(), body)
            };
            state.resources.insert(target.key(), stored);
        }
        let write = context.write(target.to_string());
        let operation = self.start_in(&mut state, context, &target, Change::Put(sent), Some(write));
        Ok(self.accepted(context, &operation, Some(&partial)))
    }

    pub(super) fn patch_resource(&self, context: &Context, id: &ResourceId) -> Result<Answer, Refusal> {
        let sent = context.body()?;
        let mut state = self.inner.state.lock();
        let target = state.resources.get(&id.key()).ok_or_else(Refusal::resource_not_found)?.id.clone();
        disk::check_patch(target.kind, &sent)?;
        self.check_state(&mut state, &target)?;
        let stored = state.resources.get(&id.key()).ok_or_else(Refusal::resource_not_found)?;
        let held = self.inner.options.attached_disks_refuse_the_mode && !stored.body["managedBy"].is_null();
        if held && !sent["properties"]["dataAccessAuthMode"].is_null() {
            return Err(Refusal::operation_not_allowed());
        }
        disk::check_together(&disk::patched(&stored.body, &sent))?;
        let resized = &sent["properties"]["diskSizeGB"];
        let properties = &stored.body["properties"];
        if properties["diskState"] == "ActiveSAS"
            && !resized.is_null()
            && *resized != properties["diskSizeGB"]
        {
            return Err(Refusal::active_sas());
        }
        let partial = disk::accepted_patch(&target, &stored.body, &sent);
        if self.is_immediate(context) {
            drop(state);
            return self.immediate(context, &target, &Change::Patch(sent));
        }
        let write = context.write(target.to_string());
        let operation = self.start_in(&mut state, context, &target, Change::Patch(sent), Some(write));
        Ok(self.accepted(context, &operation, Some(&partial)))
    }

    pub(super) fn delete_resource(&self, context: &Context, id: &ResourceId) -> Result<Answer, Refusal> {
        let mut state = self.inner.state.lock();
        let Some(stored) = state.resources.get(&id.key()) else {
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        };
        let target = stored.id.clone();
        if !stored.body["managedBy"].is_null() {
            let message = "Disk {name} is attached to a virtual machine.";
            return Err(Refusal::new(409, "OperationNotAllowed", message));
        }
        // Nothing remains after a deletion.
        state.preempt(&target.key(), self.inner.clock.now(), &self.inner.writes);
        let write = context.write(target.to_string());
        if self.is_immediate(context) {
            drop(state);
            self.apply_now(&target, &Change::Delete, write)?;
            return Ok(Answer::empty(StatusCode::OK));
        }
        let operation = self.start_in(&mut state, context, &target, Change::Delete, Some(write));
        Ok(self.accepted(context, &operation, None))
    }

    /// `beginGetAccess` and `endGetAccess`. Each raises `Microsoft.Resources.ResourceActionSuccess` of its operation
    /// ("Azure subscription as an Event Grid source": when an action on a resource succeeds).
    pub(super) fn change_access(
        &self,
        context: &Context,
        id: &ResourceId,
        begin: bool,
    ) -> Result<Answer, Refusal> {
        let mut state = self.inner.state.lock();
        let stored = state.resources.get(&id.key()).ok_or_else(Refusal::resource_not_found)?;
        let target = stored.id.clone();
        let write = context.write(target.to_string());
        let operation = self.start_in(&mut state, context, &target, Change::Access(begin), Some(write));
        Ok(self.accepted(context, &operation, None))
    }

    fn is_immediate(&self, context: &Context) -> bool {
        matches!(self.inner.options.operations, OperationStyle::Immediate) && context.course.is_none()
    }

    fn immediate(&self, context: &Context, target: &ResourceId, change: &Change) -> Result<Answer, Refusal> {
        let body = self.apply_now(target, change, context.write(target.to_string()))?;
        Ok(Answer::json(StatusCode::OK, &body.unwrap_or(Value::Null)))
    }

    /// Whether the state of the resource permits a write. If the options say so, the write preempts one in
    /// progress.
    fn check_state(&self, state: &mut State, id: &ResourceId) -> Result<(), Refusal> {
        let Some(stored) = state.resources.get(&id.key()) else { return Ok(()) };
        if stored.being_made && !stored.running.is_empty() {
            return Err(Refusal::conflict());
        }
        let settled = ["Succeeded", "Failed", "Canceled"].map(Value::from);
        let state_now = &stored.body["properties"]["provisioningState"];
        if stored.running.is_empty() && state_now.is_string() && !settled.contains(state_now) {
            return Err(Refusal::operation_not_allowed());
        }
        let deleting = stored.running.iter().any(|name| {
            state.operations.get(name).is_some_and(|operation| matches!(operation.change, Change::Delete))
        });
        match self.inner.options.concurrent_writes {
            _ if stored.running.is_empty() => Ok(()),
            _ if deleting => Err(Refusal::conflict()),
            ConcurrentWrites::Conflict => Err(Refusal::conflict()),
            ConcurrentWrites::Serialize => Ok(()),
            ConcurrentWrites::Preempt => {
                state.preempt(&id.key(), self.inner.clock.now(), &self.inner.writes);
                Ok(())
            }
        }
    }
}
