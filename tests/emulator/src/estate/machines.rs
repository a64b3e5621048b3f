//! Machines by direct access: no requests, no tokens, no waiting.

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    Emulator,
    machine::MachineId,
    refusal::Refusal,
    write::{Caller, ResourceWrite},
};

/// The id of a virtual machine.
pub fn virtual_machine_id(subscription: &str, group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    )
}

/// The id of a scale set.
pub fn scale_set_id(subscription: &str, group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"
    )
}

impl Emulator {
    /// Creates or replaces a virtual machine or scale set as a PUT of this body would, with its disks, and
    /// raises the event. Returns the ids of all its disks.
    pub fn put_machine(&self, id: &str, caller: &Caller, body: &Value) -> Result<Vec<String>, Refusal> {
        let id = machine_id(id)?;
        self.make_machine(&id, body, write(&id, caller, "PUT"))?;
        Ok(self.machine_disks(&id.to_string()))
    }

    /// Deletes a machine and raises the event. Returns whether it existed.
    pub fn delete_machine(&self, id: &str, caller: &Caller) -> bool {
        machine_id(id).is_ok_and(|id| self.unmake_machine(&id, write(&id, caller, "DELETE")))
    }

    /// The ids of the disks of a machine, or of the instances of a scale set, in their order.
    pub fn machine_disks(&self, id: &str) -> Vec<String> {
        let Ok(id) = machine_id(id) else { return Vec::new() };
        let state = self.inner.state.lock();
        let mut holders: Vec<String> = state.instances(&id).iter().map(ToString::to_string).collect();
        holders.push(id.to_string());
        let held =
            |body: &Value| body["managedBy"].as_str().is_some_and(|by| holders.iter().any(|one| one == by));
        let disks = state.resources.values().filter(|stored| held(&stored.body));
        disks.map(|stored| stored.id.to_string()).collect()
    }
}

fn machine_id(id: &str) -> Result<MachineId, Refusal> {
    MachineId::parse(id).ok_or_else(|| {
        Refusal::new(
            400,
            "InvalidResourceId",
            &format!("'{id}' is not the id of a virtual machine or scale set."),
        )
    })
}

fn write(id: &MachineId, caller: &Caller, method: &str) -> ResourceWrite {
    let verb = if method == "DELETE" { "delete" } else { "write" };
    ResourceWrite {
        resource_id: id.to_string(),
        subscription_id: id.subscription.clone(),
        operation_name: format!("{}/{verb}", id.type_name()),
        method: method.to_owned(),
        url: format!("https://management.azure.com{id}?api-version=2024-03-01"),
        caller: caller.clone(),
        correlation_id: uuid::Uuid::new_v4().to_string(),
        at: OffsetDateTime::UNIX_EPOCH,
        succeeded: false,
    }
}
