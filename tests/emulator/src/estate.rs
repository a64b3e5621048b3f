//! Direct access to the resources, for tests and the demo: no requests, no tokens, no waiting.

mod machines;
pub mod seeded;

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use time::OffsetDateTime;

pub use machines::{scale_set_id, virtual_machine_id};

use crate::{
    Emulator, disk,
    operation::Change,
    refusal::Refusal,
    resource_id::ResourceId,
    state::Stored,
    write::{Caller, ResourceWrite},
};

/// The id of a disk.
pub fn disk_id(subscription: &str, group: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}")
}

/// The id of a snapshot.
pub fn snapshot_id(subscription: &str, group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{name}"
    )
}

impl Emulator {
    /// Creates or replaces a resource as a PUT of this body would, at once, and raises the event. Returns the
    /// new resource.
    pub fn put(&self, id: &str, caller: &Caller, body: &Value) -> Result<Value, Refusal> {
        let target = self.stored_id(id)?;
        let exists = self.inner.state.lock().resources.contains_key(&target.key());
        disk::check_put(&target, body, exists)?;
        let output =
            self.apply_now(&target, &Change::Put(body.clone()), direct_write(&target, caller, "PUT"))?;
        Ok(output.unwrap_or_default())
    }

    /// Changes a resource as a PATCH of this body would, at once, and raises the event. Returns the new
    /// resource.
    pub fn patch(&self, id: &str, caller: &Caller, body: &Value) -> Result<Value, Refusal> {
        let target = self.stored_id(id)?;
        disk::check_patch(target.kind, body)?;
        let output =
            self.apply_now(&target, &Change::Patch(body.clone()), direct_write(&target, caller, "PATCH"))?;
        Ok(output.unwrap_or_default())
    }

    /// Grants access to a resource by a SAS URL, as `beginGetAccess` does, or revokes it, at once, and raises the event.
    pub fn access(&self, id: &str, caller: &Caller, begin: bool) -> Result<(), Refusal> {
        let target = self.stored_id(id)?;
        let mut write = direct_write(&target, caller, "POST");
        let action = if begin { "beginGetAccess" } else { "endGetAccess" };
        write.operation_name = format!("{}/{action}/action", target.kind.type_name());
        self.apply_now(&target, &Change::Access(begin), write).map(drop)
    }

    /// Deletes a resource at once and raises the event. Returns whether it existed.
    pub fn delete(&self, id: &str, caller: &Caller) -> bool {
        let Ok(target) = self.stored_id(id) else { return false };
        if !self.inner.state.lock().resources.contains_key(&target.key()) {
            return false;
        }
        self.apply_now(&target, &Change::Delete, direct_write(&target, caller, "DELETE")).is_ok()
    }

    /// Creates or replaces a resource as a PUT of this body would, without an event: a resource from before
    /// the test, or one that the platform created.
    pub fn insert(&self, id: &str, body: &Value) -> Result<Value, Refusal> {
        let target = self.stored_id(id)?;
        let made = disk::created(&target, body, None, self.inner.clock.now());
        self.inner.state.lock().resources.insert(target.key(), Stored::new(target, made.clone()));
        Ok(made)
    }

    /// A resource as a GET would return it now.
    pub fn get(&self, id: &str) -> Option<Value> {
        self.settle();
        let key = ResourceId::parse(id)?.key();
        self.inner.state.lock().resources.get(&key).map(|stored| stored.body.clone())
    }

    /// All resources, in the order of their ids.
    pub fn resources(&self) -> Vec<Value> {
        self.settle();
        self.inner.state.lock().resources.values().map(|stored| stored.body.clone()).collect()
    }

    /// Sets a member of `properties` without an event, such as `diskState` or `provisioningState`; null
    /// removes it. Returns whether the resource exists.
    pub fn set_property(&self, id: &str, name: &str, value: Value) -> bool {
        self.change_body(id, |body| {
            let Some(properties) = body["properties"].as_object_mut() else { return };
            if value.is_null() {
                properties.shift_remove(name);
            } else {
                properties.insert(name.to_owned(), value);
            }
        })
    }

    /// Sets a property like [`Self::set_property`], to a value that a client does not expect.
    pub fn set_odd_property(&self, id: &str, name: &str, value: Value) -> bool {
        self.inner.is_odd.store(true, Ordering::Relaxed);
        self.set_property(id, name, value)
    }

    /// Sets a member of the resource itself to any value without an event, even to one that a client does not expect
    /// (prometheus/prometheus PR #19755 and Azure/AzureRMR #3 report such bodies of Resource Manager); null stays in the
    /// body. Returns whether the resource exists.
    pub fn set_member(&self, id: &str, name: &str, value: Value) -> bool {
        self.inner.is_odd.store(true, Ordering::Relaxed);
        self.change_body(id, |body| body[name] = value)
    }

    /// Removes a member of the resource itself without an event. Returns whether the resource exists.
    pub fn remove_member(&self, id: &str, name: &str) -> bool {
        self.inner.is_odd.store(true, Ordering::Relaxed);
        self.change_body(id, |body| {
            body.as_object_mut().map(|members| members.shift_remove(name));
        })
    }

    /// Sets a tag of a subscription, a resource group or any resource that is neither a disk nor a snapshot,
    /// without an event.
    pub fn set_scope_tag(&self, scope: &str, name: &str, value: &str) {
        let mut state = self.inner.state.lock();
        let tags = state.scope_tags.entry(scope.to_ascii_lowercase()).or_default();
        tags.insert(name.to_owned(), json!(value));
    }

    /// Attaches a disk to a running virtual machine, without an event.
    pub fn attach(&self, id: &str, virtual_machine: &str) -> bool {
        self.change_body(id, |body| {
            body["managedBy"] = json!(virtual_machine);
            body["properties"]["diskState"] = json!("Attached");
        })
    }

    /// Attaches a shared disk to several virtual machines, without an event. They are in `managedByExtended` alone:
    /// "Disks - Get" names it for disks that can be attached more than once.
    pub fn share(&self, id: &str, virtual_machines: &[&str]) -> bool {
        self.change_body(id, |body| {
            body["managedByExtended"] = json!(virtual_machines);
            body["properties"]["maxShares"] = json!(virtual_machines.len());
            body["properties"]["diskState"] = json!("Attached");
        })
    }

    /// Detaches a disk, without an event.
    pub fn detach(&self, id: &str) -> bool {
        self.change_body(id, |body| {
            if let Some(members) = body.as_object_mut() {
                members.shift_remove("managedBy");
                members.shift_remove("managedByExtended");
            }
            body["properties"]["diskState"] = json!("Unattached");
        })
    }

    fn change_body(&self, id: &str, change: impl FnOnce(&mut Value)) -> bool {
        let Some(key) = ResourceId::parse(id).map(|id| id.key()) else { return false };
        let mut state = self.inner.state.lock();
        let Some(stored) = state.resources.get_mut(&key) else { return false };
        change(&mut stored.body);
        true
    }

    /// An id in its stored case, or else as given.
    fn stored_id(&self, id: &str) -> Result<ResourceId, Refusal> {
        let given = ResourceId::parse(id).ok_or_else(|| {
            Refusal::new(400, "InvalidResourceId", &format!("'{id}' is not the id of a disk or snapshot."))
        })?;
        let state = self.inner.state.lock();
        Ok(state.resources.get(&given.key()).map_or(given, |stored| stored.id.clone()))
    }
}

fn direct_write(id: &ResourceId, caller: &Caller, method: &str) -> ResourceWrite {
    let verb = if method == "DELETE" { "delete" } else { "write" };
    ResourceWrite {
        resource_id: id.to_string(),
        subscription_id: id.subscription.clone(),
        operation_name: format!("{}/{verb}", id.kind.type_name()),
        method: method.to_owned(),
        url: format!("https://management.azure.com{id}?api-version=2024-03-02"),
        caller: caller.clone(),
        correlation_id: uuid::Uuid::new_v4().to_string(),
        at: OffsetDateTime::UNIX_EPOCH,
        succeeded: false,
    }
}
