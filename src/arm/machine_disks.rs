//! The managed disks of a virtual machine, of a scale set, and of an instance of a scale set.
//!
//! A scale set with uniform orchestration lists its instances with their disks. One with flexible orchestration
//! has ordinary virtual machines and lists them without disks, so they are listed with a filter instead
//! ("Orchestration modes API comparison", "Virtual Machines - List").

use std::collections::HashSet;

use azure_core::http::Url;
use serde_json::Value;

use super::{
    Client,
    api::{self, Api},
    error::{Error, SystemFailure},
    list::NextPage,
    parse,
};
use crate::{
    azure::Terms,
    json::Node,
    resource::is_resource,
    resource_id::{Machine, MachineId, ResourceId},
};

/// The managed disks of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineDisks {
    /// Each once, in ARM's order.
    pub ids: Vec<ResourceId>,
    /// Whether there are more pages: a scale set may have more instances than two pages hold.
    pub has_more: bool,
    /// Whether a part of an answer was in a form that cannot be read, so that a disk may be missing.
    pub has_unreadable: bool,
}

/// The disks found so far.
#[derive(Default)]
struct Found {
    ids: Vec<ResourceId>,
    known: HashSet<ResourceId>,
    has_unreadable: bool,
}

impl Found {
    /// Adds the disks of one machine. What is in an unexpected form hides no other disk.
    fn add(&mut self, machine: &Value) {
        let Some(properties) = self.object(machine, "properties") else { return };
        let Some(profile) = self.object(properties, "storageProfile") else { return };
        let os_disk = self.object(profile, "osDisk");
        let data_disks = match &profile["dataDisks"] {
            Value::Null => &[],
            Value::Array(disks) => disks.as_slice(),
            _ => {
                self.has_unreadable = true;
                &[]
            }
        };
        for disk in os_disk.into_iter().chain(data_disks) {
            // Missing for an unmanaged disk, which is a blob of a storage account.
            let Some(managed_disk) = self.object(disk, "managedDisk") else { continue };
            match managed_disk["id"].as_str().map(str::parse::<ResourceId>) {
                Some(Ok(id)) if self.known.insert(id.clone()) => self.ids.push(id),
                Some(Ok(_)) => {}
                None if managed_disk["id"].is_null() => {}
                Some(Err(_)) | None => self.has_unreadable = true,
            }
        }
    }

    fn disks(self, has_more: bool) -> MachineDisks {
        MachineDisks { ids: self.ids, has_more, has_unreadable: self.has_unreadable }
    }

    /// A member that is an object; none if it is absent.
    fn object<'a>(&mut self, parent: &'a Value, name: &str) -> Option<&'a Value> {
        let value = parent.as_object().map(|_| &parent[name]);
        self.has_unreadable |= value.is_none_or(|value| !(value.is_null() || value.is_object()));
        value.filter(|value| value.is_object())
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
        let body = Node::Whole(parse(api, &answer.body)?);
        if !is_resource(&body) {
            let fault = "the answer is JSON without a machine in it";
            return Err(Error::without_answer(api.what, SystemFailure::Unreadable, fault));
        }
        let body = Value::from(body);
        found.has_unreadable = !body["properties"].is_object();
        found.add(&body);
        Ok(found.disks(false))
    }

    async fn disks_of_scale_set(&self, id: &MachineId, terms: Terms) -> Result<MachineDisks, Error> {
        let mut found = Found::default();
        let url = self.url(&format!("{id}/virtualMachines"), &api::INSTANCES);
        let mut next = self.add_page(&api::INSTANCES, id, &url, &mut found, terms).await?;
        let is_flexible = found.ids.is_empty() && !found.has_unreadable;
        if is_flexible {
            let url = self.machines_of(id);
            next = self.add_page(&api::MACHINES, id, &url, &mut found, terms).await?;
        } else if let Some(Ok(url)) = next {
            next = self.add_page(&api::INSTANCES, id, &url, &mut found, terms).await?;
        }
        Ok(found.disks(next.is_some()))
    }

    /// The URL of the virtual machines of a scale set with flexible orchestration.
    fn machines_of(&self, id: &MachineId) -> Url {
        let group = format!("/subscriptions/{}/resourceGroups/{}", id.subscription_id(), id.resource_group());
        let path = format!("{group}/providers/Microsoft.Compute/virtualMachines");
        let mut url = self.url(&path, &api::MACHINES);
        // A quote in a text is doubled ("OData URL conventions", string literals).
        let id = id.to_string().replace('\'', "''");
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
    ) -> Result<Option<NextPage>, Error> {
        let page = self.elements(api, id.subscription_id(), url, terms).await;
        let (elements, next) = page.map_err(|error| error.naming(api))?;
        for element in &elements {
            match serde_json::from_str(element.get()) {
                Ok(body) => found.add(&body),
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
        found.add(&serde_json::from_str(json).unwrap());
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
        for json in [
            "[]",
            r#"{"properties":[]}"#,
            r#"{"properties":{"storageProfile":"x"}}"#,
            r#"{"properties":{"storageProfile":{"osDisk":{"managedDisk":{"id":"/somewhere/else"}}}}}"#,
            r#"{"properties":{"storageProfile":{"osDisk":{"managedDisk":{"id":7}}}}}"#,
            r#"{"properties":{"storageProfile":{"osDisk":{"managedDisk":true}}}}"#,
            r#"{"properties":{"storageProfile":{"dataDisks":{}}}}"#,
            r#"{"properties":{"storageProfile":{"dataDisks":[null]}}}"#,
        ] {
            assert!(found(json).has_unreadable, "{json}");
        }
    }

    #[test]
    fn an_odd_disk_hides_no_other() {
        let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
        let json = serde_json::json!({"properties": {"storageProfile": {
            "osDisk": ["odd"], "dataDisks": [7, {"managedDisk": {"id": id}}, {"managedDisk": {"id": {}}}],
        }}});
        let found = found(&json.to_string());
        assert_eq!((found.ids, found.has_unreadable), (vec![id.parse().unwrap()], true));
    }
}
