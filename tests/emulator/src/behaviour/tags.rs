//! The tags API, as documented, and as it behaves on disks.

use std::time::Duration;

use azure_core::http::Method;
use serde_json::json;
use tokio::time::sleep;

use super::{Client, VERSION, mode};
use crate::options::{Options, TagsStyle};

fn tags(id: &str) -> String {
    format!("{id}/providers/Microsoft.Resources/tags/default?api-version=2024-07-01")
}

#[tokio::test(start_paused = true)]
async fn tags_are_merged_replaced_and_deleted_by_name() {
    let client = Client::immediate();
    let mut writes = client.emulator.subscribe_writes();
    let id = client.seed("d");
    let target = tags(&id);
    for (operation, given, left) in [
        ("Merge", json!({"Env": "dev", "x": "1"}), json!({"Env": "dev", "x": "1"})),
        ("Merge", json!({"ENV": "prod", "y": "2"}), json!({"Env": "prod", "x": "1", "y": "2"})),
        ("Delete", json!({"X": "1", "y": "no"}), json!({"Env": "prod", "y": "2"})),
        ("Replace", json!({"z": "3"}), json!({"z": "3"})),
    ] {
        let body = json!({"operation": operation, "properties": {"tags": given}});
        let reply = client.send(Method::Patch, &target, Some(&body)).await;
        assert_eq!((reply.status, &reply.json()["properties"]["tags"]), (200, &left));
        assert_eq!(reply.json()["id"], json!(format!("{id}/providers/Microsoft.Resources/tags/default")));
        let write = writes.try_recv().unwrap();
        assert_eq!(write.operation_name, "Microsoft.Resources/tags/write");
        assert_eq!(write.resource_id, format!("{id}/providers/Microsoft.Resources/tags/default"));
    }
    let put = json!({"properties": {"tags": {"p": "q"}}});
    assert_eq!(
        client.send(Method::Put, &target, Some(&put)).await.json()["properties"]["tags"],
        json!({"p": "q"})
    );
    assert_eq!(client.get(&target).await.json()["properties"]["tags"], json!({"p": "q"}));
    assert_eq!(client.send(Method::Delete, &target, None).await.status, 200);
    assert_eq!(client.emulator.get(&id).unwrap()["tags"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn the_fifty_first_tag_is_refused() {
    let client = Client::immediate();
    let id = client.seed("d");
    let fifty: serde_json::Map<_, _> = (0..50).map(|n| (format!("t{n}"), json!("v"))).collect();
    client.patch(&id, &json!({"tags": fifty})).await;
    let one_more = json!({"operation": "Merge", "properties": {"tags": {"more": ""}}});
    assert_eq!(client.send(Method::Patch, &tags(&id), Some(&one_more)).await.status, 400);
    let known = json!({"operation": "Merge", "properties": {"tags": {"T7": "new"}}});
    assert_eq!(client.send(Method::Patch, &tags(&id), Some(&known)).await.status, 200);
    let wrong = json!({"operation": "Add", "properties": {"tags": {}}});
    assert_eq!(client.send(Method::Patch, &tags(&id), Some(&wrong)).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn on_disks_the_poll_is_broken_and_the_tags_are_there() {
    let client = Client::new(Options::default());
    let mut writes = client.emulator.subscribe_writes();
    let id = client.seed("d");
    let body = json!({"operation": "Merge", "properties": {"tags": {"a": "b"}}});
    let accepted = client.send(Method::Patch, &tags(&id), Some(&body)).await;
    assert_eq!((accepted.status, accepted.text.as_str()), (202, ""));
    let poll = client.get(accepted.header("location").unwrap()).await;
    assert_eq!((poll.status, poll.code().as_str()), (404, "InvalidResourceType"));
    assert!(writes.recv().await.unwrap().succeeded);
    assert_eq!(client.emulator.get(&id).unwrap()["tags"], json!({"a": "b"}));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_provider_knows_too_can_be_polled() {
    let client = Client::new(Options::default());
    let id = client.seed("d");
    let target = tags(&id).replace("2024-07-01", "2021-04-01");
    let body = json!({"operation": "Merge", "properties": {"tags": {"a": "b"}}});
    let accepted = client.send(Method::Patch, &target, Some(&body)).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(client.get(accepted.header("location").unwrap()).await.status, 202);
    assert_eq!(client.get(accepted.header("location").unwrap()).await.json()["tags"], json!({"a": "b"}));
}

#[tokio::test(start_paused = true)]
async fn tags_and_mode_do_not_erase_each_other() {
    for style in [TagsStyle::Merged, TagsStyle::BrokenPoll] {
        let client = Client::new(Options { tags: style, ..Options::default() });
        let id = client.seed("d");
        client.patch(&id, &mode()).await;
        let body = json!({"operation": "Merge", "properties": {"tags": {"a": "b"}}});
        client.send(Method::Patch, &tags(&id), Some(&body)).await;
        sleep(Duration::from_secs(1)).await;
        let after = client.get(&format!("{id}?{VERSION}")).await.json();
        assert_eq!(after["tags"], json!({"a": "b"}));
        assert_eq!(after["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
        assert_eq!(after["properties"]["provisioningState"], "Succeeded");
    }
}
