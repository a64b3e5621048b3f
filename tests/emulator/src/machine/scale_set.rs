//! Scale sets: the intended number of instances, each a machine with its own disks.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{MachineId, MachineKind, StoredMachine};
use crate::{resource_id::ResourceId, state::State};

impl State {
    pub(super) fn put_scale_set(
        &mut self,
        id: &MachineId,
        sent: &Value,
        now: OffsetDateTime,
    ) -> Vec<ResourceId> {
        let wanted =
            usize::try_from(sent["sku"]["capacity"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
        let mut body = json!({"name": id.name, "id": id.to_string(), "type": id.type_name()});
        for name in ["location", "tags", "sku", "properties"] {
            if !sent[name].is_null() {
                body[name] = sent[name].clone();
            }
        }
        body["properties"]["provisioningState"] = json!("Succeeded");
        self.machines.insert(id.key(), StoredMachine { id: id.clone(), body, scale_set: None });
        let mut instances = self.instances(id);
        while instances.len() > wanted {
            if let Some(last) = instances.pop() {
                self.remove_instance(&last);
            }
        }
        let mut made = Vec::new();
        let is_flexible = is_flexible(sent);
        let next = instances.iter().filter_map(|one| one.instance.as_ref()?.parse::<usize>().ok()).max();
        let first = next.map_or(0, |last| last + 1);
        for number in first..first + wanted.saturating_sub(instances.len()) {
            let instance = instance_id(id, is_flexible, number);
            made.extend(self.put_instance(id, &instance, sent, now));
        }
        made
    }

    fn put_instance(
        &mut self,
        scale_set: &MachineId,
        instance: &MachineId,
        sent: &Value,
        now: OffsetDateTime,
    ) -> Vec<ResourceId> {
        let profile = &sent["properties"]["virtualMachineProfile"];
        let mut one = json!({"location": sent["location"], "properties": {"storageProfile": profile["storageProfile"]}});
        if sent["tags"].is_object() {
            one["tags"] = sent["tags"].clone();
        }
        let mut more = Map::new();
        more.insert("vmId".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
        match instance.kind {
            MachineKind::Instance => more.insert("latestModelApplied".to_owned(), json!(true)),
            _ => more.insert("virtualMachineScaleSet".to_owned(), json!({"id": scale_set.to_string()})),
        };
        self.put_one(instance, &one, more, Some(scale_set.key()), now)
    }

    /// The ids of a scale set's instances, in the order of their creation if they are numbered.
    pub(crate) fn instances(&self, scale_set: &MachineId) -> Vec<MachineId> {
        let key = scale_set.key();
        let ours = self.machines.values().filter(|known| known.scale_set.as_ref() == Some(&key));
        let mut ids: Vec<MachineId> = ours.map(|known| known.id.clone()).collect();
        ids.sort_by_key(|id| id.instance.as_ref().and_then(|number| number.parse::<usize>().ok()));
        ids
    }

    /// An instance in the scale set's own list: a uniform one in full. Of a flexible one the list shows
    /// little; its disks are in the virtual machine itself.
    pub(crate) fn listed(&self, scale_set: &MachineId, instance: &MachineId) -> Value {
        match (self.machines.get(&instance.key()), instance.kind) {
            (Some(known), MachineKind::Instance) => known.body.clone(),
            (Some(known), _) => json!({
                "name": instance.name,
                "id": format!("{scale_set}/virtualMachines/{}", instance.name),
                "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
                "location": known.body["location"],
                "instanceId": instance.name,
            }),
            (None, _) => Value::Null,
        }
    }

    /// An instance is deleted with its disks.
    pub(super) fn remove_instance(&mut self, instance: &MachineId) {
        let machine = instance.to_string();
        self.machines.remove(&instance.key());
        self.resources.retain(|_, stored| stored.body["managedBy"] != machine);
    }
}

fn is_flexible(sent: &Value) -> bool {
    sent["properties"]["orchestrationMode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("Flexible"))
}

fn instance_id(scale_set: &MachineId, is_flexible: bool, number: usize) -> MachineId {
    if is_flexible {
        let suffix: String = uuid::Uuid::new_v4().simple().to_string().chars().take(8).collect();
        let name = format!("{}_{suffix}", scale_set.name);
        MachineId { kind: MachineKind::VirtualMachine, name, instance: None, ..scale_set.clone() }
    } else {
        MachineId { kind: MachineKind::Instance, instance: Some(number.to_string()), ..scale_set.clone() }
    }
}
