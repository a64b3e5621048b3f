//! The managed disks of a virtual machine, of a scale set, and of an instance of a scale set.
//!
//! A scale set with uniform orchestration lists its instances with their disks. One with flexible orchestration
//! has ordinary virtual machines and lists them without disks, so they are listed with a filter instead
//! ("Orchestration modes API comparison", "Virtual Machines - List").

use std::collections::HashSet;

use azure_core::http::Url;
use serde::Deserialize;

use super::{
    Client,
    api::{self, Api},
    error::Error,
    parse,
};
use crate::{
    azure::Terms,
    resource_id::{Machine, MachineId, ResourceId},
};

/// The managed disks of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineDisks {
    /// Each once, in ARM's order.
    pub ids: Vec<ResourceId>,
    /// Whether the list is complete: a scale set may have more instances than two pages hold.
    pub are_all: bool,
}

#[derive(Deserialize)]
struct MachineAnswer {
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
    /// Missing for an unmanaged disk, which is a blob of a storage account.
    managed_disk: Option<ManagedDisk>,
}

#[derive(Deserialize)]
struct ManagedDisk {
    id: Option<String>,
}

/// The disks found so far.
#[derive(Default)]
struct Found {
    ids: Vec<ResourceId>,
    known: HashSet<ResourceId>,
    has_unreadable: bool,
}

impl Found {
    fn add(&mut self, body: MachineAnswer) {
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
    /// The managed disks of a machine. Sends at most two requests.
    ///
    /// # Errors
    /// `Gone` if the machine does not exist; see [`super::Failure`] for the others. If the role lacks an action,
    /// the error names it.
    pub async fn machine_disks(&self, id: &MachineId, terms: Terms) -> Result<MachineDisks, Error> {
        let api = match id.machine() {
            Machine::VirtualMachine(_) => &api::MACHINE,
            Machine::Instance { .. } => &api::INSTANCE,
            Machine::ScaleSet(_) => return self.disks_of_scale_set(id, terms).await,
        };
        let url = self.url(&id.to_string(), api);
        let answer = self.send(api, &url, id.subscription_id(), None, terms).await;
        let answer = answer.map_err(|error| error.naming(api))?;
        let mut found = Found::default();
        found.add(parse(api, &answer.body)?);
        Ok(MachineDisks { are_all: !found.has_unreadable, ids: found.ids })
    }

    async fn disks_of_scale_set(&self, id: &MachineId, terms: Terms) -> Result<MachineDisks, Error> {
        let mut found = Found::default();
        let url = self.url(&format!("{id}/virtualMachines"), &api::INSTANCES);
        let mut next = self.add_page(&api::INSTANCES, id, &url, &mut found, terms).await?;
        let is_flexible = found.ids.is_empty() && !found.has_unreadable;
        if is_flexible {
            let url = self.machines_of(id);
            next = self.add_page(&api::MACHINES, id, &url, &mut found, terms).await?;
        } else if let Some(url) = next {
            next = self.add_page(&api::INSTANCES, id, &url, &mut found, terms).await?;
        }
        Ok(MachineDisks { are_all: next.is_none() && !found.has_unreadable, ids: found.ids })
    }

    /// The URL of the virtual machines of a scale set with flexible orchestration.
    fn machines_of(&self, id: &MachineId) -> Url {
        let group = format!("/subscriptions/{}/resourceGroups/{}", id.subscription_id(), id.resource_group());
        let path = format!("{group}/providers/Microsoft.Compute/virtualMachines");
        let mut url = self.url(&path, &api::MACHINES);
        // A parsed ID holds no quote.
        url.query_pairs_mut().append_pair("$filter", &format!("'virtualMachineScaleSet/id' eq '{id}'"));
        url
    }

    async fn add_page(
        &self,
        api: &'static Api,
        id: &MachineId,
        url: &Url,
        found: &mut Found,
        terms: Terms,
    ) -> Result<Option<Url>, Error> {
        let page = self.elements(api, id.subscription_id(), url, terms).await;
        let (elements, next) = page.map_err(|error| error.naming(api))?;
        for element in &elements {
            match serde_json::from_str(element.get()) {
                Ok(body) => found.add(body),
                Err(_) => found.has_unreadable = true,
            }
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Found {
        let mut found = Found::default();
        found.add(serde_json::from_str(json).unwrap());
        found
    }

    #[test]
    fn each_managed_disk_is_found_once() {
        let group = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/RG";
        let id = |name: &str| format!("{group}/providers/Microsoft.Compute/disks/{name}");
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
        let found = found(&json.to_string());
        assert_eq!(found.ids, [id("os"), id("d0")].map(|id| id.parse().unwrap()));
        assert!(!found.has_unreadable);
    }

    #[test]
    fn a_machine_may_have_no_disks_and_a_wrong_id_is_noticed() {
        for json in [
            "{}",
            r#"{"properties":null}"#,
            r#"{"properties":{}}"#,
            r#"{"properties":{"storageProfile":{"osDisk":null,"dataDisks":null}}}"#,
        ] {
            let found = found(json);
            assert!(found.ids.is_empty() && !found.has_unreadable, "{json}");
        }
        let strange =
            r#"{"properties":{"storageProfile":{"osDisk":{"managedDisk":{"id":"/somewhere/else"}}}}}"#;
        assert!(found(strange).has_unreadable);
    }
}
