//! Evidence through the real process, and the command that checks it.

use std::fs;

use diskseal_emulator::{disk_body, fault::Kind, local_azure::LocalAzure};
use serde_json::Value;

use super::{commands::command, disk, settings, setup};
use crate::world::jane;

const PATH: &str = "/evidence";

#[tokio::test]
async fn the_first_sweep_of_a_day_writes_the_evidence_and_the_command_checks_it_there_and_in_a_folder() {
    let mut setup = setup();
    setup.azure.audiences.push("https://storage.azure.com".to_owned());
    let azure = LocalAzure::start(setup, |serving| {
        let url = format!("{}{PATH}", serving.arm_https);
        settings(serving, &[("DISKSEAL_EVIDENCE", &url), ("DISKSEAL_MODE", "audit")])
    })
    .await
    .unwrap();
    azure.emulator.put_container(PATH, 5_000);
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    let swept = azure.host.fire_timer("sweep").await.unwrap();
    assert!(swept.succeeded(), "{swept:?}");
    let [(name, content)] = azure.emulator.blobs(PATH).into_iter().collect::<Vec<_>>().try_into().unwrap();
    assert!(
        swept.logs.iter().any(|line| line.starts_with(&format!("evidence: {name} written, 1 resources")))
    );
    let document: Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(document["report"]["resources"][0]["id"], disk("d"));

    let journal = azure.emulator.journal();
    let tokens = journal.iter().filter(|exchange| exchange.kind == Kind::Token);
    assert!(
        tokens.clone().any(|exchange| exchange.query.contains("storage.azure.com")),
        "a token of its own"
    );
    assert!(!journal.iter().any(|exchange| exchange.kind == Kind::Patch), "audit mode changes no resource");
    let block = journal.iter().find(|exchange| exchange.kind == Kind::BlobBlock).unwrap();
    assert!(!block.query.contains("sig="), "by identity");

    let serving = &azure.serving;
    let url = format!("{}{PATH}", serving.arm_https);
    let (code, out, err) = command(serving, &["report", "--evidence", &url], "").await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("newest") && out.ends_with("1 day, and nothing speaks against it.\n"), "{out}");

    // The same in a folder, with a day that follows it.
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    fs::write(folder.path().join(&name), &content).unwrap();
    let (code, out, _) = command(serving, &["report", "--evidence", place, "--output", "json"], "").await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["clean"], &json["days"][0]["resources"]), (Some(0), &true.into(), &1.into()));
    fs::write(folder.path().join(&name), &content[..content.len() / 2]).unwrap();
    let (code, out, _) = command(serving, &["report", "--evidence", place], "").await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("unreadable"), "{out}");
    fs::remove_file(folder.path().join(&name)).unwrap();
    assert_eq!(
        command(serving, &["report", "--evidence", place], "").await.0,
        Some(1),
        "no evidence is no proof"
    );
    for (place, code) in
        [("nowhere", 2), ("https://localhost:1/c", 3), ("https://st.blob.core.windows.net/c?sig=s3cret", 2)]
    {
        let (exit, out, err) = command(serving, &["report", "--evidence", place], "").await;
        assert_eq!(exit, Some(code), "{place}: {out}{err}");
        assert!(!err.contains("s3cret"), "{err}");
    }
}

/// The most memory that the handler of the sweep has used so far, in MiB.
fn peak(azure: &LocalAzure) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", azure.host.pid("sweep").unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// A file has several blocks, and neither it nor the one before it is ever in memory.
#[tokio::test]
async fn a_large_estate_needs_little_more_memory_than_a_small_one() {
    const RESOURCES: usize = 15_000;
    let mut setup = setup();
    setup.azure.audiences.push("https://storage.azure.com".to_owned());
    let azure = LocalAzure::start(setup, |serving| {
        let url = format!("{}{PATH}", serving.arm_https);
        settings(serving, &[("DISKSEAL_EVIDENCE", &url), ("DISKSEAL_MODE", "audit")])
    })
    .await
    .unwrap();
    azure.emulator.put_container(PATH, 5_000);
    for number in 0..RESOURCES {
        let mut body = disk_body("westeurope");
        body["properties"]["dataAccessAuthMode"] = "AzureActiveDirectory".into();
        body["tags"] = serde_json::json!({"diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-01-01T00:00:00Z"});
        azure.emulator.insert(&disk(&format!("disk-{number:06}")), &body).unwrap();
    }
    let started = azure.host.fire_timer("sweep").await.unwrap();
    assert!(
        started.logs.iter().any(|line| line.contains(&format!("{RESOURCES} resources"))),
        "{:?}",
        started.logs
    );
    let before = peak(&azure);
    let [(name, content)] = azure.emulator.blobs(PATH).into_iter().collect::<Vec<_>>().try_into().unwrap();
    let blocks = azure.emulator.journal().iter().filter(|exchange| exchange.kind == Kind::BlobBlock).count();
    assert!(blocks > 2, "{blocks} blocks of {} bytes", content.len());

    // It is yesterday's, and is compared with today's.
    azure.emulator.set_blob(PATH, &name, None);
    azure.emulator.set_blob(PATH, "2026-01-01.json", Some(content.clone()));
    let compared = azure.host.fire_timer("sweep").await.unwrap();
    assert!(compared.logs.iter().any(|line| line.contains(".json written")), "{:?}", compared.logs);
    let second: Value = serde_json::from_slice(&azure.emulator.blobs(PATH)[&name]).unwrap();
    assert_eq!((&second["changeCount"], &second["previous"]["name"]), (&0.into(), &"2026-01-01.json".into()));
    let (after, size) = (peak(&azure), content.len() / 1024 / 1024);
    assert!(after < 45, "{before}, then {after} MiB, for files of {size} MiB");
}
