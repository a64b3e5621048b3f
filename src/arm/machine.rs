//! The managed disks of a virtual machine, of a scale set, and of an instance of one.
//!
//! A scale set with uniform orchestration has instances of its own kind. One with flexible orchestration has
//! ordinary virtual machines, which its own list shows without their disks, so these are asked for by a filter
//! ("Orchestration modes API comparison", "Virtual Machines - List").

use std::collections::HashSet;

use azure_core::http::{Method, Url};
use serde::Deserialize;

use super::{
    Client,
    deadline::Deadline,
    error::{Error, Operation, SystemFailure},
    pipeline::Call,
};
use crate::resource_id::{Machine, MachineId, ResourceId};

/// The version of the compute resource provider's API: in every cloud for long, and the filter by scale set is
/// older.
const COMPUTE_API_VERSION: &str = "2024-03-01";

const MACHINES_READ: &str = "Microsoft.Compute/virtualMachines/read";
const INSTANCES_READ: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read";

const MACHINES: &str =
    "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines";
const MACHINE: &str =
    "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute/virtualMachines/{name}";
const INSTANCES: &str = "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute\
                         /virtualMachineScaleSets/{name}/virtualMachines";
const INSTANCE: &str = "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Compute\
                        /virtualMachineScaleSets/{name}/virtualMachines/{id}";

/// The managed disks of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineDisks {
    /// Each once, in the order in which ARM tells them.
    pub ids: Vec<ResourceId>,
    /// Whether these are all: a scale set may have more instances than two pages of a list hold.
    pub are_all: bool,
}

#[derive(Deserialize)]
struct Body {
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    storage_profile: Option<StorageProfile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StorageProfile {
    os_disk: Option<Disk>,
    data_disks: Option<Vec<Disk>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Disk {
    /// Absent on a disk that is a blob of a storage account, as machines had them once.
    managed_disk: Option<ManagedDisk>,
}

#[derive(Deserialize)]
struct ManagedDisk {
    id: Option<String>,
}

/// What has been told of so far.
#[derive(Default)]
struct Told {
    ids: Vec<ResourceId>,
    known: HashSet<ResourceId>,
    has_unreadable: bool,
}

impl Told {
    fn add(&mut self, body: Body) {
        let Some(profile) = body.properties.and_then(|properties| properties.storage_profile) else { return };
        let disks = profile.os_disk.into_iter().chain(profile.data_disks.into_iter().flatten());
        for id in disks.filter_map(|disk| disk.managed_disk?.id) {
            match id.parse::<ResourceId>() {
                Ok(id) if self.known.insert(id.clone()) => self.ids.push(id),
                Ok(_) => {}
                Err(_) => self.has_unreadable = true,
            }
        }
    }
}

impl Client {
    /// The managed disks of a machine, in at most two reads.
    ///
    /// # Errors
    /// `Gone` if the machine is not there; see [`super::Failure`] for the others. Where the role lacks an
    /// action, the error names it.
    pub async fn machine_disks(&self, id: &MachineId, deadline: Deadline) -> Result<MachineDisks, Error> {
        match id.machine() {
            Machine::VirtualMachine(_) => self.disks_of_one(id, MACHINE, MACHINES_READ, deadline).await,
            Machine::Instance { .. } => self.disks_of_one(id, INSTANCE, INSTANCES_READ, deadline).await,
            Machine::ScaleSet(_) => self.disks_of_scale_set(id, deadline).await,
        }
    }

    async fn disks_of_one(
        &self,
        id: &MachineId,
        template: &'static str,
        action: &str,
        deadline: Deadline,
    ) -> Result<MachineDisks, Error> {
        let url = self.url(&id.to_string(), COMPUTE_API_VERSION);
        let (operation, subscription_id) = (Operation::Machine, id.subscription_id());
        let call = Call { operation, method: Method::Get, url: &url, template, subscription_id, body: None };
        let answer = self.pipeline.send(&call, deadline).await.map_err(|error| error.naming(action))?;
        let body = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::without_answer(operation, SystemFailure::Unreadable, error))?;
        let mut told = Told::default();
        told.add(body);
        Ok(MachineDisks { are_all: !told.has_unreadable, ids: told.ids })
    }

    async fn disks_of_scale_set(&self, id: &MachineId, deadline: Deadline) -> Result<MachineDisks, Error> {
        let mut told = Told::default();
        let url = self.url(&format!("{id}/virtualMachines"), COMPUTE_API_VERSION);
        let mut next = self.tell_page(id, &url, INSTANCES, INSTANCES_READ, &mut told, deadline).await?;
        let is_flexible = told.ids.is_empty() && !told.has_unreadable;
        if is_flexible {
            let url = self.machines_of(id);
            next = self.tell_page(id, &url, MACHINES, MACHINES_READ, &mut told, deadline).await?;
        } else if let Some(url) = next {
            next = self.tell_page(id, &url, INSTANCES, INSTANCES_READ, &mut told, deadline).await?;
        }
        Ok(MachineDisks { are_all: next.is_none() && !told.has_unreadable, ids: told.ids })
    }

    /// The list of the virtual machines of a scale set with flexible orchestration.
    fn machines_of(&self, id: &MachineId) -> Url {
        let group = format!("/subscriptions/{}/resourceGroups/{}", id.subscription_id(), id.resource_group());
        let path = format!("{group}/providers/Microsoft.Compute/virtualMachines");
        let mut url = self.url(&path, COMPUTE_API_VERSION);
        // No part of a parsed ID can hold the quote that would end the text.
        url.query_pairs_mut().append_pair("$filter", &format!("'virtualMachineScaleSet/id' eq '{id}'"));
        url
    }

    async fn tell_page(
        &self,
        id: &MachineId,
        url: &Url,
        template: &'static str,
        action: &str,
        told: &mut Told,
        deadline: Deadline,
    ) -> Result<Option<Url>, Error> {
        let operation = Operation::Machine;
        let page = self.elements_of(operation, id.subscription_id(), url, template, deadline).await;
        let (elements, next) = page.map_err(|error| error.naming(action))?;
        for element in &elements {
            match serde_json::from_str(element.get()) {
                Ok(body) => told.add(body),
                Err(_) => told.has_unreadable = true,
            }
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Told {
        let mut told = Told::default();
        told.add(serde_json::from_str(json).unwrap());
        told
    }

    #[test]
    fn managed_disks_are_told_once_and_nothing_else_is() {
        let id = |name: &str| {
            format!(
                "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/RG/providers/Microsoft.Compute/disks/{name}"
            )
        };
        let json = serde_json::json!({"properties": {"storageProfile": {
            "osDisk": {"createOption": "FromImage", "managedDisk": {"id": id("os"), "storageAccountType": "Premium_LRS"}},
            "dataDisks": [
                {"lun": 0, "managedDisk": {"id": id("d0")}},
                {"lun": 1, "managedDisk": {"id": id("D0").to_lowercase()}},
                {"lun": 2, "vhd": {"uri": "https://account.blob.core.windows.net/vhds/d.vhd"}},
                {"lun": 3, "managedDisk": {"storageAccountType": "Premium_LRS"}},
                {"lun": 4, "managedDisk": null},
            ],
        }}});
        let told = told(&json.to_string());
        assert_eq!(told.ids, [id("os"), id("d0")].map(|id| id.parse().unwrap()));
        assert!(!told.has_unreadable);
    }

    #[test]
    fn a_machine_without_disks_is_no_fault_and_an_id_that_is_none_is_noticed() {
        for json in [
            "{}",
            r#"{"properties":null}"#,
            r#"{"properties":{}}"#,
            r#"{"properties":{"storageProfile":{"osDisk":null,"dataDisks":null}}}"#,
        ] {
            let told = told(json);
            assert!(told.ids.is_empty() && !told.has_unreadable, "{json}");
        }
        let strange =
            r#"{"properties":{"storageProfile":{"osDisk":{"managedDisk":{"id":"/somewhere/else"}}}}}"#;
        assert!(told(strange).has_unreadable);
    }
}
