//! Virtual machines and scale sets, as far as their disks are concerned: how Compute handles a storage
//! profile.
//!
//! Sources: "Virtual Machines - Create Or Update", "Virtual Machine Scale Sets - Create Or Update", "Virtual
//! Machine Scale Set VMs - List", "Orchestration modes for Virtual Machine Scale Sets". The names that
//! Compute gives to unnamed disks are not documented; the names here follow observed ones.

use std::fmt;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    disk,
    resource_id::{ResourceId, ResourceKind, folded},
    state::{State, Stored},
};

mod scale_set;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MachineKind {
    VirtualMachine,
    ScaleSet,
    /// An instance of a scale set with uniform orchestration.
    Instance,
}

/// The id of a machine, in the given case.
#[derive(Clone, Debug)]
pub(crate) struct MachineId {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) kind: MachineKind,
    /// The name of the virtual machine or of the scale set.
    pub(crate) name: String,
    /// The number of an instance.
    pub(crate) instance: Option<String>,
}

impl MachineId {
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let segments: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
        let (head, tail) = segments.split_at_checked(6)?;
        let fixed = [(0, "subscriptions"), (2, "resourceGroups"), (4, "providers"), (5, "Microsoft.Compute")];
        let is_compute = fixed.iter().all(|(place, keyword)| head[*place].eq_ignore_ascii_case(keyword));
        if !is_compute || segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        let is = |given: &str, segment: &str| given.eq_ignore_ascii_case(segment);
        let (kind, name, instance) = match *tail {
            [kind, name] if is(kind, "virtualMachines") => (MachineKind::VirtualMachine, name, None),
            [kind, name] if is(kind, "virtualMachineScaleSets") => (MachineKind::ScaleSet, name, None),
            [kind, name, child, instance]
                if is(kind, "virtualMachineScaleSets") && is(child, "virtualMachines") =>
            {
                (MachineKind::Instance, name, Some(instance.to_owned()))
            }
            _ => return None,
        };
        let (subscription, group) = (head[1].to_owned(), head[3].to_owned());
        Some(Self { subscription, group, kind, name: name.to_owned(), instance })
    }

    pub(crate) fn key(&self) -> String {
        folded(&self.to_string())
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            MachineKind::VirtualMachine => "Microsoft.Compute/virtualMachines",
            MachineKind::ScaleSet => "Microsoft.Compute/virtualMachineScaleSets",
            MachineKind::Instance => "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        }
    }

    fn disk(&self, name: String) -> ResourceId {
        let (subscription, group) = (self.subscription.clone(), self.group.clone());
        ResourceId { subscription, group, kind: ResourceKind::Disk, name }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, group, name, .. } = self;
        let prefix = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers");
        match (&self.instance, self.kind) {
            (Some(instance), _) => write!(
                out,
                "{prefix}/Microsoft.Compute/virtualMachineScaleSets/{name}/virtualMachines/{instance}"
            ),
            (None, _) => write!(out, "{prefix}/{}/{name}", self.type_name()),
        }
    }
}

/// A machine that exists.
#[derive(Debug)]
pub(crate) struct StoredMachine {
    pub(crate) id: MachineId,
    pub(crate) body: Value,
    /// Its scale set, by id in lower case.
    pub(crate) scale_set: Option<String>,
}

/// The body of a PUT that creates a virtual machine from an image, with this many unnamed empty data disks.
pub fn virtual_machine_body(location: &str, data_disks: u32) -> Value {
    json!({
        "location": location,
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": storage_profile(data_disks),
        },
    })
}

/// The body of a PUT that creates a scale set with this many instances, each with an operating-system disk
/// and a data disk. `orchestration_mode` is `Uniform` or `Flexible`.
pub fn scale_set_body(location: &str, orchestration_mode: &str, instances: u32) -> Value {
    json!({
        "location": location,
        "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": instances},
        "properties": {
            "orchestrationMode": orchestration_mode,
            "virtualMachineProfile": {"storageProfile": storage_profile(1)},
        },
    })
}

fn storage_profile(data_disks: u32) -> Value {
    let managed = json!({"storageAccountType": "Premium_LRS"});
    let data_disk =
        |lun: u32| json!({"lun": lun, "createOption": "Empty", "diskSizeGB": 64, "managedDisk": managed});
    json!({
        "imageReference": {
            "publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest",
        },
        "osDisk": {"createOption": "FromImage", "osType": "Linux", "managedDisk": managed},
        "dataDisks": (0..data_disks).map(data_disk).collect::<Vec<_>>(),
    })
}

impl State {
    /// Creates or replaces a virtual machine or scale set as a PUT of this body does, with all missing disks.
    /// Returns the ids of the new disks.
    pub(crate) fn put_machine(
        &mut self,
        id: &MachineId,
        sent: &Value,
        now: OffsetDateTime,
    ) -> Vec<ResourceId> {
        match id.kind {
            MachineKind::ScaleSet => self.put_scale_set(id, sent, now),
            MachineKind::VirtualMachine | MachineKind::Instance => {
                self.put_one(id, sent, Map::new(), None, now)
            }
        }
    }

    /// One machine; `more` are additional members of its `properties`.
    fn put_one(
        &mut self,
        id: &MachineId,
        sent: &Value,
        more: Map<String, Value>,
        scale_set: Option<String>,
        now: OffsetDateTime,
    ) -> Vec<ResourceId> {
        let before = self.machines.get(&id.key()).map(|known| known.body.clone()).unwrap_or_default();
        let mut properties = sent["properties"].as_object().cloned().unwrap_or_default();
        properties.extend(more);
        let profile = properties.entry("storageProfile").or_insert_with(|| json!({}));
        let known = &before["properties"]["storageProfile"];
        let mut made = Vec::new();
        if profile["osDisk"].is_object() {
            let slot = Slot { stem: "OsDisk_1".to_owned(), known: &known["osDisk"], tags: &sent["tags"] };
            self.fill(id, sent, &mut profile["osDisk"], &slot, &mut made, now);
        }
        for data_disk in profile["dataDisks"].as_array_mut().into_iter().flatten() {
            let lun = data_disk["lun"].clone();
            let same = known["dataDisks"].as_array().into_iter().flatten().find(|disk| disk["lun"] == lun);
            let stem = format!("disk{}", lun.as_u64().unwrap_or_default() + 2);
            let slot = Slot { stem, known: same.unwrap_or(&Value::Null), tags: &Value::Null };
            self.fill(id, sent, data_disk, &slot, &mut made, now);
        }
        properties.insert("provisioningState".to_owned(), json!("Succeeded"));
        let mut body = json!({"name": id.name, "id": id.to_string(), "type": id.type_name()});
        body["location"] = sent["location"].clone();
        if sent["tags"].is_object() {
            body["tags"] = sent["tags"].clone();
        }
        if let Some(instance) = &id.instance {
            body["name"] = json!(format!("{}_{instance}", id.name));
            body["instanceId"] = json!(instance);
        }
        body["properties"] = Value::Object(properties);
        self.machines.insert(id.key(), StoredMachine { id: id.clone(), body, scale_set });
        made
    }

    /// Makes sure that a place of a storage profile has its disk: the current one, a named one, or a new one.
    fn fill(
        &mut self,
        machine: &MachineId,
        sent: &Value,
        place: &mut Value,
        slot: &Slot<'_>,
        made: &mut Vec<ResourceId>,
        now: OffsetDateTime,
    ) {
        if slot.known["managedDisk"]["id"].is_string() {
            *place = slot.known.clone();
            return;
        }
        if let Some(attached) = place["managedDisk"]["id"].as_str() {
            if let Some(stored) = self.resources.get_mut(&folded(attached)) {
                hold(&mut stored.body, machine);
            }
            return;
        }
        let owner = match &machine.instance {
            Some(instance) => format!("{0}_{0}_{instance}", machine.name),
            None => machine.name.clone(),
        };
        let name = place["name"].as_str().map_or_else(
            || format!("{owner}_{}_{}", slot.stem, uuid::Uuid::new_v4().simple()),
            str::to_owned,
        );
        let id = machine.disk(name);
        let kind = place["managedDisk"]["storageAccountType"].as_str().unwrap_or("Standard_LRS").to_owned();
        let mut body = disk::created(&id, &disk_of(sent, place, &kind, slot.tags), None, now);
        hold(&mut body, machine);
        let stored = Stored { written: Some(Instant::now()), ..Stored::new(id.clone(), body) };
        self.resources.insert(id.key(), stored);
        place["name"] = json!(id.name);
        // Machines, like lists, spell the resource group of their disks in upper case.
        place["managedDisk"] = json!({"storageAccountType": kind, "id": id.in_lists()});
        made.push(id);
    }

    /// Deletes a machine. Its disks stay and become free, which is the default of `deleteOption`; those of a
    /// scale set's instances are deleted.
    pub(crate) fn delete_machine(&mut self, id: &MachineId) -> bool {
        if self.machines.remove(&id.key()).is_none() {
            return false;
        }
        let (key, machine) = (id.key(), id.to_string());
        for stored in self.resources.values_mut().filter(|stored| stored.body["managedBy"] == machine) {
            if let Some(members) = stored.body.as_object_mut() {
                members.shift_remove("managedBy");
            }
            stored.body["properties"]["diskState"] = json!("Unattached");
        }
        let instances: Vec<MachineId> = self
            .machines
            .values()
            .filter(|known| known.scale_set.as_ref() == Some(&key))
            .map(|known| known.id.clone())
            .collect();
        for instance in instances {
            self.remove_instance(&instance);
        }
        true
    }
}

/// A place in a storage profile.
struct Slot<'a> {
    /// The part of a disk's name that shows its purpose.
    stem: String,
    /// The previous disk.
    known: &'a Value,
    /// The tags of a new disk: those of its machine on an operating-system disk, else none.
    tags: &'a Value,
}

/// The body that a client would send to create such a disk. Compute offers no way to set its
/// `dataAccessAuthMode`.
fn disk_of(sent: &Value, place: &Value, kind: &str, tags: &Value) -> Value {
    let location = sent["location"].as_str().unwrap_or("westeurope");
    let creation = if place["createOption"] == "FromImage" {
        let image = format!(
            "/Subscriptions/{}/Providers/Microsoft.Compute/Locations/{location}/Publishers/Canonical/ArtifactTypes/\
             VMImage/Offers/ubuntu-24_04-lts/Skus/server/Versions/24.04.202611010",
            uuid::Uuid::nil()
        );
        json!({"createOption": "FromImage", "imageReference": {"id": image}})
    } else {
        json!({"createOption": "Empty"})
    };
    let mut body = json!({
        "location": location,
        "sku": {"name": kind},
        "properties": {"creationData": creation},
    });
    for name in ["diskSizeGB", "osType"] {
        if !place[name].is_null() {
            body["properties"][name] = place[name].clone();
        }
    }
    if tags.is_object() {
        body["tags"] = tags.clone();
    }
    body
}

fn hold(disk: &mut Value, machine: &MachineId) {
    disk["managedBy"] = json!(machine.to_string());
    disk["properties"]["diskState"] = json!("Attached");
}
