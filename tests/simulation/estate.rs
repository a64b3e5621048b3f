//! The writers of an estate, and what they have made: the resources and the tags that are not Diskseal's.

use std::collections::{BTreeMap, HashMap};

use diskseal_emulator::{
    Emulator, Protection, disk_body, scale_set_body, snapshot_body, virtual_machine_body, write::Caller,
};
use serde_json::{Map, Value, json};

use super::{
    settings::{EXEMPT_TAG, is_ours},
    slot::{Kind, Slot},
};

const LOCATION: &str = "westeurope";
const VAULT: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-vault/providers/Microsoft.RecoveryServices/vaults/v";

/// The tags of a resource that are not of the seal.
pub(crate) type Foreign = BTreeMap<String, Value>;

#[derive(Debug)]
pub(crate) struct Estate {
    azure: Emulator,
    slots: Vec<Slot>,
    /// By ID, of everything that was made and not deleted.
    pub(crate) foreign: BTreeMap<String, Foreign>,
    plans: HashMap<usize, Value>,
}

fn caller(name: &str) -> Caller {
    Caller::user(format!("0d0d0d0d-0000-4000-8000-{:012}", name.len()), name)
}

fn foreign(tags: &Value) -> Foreign {
    let tags = tags.as_object().into_iter().flatten();
    tags.filter(|(name, _)| !is_ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Estate {
    pub(crate) fn new(azure: Emulator, slots: Vec<Slot>) -> Self {
        for slot in slots.iter().filter(|slot| slot.is_protected) {
            let protection = if slot.is_machine() { Protection::Backup } else { Protection::DiskBackup };
            azure.protect(&slot.id, VAULT, protection);
        }
        Self { azure, slots, foreign: BTreeMap::new(), plans: HashMap::new() }
    }

    /// The resource of a slot that exists: itself, or the first disk of its machine.
    pub(crate) fn resource(&self, slot: usize) -> Option<String> {
        let slot = &self.slots[slot];
        let id = if slot.is_machine() {
            self.azure.machine_disks(&slot.id).into_iter().next()?
        } else {
            slot.id.clone()
        };
        self.azure.get(&id).is_some().then_some(id)
    }

    pub(crate) fn id(&self, slot: usize) -> &str {
        &self.slots[slot].id
    }

    pub(crate) fn create(&mut self, slot: usize, is_prod: bool) {
        let Slot { kind, id, .. } = self.slots[slot].clone();
        let env = if is_prod { "prod" } else { "dev" };
        let with_tags = |mut body: Value| {
            body["tags"] = json!({"env": env, "owner": "jane"});
            body
        };
        let machine = match kind {
            Kind::Machine => virtual_machine_body(LOCATION, 1),
            Kind::UniformSet => scale_set_body(LOCATION, "Uniform", 2),
            Kind::FlexibleSet => scale_set_body(LOCATION, "Flexible", 1),
            Kind::Disk => return self.put(&id, &with_tags(disk_body(LOCATION))),
            Kind::Snapshot => {
                let source = id.replace("/snapshots/", "/disks/source-of-");
                return self.put(&id, &with_tags(snapshot_body(LOCATION, &source)));
            }
            Kind::UploadDisk => {
                let mut body = with_tags(disk_body(LOCATION));
                body["properties"] = json!({"creationData": {"createOption": "Upload", "uploadSizeBytes": 34_359_738_880_u64}});
                return self.put(&id, &body);
            }
        };
        for disk in self.azure.put_machine(&id, &caller("jane"), &with_tags(machine)).unwrap_or_default() {
            let tags = self.azure.get(&disk).map(|body| body["tags"].clone()).unwrap_or_default();
            self.foreign.insert(disk, foreign(&tags));
        }
    }

    fn put(&mut self, id: &str, body: &Value) {
        if self.azure.put(id, &caller("terraform"), body).is_ok() {
            self.foreign.insert(id.to_owned(), foreign(&body["tags"]));
        }
        // What has a backup was there before it.
        if self.slots.iter().any(|slot| slot.is_protected && slot.id == id) {
            self.azure.set_property(id, "timeCreated", json!("2026-01-01T00:00:00+00:00"));
        }
    }

    /// Writes all of a resource, as code describes it.
    pub(crate) fn overwrite(&mut self, slot: usize) {
        let Some(id) = self.resource(slot) else { return };
        let Some(now) = self.azure.get(&id) else { return };
        let mut body = written(&now, false);
        body["tags"] = json!({"env": "prod", "managed-by": "terraform"});
        self.put(&id, &body);
    }

    pub(crate) fn plan(&mut self, slot: usize) {
        if let Some(now) = self.resource(slot).and_then(|id| self.azure.get(&id)) {
            self.plans.insert(slot, written(&now, true));
        }
    }

    pub(crate) fn apply(&mut self, slot: usize) {
        let (Some(id), Some(body)) = (self.resource(slot), self.plans.remove(&slot)) else { return };
        self.put(&id, &body);
    }

    /// Changes the tags by a write of all of them, as they are now.
    pub(crate) fn tag(&mut self, slot: usize, who: &str, change: impl FnOnce(&mut Map<String, Value>)) {
        let Some(id) = self.resource(slot) else { return };
        let mut tags = self.azure.get(&id).map(|body| body["tags"].clone()).unwrap_or_default();
        if !tags.is_object() {
            tags = json!({});
        }
        if let Value::Object(tags) = &mut tags {
            change(tags);
        }
        if self.azure.patch(&id, &caller(who), &json!({"tags": tags})).is_ok() {
            self.foreign.insert(id, foreign(&tags));
        }
    }

    pub(crate) fn exempt(&mut self, slot: usize, how: u8) {
        let value = ["until=2090-01-31; restore test", "until=2020-01-31; over", "for ever"];
        self.tag(slot, "owner", |tags| {
            tags.insert(EXEMPT_TAG.to_owned(), json!(value[usize::from(how) % 3]));
        });
    }

    pub(crate) fn undo(&self, slot: usize) {
        if let Some(id) = self.resource(slot) {
            undo(&self.azure, &id);
        }
    }

    pub(crate) fn attach(&self, slot: usize, machine: usize) {
        let (Some(id), machine) = (self.resource(slot), &self.slots[machine]) else { return };
        if id.contains("/disks/") && machine.kind == Kind::Machine && !self.slots[slot].is_machine() {
            self.azure.attach(&id, &machine.id);
        }
    }

    pub(crate) fn detach(&self, slot: usize) {
        if let Some(id) = self.resource(slot).filter(|_| !self.slots[slot].is_machine()) {
            self.azure.detach(&id);
        }
    }

    pub(crate) fn access(&self, slot: usize, begin: bool) {
        if let Some(id) = self.resource(slot) {
            // Refused in some states, which is as good.
            let _ = self.azure.access(&id, &caller("backup"), begin);
        }
    }

    pub(crate) fn delete(&mut self, slot: usize) {
        let who = caller("jane");
        if self.slots[slot].is_machine() {
            self.azure.delete_machine(&self.slots[slot].id, &who);
        } else if let Some(id) = self.resource(slot) {
            self.azure.delete(&id, &who);
            self.foreign.remove(&id);
        }
    }
}

/// Somebody resets everything that seals a resource.
pub(crate) fn undo(azure: &Emulator, id: &str) {
    let open = json!({"dataAccessAuthMode": "None", "publicNetworkAccess": "Enabled", "networkAccessPolicy": "AllowAll"});
    // One that is gone is not undone.
    let _ = azure.patch(id, &caller("attacker"), &json!({"properties": open}));
}

/// The body by which a client writes what it has read.
fn written(read: &Value, with_mode: bool) -> Value {
    let mut properties = Map::new();
    let names = ["creationData", "diskSizeGB", "incremental", "dataAccessAuthMode"];
    for name in names.into_iter().filter(|name| with_mode || *name != "dataAccessAuthMode") {
        let value = &read["properties"][name];
        if !value.is_null() {
            properties.insert(name.to_owned(), value.clone());
        }
    }
    json!({
        "location": read["location"], "sku": {"name": read["sku"]["name"]}, "tags": read["tags"],
        "properties": properties,
    })
}
