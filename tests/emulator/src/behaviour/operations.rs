//! Long-running operations: the 202, the polls, the ends.

use std::time::Duration;

use azure_core::http::Method;
use serde_json::json;
use tokio::time::sleep;

use super::{Client, SUBSCRIPTION, VERSION, asynchronous, mode};
use crate::{
    disk_body,
    estate::{disk_id, snapshot_id},
    fault::Fault,
    options::{ConcurrentWrites, Options},
    snapshot_body,
};

#[tokio::test(start_paused = true)]
async fn a_patch_is_accepted_polled_and_done() {
    let client = Client::new(Options::default());
    let mut writes = client.emulator.subscribe_writes();
    let id = client.seed("d");
    let accepted = client.patch(&id, &mode()).await;
    assert_eq!((accepted.status, accepted.header("retry-after")), (202, Some("2")));
    let partial = accepted.json();
    assert_eq!(partial["properties"]["provisioningState"], "Updating");
    assert_eq!(partial["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
    assert!(partial["properties"].get("diskState").is_none(), "a part of the resource only");
    let seen = client.get(&format!("{id}?{VERSION}")).await.json();
    assert_eq!(seen["properties"]["provisioningState"], "Updating");
    assert!(seen["properties"].get("dataAccessAuthMode").is_none(), "not yet in effect");
    assert!(writes.try_recv().is_err(), "no event before the end");

    let (status, result) =
        (accepted.header("azure-asyncoperation").unwrap(), accepted.header("location").unwrap());
    assert!(status.len() > 4096 && result.contains("&monitor=true&"));
    assert_eq!(client.get(result).await.status, 202);
    sleep(Duration::from_secs(2)).await;
    let first = client.get(status).await;
    assert_eq!(first.json()["status"], "Succeeded", "the poll of the result has used the one InProgress up");
    let write = writes.recv().await.unwrap();
    assert!(write.succeeded && write.resource_id == id);
    let properties = &first.json()["properties"]["output"]["properties"].clone();
    assert_eq!(properties["dataAccessAuthMode"], "AzureActiveDirectory");
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(client.get(result).await.json(), client.emulator.get(&id).unwrap());
    assert!(writes.try_recv().is_err(), "one event");
}

#[tokio::test(start_paused = true)]
async fn polls_say_in_progress_as_long_as_it_lasts() {
    let client = Client::new(asynchronous(|style| {
        style.duration = Duration::from_secs(30);
        style.retry_after_accepted = None;
    }));
    let id = client.seed("d");
    let accepted = client.patch(&id, &mode()).await;
    assert!(accepted.header("retry-after").is_none());
    let status = accepted.header("azure-asyncoperation").unwrap();
    for _ in 0..3 {
        let poll = client.get(status).await;
        assert_eq!((poll.status, poll.header("retry-after")), (200, Some("10")));
        assert_eq!(poll.json()["status"], "InProgress");
    }
    sleep(Duration::from_secs(30)).await;
    let poll = client.get(status).await;
    assert_eq!((poll.json()["status"].as_str(), poll.header("retry-after")), (Some("Succeeded"), None));
}

#[tokio::test(start_paused = true)]
async fn a_write_takes_effect_whether_or_not_anybody_polls() {
    let client = Client::new(Options::default());
    let mut writes = client.emulator.subscribe_writes();
    let id = client.seed("d");
    client.patch(&id, &mode()).await;
    let write = writes.recv().await.unwrap();
    assert_eq!(write.operation_name, "Microsoft.Compute/disks/write");
    assert_eq!(client.emulator.get(&id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
}

#[tokio::test(start_paused = true)]
async fn a_signed_url_must_come_back_byte_for_byte() {
    let client = Client::new(Options::default());
    let id = client.seed("d");
    let accepted = client.patch(&id, &mode()).await;
    let status = accepted.header("azure-asyncoperation").unwrap();
    for changed in [status.replace("&s=", "&s=x"), format!("{status}&x=1"), status.replace("&t=", "&T=")] {
        assert_eq!(client.get(&changed).await.status, 403);
    }
    let elsewhere = status.replace("/DiskOperations/", "/DiskOperations/x");
    assert_eq!(client.get(&elsewhere).await.status, 404);
    assert_eq!(client.get(status).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_snapshots_patch_is_accepted_without_a_name() {
    let client = Client::new(Options::default());
    let disk = client.seed("d");
    let id = snapshot_id(SUBSCRIPTION, "rg-app", "s");
    client.emulator.insert(&id, &snapshot_body("westeurope", &disk)).unwrap();
    let accepted = client.patch(&id, &mode()).await.json();
    assert!(accepted.get("name").is_none() && accepted["id"] == json!(id));
    assert_eq!(client.patch(&disk, &mode()).await.json()["name"], "d", "a disk's has one");
}

#[tokio::test(start_paused = true)]
async fn a_new_disk_refuses_changes_until_it_is_made() {
    let client = Client::new(Options::default());
    let mut writes = client.emulator.subscribe_writes();
    let id = disk_id(SUBSCRIPTION, "rg-app", "new");
    let accepted = client.send(Method::Put, &format!("{id}?{VERSION}"), Some(&disk_body("westeurope"))).await;
    assert!(accepted.status == 202 && accepted.json()["sku"].get("tier").is_none());
    assert_eq!(client.patch(&id, &mode()).await.status, 409);
    writes.recv().await.unwrap();
    assert_eq!(client.patch(&id, &mode()).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_goes_through_an_operation() {
    let client = Client::new(Options::default());
    let mut writes = client.emulator.subscribe_writes();
    let id = client.seed("d");
    let accepted = client.send(Method::Delete, &format!("{id}?{VERSION}"), None).await;
    assert_eq!((accepted.status, accepted.text.as_str(), accepted.header("retry-after")), (202, "", None));
    assert!(client.emulator.get(&id).is_some());
    assert_eq!(client.patch(&id, &mode()).await.status, 409, "on its way out");
    assert_eq!(writes.recv().await.unwrap().operation_name, "Microsoft.Compute/disks/delete");
    assert!(client.emulator.get(&id).is_none());
    client.get(accepted.header("azure-asyncoperation").unwrap()).await;
    let ended = client.get(accepted.header("azure-asyncoperation").unwrap()).await.json();
    assert!(ended["status"] == "Succeeded" && ended.get("properties").is_none());
}

#[tokio::test(start_paused = true)]
async fn concurrent_writes_meet_in_three_ways() {
    for (rule, second, first_succeeds) in [
        (ConcurrentWrites::Preempt, 202, false),
        (ConcurrentWrites::Conflict, 409, true),
        (ConcurrentWrites::Serialize, 202, true),
    ] {
        let client = Client::new(Options { concurrent_writes: rule, ..Options::default() });
        let mut writes = client.emulator.subscribe_writes();
        let id = client.seed("d");
        let first = client.patch(&id, &mode()).await;
        let other = json!({"properties": {"networkAccessPolicy": "DenyAll"}});
        assert_eq!(client.patch(&id, &other).await.status, second, "{rule:?}");
        assert_eq!(writes.recv().await.unwrap().succeeded, first_succeeds, "{rule:?}");
        if second == 202 {
            assert!(writes.recv().await.unwrap().succeeded);
        }
        let status = first.header("azure-asyncoperation").unwrap();
        client.get(status).await;
        let ended = client.get(status).await;
        let properties = client.emulator.get(&id).unwrap()["properties"].clone();
        assert_eq!(properties.get("dataAccessAuthMode").is_some(), first_succeeds, "{rule:?}");
        assert_eq!(properties["provisioningState"], "Succeeded");
        if !first_succeeds {
            assert_eq!((ended.status, ended.json()["status"].as_str()), (200, Some("Canceled")));
            assert_eq!(ended.code(), "OperationPreempted");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn faults_end_operations_badly_or_never() {
    for (fault, word, code) in [
        (Fault::operation_fails("OperationNotAllowed", "no"), "Failed", "OperationNotAllowed"),
        (Fault::operation_canceled(), "Canceled", "OperationCanceled"),
        (Fault::operation_preempted(), "Canceled", "OperationPreempted"),
        (Fault::operation_never_ends(), "InProgress", ""),
    ] {
        for options in [Options::default(), Options::immediate()] {
            let client = Client::new(options);
            let mut writes = client.emulator.subscribe_writes();
            let id = client.seed("d");
            client.emulator.inject(fault.clone().resource("D"));
            let accepted = client.patch(&id, &mode()).await;
            assert_eq!(accepted.status, 202);
            sleep(Duration::from_hours(1)).await;
            let status = accepted.header("azure-asyncoperation").unwrap();
            client.get(status).await;
            let ended = client.get(status).await;
            assert_eq!((ended.json()["status"].as_str(), ended.code().as_str()), (Some(word), code));
            let properties = client.emulator.get(&id).unwrap()["properties"].clone();
            assert!(properties.get("dataAccessAuthMode").is_none(), "without effect");
            let told = writes.try_recv().map(|write| write.succeeded);
            if word == "InProgress" {
                assert!(told.is_err() && properties["provisioningState"] == "Updating");
            } else {
                assert_eq!((told, properties["provisioningState"].as_str()), (Ok(false), Some("Succeeded")));
                assert_eq!(client.get(accepted.header("location").unwrap()).await.status, 409);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn access_is_given_out_and_taken_back() {
    let client = Client::new(asynchronous(|style| style.in_progress_polls = 0));
    let id = client.seed("d");
    let begun = client
        .send(Method::Post, &format!("{id}/beginGetAccess?{VERSION}"), Some(&json!({"access": "Read"})))
        .await;
    assert_eq!((begun.status, begun.header("retry-after")), (202, None));
    sleep(Duration::from_secs(1)).await;
    assert!(client.get(begun.header("location").unwrap()).await.json()["accessSAS"].is_string());
    let resize = json!({"properties": {"diskSizeGB": 400}});
    assert_eq!(client.patch(&id, &resize).await.code(), "ChangeDiskSizeWhileActiveSasNotAllowed");
    assert_eq!(client.patch(&id, &mode()).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn an_upload_begins_with_the_access_to_it_and_ends_with_its_revocation() {
    let client = Client::new(asynchronous(|style| style.in_progress_polls = 0));
    for id in [disk_id(SUBSCRIPTION, "rg", "d"), snapshot_id(SUBSCRIPTION, "rg", "s")] {
        let mut body = disk_body("westeurope");
        body["properties"]["creationData"] =
            json!({"createOption": "Upload", "uploadSizeBytes": 21_474_836_992_u64});
        client.emulator.insert(&id, &body).unwrap();
        let state = || client.emulator.get(&id).unwrap()["properties"]["diskState"].clone();
        let mut states = vec![state()];
        for (verb, access) in [("end", "None"), ("begin", "Write"), ("begin", "Write"), ("end", "None")] {
            let url = format!("{id}/{verb}GetAccess?{VERSION}");
            assert_eq!(client.send(Method::Post, &url, Some(&json!({"access": access}))).await.status, 202);
            sleep(Duration::from_secs(1)).await;
            states.push(state());
        }
        assert_eq!(states, ["ReadyToUpload", "ReadyToUpload", "ActiveUpload", "ActiveUpload", "Unattached"]);
        let seen = client.get(&format!("{id}?{VERSION}")).await.json();
        assert_eq!(seen["properties"]["creationData"]["createOption"], "Upload", "for ever");
    }
}
