//! Virtual machines and scale sets: the disks that Compute creates for them, their events, and the lists.

use serde_json::{Value, json};

use super::{ARM, Client, SUBSCRIPTION, user};
use crate::{
    estate::{scale_set_id, virtual_machine_id},
    options::Options,
    scale_set_body, virtual_machine_body,
};

const VERSION: &str = "api-version=2024-03-01";

fn operations(client: &Client, act: impl FnOnce(&Client)) -> Vec<String> {
    let mut writes = client.emulator.subscribe_writes();
    act(client);
    std::iter::from_fn(|| writes.try_recv().ok()).map(|write| write.operation_name).collect()
}

#[tokio::test]
async fn a_machine_comes_with_disks_that_it_holds_and_that_have_no_mode() {
    let client = Client::immediate();
    let id = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    let mut body = virtual_machine_body("westeurope", 2);
    body["tags"] = json!({"owner": "ada"});
    body["properties"]["storageProfile"]["dataDisks"][1]["name"] = json!("logs");
    let told = operations(&client, |client| {
        client.emulator.put_machine(&id, &user(), &body).unwrap();
    });
    assert_eq!(told, ["Microsoft.Compute/virtualMachines/write"], "the disks say nothing");
    let disks = client.emulator.resources();
    assert_eq!(disks.len(), 3);
    for disk in &disks {
        assert_eq!(disk["managedBy"], id, "{disk}");
        assert_eq!(disk["properties"]["diskState"], "Attached");
        assert!(disk["properties"]["dataAccessAuthMode"].is_null());
    }
    let names: Vec<_> = disks.iter().map(|disk| disk["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("vm-1_OsDisk_1_")).count(), 1, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("vm-1_disk2_")).count(), 1, "{names:?}");
    assert!(names.contains(&"logs"), "{names:?}");
    let tagged: Vec<_> = disks.iter().filter(|disk| disk["tags"]["owner"] == "ada").collect();
    assert!(tagged.len() == 1 && tagged[0]["name"].as_str().unwrap().contains("OsDisk"));

    let shown = client.get(&format!("{id}?{VERSION}")).await.json();
    let profile = &shown["properties"]["storageProfile"];
    let os_disk = profile["osDisk"]["managedDisk"]["id"].as_str().unwrap();
    assert!(os_disk.contains("/resourceGroups/RG-APP/"), "{os_disk}");
    assert!(client.emulator.get(os_disk).is_some(), "the id leads to the disk in any case");
}

#[tokio::test]
async fn a_second_write_keeps_the_disks_and_makes_those_that_are_missing() {
    let client = Client::immediate();
    let id = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    let first = client.emulator.put_machine(&id, &user(), &virtual_machine_body("westeurope", 1)).unwrap();
    let second = client.emulator.put_machine(&id, &user(), &virtual_machine_body("westeurope", 2)).unwrap();
    assert_eq!((first.len(), second.len()), (2, 3));
    assert!(first.iter().all(|disk| second.contains(disk)));
    assert!(client.emulator.delete_machine(&id, &user()));
    assert_eq!(client.get(&format!("{id}?{VERSION}")).await.code(), "ResourceNotFound");
    assert!(client.emulator.resources().iter().all(|disk| disk["managedBy"].is_null()), "the disks are free");
}

#[tokio::test]
async fn machine_disks_raise_events_if_the_option_is_set() {
    let client = Client::new(Options { machine_disks_raise_events: true, ..Options::immediate() });
    let id = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    let told = operations(&client, |client| {
        client.emulator.put_machine(&id, &user(), &virtual_machine_body("westeurope", 1)).unwrap();
    });
    let disk = "Microsoft.Compute/disks/write";
    assert_eq!(told, [disk, disk, "Microsoft.Compute/virtualMachines/write"]);
}

async fn pages(client: &Client, first: String) -> Vec<Vec<Value>> {
    let (mut pages, mut next) = (vec![], Some(first));
    while let Some(url) = next {
        let page = client.get(&url).await.json();
        pages.push(page["value"].as_array().unwrap().clone());
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    pages
}

#[tokio::test]
async fn a_uniform_scale_set_lists_its_instances_with_their_disks_page_by_page() {
    let client = Client::new(Options { page_size: 2, ..Options::immediate() });
    let id = scale_set_id(SUBSCRIPTION, "rg-app", "web");
    let told = operations(&client, |client| {
        client.emulator.put_machine(&id, &user(), &scale_set_body("westeurope", "Uniform", 5)).unwrap();
    });
    assert_eq!(told, ["Microsoft.Compute/virtualMachineScaleSets/write"]);
    assert_eq!(client.emulator.machine_disks(&id).len(), 10);
    let pages = pages(&client, format!("{ARM}{id}/virtualMachines?{VERSION}")).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    for (number, instance) in pages.iter().flatten().enumerate() {
        assert_eq!(instance["id"], format!("{id}/virtualMachines/{number}"));
        assert!(instance["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"].is_string());
    }
    client.emulator.put_machine(&id, &user(), &scale_set_body("westeurope", "Uniform", 1)).unwrap();
    assert_eq!(client.emulator.machine_disks(&id).len(), 2, "an instance goes with its disks");
}

#[tokio::test]
async fn a_flexible_scale_set_shows_disks_at_its_virtual_machines_alone() {
    let client = Client::new(Options { page_size: 2, ..Options::immediate() });
    let id = scale_set_id(SUBSCRIPTION, "rg-app", "flex");
    client.emulator.put_machine(&id, &user(), &scale_set_body("westeurope", "Flexible", 3)).unwrap();
    let other = virtual_machine_id(SUBSCRIPTION, "rg-app", "lone");
    client.emulator.put_machine(&other, &user(), &virtual_machine_body("westeurope", 0)).unwrap();
    let instances = pages(&client, format!("{ARM}{id}/virtualMachines?{VERSION}")).await;
    let instances: Vec<_> = instances.into_iter().flatten().collect();
    assert_eq!(instances.len(), 3);
    assert!(instances.iter().all(|one| one["properties"].is_null()));
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute");
    let filter = format!("%27virtualMachineScaleSet%2Fid%27%20eq%20%27{}%27", id.to_uppercase());
    let machines = pages(&client, format!("{ARM}{group}/virtualMachines?{VERSION}&$filter={filter}")).await;
    assert_eq!(machines.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert!(machines.iter().flatten().all(|one| one["properties"]["virtualMachineScaleSet"]["id"] == id));
    let refused = client.get(&format!("{group}/virtualMachines?{VERSION}&$filter=name%20eq%20%27x%27")).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "InvalidParameter"));
}

#[tokio::test]
async fn machines_have_versions_of_their_own_and_refusals_name_their_action() {
    use crate::fault::{Fault, Kind, Refusal};
    let client = Client::immediate();
    let id = virtual_machine_id(SUBSCRIPTION, "rg-app", "vm-1");
    let put = client
        .send(
            azure_core::http::Method::Put,
            &format!("{id}?{VERSION}"),
            Some(&virtual_machine_body("westeurope", 1)),
        )
        .await;
    assert_eq!(put.status, 201);
    let refused = client.get(&format!("{id}?api-version=2024-03-02")).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "NoRegisteredProviderFound"));
    client.emulator.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Machine));
    let refused = client.get(&format!("{id}?{VERSION}")).await;
    assert!(refused.text.contains("Microsoft.Compute/virtualMachines/read"), "{}", refused.text);
}
