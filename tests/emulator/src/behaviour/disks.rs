//! PUT, GET, PATCH and DELETE if every write ends at once.

use azure_core::http::Method;
use serde_json::json;

use super::{Client, SUBSCRIPTION, VERSION, mode, user};
use crate::{
    disk_body,
    estate::{disk_id, snapshot_id},
    snapshot_body,
};

#[tokio::test(start_paused = true)]
async fn a_disk_lives_from_put_to_delete() {
    let client = Client::immediate();
    let mut writes = client.emulator.subscribe_writes();
    let id = disk_id(SUBSCRIPTION, "Rg-App", "Data");
    let target = format!("{id}?{VERSION}");
    assert_eq!(client.send(Method::Delete, &target, None).await.status, 204, "nothing there");
    let made = client.send(Method::Put, &target, Some(&disk_body("westeurope"))).await;
    assert_eq!((made.status, made.json()["id"].as_str()), (200, Some(id.as_str())));
    let shouted = client.get(&id.to_ascii_uppercase().replace("SUBSCRIPTIONS", "subscriptions")).await;
    assert_eq!(shouted.code(), "MissingApiVersionParameter");
    let seen = client.get(&format!("{}?API-VERSION=2024-03-02", id.to_ascii_lowercase())).await.json();
    assert_eq!(seen["id"], json!(id), "the stored case");
    assert!(seen["properties"].get("dataAccessAuthMode").is_none(), "absent until it is set");
    assert_eq!(client.patch(&id, &mode()).await.status, 200);
    assert_eq!(client.emulator.get(&id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
    let again = client.send(Method::Put, &target, Some(&disk_body("westeurope"))).await.json();
    assert!(again["properties"].get("dataAccessAuthMode").is_none(), "a PUT without it takes it away");
    assert_eq!(again["properties"]["uniqueId"], made.json()["properties"]["uniqueId"]);
    assert_eq!(client.send(Method::Delete, &target, None).await.status, 200);
    assert_eq!(client.get(&target).await.code(), "ResourceNotFound");

    let mut told = Vec::new();
    while let Ok(write) = writes.try_recv() {
        assert!(write.succeeded && write.caller == user() && write.resource_id == id);
        told.push(format!("{} {}", write.method, write.operation_name));
    }
    assert_eq!(
        told,
        [
            "PUT Microsoft.Compute/disks/write",
            "PATCH Microsoft.Compute/disks/write",
            "PUT Microsoft.Compute/disks/write",
            "DELETE Microsoft.Compute/disks/delete"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_patch_replaces_the_tags_and_merges_the_properties() {
    let client = Client::immediate();
    let id = client.seed("d");
    client.patch(&id, &json!({"tags": {"env": "dev", "x": "1"}})).await;
    client.patch(&id, &mode()).await;
    assert_eq!(
        client.emulator.get(&id).unwrap()["tags"],
        json!({"env": "dev", "x": "1"}),
        "not given: untouched"
    );
    client.patch(&id, &json!({"tags": {"seal": "on"}})).await;
    assert_eq!(client.emulator.get(&id).unwrap()["tags"], json!({"seal": "on"}));
    client.patch(&id, &json!({"tags": {}})).await;
    assert_eq!(client.emulator.get(&id).unwrap()["tags"], json!({}));
    let after = client.emulator.get(&id).unwrap();
    let members: Vec<_> = after.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["name", "id", "type", "location", "tags", "sku", "properties"]);
}

#[tokio::test(start_paused = true)]
async fn what_azure_refuses_of_a_body_is_refused() {
    let client = Client::immediate();
    let id = client.seed("d");
    let many: serde_json::Map<_, _> = (0..51).map(|n| (format!("t{n}"), json!(""))).collect();
    for (body, code) in [
        (json!({"properties": {"dataAccessAuthMode": "Foo"}}), "InvalidParameter"),
        (json!({"properties": {"dataAccesAuthMode": "None"}}), "BadRequest"),
        (json!({"location": "x"}), "BadRequest"),
        (json!({"tags": many}), "InvalidResourceTags"),
        (json!({"tags": {"a/b": ""}}), "InvalidTagNameCharacters"),
        (
            json!({"properties": {"networkAccessPolicy": "AllowAll", "diskAccessId": "x"}}),
            "ConflictingUserInput",
        ),
    ] {
        let reply = client.patch(&id, &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
    }
    let target = format!("{}?{VERSION}", disk_id(SUBSCRIPTION, "rg", "new"));
    for (body, code) in
        [(json!({}), "LocationRequired"), (json!({"location": "westeurope"}), "InvalidParameter")]
    {
        assert_eq!(client.send(Method::Put, &target, Some(&body)).await.code(), code);
    }
    assert_eq!(client.send(Method::Patch, &format!("{id}?{VERSION}"), None).await.status, 415);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_not_final_refuses_writes() {
    let client = Client::immediate();
    let id = client.seed("d");
    client.emulator.set_property(&id, "provisioningState", json!("Creating"));
    let reply = client.patch(&id, &mode()).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "OperationNotAllowed"));
}

#[tokio::test(start_paused = true)]
async fn attached_disks_refuse_the_mode_only_where_the_options_say_so() {
    for refuses in [false, true] {
        let client = Client::new(crate::Options {
            attached_disks_refuse_the_mode: refuses,
            ..crate::Options::immediate()
        });
        let id = client.seed("d");
        client
            .emulator
            .attach(&id, "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v");
        assert_eq!(client.patch(&id, &mode()).await.status, if refuses { 409 } else { 200 });
        assert_eq!(client.patch(&id, &json!({"tags": {"a": "b"}})).await.status, 200);
        assert_eq!(client.send(Method::Delete, &format!("{id}?{VERSION}"), None).await.status, 409);
    }
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_made_of_disks() {
    let client = Client::immediate();
    let disk = client.seed("d");
    let id = snapshot_id(SUBSCRIPTION, "rg-app", "s");
    let target = format!("{id}?{VERSION}");
    let made = client.send(Method::Put, &target, Some(&snapshot_body("westeurope", &disk))).await.json();
    assert_eq!(made["type"], "Microsoft.Compute/snapshots");
    assert_eq!(
        client.patch(&id, &mode()).await.json()["properties"]["dataAccessAuthMode"],
        "AzureActiveDirectory"
    );
}
